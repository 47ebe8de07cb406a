//! The commands, from what is typed to what is written, over the socket of a daemon on the engine in memory.

use super::*;
use crate::{
    api::tests::{Daemon, JOB, WEB},
    cli::{Cli, Command},
};
use clap::Parser;

fn parsed(daemon: &Daemon, line: &str) -> Query {
    let socket = format!("--api-socket={}", daemon.place().display());
    let words = ["kubelet-lite"].into_iter().chain(line.split(' ')).chain([socket.as_str()]);
    match Cli::try_parse_from(words).unwrap().command.unwrap() {
        Command::Get(args) => Query::Get(args),
        Command::Describe(args) => Query::Describe(args),
        Command::Events(args) => Query::Events(args),
        Command::Validate(_) => panic!("not a query"),
    }
}

/// Output, notes and exit code of a command line.
async fn run_line(daemon: &Daemon, line: &str) -> (String, String, u8) {
    let query = parsed(daemon, line);
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let asked = run(&query, &mut out, &mut notes, daemon.now()).await;
    let code = match &asked {
        Ok(()) => 0,
        Err(error) => {
            writeln!(notes, "{}", crate::report(error)).unwrap();
            error.status().code()
        }
    };
    (String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap(), code)
}

/// All of it as text, with blanks in the place of what changes.
async fn shown(daemon: &Daemon, line: &str) -> String {
    let (out, notes, code) = run_line(daemon, line).await;
    format!("$ kubelet-lite {line}\n{out}{}[{code}]\n\n", notes.lines().map(|l| format!("! {l}\n")).collect::<String>())
}

#[tokio::test]
async fn what_people_type_and_see() {
    let refused = WEB.replace("name: web, labels", "name: other, lables");
    let manifests = [("job.yaml", JOB), ("other.yaml", refused.as_str()), ("web.yaml", WEB)];
    let daemon = Daemon::start(&manifests).await.settled(2).await;
    let mut text = String::new();
    for line in [
        "get pods",
        "get pods -A --show-labels",
        "get pods -n batch --no-headers",
        "get pods -n nowhere",
        "get pods -l app=db",
        "get pods -l (",
        "get pod web web-n1 pod/web -o name",
        "get pods web nobody",
        "get pods web -A",
        "get pods web -l app",
        "get pods -A -o name",
        "get manifests",
        "get manifests -o name",
        "get manifests web",
        "describe pod nobody",
        "events --for pod/nobody",
        "events --for node/n1",
        "events -n nowhere",
    ] {
        text.push_str(&shown(&daemon, line).await);
    }
    insta::assert_snapshot!(text);

    let (described, _, code) = run_line(&daemon, "describe pod job -n batch").await;
    assert_eq!(code, 0);
    let said = described.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["Status: Failed", "Exit Code: 3", "Message: first no such table", "Started container job"] {
        assert!(said.contains(words), "{words}: {described}");
    }
    assert!(!said.contains("SandboxChanged"), "a sandbox that is let go is no news: {described}");
    let (events, _, _) = run_line(&daemon, "events --for pod/web --no-headers").await;
    let words: Vec<&str> = events.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(words, ["Pulled", "Created", "Started"], "{events}");
    let (json, _, _) = run_line(&daemon, "get pods -A -o json").await;
    let items = |mut list: Value| serde_json::from_value::<Vec<Pod>>(list["items"].take()).unwrap();
    let pods = items(serde_json::from_str(&json).unwrap());
    let (yaml, _, _) = run_line(&daemon, "get pods -A -o yaml").await;
    assert_eq!(pods, items(serde_yaml::from_str(&yaml).unwrap()));
    assert_eq!(pods.len(), 2);
    let (one, _, _) = run_line(&daemon, "get pods web -o json").await;
    assert_eq!(serde_json::from_str::<Pod>(&one).unwrap(), pods[1]);

    // What does not go together.
    for line in ["get pods web job -w", "get events -w", "get manifests --watch"] {
        assert_eq!(run_line(&daemon, line).await.2, 2, "{line}");
    }
    assert_eq!(run_line(&daemon, "get pod nobody -w").await.2, 1);
    let nobody = shown(&Daemon::nowhere(), "get pods").await;
    assert!(nobody.contains("! kubelet-lite does not run here: nobody answers at /nowhere"), "{nobody}");
    assert!(nobody.ends_with("[1]\n\n"), "{nobody}");
}

