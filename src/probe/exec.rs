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
/// How our commands are marked in the engine, so that a later daemon knows them from those of others.
const PROBE_MARK: &str = "kubelet-lite-probe";
const HOOK_MARK: &str = "kubelet-lite-hook";
/// How long the engine may be at beginning a command. That time is not the command's, so more than this is
/// an error and no failure.
const BEGINNING: Duration = Duration::from_secs(15);
/// How long to wait for the engine's word of a command's end, once its output has ended or it was killed.
/// Docker delays that by two seconds where a command left something behind that holds its output.
const LAST_WORD: Duration = Duration::from_secs(10);
/// First and longest wait between two looks.
const LOOKS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));
/// How often an abandoned command that the engine is still at beginning is looked for again, and the pause
/// in between.
const ABANDONED: (u32, Duration) = (30, Duration::from_secs(2));

/// What an earlier asking of the same probe left behind: a command that has not begun in time, or was
/// killed and not seen to end. Its probe asks nothing new before it is gone.
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
    /// The engine has not begun it, or does not say how it stands.
    Unknown(String),
    /// The engine has forgotten it: its container is gone, or the engine was started anew.
    Forgotten,
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
                for _ in 0..ABANDONED.0 {
                    match engine.exec_kill(&exec).await {
                        Err(EngineError::Conflict { .. }) => tokio::time::sleep(ABANDONED.1).await,
                        Err(error) if !error.is_not_found() => {
                            return tracing::debug!(exec, "an abandoned command may run on: {}", report(&error));
                        }
                        Ok(()) | Err(_) => return,
                    }
                }
            });
        }
    }
}

/// Ends what an earlier daemon has left running in a container: the commands of its probes, and those of
/// its hooks if `hooks`. `execs` are all that run in it; those of others have no mark of ours.
pub async fn end_left_behind<E: Engine>(engine: &E, execs: &[String], hooks: bool) {
    for exec in execs {
        let Ok(seen) = engine.exec_inspect(exec).await else { continue };
        let is_ours = seen.mark == PROBE_MARK || (hooks && seen.mark == HOOK_MARK);
        if !is_ours || !seen.running {
            continue;
        }
        match engine.exec_kill(exec).await {
            Ok(()) => tracing::info!(container_id = seen.container, exec, "ended a command of before our start"),
            Err(error) => {
                let container_id = seen.container;
                tracing::warn!(container_id, exec, "a command of before our start runs on: {}", report(&error));
            }
        }
    }
}

/// Asks once. Its time counts from the command's beginning.
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
            End::Unknown(why) => return Outcome::Error(format!("the last command may not have ended: {why}")),
            End::Exited(_) | End::Killed | End::Forgotten => leftover.0 = None,
        }
    }
    let limit = Instant::now() + BEGINNING;
    let not_begun = || Outcome::Error(format!("the engine did not begin the command within {BEGINNING:?}"));
    let begun = timeout_at(limit, begin(engine, container, command, PROBE_MARK)).await;
    let (mut flight, output) = match begun {
        Ok(Ok(begun)) => begun,
        // Engines differ in where they say that there is no such program.
        Ok(Err(EngineError::Refused { status: 400, message, .. })) => return Outcome::Failure(message),
        Ok(Err(error)) => return Outcome::Error(report(&error)),
        Err(_) => return not_begun(),
    };
    let mut said = Vec::new();
    let mut watch = Watch { limit, began_after: None };
    let ended = {
        let mut deadline = Instant::now() + timeout;
        let draining = drain(output, &mut said);
        tokio::pin!(draining);
        loop {
            match timeout_at(deadline, &mut draining).await {
                Ok(Ok(())) => break last_word(engine, &flight.exec, deadline).await,
                Ok(Err(error)) => return Outcome::Error(report(&error)),
                Err(_) => match watch.look(engine, &flight.exec, timeout).await {
                    Some(more) => deadline = Instant::now() + more,
                    None if watch.is_hopeless() => {
                        leftover.0 = Some(flight.exec.clone());
                        return not_begun();
                    }
                    None => break None,
                },
            }
        }
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
        End::Forgotten => Outcome::Error(format!("the engine has forgotten command {:?}", command.join(" "))),
        End::Unknown(why) => {
            leftover.0 = Some(flight.exec.clone());
            Outcome::Error(format!("nobody knows how command {:?} ended: {why}", command.join(" ")))
        }
    }
}

