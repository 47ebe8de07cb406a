//! The commands, from what is typed to what is written, over the socket of a daemon on the engine in memory.

use super::*;
use crate::{
    api::tests::{Daemon, JOB, WEB},
    cli::{Cli, Command},
};
use clap::Parser;

/// Output, notes and exit code of a command line.
async fn run_line(daemon: &Daemon, line: &str) -> (String, String, u8) {
    let socket = format!("--api-socket={}", daemon.place().display());
    let words = ["kubelet-lite"].into_iter().chain(line.split(' ')).chain([socket.as_str()]);
    let query = match Cli::try_parse_from(words).unwrap().command.unwrap() {
        Command::Get(args) => Query::Get(args),
        Command::Describe(args) => Query::Describe(args),
        Command::Events(args) => Query::Events(args),
        Command::Validate(_) => panic!("not a query"),
    };
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

    let nobody = shown(&Daemon::nowhere(), "get pods").await;
    assert!(nobody.contains("! kubelet-lite does not run here: nobody answers at /nowhere"), "{nobody}");
    assert!(nobody.ends_with("[1]\n\n"), "{nobody}");
}
