//! The `kubelet-lite` binary: parse, log, settings, run, exit code.

use clap::Parser;
use kubelet_lite::{
    cli::{Cli, Command, Options},
    daemon,
    exit::ExitStatus,
    log,
    query::{self, Query},
    settings::{self, Settings, SettingsError},
    time::Clock,
    validate,
    worker::BLOCKING_THREADS,
};
use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};
use tracing::{error, warn};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Validate(args)) => run_validate(&args),
        Some(Command::Get(args)) => run_query(&Query::Get(args)),
        Some(Command::Describe(args)) => run_query(&Query::Describe(args)),
        Some(Command::Events(args)) => run_query(&Query::Events(args)),
        None => run_daemon(&cli.options).into(),
    }
}

fn run_validate(args: &validate::ValidateArgs) -> ExitCode {
    let mut out = std::io::stdout();
    let terminal = out.is_terminal();
    match validate::run(args, &mut std::io::stdin(), &mut out, &mut std::io::stderr(), terminal) {
        Ok(outcome) => outcome.code().into(),
        // Whoever reads the report went away.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitStatus::Failure.into(),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "the report can not be written: {error}");
            ExitStatus::Failure.into()
        }
    }
}

fn run_query(query: &Query) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "the runtime can not start: {error}");
            return ExitStatus::Failure.into();
        }
    };
    let (mut out, mut notes) = (std::io::stdout(), std::io::stderr());
    let now = Clock::system().wall();
    match runtime.block_on(query::run(query, &mut out, &mut notes, now)) {
        Ok(()) => ExitStatus::Success.into(),
        Err(error) => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(std::io::stderr(), "{}", kubelet_lite::report(&error));
            error.status().into()
        }
    }
}

fn run_daemon(options: &Options) -> ExitStatus {
    let json = options.logging_format.as_deref() == Some("json");
    if log::start(options.verbosity.unwrap_or(2), json).is_err() {
        return ExitStatus::Failure;
    }
    let settings = match read_settings(options) {
        Ok((settings, notices)) => {
            notices.iter().for_each(|notice| warn!("{notice}"));
            settings
        }
        Err(error) => {
            error!("{error}");
            return ExitStatus::Usage;
        }
    };
    // Blocking work is small and rare: many threads for it would cost memory and gain nothing.
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = match builder.enable_all().max_blocking_threads(BLOCKING_THREADS).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!("the runtime can not start: {error}");
            return ExitStatus::Failure;
        }
    };
    let reread = || read_settings(options).map(|(settings, _)| settings);
    let ended = runtime.block_on(daemon::run(settings, reread));
    // A thread that waits for a dead network mount must not hold the end back.
    runtime.shutdown_background();
    match ended {
        Ok(status) => status,
        Err(failed) => {
            error!("{}", kubelet_lite::report(&failed));
            failed.status()
        }
    }
}

fn read_settings(options: &Options) -> Result<(Settings, Vec<settings::Notice>), SettingsError> {
    let text = match &options.config {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|error| SettingsError {
            place: format!("--config={}", path.display()),
            problem: format!("can not be read: {error}"),
        })?),
        None => None,
    };
    let config = options.config.as_deref().zip(text.as_deref());
    let host_name = nix::unistd::gethostname().ok().and_then(|n| n.into_string().ok()).unwrap_or_default();
    settings::settle(options, config, &host_name)
}
