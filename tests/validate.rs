//! `kubelet-lite validate` over the manifests of `tests/manifests`: every report is a snapshot.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers may panic too")]

use clap::Parser;
use kubelet_lite::{
    manifest::codes::CODES,
    validate::{Outcome, ValidateArgs, run},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: ValidateArgs,
}

/// Runs it in the directory of manifests, so that reports name files by short names.
fn validate(words: &[&str], stdin: &str) -> (Outcome, String) {
    let args = Cli::try_parse_from(["validate"].iter().chain(words)).expect("arguments").args;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let outcome = run(&args, &mut stdin.as_bytes(), &mut out, &mut err, false).unwrap();
    // One or the other, so that a report in JSON is nothing else.
    let text = if outcome == Outcome::Usage { &err } else { &out };
    assert_eq!(text.len(), out.len() + err.len());
    let text = String::from_utf8(text.clone()).unwrap();
    (outcome, text.replace(&format!("{}/", root().display()), ""))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests")
}

fn path(name: &str) -> String {
    root().join(name).display().to_string()
}

/// The files of a directory, by name.
fn files(directory: &str) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(root().join(directory)).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let named = files.iter().map(|p| (p.file_stem().unwrap().to_str().unwrap().to_owned(), p.display().to_string()));
    named.collect()
}

#[test]
fn good_files_say_nothing_but_that() {
    for (name, file) in files("good") {
        let (outcome, text) = validate(&["--api-rules-only", &file], "");
        assert_eq!(outcome, Outcome::Clean, "{text}");
        assert!(text.starts_with("good: "), "{name}: {text}");
    }
}

#[test]
fn every_warning() {
    for (name, file) in files("warned") {
        let (outcome, text) = validate(&["--api-rules-only", &file], "");
        assert_eq!(outcome, Outcome::Clean, "{text}");
        insta::assert_snapshot!(format!("warned_{name}"), text);
    }
}

#[test]
fn every_error() {
    for (name, file) in files("refused") {
        let (outcome, text) = validate(&["--api-rules-only", &file], "");
        assert_eq!(outcome, Outcome::Refused, "{text}");
        insta::assert_snapshot!(format!("refused_{name}"), text);
    }
}

#[test]
fn what_this_version_can_not_do() {
    let (outcome, text) = validate(&[&path("unsupported.yaml")], "");
    assert_eq!(outcome, Outcome::Refused);
    insta::assert_snapshot!(text);
}

#[test]
fn a_directory_is_judged_as_a_set() {
    let (outcome, text) = validate(&["--api-rules-only", &path("directory")], "");
    assert_eq!(outcome, Outcome::Refused);
    insta::assert_snapshot!(text);
}

/// As the daemon has it: ports of containers before the others are not bound, addresses are not texts.
#[test]
fn host_ports_that_clash() {
    let pods = |list: &str, ips: [&str; 2]| {
        let pod = |(name, ip): (&str, &str)| {
            let port = format!("ports: [{{containerPort: 80, hostPort: 80, hostIP: '{ip}'}}]");
            let sidecar = format!("{{name: s, image: 'i:1', restartPolicy: Always, {port}}}");
            let containers = match list {
                "initContainers" => format!("initContainers: [{sidecar}], containers: [{{name: c, image: 'i:1'}}]"),
                _ => format!("containers: [{{name: c, image: 'i:1', {port}}}]"),
            };
            format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{{containers}}}\n---\n")
        };
        ["one", "two"].into_iter().zip(ips).map(pod).collect::<String>()
    };
    for (list, ips, clash) in [
        ("containers", ["127.0.0.1", "127.0.0.1"], true),
        ("containers", ["127.0.0.1", "127.0.0.2"], false),
        ("containers", ["::1", "0:0:0:0:0:0:0:1"], true),
        ("containers", ["0:0:0:0:0:0:0:0", "127.0.0.1"], true),
        ("initContainers", ["127.0.0.1", "127.0.0.1"], false),
    ] {
        let (_, text) = validate(&["--api-rules-only", "-"], &pods(list, ips));
        assert_eq!(text.contains("error[host-port-clash]"), clash, "{list} {ips:?}: {text}");
    }
}

#[test]
fn forms_for_machines() {
    let file = path("warned/silenced.yaml");
    for form in ["json", "sarif", "github"] {
        let (_, text) = validate(&["--api-rules-only", "-o", form, &file, &path("refused/ports.yaml")], "");
        let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION").replace("file://", "");
        insta::assert_snapshot!(format!("form_{form}"), without_rules(&text));
    }
}

