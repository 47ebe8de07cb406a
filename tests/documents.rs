//! What the documents and the examples say is true of the program.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers may panic too")]

use clap::{CommandFactory, Parser};
use kubelet_lite::{
    cli::{Cli, Options},
    exit::ExitStatus,
    manifest::parse::{ParseOptions, parse_file},
    settings::settle,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The rows of all tables of a document, cell by cell.
fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    text.lines().filter(|line| line.starts_with('|')).map(cells).collect()
}

/// The name of a flag in a cell such as `` `-v`, `--v=LEVEL` ``.
fn flag(cell: &str) -> Option<String> {
    let (_, name) = cell.split_once("`--")?;
    Some(name.split(['=', '`']).next().unwrap().to_owned())
}

#[test]
fn the_readme_lists_every_flag_with_its_default() {
    let said: BTreeMap<String, String> = rows(&read("README.md"))
        .iter()
        .filter(|row| row.len() == 3)
        .filter_map(|row| Some((flag(&row[0])?, row[1].replace('`', ""))))
        .collect();
    let command = Cli::command();
    let flags = command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()));
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for arg in flags {
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        let default = help.split_once("[default: ").and_then(|(_, rest)| rest.split_once(']'));
        let name = arg.get_long().expect("every flag has a long name").to_owned();
        // What the help gives no default for, the README describes in its own words.
        let default = default.map_or_else(|| said.get(&name).cloned().unwrap_or_default(), |(text, _)| text.to_owned());
        known.insert(name, default);
    }
    assert_eq!(said, known);
}

#[test]
fn a_flag_and_its_value_are_one_word_or_two() {
    let examples: BTreeMap<&str, &str> = [
        ("PATH", "/a/b"),
        ("FILE", "/a/b"),
        ("DIR", "/a/b"),
        ("ENDPOINT", "unix:///a/b"),
        ("NAME", "n1"),
        ("LABELS", "a=b"),
        ("TAINTS", "a=b:NoSchedule"),
        ("IP", "192.0.2.1"),
        ("DURATION", "1m30s"),
        ("IMAGE", "i:1"),
        ("NETWORK", "net"),
        ("N", "-1"),
        ("SYSCTLS", "kernel.sem"),
        ("BOOL", "false"),
        ("FORMAT", "json"),
    ]
    .into();
    let command = Cli::command();
    let mut count = 0;
    for arg in command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
        let (flag, form) = (arg.get_long().unwrap(), arg.get_value_names().unwrap()[0].as_str());
        let value = match flag {
            "field-validation" => "Warn",
            "max-pods" | "v" => "4",
            _ => examples.get(form).copied().unwrap_or_else(|| panic!("an example of {form}")),
        };
        let one = Cli::try_parse_from(["kubelet-lite", &format!("--{flag}={value}")]).unwrap();
        let two = Cli::try_parse_from(["kubelet-lite", &format!("--{flag}"), value]);
        // The README says so of this one.
        if flag == "seccomp-default" {
            assert!(two.is_err());
        } else {
            assert_eq!(format!("{:?}", one.options), format!("{:?}", two.unwrap().options));
        }
        count += 1;
    }
    assert!(count > 20, "{count}");
}

#[test]
fn every_flag_of_validate_is_told_of() {
    let said: Vec<String> = rows(&read("docs/manifests.md")).iter().filter_map(|row| flag(&row[0])).collect();
    let command = Cli::command();
    let validate = command.find_subcommand("validate").expect("a command");
    let flags: Vec<&str> = validate.get_arguments().filter_map(clap::Arg::get_long).filter(|f| *f != "help").collect();
    assert!(flags.len() > 5, "{flags:?}");
    for name in flags {
        assert!(said.iter().any(|said| said == name), "docs/manifests.md does not tell of --{name}");
    }
}