/// Output that can be looked at while it is written.
#[derive(Clone, Default)]
struct Paper(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Waits until there is so much of something.
    async fn has(&self, what: &str, times: usize) {
        let written = async {
            while self.text().matches(what).count() < times {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(60), written).await;
        assert!(waited.is_ok(), "{what:?} {times} times: {}", self.text());
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_watch_shows_what_is_there_and_then_each_change() {
    let manifests = [("job.yaml", JOB), ("web.yaml", WEB)];
    let table = "NAMESPACE   NAME     READY   STATUS    RESTARTS   AGE\nbatch       job-n1   0/1     Error     0          3h30m\n\
                 default     web-n1   1/1     Running   0          3h30m\n";
    for (flags, begins, each) in [
        ("-A -w", table, "default     web-n1   "),
        ("web -w --no-headers", "web-n1   1/1   Running   0     3h30m\n", "web-n1   "),
        ("--watch -o name", "pod/web-n1\n", "pod/web-n1\n"),
        (
            "-w --output-watch-events",
            "EVENT   NAME     READY   STATUS    RESTARTS   AGE\nADDED   web-n1   1/1",
            "web-n1",
        ),
        ("-w -o json", "{\n    \"apiVersion\": \"v1\"", "\n    \"kind\": \"Pod\""),
        ("-w -o yaml", "apiVersion: v1\n", "apiVersion: v1\nkind: Pod\n"),
    ] {
        let daemon = Daemon::start(&manifests).await.settled(2).await;
        let mut paper = Paper::default();
        let seen = paper.clone();
        let changes = async {
            seen.has(each, 1).await;
            daemon.declare(&manifests[..1]);
            daemon.ends_with(1).await;
            seen.has(each, 2).await;
            if flags.contains("events") {
                seen.has("DELETED", 1).await;
            }
            daemon.leave();
        };
        let query = parsed(&daemon, &format!("get pods {flags}"));
        let mut notes = Vec::new();
        let (ended, ()) = tokio::join!(run(&query, &mut paper, &mut notes, daemon.now()), changes);
        let (out, error) = (paper.text(), ended.unwrap_err());
        assert!(matches!(error, QueryError::WatchEnded | QueryError::Client(ClientError::Broken { .. })), "{error}");
        assert!(out.starts_with(begins), "{flags}: {out}");
        assert!(out.matches("READY").count() <= 1, "{flags}: one header: {out}");
        assert_eq!(out.contains("\n---\n"), flags.contains("yaml"), "{flags}: {out}");
    }
    // Only changes.
    let daemon = Daemon::start(&manifests).await.settled(2).await;
    let mut paper = Paper::default();
    let seen = paper.clone();
    let changes = async {
        while seen.text().is_empty() {
            daemon.declare(&manifests[..1]);
            daemon.ends_with(1).await;
            daemon.declare(&manifests);
            daemon.ends_with(2).await;
        }
        daemon.leave();
    };
    let query = parsed(&daemon, "get pods --watch-only --output-watch-events --no-headers");
    let mut notes = Vec::new();
    let (_, ()) = tokio::join!(run(&query, &mut paper, &mut notes, daemon.now()), changes);
    let words = paper.text().lines().map(|line| line[..5].to_owned()).collect::<Vec<_>>();
    assert!(words.iter().all(|word| ["ADDED", "MODIF", "DELET"].contains(&word.as_str())), "{}", paper.text());
}
