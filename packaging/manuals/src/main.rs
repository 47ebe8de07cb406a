//! Writes the manual pages and shell completions of kubelet-lite into a directory, from the program's
//! own description of its command line: `manuals DIR`.

use clap::CommandFactory;
use clap_complete::{Shell, generate_to};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use kubelet_lite::{cli::Cli, exit::ExitStatus};
use std::{fs, io, path::Path};

/// Section of the manual: administration.
const SECTION: &str = "8";

const FILES: [(&str, &str); 6] = [
    ("/etc/kubernetes/manifests", "Manifests of the pods to run: *.yaml, *.yml, *.json."),
    ("/etc/kubernetes/kubelet-lite.yaml", "Configuration of the packaged service, a KubeletConfiguration."),
    ("/etc/default/kubelet-lite", "More flags for the packaged service."),
    ("/var/lib/kubelet-lite", "Volumes and state of the pods (--root-dir)."),
    ("/run/kubelet-lite/kubelet-lite.sock", "Where this daemon answers `get` and its like (--api-socket)."),
    ("/var/run/docker.sock", "Where the Docker Engine listens (--docker-endpoint)."),
];

const SIGNALS: [(&str, &str); 2] = [
    ("SIGTERM, SIGINT", "Leave; the pods go on. A second one ends the process at once."),
    (
        "SIGHUP",
        "Read the manifests again. A changed configuration is checked and reported; it needs a restart, which the \
         pods do not notice.",
    ),
];

fn main() -> io::Result<()> {
    let Some(directory) = std::env::args_os().nth(1) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "name the directory to write to"));
    };
    let directory = Path::new(&directory);
    fs::create_dir_all(directory)?;
    let mut command = Cli::command();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut command, "kubelet-lite", directory)?;
    }
    command.build();
    let daemon = page(&command, &[])?;
    fs::write(directory.join(format!("kubelet-lite.{SECTION}")), daemon)?;
    for job in command.get_subcommands().filter(|job| job.get_name() != "help") {
        let name = format!("kubelet-lite-{}", job.get_name());
        // The page is of `kubelet-lite-validate`, as with other programs of many jobs.
        let job = job.clone().display_name(&name);
        let page = page(&job, &["kubelet-lite"])?;
        fs::write(directory.join(format!("{name}.{SECTION}")), page)?;
    }
    Ok(())
}

/// One page; that of the daemon, which has no parents, tells of files, exit codes and signals too.
fn page(command: &clap::Command, parents: &[&str]) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone()).section(SECTION).manual("System administration").source("kubelet-lite");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if parents.is_empty() {
        man.render_subcommands_section(&mut page)?;
        let codes = [ExitStatus::Success, ExitStatus::Failure, ExitStatus::Usage, ExitStatus::Locked];
        let mut codes: Vec<(String, &str)> = codes.map(|status| (status.code().to_string(), meaning(status))).into();
        let base = ExitStatus::Signalled(0);
        codes.push((format!("{}+n", base.code()), meaning(base)));
        let codes: Vec<(&str, &str)> = codes.iter().map(|(code, text)| (code.as_str(), *text)).collect();
        let mut more = Roff::new();
        list(&mut more, "EXIT STATUS", &codes);
        list(&mut more, "SIGNALS", &SIGNALS);
        list(&mut more, "FILES", &FILES);
        more.control("SH", ["SEE ALSO"]);
        more.text([
            bold("systemctl"),
            roman("(1), "),
            bold("journalctl"),
            roman("(1), "),
            bold("docker"),
            roman("(1)"),
        ]);
        more.to_writer(&mut page)?;
    } else {
        let mut more = Roff::new();
        more.control("SH", ["SEE ALSO"]);
        for parent in parents {
            more.text([bold(*parent), roman(format!("({SECTION})"))]);
        }
        more.to_writer(&mut page)?;
    }
    Ok(page)
}

fn meaning(status: ExitStatus) -> &'static str {
    match status {
        ExitStatus::Success => "Asked to stop; the pods go on. Of a command: it succeeded.",
        ExitStatus::Failure => "Failed at run time; the log says why.",
        ExitStatus::Usage => "A flag or the configuration file is wrong. A restart does not help.",
        ExitStatus::Locked => "Another kubelet-lite works on the same --root-dir. A restart does not help.",
        ExitStatus::Signalled(_) => {
            "A second SIGTERM or SIGINT: left at once. The code is 128 and the signal's number."
        }
    }
}

fn list(page: &mut Roff, title: &str, entries: &[(&str, &str)]) {
    page.control("SH", [title]);
    for (term, text) in entries {
        page.control("TP", []);
        page.text([bold(*term)]);
        page.text([roman(*text)]);
    }
}