#[test]
fn exit_codes_are_the_readmes_and_the_units() {
    let readme = rows(&read("README.md"));
    for (status, word) in [
        (ExitStatus::Success, "asked to stop"),
        (ExitStatus::Failure, "failed at run time"),
        (ExitStatus::Usage, "flag or the configuration file is wrong"),
        (ExitStatus::Locked, "works on the same `--root-dir`"),
    ] {
        let code = status.code().to_string();
        assert!(readme.iter().any(|row| row[0] == code && row[1].contains(word)), "{code}: {word}");
    }
    let unit = read("systemd/kubelet-lite.service");
    let hopeless = format!("\nRestartPreventExitStatus={} {}\n", ExitStatus::Usage.code(), ExitStatus::Locked.code());
    assert!(unit.contains(&hopeless), "{unit}");
}

#[test]
fn the_examples_are_without_a_fault() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let parsed = parse_file(&file, &fs::read(&file).unwrap(), &ParseOptions::default());
        assert!(!parsed.objects.is_empty(), "{file:?}");
        assert!(parsed.diagnostics.is_empty(), "{:#?}", parsed.diagnostics);
    }
}

#[test]
fn links_lead_somewhere() {
    for document in [
        "README.md",
        "docs/README.md",
        "docs/architecture.md",
        "docs/manifests.md",
        "docs/packaging.md",
        "docs/probes.md",
        "docs/security.md",
        "docs/status.md",
    ] {
        let text = read(document);
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(document).parent().unwrap().to_owned();
        let targets = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
        for target in targets.filter(|target| !target.contains("://")) {
            let target = target.split('#').next().unwrap();
            assert!(directory.join(target).exists(), "{document}: {target}");
        }
    }
}

/// The program's source, with string literals that run over lines joined.
fn source(directory: &Path, text: &mut String) {
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            source(&entry, text);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            let lines = fs::read_to_string(&entry).unwrap();
            text.push_str(&lines.split("\\\n").map(str::trim_start).collect::<String>());
        }
    }
}

#[test]
fn what_the_troubleshooting_table_quotes_is_said_by_the_program() {
    let readme = read("README.md");
    let (_, table) = readme.split_once("## Troubleshooting").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let mut program = String::new();
    source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut program);
    let mut quotes = 0;
    for symptom in rows(table).iter().skip(2).map(|row| &row[0]) {
        let quoted = symptom.split('`').skip(1).step_by(2).flat_map(|quote| quote.split('…')).map(str::trim);
        // The engine's words are its own.
        let of_the_engine = ["port is already allocated", "address already in use"];
        for words in quoted.filter(|words| !of_the_engine.contains(words)) {
            quotes += 1;
            assert!(program.contains(words), "{symptom}: {words}");
        }
    }
    assert!(quotes > 8, "{quotes}");
}

/// Lines that are commented out but would be YAML: `#maxPods: 110`, not `# How many`.
fn with_defaults_written_out(configuration: &str) -> String {
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') || rest.starts_with("  ") => rest.to_owned(),
        _ => line.to_owned(),
    };
    configuration.lines().map(|line| uncomment(line) + "\n").collect()
}

#[test]
fn the_packaged_configuration_shows_every_field_at_its_default() {
    let path = Path::new("/etc/kubernetes/kubelet-lite.yaml");
    let packaged = read("packaging/deb/kubelet-lite.yaml");
    let settled = |text: &str| settle(&Options::default(), Some((path, text)), "n").unwrap();
    let (settings, notices) = settled(&packaged);
    assert!(notices.is_empty(), "{notices:?}");
    assert_eq!(settings.pod_manifest_path, Path::new("/etc/kubernetes/manifests"));

    let written_out = with_defaults_written_out(&packaged);
    assert_eq!(settled(&written_out), (settings, Vec::new()));
    let shown: serde_json::Value = serde_yaml::from_str(&written_out).unwrap();
    let readme = read("README.md");
    let fields = shown.as_object().unwrap().keys().filter(|field| !["apiVersion", "kind"].contains(&field.as_str()));
    for field in fields {
        assert!(readme.contains(&format!("`{field}")), "{field}");
    }
    let source = read("src/settings.rs");
    let (_, fields) = source.split_once("match name.as_str() {").unwrap();
    let (fields, _) = fields.split_once("\n    }\n").unwrap();
    let honoured: Vec<&str> = fields
        .lines()
        .filter(|line| line.contains(" => "))
        .filter_map(|line| line.trim().strip_prefix('"')?.split('"').next())
        .filter(|name| !["apiVersion", "kind"].contains(name))
        .collect();
    assert!(honoured.len() > 10, "{honoured:?}");
    for name in honoured {
        assert!(packaged.contains(&format!("{name}:")), "the packaged configuration lacks {name}");
        let told = [format!("`{name}`"), format!("`{name}."), format!(".{name}`")];
        assert!(told.iter().any(|told| readme.contains(told)), "{name}");
    }
}

