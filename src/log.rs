//! Log lines on stderr: one for each thing that happened, for people and for the journal.

use nix::sys::stat::fstat;
use std::{ffi::OsStr, fmt, io};
use tracing::{Event, Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

/// Starts logging. `verbosity` as the kubelet's `--v`: 4 and more log each step. Libraries are kept
/// to warnings: some of them print whole requests, and so environment values, at lower levels.
pub fn start(verbosity: u8, json: bool) -> Result<(), TryInitError> {
    let own = match verbosity {
        0..4 => LevelFilter::INFO,
        4..6 => LevelFilter::DEBUG,
        6.. => LevelFilter::TRACE,
    };
    let filter = Targets::new().with_default(LevelFilter::WARN).with_target("kubelet_lite", own);
    let journal = is_journal(std::env::var_os("JOURNAL_STREAM").as_deref(), stderr_identity());
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false);
    match (json, journal) {
        (true, true) => registry.with(layer.json().flatten_event(true).map_event_format(JournalLine)).try_init(),
        (true, false) => registry.with(layer.json().flatten_event(true)).try_init(),
        (false, true) => {
            // The journal keeps the time itself.
            let format = JournalLine(Format::default().with_target(false).with_level(false).without_time());
            registry.with(layer.with_ansi(false).event_format(format)).try_init()
        }
        (false, false) => {
            let terminal = io::IsTerminal::is_terminal(&io::stderr());
            registry.with(layer.with_ansi(terminal)).try_init()
        }
    }
}

/// Whether standard error leads to the journal: systemd says in `JOURNAL_STREAM` which file does (systemd.exec(5)). Whoever
/// redirects it afterwards leaves the variable behind.
fn is_journal(stream: Option<&OsStr>, stderr: Option<(u64, u64)>) -> bool {
    let named = stream.and_then(OsStr::to_str).and_then(|text| text.split_once(':'));
    let named = named.and_then(|(device, inode)| Some((device.parse().ok()?, inode.parse().ok()?)));
    named.is_some() && named == stderr
}

/// Device and inode of standard error.
fn stderr_identity() -> Option<(u64, u64)> {
    let stat = fstat(io::stderr()).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

/// A line for the journal, which takes the priority from the prefix (sd-daemon(3)).
struct JournalLine<F>(F);

impl<S, N, F> FormatEvent<S, N> for JournalLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(ctx, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_the_file_that_systemd_names() {
        for (stream, stderr, journal) in [
            (None, Some((8, 23)), false),
            (Some("8:23"), Some((8, 23)), true),
            (Some("8:23"), Some((8, 24)), false),
            (Some("8:23"), None, false),
            (Some(""), None, false),
            (Some("8"), Some((8, 8)), false),
            (Some("8:x"), None, false),
        ] {
            assert_eq!(is_journal(stream.map(OsStr::new), stderr), journal, "{stream:?} {stderr:?}");
        }
    }
}
