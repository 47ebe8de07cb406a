//! The laws over mutations, guided by which findings are new.

use crate::{alone, laws, measured, mutate::Mutator, random::Random};
use kubelet_lite::manifest::codes;
use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Mutations when no time is given.
const CASES: usize = 400;
/// A file that takes longer hangs.
const HANG: Duration = Duration::from_secs(120);
/// What a file may cost, in all the forms it is judged in, beside a number of times its size.
const BASE: usize = 16 << 20;
const TIMES: usize = 4_000;

/// FUZZ_SECONDS: how long. FUZZ_SEED: another beginning than 1.
#[test]
fn laws_hold_for_mutations() {
    let _alone = alone();
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse::<u64>().ok());
    let limit = number("FUZZ_SECONDS").map(Duration::from_secs);
    let seed = number("FUZZ_SEED").unwrap_or(1);
    let mut mutator = Mutator::new();
    for seed in mutator.beginnings() {
        assert_eq!(check(seed).err(), None, "a seed breaks a law:\n{}", String::from_utf8_lossy(seed));
    }
    let watchdog = Watchdog::start();
    quiet_panics();
    let mut random = Random::new(seed);
    let (mut cases, mut taken, mut most) = (0, 0, 0);
    let mut seen = BTreeSet::new();
    let mut broken: BTreeMap<String, PathBuf> = BTreeMap::new();
    let start = Instant::now();
    let mut told = start;
    while limit.map_or(cases < CASES, |limit| start.elapsed() < limit) && broken.len() < 20 {
        let bytes = mutator.next(&mut random);
        cases += 1;
        watchdog.begin(&bytes);
        let (result, memory) = measured(|| check(&bytes));
        watchdog.end();
        most = most.max(memory);
        let result = result.and_then(|found| {
            let bound = BASE + TIMES * bytes.len();
            if memory > bound { Err(format!("held more than {bound} bytes of memory")) } else { Ok(found) }
        });
        match result {
            Ok(found) => {
                taken += usize::from(found.iter().all(|(code, _)| codes::is_warning(code)));
                if seen.insert(found) {
                    mutator.keep(bytes);
                }
            }
            Err(why) => {
                let why: String = why.chars().take(120).collect();
                broken.entry(why).or_insert_with(|| keep(&bytes, &format!("{seed}-{cases}")));
            }
        }
        if told.elapsed() > Duration::from_secs(60) {
            told = Instant::now();
            println!("{:>5} s: {cases} files, {} kinds of verdict", start.elapsed().as_secs(), seen.len());
        }
    }
    println!(
        "seed {seed}: {cases} files in {} s, {taken} taken, {} kinds of verdict, at most {} MiB held",
        start.elapsed().as_secs(),
        seen.len(),
        most >> 20
    );
    drop(std::panic::take_hook());
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(taken > cases / 100, "the mutations leave nothing that is taken");
}

/// The codes found with the fields they were found at, which tell one verdict from another; or the law that
/// is broken.
fn check(bytes: &[u8]) -> Result<Vec<(&'static str, String)>, String> {
    let parsed = catch_unwind(AssertUnwindSafe(|| laws::hold(bytes))).unwrap_or_else(|_| Err(last_panic()))?;
    let without_numbers = |field: &str| field.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let mut kinds: Vec<_> = parsed.diagnostics.iter().map(|d| (d.code, without_numbers(&d.field))).collect();
    kinds.sort();
    kinds.dedup();
    Ok(kinds)
}

/// Writes a file that breaks a law to where it can be looked at.
fn keep(bytes: &[u8], name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}.yaml"));
    std::fs::write(&path, bytes).unwrap();
    path
}

static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fn quiet_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // Those of this file are the verdict.
        if info.location().is_some_and(|at| at.file().ends_with("fuzz.rs")) {
            return default(info);
        }
        *LAST_PANIC.lock().unwrap() = format!("panic: {info}");
    }));
}

fn last_panic() -> String {
    LAST_PANIC.lock().unwrap().clone()
}

/// A file, and since when it is judged.
type Case = (Instant, Vec<u8>);

/// Ends the process when one file takes too long: a loop can not be ended otherwise.
struct Watchdog {
    current: Arc<Mutex<Option<Case>>>,
    over: Arc<AtomicBool>,
}

impl Watchdog {
    fn start() -> Self {
        let watchdog = Self { current: Arc::default(), over: Arc::default() };
        let (current, over) = (watchdog.current.clone(), watchdog.over.clone());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                #[allow(clippy::disallowed_methods, reason = "a thread of its own: what it watches blocks")]
                std::thread::sleep(Duration::from_millis(500));
                if let Some((since, bytes)) = &*current.lock().unwrap()
                    && since.elapsed() > HANG
                {
                    println!("a file takes more than {HANG:?}: {}", keep(bytes, "hang").display());
                    std::process::abort();
                }
            }
        });
        watchdog
    }

    fn begin(&self, bytes: &[u8]) {
        *self.current.lock().unwrap() = Some((Instant::now(), bytes.to_vec()));
    }

    fn end(&self) {
        *self.current.lock().unwrap() = None;
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