/// The directives of the unit's service section, without those that say what is run.
#[test]
fn every_line_of_the_unit_is_accounted_for() {
    let unit = read("systemd/kubelet-lite.service");
    let security = read("docs/security.md");
    let (_, service) = unit.split_once("[Service]").unwrap();
    let directives = service.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let mut count = 0;
    for (directive, _) in directives.filter(|(directive, _)| *directive != "WantedBy") {
        count += 1;
        assert!(security.contains(&format!("`{directive}=")), "docs/security.md does not tell why {directive}= is set");
    }
    assert!(count > 20, "{count}");
}

#[test]
fn every_event_is_told_of() {
    let status = read("docs/status.md");
    let (_, events) = status.split_once("\n## Events").unwrap();
    let source = read("src/event/reason.rs");
    let reasons: Vec<&str> =
        source.lines().filter_map(|line| line.split_once(": &str = \"")?.1.strip_suffix("\";")).collect();
    assert!(reasons.len() > 20, "{reasons:?}");
    for reason in reasons {
        assert!(events.contains(&format!("`{reason}`")), "{reason}");
    }
}

#[test]
fn the_tests_that_documents_name_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = 0;
    for document in ["docs/packaging.md", "docs/architecture.md", "docs/probes.md", "docs/manifests.md"] {
        let text = read(document);
        for path in text.split('`').skip(1).step_by(2).filter(|quoted| {
            let known = ["tests/", "src/", "packaging/", "systemd/"].iter().any(|start| quoted.starts_with(start));
            known && quoted.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
        }) {
            paths += 1;
            let found = ["", ".rs"].iter().any(|end| root.join(format!("{path}{end}")).exists());
            assert!(found, "{document} names {path}, which is not there");
        }
    }
    assert!(paths > 30, "{paths}");
}

#[test]
fn every_chapter_of_the_guide_is_executed() {
    let packaging = read("docs/packaging.md");
    let (_, table) = packaging.split_once("## What executes the operator's guide").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let told: Vec<String> = rows(table).into_iter().skip(2).map(|row| row[0].clone()).collect();
    let readme = read("README.md");
    let chapters = readme.lines().filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")));
    // What comes after the guide is for developers.
    let chapters: Vec<&str> = chapters.take_while(|chapter| *chapter != "Developing").collect();
    assert_eq!(told, chapters, "docs/packaging.md does not say of each chapter of the README what executes it");
}

#[test]
fn logind_waits_as_long_as_the_packaged_configuration_says() {
    let packaged = read("packaging/deb/kubelet-lite.yaml");
    let (settings, _) = settle(&Options::default(), Some((Path::new("/c.yaml"), &packaged)), "n").unwrap();
    let total = settings.shutdown.total().as_secs();
    assert!(total > 0);
    assert!(read("packaging/deb/logind.conf").contains(&format!("\nInhibitDelayMaxSec={total}\n")), "{total}");
}

#[test]
fn the_changelog_of_the_package_is_of_this_version() {
    let changelog = read("packaging/deb/changelog");
    assert!(changelog.starts_with(&format!("kubelet-lite ({}) ", env!("CARGO_PKG_VERSION"))), "{changelog}");
}