/// A command that gives no sign of its end.
struct Watch {
    /// Until when it must have begun.
    limit: Instant,
    /// When it was last seen not to have begun.
    began_after: Option<Instant>,
}

impl Watch {
    /// How long to wait for its end until it is looked at again; `None` if its time is over, or it has ended.
    async fn look<E: Engine>(&mut self, engine: &E, exec: &str, timeout: Duration) -> Option<Duration> {
        // Whoever ends it learns of errors.
        let seen = engine.exec_inspect(exec).await.ok()?;
        let now = Instant::now();
        if seen.exit_code.is_some() {
            return None;
        }
        if seen.pid == 0 {
            self.began_after = Some(now);
            return (now < self.limit).then_some(LOOKS.1);
        }
        let longest = self.began_after.map_or(timeout, |then| now - then);
        let age = seen.age.unwrap_or(longest).min(longest);
        self.began_after.get_or_insert(now - age);
        Some(timeout.saturating_sub(age)).filter(|left| !left.is_zero())
    }

    /// Whether the engine had all the time to begin it, and did not.
    fn is_hopeless(&self) -> bool {
        self.began_after.is_some_and(|then| then >= self.limit)
    }
}

/// Runs a hook's command to its end, and returns its exit code with the beginning of its output.
pub(super) async fn run<E: Engine + Clone>(
    engine: &E,
    container: &ContainerId,
    command: &[String],
) -> Result<(i64, String), EngineError> {
    let (mut flight, output) = begin(engine, container, command, HOOK_MARK).await?;
    let mut said = Vec::new();
    drain(output, &mut said).await?;
    let code = loop {
        // It may have closed its output and work on.
        if let Some(code) = last_word(engine, &flight.exec, Instant::now() + LAST_WORD).await {
            break code;
        }
        engine.exec_inspect(&flight.exec).await.map_err(forgotten)?;
    };
    flight.landed = true;
    Ok((code, String::from_utf8_lossy(&said).into_owned()))
}

/// An engine that knows nothing of a command that it has begun was started anew.
fn forgotten(error: EngineError) -> EngineError {
    match error {
        EngineError::NotFound { operation, message } => EngineError::Unavailable { operation, message },
        error => error,
    }
}

type Output = BoxStream<'static, Result<Bytes, EngineError>>;

async fn begin<E: Engine + Clone>(
    engine: &E,
    container: &ContainerId,
    command: &[String],
    mark: &str,
) -> Result<(Flight<E>, Output), EngineError> {
    let exec = engine.exec_create(container.as_str(), command.to_vec(), mark).await?;
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
    let refused = match engine.exec_kill(exec).await {
        Ok(()) => None,
        Err(error) if error.is_not_found() => return End::Forgotten,
        Err(error @ EngineError::Refused { .. }) => Some(report(&error)),
        Err(error) => return End::Unknown(report(&error)),
    };
    match (last_word(engine, exec, Instant::now() + LAST_WORD).await, refused) {
        (Some(SIGKILLED), _) => End::Killed,
        (Some(code), _) => End::Exited(code),
        (None, Some(why)) => End::Unkillable(why),
        (None, None) => match engine.exec_inspect(exec).await {
            // It was never started.
            Ok(seen) if !seen.running => End::Killed,
            Ok(_) => End::Unknown("the engine does not say that it ended".to_owned()),
            Err(error) if error.is_not_found() => End::Forgotten,
            Err(error) => End::Unknown(report(&error)),
        },
    }
}

#[cfg(test)]
mod tests;
