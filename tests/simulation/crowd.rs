//! Many plays on all processors, each in a simulated time of its own.

use std::{
    future::Future,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// What came of one play: a number, or all that went wrong, the case first.
pub type Verdict = Result<u64, String>;

/// Runs a play alone in its own paused time: what it does is a function of what it is given.
pub fn in_simulated_time<T>(play: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(play)
}

/// Plays all cases; the verdicts in their order.
pub fn play<C: Sync>(cases: &[C], verdict: impl Fn(&C) -> Verdict + Sync) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let verdicts: Mutex<Vec<Option<Verdict>>> = Mutex::new(cases.iter().map(|_| None).collect());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(cases.len()) {
            scope.spawn(|| {
                while let Some((at, case)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, cases.get(at)?)))
                {
                    let came = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| verdict(case)));
                    let came = came.unwrap_or_else(|_| Err(format!("case number {at} panicked")));
                    verdicts.lock().unwrap()[at] = Some(came);
                }
            });
        }
    });
    verdicts.into_inner().unwrap().into_iter().map(|v| v.unwrap_or_else(|| Err("not played".into()))).collect()
}

/// Fails with the shortest story of all that went wrong and the heads of the others.
pub fn report(what: &str, verdicts: &[Verdict]) {
    const HEADS: usize = 40;
    let mut failed: Vec<&String> = verdicts.iter().filter_map(|v| v.as_ref().err()).collect();
    println!("{} {what}s, {} failed", verdicts.len(), failed.len());
    failed.sort_by_key(|why| why.lines().count());
    if let Some(first) = failed.first() {
        let heads: Vec<&str> = failed.iter().take(HEADS).map(|why| why.lines().next().unwrap_or_default()).collect();
        panic!("{} of {} {what}s failed:\n{}\n\n{first}", failed.len(), verdicts.len(), heads.join("\n"));
    }
}
