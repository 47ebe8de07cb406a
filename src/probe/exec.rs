//! Commands in containers: the `exec` handler of probes and hooks.

use super::Outcome;
use crate::{
    engine::{Bytes, Engine, EngineError},
    pod::ContainerId,
    report,
};
use futures_util::{StreamExt, stream::BoxStream};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// So much of a command's output is kept; the rest is read and forgotten.
pub const OUTPUT_LIMIT: usize = 10 * 1024;
/// How long to wait for the engine's word of a command's end, once its output has ended or it was killed.
/// Docker delays that by two seconds where a command left something behind that holds its output.
const LAST_WORD: Duration = Duration::from_secs(5);
/// First and longest wait between two looks.
const LOOKS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// What an earlier asking of the same probe left behind: a command that was killed but has not been
/// seen to end. Its probe asks nothing new before it is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftover(Option<String>);

/// How a command ended.
enum End {
    /// By itself, or killed by somebody else.
    Exited(i64),
    /// It was over its time.
    Killed,
    /// It was over its time and can not be ended.
    Unkillable(String),
}

/// Kills its command when it is dropped before the command has ended.
struct Flight<E: Engine + Clone> {
    engine: E,
    exec: String,
    landed: bool,
}

impl<E: Engine + Clone> Drop for Flight<E> {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        let (engine, exec) = (self.engine.clone(), std::mem::take(&mut self.exec));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = engine.exec_kill(&exec).await {
                    tracing::debug!(exec, "an abandoned command may run on: {}", report(&error));
                }
            });
        }
    }
}

/// Asks once.
pub(super) async fn ask<E: Engine + Clone>(
    engine: &E,
    container: &ContainerId,
    command: &[String],
    timeout: Duration,
    leftover: &mut Leftover,
) -> Outcome {
    if let Some(exec) = &leftover.0 {
        match kill(engine, exec).await {
            End::Unkillable(why) => return Outcome::Failure(format!("the last command has not ended: {why}")),
            End::Exited(_) | End::Killed => leftover.0 = None,
        }
    }
    let deadline = Instant::now() + timeout;
    let begun = timeout_at(deadline, begin(engine, container, command)).await;
    let (mut flight, output) = match begun {
        Ok(Ok(begun)) => begun,
        // Engines differ in where they say that there is no such program.
        Ok(Err(EngineError::Refused { status: 400, message, .. })) => return Outcome::Failure(message),
        Ok(Err(error)) => return Outcome::Error(report(&error)),
        Err(_) => return Outcome::Error(format!("the engine did not begin the command within {timeout:?}")),
    };
    let mut said = Vec::new();
    let ended = match timeout_at(deadline, drain(output, &mut said)).await {
        Ok(Ok(())) => last_word(engine, &flight.exec, deadline).await,
        Ok(Err(error)) => return Outcome::Error(report(&error)),
        Err(_) => None,
    };
    let end = match ended {
        Some(code) => End::Exited(code),
        None => kill(engine, &flight.exec).await,
    };
    flight.landed = true;
    let said = String::from_utf8_lossy(&said).into_owned();
    let late = || format!("command {:?} timed out after {timeout:?}", command.join(" "));
    match end {
        End::Exited(0) => Outcome::Success(said),
        End::Exited(code) if said.trim().is_empty() => Outcome::Failure(format!("exit code {code}")),
        End::Exited(_) => Outcome::Failure(said),
        End::Killed if said.is_empty() => Outcome::Failure(late()),
        End::Killed => Outcome::Failure(format!("{}: {said}", late())),
        End::Unkillable(why) => {
            leftover.0 = Some(flight.exec.clone());
            Outcome::Failure(format!("{}, and can not be ended: {why}", late()))
        }
    }
}

/// Runs a hook's command to its end, and returns its exit code with the beginning of its output.
pub(super) async fn run<E: Engine + Clone>(
    engine: &E,
    container: &ContainerId,
    command: &[String],
) -> Result<(i64, String), EngineError> {
    let (mut flight, output) = begin(engine, container, command).await?;
    let mut said = Vec::new();
    drain(output, &mut said).await?;
    let code = loop {
        // It may have closed its output and work on.
        if let Some(code) = last_word(engine, &flight.exec, Instant::now() + LAST_WORD).await {
            break code;
        }
        engine.exec_inspect(&flight.exec).await?;
    };
    flight.landed = true;
    Ok((code, String::from_utf8_lossy(&said).into_owned()))
}

type Output = BoxStream<'static, Result<Bytes, EngineError>>;

async fn begin<E: Engine + Clone>(
    engine: &E,
    container: &ContainerId,
    command: &[String],
) -> Result<(Flight<E>, Output), EngineError> {
    let exec = engine.exec_create(container.as_str(), command.to_vec()).await?;
    // From here on it may run, whatever the answer is.
    let mut flight = Flight { engine: engine.clone(), exec, landed: false };
    match engine.exec_start(&flight.exec).await {
        Ok(output) => Ok((flight, output)),
        Err(error) => {
            flight.landed = !error.is_doubtful();
            Err(error)
        }
    }
}

async fn drain(mut output: Output, said: &mut Vec<u8>) -> Result<(), EngineError> {
    while let Some(item) = output.next().await {
        let item = item?;
        let room = OUTPUT_LIMIT.saturating_sub(said.len());
        said.extend_from_slice(item.get(..room).unwrap_or(&item));
    }
    Ok(())
}

/// The exit code, if the engine knows it by `deadline`.
async fn last_word<E: Engine>(engine: &E, exec: &str, deadline: Instant) -> Option<i64> {
    let mut pause = LOOKS.0;
    loop {
        if let Ok(Ok(seen)) = timeout_at(deadline, engine.exec_inspect(exec)).await
            && !seen.running
            && let Some(code) = seen.exit_code
        {
            return Some(code);
        }
        if Instant::now() + pause >= deadline {
            return None;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOKS.1);
    }
}

/// Ends a command that is over its time. It may have ended by itself meanwhile: its exit code counts.
async fn kill<E: Engine>(engine: &E, exec: &str) -> End {
    const SIGKILLED: i64 = 137;
    if let Ok(seen) = engine.exec_inspect(exec).await
        && !seen.running
        && let Some(code) = seen.exit_code
    {
        return End::Exited(code);
    }
    let killed = match engine.exec_kill(exec).await {
        // The engine has forgotten it: its container is gone, or the engine was restarted.
        Err(error) if error.is_not_found() => return End::Killed,
        result => result,
    };
    match (last_word(engine, exec, Instant::now() + LAST_WORD).await, killed) {
        (Some(SIGKILLED), _) => End::Killed,
        (Some(code), _) => End::Exited(code),
        (None, Err(error)) => End::Unkillable(report(&error)),
        (None, Ok(())) => End::Unkillable("the engine does not say that it ended".to_owned()),
    }
}

#[cfg(test)]
mod tests;
