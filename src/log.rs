//! Log lines on stderr: one for each thing that happened, for people and for the journal.

use std::fmt;
use tracing::{Event, Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Full, Writer},
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
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    if json {
        registry.with(layer.json().flatten_event(true)).try_init()
    } else if journal {
        // The journal keeps the time itself, and takes the priority from the prefix (sd-daemon(3)).
        let format = JournalLine(Format::default().with_target(false).with_level(false).without_time());
        registry.with(layer.with_ansi(false).event_format(format)).try_init()
    } else {
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        registry.with(layer.with_ansi(terminal)).try_init()
    }
}

struct JournalLine(Format<Full, ()>);

impl<S, N> FormatEvent<S, N> for JournalLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
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
