//! Manifests of any content: hostile ones are refused cheaply, and the laws of judging hold for whatever
//! a mutation makes of good ones.
//!
//! `make fuzz` runs the mutations for ten minutes (FUZZ_SECONDS); the tests run a fixed number of them,
//! the same each time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test")]

mod fuzz;
mod hostile;
mod inputs;
mod laws;
mod mutate;
#[path = "../support/random.rs"]
mod random;
mod round_trips;

use peak_alloc::PeakAlloc;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Memory is counted for the whole process, so one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a call returns, and how many bytes it held at most beyond what was held before.
fn measured<T>(call: impl FnOnce() -> T) -> (T, usize) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let result = call();
    (result, MEMORY.peak_usage().saturating_sub(before))
}
