//! The daemon by itself, on a node without an engine: its flags, its configuration, its log, its ends.

use crate::support::{eventually, say};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// A directory for a daemon, and what it says.
struct Alone {
    home: TempDir,
}

impl Drop for Alone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("--- the daemon's log:\n{}", self.log()));
        }
    }
}

/// One daemon, which ends with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }

    /// Its exit code, once it has one.
    fn code(&mut self) -> Option<i32> {
        self.0.try_wait().unwrap().map(|status| status.code().expect("it ends by itself"))
    }
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: 'i:1'}]}\n";

impl Alone {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("manifests")).unwrap();
        Self { home }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The daemon's command line, as flag and value in two words.
    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubelet-lite"));
        command.arg("--pod-manifest-path").arg(self.path("manifests"));
        command.arg("--root-dir").arg(self.path("root"));
        command.arg("--docker-endpoint").arg(format!("unix://{}", self.path("no.sock").display()));
        command.args(["--hostname-override", "n1"]).args(more).stdin(Stdio::null()).stdout(Stdio::null());
        command.env_remove("JOURNAL_STREAM");
        command
    }

    fn log_file(&self) -> File {
        File::options().create(true).append(true).open(self.path("log")).unwrap()
    }

    fn start(&self, more: &[&str]) -> Daemon {
        Daemon(self.command(more).stderr(self.log_file()).spawn().unwrap())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    async fn said(&self, text: &str) {
        eventually(&format!("the daemon says {text:?}"), || async { self.log().contains(text).then_some(()) }).await;
    }

    fn ask(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_kubelet-lite")).args(words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_lines_have_a_priority_where_the_journal_reads_them() {
    for (format, beginning) in [("text", "<6>"), ("json", "<6>{")] {
        let alone = Alone::new();
        let log = alone.log_file();
        let stream = |file: &File| format!("{}:{}", file.metadata().unwrap().dev(), file.metadata().unwrap().ino());
        let flags = ["--logging-format", format, "--shutdown-grace-period=5s"];
        let mut command = alone.command(&flags);
        command.env("JOURNAL_STREAM", stream(&log)).env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus");
        let daemon = Daemon(command.stderr(log).spawn().unwrap());
        alone.said("waiting for the Docker Engine").await;
        // What a shutdown needs is missed at once, not when the machine goes down.
        alone.said("a shutdown of this node will not wait for its pods").await;
        drop(daemon);
        let log = alone.log();
        assert!(log.lines().all(|line| line.starts_with('<')), "{log}");
        assert!(log.starts_with(beginning), "{log}");
        let warning = log.lines().find(|line| line.contains("will not wait for its pods")).unwrap();
        assert!(warning.starts_with("<4>"), "{warning}");

        // Somebody has redirected standard error: the variable tells of another file.
        fs::remove_file(alone.path("log")).unwrap();
        let mut command = alone.command(&flags);
        command.env("JOURNAL_STREAM", stream(&File::open("/dev/null").unwrap()));
        let _daemon = Daemon(command.stderr(alone.log_file()).spawn().unwrap());
        alone.said("waiting for the Docker Engine").await;
        assert!(!alone.log().contains(beginning), "{}", alone.log());
        if format == "json" {
            for line in alone.log().lines() {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_v_4_on_it_logs_each_step() {
    for (flags, tells) in [(&[][..], false), (&["--v=3"], false), (&["--v=4"], true), (&["-v", "5"], true)] {
        let alone = Alone::new();
        // One scan tells of both, of the hidden one first.
        fs::write(alone.path("manifests/.hidden.yaml"), POD).unwrap();
        fs::write(alone.path("manifests/web.yaml"), POD).unwrap();
        let _daemon = alone.start(flags);
        if tells {
            alone.said("hidden.yaml").await;
        } else {
            alone.said("manifest accepted").await;
            assert!(!alone.log().contains("hidden.yaml"), "{flags:?}: {}", alone.log());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_though_it_is_stuck() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let alone = Alone::new();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut daemon = Daemon(alone.command(&[]).stderr(writer.try_clone().unwrap()).spawn().unwrap());
        let mut lines = BufReader::new(reader);
        let mut line = String::new();
        while !line.contains("kubelet-lite started") {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it has ended");
        }
        // Nobody reads its log any more: the next line holds it up for ever.
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        while writer.write(&[b'\n'; 1]).is_ok() {}
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        let ended = eventually("the second signal ends it", || {
            daemon.signal(signal);
            let code = daemon.code();
            async move { code }
        });
        assert_eq!(ended.await, code, "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_exit_code_tells_what_is_wrong() {
    let alone = Alone::new();
    let run = |command: &mut Command| {
        let output = command.stderr(Stdio::piped()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubelet-lite"));
    command.arg(format!("--pod-manifest-path={}", alone.path("manifests").display()));
    let (code, text) = run(command.arg("--root-dir=/dev/null/root"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("/dev/null/root"), "{text}");
    let _first = alone.start(&[]);
    alone.said("kubelet-lite started").await;
    let (code, text) = run(&mut alone.command(&[]));
    assert_eq!(code, Some(3), "{text}");
    assert_eq!(alone.ask(&["validate", "/nonexistent.yaml"]).0, Some(2));
    assert_eq!(alone.ask(&["get", "pods", "--root-dir=/nonexistent"]).0, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_judged_when_it_is_told_to_read_again() {
    let alone = Alone::new();
    let file = alone.path("config.yaml");
    let config = format!("--config={}", file.display());
    fs::write(&file, "maxPods: 50\n").unwrap();
    let daemon = alone.start(&[&config]);
    alone.said("the manifests were read; ready").await;
    fs::write(&file, "maxPods: many\n").unwrap();
    daemon.signal(Signal::SIGHUP);
    alone.said("the configuration can not be used, the old one stays").await;
    fs::write(&file, "maxPods: 51\n").unwrap();
    daemon.signal(Signal::SIGHUP);
    alone.said("the configuration has changed: restart this daemon to use it").await;
    // It serves on.
    fs::write(alone.path("manifests/web.yaml"), POD.replace("image", "imagee")).unwrap();
    alone.said("did you mean `image`?").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_read_as_its_flags_say_and_asked_about_at_its_socket() {
    let alone = Alone::new();
    let socket = alone.path("asked.sock");
    let socket = format!("--api-socket={}", socket.display());
    fs::write(alone.path("manifests/web.yaml.bak"), POD).unwrap();
    fs::write(alone.path("manifests/web.yaml"), POD.replace("spec: {", "spec: {colour: red, ")).unwrap();
    let daemon = alone.start(&["--field-validation", "Warn", &socket]);
    alone.said("the manifests were read; ready").await;
    alone.said("the status API listens at").await;
    alone.said("colour").await;
    let (code, out, err) = alone.ask(&["get", "manifests", &socket]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("web.yaml") && !out.contains("Refused"), "{out}");
    assert_eq!(alone.ask(&["get", "pods", "--root-dir", &alone.path("root").display().to_string()]).0, Some(1));
    let log = alone.log();
    assert!(log.lines().any(|line| line.contains(" WARN ") && line.contains("colour")), "{log}");
    let named = || alone.log().lines().filter(|line| line.contains("web.yaml.bak")).count();
    assert_eq!(named(), 1, "{}", alone.log());
    for round in 1..3 {
        daemon.signal(Signal::SIGHUP);
        let reread = || async { (alone.log().matches("SIGHUP: reading").count() == round).then_some(()) };
        eventually("it reads again", reread).await;
    }
    // It has looked again when it has seen this.
    fs::write(alone.path("manifests/new.yaml"), POD.replace("image", "imagee")).unwrap();
    alone.said("new.yaml").await;
    assert_eq!(named(), 1, "{}", alone.log());
    assert!(Path::new(&alone.path("manifests/web.yaml.bak")).exists());
}
