//! Hostile files: refused for the right reason, in bounded memory, also on their way through the
//! daemon's watcher.

use crate::{alone, inputs, measured};
use kubelet_lite::{
    manifest::{
        diagnostic::Diagnostic,
        parse::{ParseOptions, parse_file},
        watch::{ManifestWatcher, WatchOptions},
    },
    time::Clock,
};
use nix::time::{ClockId, clock_gettime};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// What judging a file may hold at most, beside the file.
const MOST: usize = 256 << 20;
/// How long it may keep a processor busy. Optimised, none takes a second: this is to notice work that grows faster than the
/// file, on whatever machine. A debug build is ten to thirty times as slow.
fn longest() -> Duration {
    // `make fuzz` is compiled with optimisation.
    let optimised = std::env::var_os("FUZZ_SECONDS").is_some();
    Duration::from_secs(if optimised { 4 } else { 60 })
}

/// What this thread has had of a processor, which other work on the machine does not change.
fn processor_time() -> Duration {
    Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap())
}

#[test]
fn refused_in_bounded_memory_and_time() {
    let _alone = alone();
    let mut wrong = Vec::new();
    for file in inputs::all() {
        let before = processor_time();
        let (parsed, bytes) = measured(|| parse_file(Path::new("a.yaml"), &file.bytes, &ParseOptions::default()));
        let took = processor_time() - before;
        let found = parsed.diagnostics.iter().find(|d| d.is_error()).map(|d| d.code);
        println!("{:>8} KiB {:>6} ms {} ({})", bytes >> 10, took.as_millis(), file.name, found.unwrap_or("taken"));
        let text: usize = parsed.diagnostics.iter().map(|d| d.message.len() + d.field.len() + d.object.len()).sum();
        if took > longest() {
            wrong.push(format!("{}: {took:?}", file.name));
        }
        if found != Some(file.code) || parsed.diagnostics.len() > 401 || text > 1 << 20 || bytes > MOST {
            let count = parsed.diagnostics.len();
            wrong.push(format!("{}: {found:?} of {count}, {text} bytes of text, {bytes} bytes held", file.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_daemon_takes_the_good_file_among_them() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(watched());
}

async fn watched() {
    let top = tempfile::tempdir().unwrap();
    let directory = top.path().join("manifests");
    fs::create_dir(&directory).unwrap();
    let files = inputs::all();
    for (index, file) in files.iter().enumerate() {
        fs::write(directory.join(format!("{index}.yaml")), &file.bytes).unwrap();
    }
    nix::unistd::mkfifo(&directory.join("fifo.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    symlink("loop.yaml", directory.join("loop.yaml")).unwrap();
    symlink("/dev/zero", directory.join("device.yaml")).unwrap();
    symlink("/", directory.join("root.yaml")).unwrap();
    let good = "apiVersion: v1\nkind: Pod\nmetadata: {name: good}\nspec: {containers: [{name: a, image: b:1}]}\n";
    fs::write(directory.join("good.yaml"), good).unwrap();

    let options = WatchOptions { path: directory.clone(), file_check_frequency: Duration::from_secs(20) };
    let begun = Arc::new(Mutex::new(BTreeSet::new()));
    let parser = {
        let begun = begun.clone();
        move |path: &Path, bytes: &[u8]| {
            begun.lock().unwrap().insert(path.to_owned());
            parse_file(path, bytes, &ParseOptions::default())
        }
    };
    let (watcher, mut handle) = ManifestWatcher::new(&options, Clock::system(), parser).unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(watcher.run(stop.clone()));
    let all_judged = async {
        loop {
            let snapshot = handle.snapshots.borrow_and_update().clone();
            let judged = |name: &str| {
                let file = snapshot.files.get(&directory.join(name));
                file.is_some_and(|file| file.objects.is_some() || file.diagnostics.iter().any(Diagnostic::is_error))
            };
            let others = ["good.yaml", "fifo.yaml", "loop.yaml", "device.yaml", "root.yaml"];
            if (0..files.len()).all(|index| judged(&format!("{index}.yaml"))) && others.into_iter().all(judged) {
                return snapshot;
            }
            handle.snapshots.changed().await.unwrap();
        }
    };
    // However slow the machine is, as long as it goes on.
    tokio::pin!(all_judged);
    let snapshot = loop {
        let before = begun.lock().unwrap().len();
        match tokio::time::timeout(Duration::from_secs(120), &mut all_judged).await {
            Ok(snapshot) => break snapshot,
            Err(_) => assert!(begun.lock().unwrap().len() > before, "{before} files are judged, and no more"),
        }
    };
    for (path, file) in &snapshot.files {
        assert_eq!(file.objects.is_some(), path.ends_with("good.yaml"), "{}", path.display());
    }
    stop.cancel();
}