/// The rules of a SARIF report are the codes, which the documentation lists.
fn without_rules(text: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(text) else { return text.to_owned() };
    if let Some(rules) = value.pointer_mut("/runs/0/tool/driver/rules") {
        assert_eq!(rules.as_array().map(Vec::len), Some(CODES.len()));
        *rules = serde_json::Value::Null;
    }
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn standard_input_levels_and_silence() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a:1, imge: b}]}\n";
    assert_eq!(validate(&["-"], pod).0, Outcome::Refused);
    let (outcome, text) = validate(&["--field-validation=Warn", "-"], pod);
    assert_eq!(outcome, Outcome::Clean);
    insta::assert_snapshot!(text);
    let (outcome, text) = validate(&["--field-validation=Ignore", "-"], pod);
    assert_eq!((outcome, text.as_str()), (Outcome::Clean, "good: 1 object in 1 file\n"));
    let latest = pod.replace("imge: b", "imagePullPolicy: IfNotPresent").replace("a:1", "a");
    assert!(validate(&["-"], &latest).1.contains("latest-not-pulled"));
    assert!(!validate(&["--silence", "latest-not-pulled", "-"], &latest).1.contains("latest-not-pulled"));
}

#[test]
fn a_command_line_that_can_not_be_followed() {
    for words in [&["--silence=latest-not-puled", "-"][..], &["/nowhere/at/all.yaml"], &["--silence=required", "-"]] {
        let (outcome, text) = validate(words, "");
        assert_eq!(outcome, Outcome::Usage, "{text}");
        assert!(text.starts_with("error: "), "{text}");
    }
    assert!(Cli::try_parse_from(["validate"]).is_err());
}

#[test]
fn colours_and_control_characters() {
    let text = "apiVersion: v1\nkind: \"P\\e[31mod\"\n\"\\e]0;x\": 1\n";
    let (_, plain) = validate(&["-"], text);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let (_, coloured) = validate(&["--color=always", "-"], text);
    assert!(coloured.contains("\u{1b}[1;31merror[unknown-kind]\u{1b}[0m"), "{coloured}");
}

/// What can not be provoked by a file of the directories above, and which test does.
const ELSEWHERE: &[&str] = &[
    // Tests of the watcher and of the set.
    "unreadable-file",
    "internal-error",
    "restless-file",
    "kept-pod",
    "too-many-pods",
    "impossible-pod",
    // Tests of hostile files.
    "too-large",
    // Guards behind other checks: no file is known to reach them.
    "undecodable",
    "yaml-ambiguous",
];

/// Files that no editor would show: of bytes that are not text, or too much of something.
#[test]
fn files_that_are_no_manifests() {
    let head = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - {name: c, image: 'i:1'}\n";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.yaml");
    for (name, bytes) in [
        ("not-utf8", [head.as_bytes(), b"  hostname: caf\xe9\n"].concat()),
        ("nul-byte", format!("{head}  hostname: \0\n").into_bytes()),
        ("too-deep", format!("{}{}\n", "[".repeat(70), "]".repeat(70)).into_bytes()),
        ("too-many", format!("{head}{}", "  - {name: c, image: 'i:1'}\n".repeat(9_999)).into_bytes()),
        (
            "too-many-findings",
            format!("{head}{}", (0..500).map(|n| format!("  x{n}: 1\n")).collect::<String>()).into_bytes(),
        ),
    ] {
        fs::write(&file, bytes).unwrap();
        let (outcome, text) = validate(&["--api-rules-only", &file.display().to_string()], "");
        assert_eq!(outcome, Outcome::Refused, "{text}");
        let text = text.replace(&format!("{}/", dir.path().display()), "");
        // Of hundreds, the first and the last.
        let findings: Vec<&str> = text.split_inclusive("\n\n").collect();
        let shown = match findings.as_slice() {
            [first, .., before, last] => [*first, *before, *last].concat(),
            all => all.concat(),
        };
        insta::assert_snapshot!(format!("no_manifest_{name}"), shown);
    }
}

#[test]
fn every_code_is_shown_by_a_snapshot_and_documented() {
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let shown: String =
        fs::read_dir(snapshots).unwrap().map(|e| fs::read_to_string(e.unwrap().path()).unwrap()).collect();
    let documented = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/manifests.md")).unwrap();
    for code in CODES {
        let in_snapshot = shown.contains(&format!("[{}]", code.name));
        assert!(in_snapshot || ELSEWHERE.contains(&code.name), "no snapshot shows {}", code.name);
        let row = format!("| `{}` | {} |", code.name, code.reason);
        assert!(documented.contains(&row), "docs/manifests.md lacks this line:\n{row}");
    }
}
