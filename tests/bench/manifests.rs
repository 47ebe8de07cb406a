//! `make bench-manifests`: what judging manifests costs, on one core. Not a test: it prints, it does not judge.

// A benchmark reports; where it can not go on, it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

#[path = "../judging/inputs.rs"]
mod inputs;

use kubelet_lite::manifest::parse::{ParseOptions, parse_file};
use peak_alloc::PeakAlloc;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tokio::time::Instant;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// A manifest as people write them: 60 lines.
const TYPICAL: &str = include_str!("typical.yaml");
/// Files of the directory that is judged as a whole.
const FILES: usize = 1_000;
const MIB: f64 = 1_048_576.0;

fn main() {
    println!("{:<52} {:>12} {:>12}", "", "measured", "aim");
    assert_eq!(TYPICAL.lines().count(), 60);
    let judged = parse_file(Path::new("a.yaml"), TYPICAL.as_bytes(), &ParseOptions::default());
    assert!(!judged.is_refused(), "{:?}", judged.diagnostics);

    let mut rounds = 0u32;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        std::hint::black_box(parse_file(Path::new("a.yaml"), TYPICAL.as_bytes(), &ParseOptions::default()));
        rounds += 1;
    }
    let rate = f64::from(rounds) / start.elapsed().as_secs_f64();
    println!("{:<52} {rate:>12.0} {:>12}", "files of 60 lines in a second", 334);

    let directory = tempfile::tempdir().unwrap();
    for index in 0..FILES {
        let text = TYPICAL
            .replace("name: shop-web", &format!("name: shop-web-{index}"))
            .replace("hostPort: 8080", &format!("hostPort: {}", 10_000 + index));
        std::fs::write(directory.path().join(format!("{index}.yaml")), text).unwrap();
    }
    let (took, resident) = validate(directory.path());
    println!("{:<52} {:>9.2} s {:>10} s", "validate a directory of 1,000 such files", took.as_secs_f64(), 3);
    println!("{:<52} {resident:>8.1} MiB {:>8} MiB", "  the most it holds in memory", 50);

    println!();
    for file in inputs::all() {
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let start = Instant::now();
        let parsed = parse_file(Path::new("a.yaml"), &file.bytes, &ParseOptions::default());
        let took = start.elapsed();
        let held = MEMORY.peak_usage().saturating_sub(before);
        let found = parsed.diagnostics.iter().find(|d| d.is_error()).map(|d| d.code);
        assert_eq!(found, Some(file.code), "{}", file.name);
        println!("{:<52} {:>9} ms {:>8.1} MiB", file.name, took.as_millis(), held as f64 / MIB);
    }
}

/// How long `kubelet-lite validate` takes for a directory, and how many MiB it is resident at most.
fn validate(directory: &Path) -> (Duration, f64) {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_kubelet-lite"));
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(["validate", "--max-pods=2000"])
        .arg(directory)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut most = 0u64;
    #[allow(clippy::disallowed_methods, reason = "nothing else runs here")]
    let status = loop {
        let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        most = most.max(kib.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(status.success(), "{status}");
    (start.elapsed(), most as f64 / 1024.0)
}
