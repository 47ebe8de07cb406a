//! The daemon's log, kept apart for each thread: one thread plays one node at a time.

use std::{cell::RefCell, fmt, io};
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::{format::Writer, time::FormatTime};

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static BEGIN: RefCell<Option<Instant>> = const { RefCell::new(None) };
}

struct ToThread;

impl io::Write for ToThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct SimulatedTime;

impl FormatTime for SimulatedTime {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let since = BEGIN.with_borrow(|begin| begin.map(|begin| begin.elapsed()).unwrap_or_default());
        write!(w, "{:>12.3}", since.as_secs_f64())
    }
}

/// Begins a new log on this thread. Only errors are kept, and all when a single case is replayed.
pub fn begin(all: bool) {
    let level = if all { LevelFilter::DEBUG } else { LevelFilter::ERROR };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_target(false)
        .with_timer(SimulatedTime)
        .with_writer(|| ToThread)
        .finish();
    // Set by the first; all cases of one process have the same level.
    let _ = tracing::subscriber::set_global_default(subscriber);
    LOG.with_borrow_mut(Vec::clear);
    BEGIN.with_borrow_mut(|begin| *begin = Some(Instant::now()));
}

/// The log so far.
pub fn text() -> String {
    LOG.with_borrow(|log| String::from_utf8_lossy(log).into_owned())
}
