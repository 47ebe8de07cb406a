//! Commands run in the fake's containers.

use super::{
    behaviour::Launch,
    fault::Verb,
    world::{Due, World, conflict, not_found, refused},
};
use crate::engine::{Bytes, EngineError, EngineState, ExecDetails};
use std::time::Duration;
use tokio::sync::mpsc;

type Result<T> = std::result::Result<T, EngineError>;
pub(super) type Output = std::result::Result<Bytes, EngineError>;

/// What one command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecBehaviour {
    output: Bytes,
    /// Exit code and time after which it ends; `None` runs until it or its container is killed.
    end: Option<(i64, Duration)>,
}

impl ExecBehaviour {
    /// Ends with `code`, `after` its start.
    pub fn exits(code: i64, after: Duration) -> Self {
        Self { output: Bytes::new(), end: Some((code, after)) }
    }

    /// Never ends by itself.
    pub fn hangs() -> Self {
        Self { output: Bytes::new(), end: None }
    }

    /// The program does not exist: text in the output, and exit code 126.
    pub fn missing() -> Self {
        Self::exits(126, Duration::ZERO).saying("OCI runtime exec failed: exec failed: no such file or directory")
    }

    /// Writes this at its start.
    #[must_use]
    pub fn saying(self, output: &str) -> Self {
        Self { output: Bytes::copy_from_slice(output.as_bytes()), ..self }
    }
}

/// Chooses what a command does. Must not call the engine.
pub(super) type ExecRule = Box<dyn FnMut(&Launch<'_>, &[String]) -> ExecBehaviour + Send>;

/// Ends at once with 0.
pub(super) fn default_exec_rule(_: &Launch<'_>, _: &[String]) -> ExecBehaviour {
    ExecBehaviour::exits(0, Duration::ZERO)
}

/// One command that was set up.
pub(super) struct Exec {
    container: u64,
    /// The run of the container it is for.
    run: u32,
    command: Vec<String>,
    state: State,
    /// Closed at its end.
    output: Option<mpsc::Sender<Output>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Created,
    Running,
    Ended(i64),
}

impl World {
    pub fn exec_create(&mut self, id: &str, command: Vec<String>) -> Result<String> {
        let missing = |message| not_found(Verb::ExecCreate, id, message);
        let container = self.find(id).map_err(missing)?;
        let (state, run, full) = (container.state, container.run, container.id.clone());
        let Some(number) = self.number_of(id) else { return Err(missing(format!("No such container: {id}"))) };
        match state {
            EngineState::Running => {}
            EngineState::Paused => {
                let message = format!("Container {full} is paused, unpause the container before exec");
                return Err(conflict(Verb::ExecCreate, id, message));
            }
            _ => return Err(conflict(Verb::ExecCreate, id, format!("Container {full} is not running"))),
        }
        if command.is_empty() {
            return Err(refused(Verb::ExecCreate, id, 400, "No exec command specified".to_owned()));
        }
        self.made_execs += 1;
        let exec = Exec { container: number, run, command, state: State::Created, output: None };
        self.execs.insert(self.made_execs, exec);
        Ok(format!("{:064x}", self.made_execs))
    }

    fn exec_number(&self, exec: &str) -> Option<u64> {
        u64::from_str_radix(exec, 16).ok().filter(|number| self.execs.contains_key(number))
    }

    fn exec_missing(verb: Verb, exec: &str) -> EngineError {
        not_found(verb, exec, format!("No such exec instance: {exec}"))
    }

    pub fn exec_start(&mut self, exec: &str) -> Result<mpsc::Receiver<Output>> {
        let missing = || Self::exec_missing(Verb::ExecStart, exec);
        let number = self.exec_number(exec).ok_or_else(missing)?;
        let found = self.execs.get(&number).ok_or_else(missing)?;
        let (of, run, state, command) = (found.container, found.run, found.state, found.command.clone());
        if state != State::Created {
            let message = format!("Error: Exec command {exec} is already running");
            return Err(conflict(Verb::ExecStart, exec, message));
        }
        let Some(container) = self.containers.get(&of).filter(|c| c.run == run && c.is_live()) else {
            return Err(conflict(Verb::ExecStart, exec, "Container is not running".to_owned()));
        };
        if container.state == EngineState::Paused {
            return Err(conflict(Verb::ExecStart, exec, format!("Container {} is paused", container.id)));
        }
        let launch = Launch::new(&container.name, &container.labels, &container.body, container.run);
        let behaviour = (self.exec_rule)(&launch, &command);
        let (to, from) = mpsc::channel(2);
        if !behaviour.output.is_empty() {
            // There is room, and who asked is only about to get the other end.
            let _ = to.try_send(Ok(behaviour.output));
        }
        if let Some(found) = self.execs.get_mut(&number) {
            (found.state, found.output) = (State::Running, Some(to));
        }
        if let Some((code, after)) = behaviour.end {
            self.after(after, Due::ExecExit { exec: number, code });
        }
        Ok(from)
    }

    pub fn exec_inspect(&self, exec: &str) -> Result<ExecDetails> {
        let missing = || Self::exec_missing(Verb::ExecInspect, exec);
        let number = self.exec_number(exec).ok_or_else(missing)?;
        let found = self.execs.get(&number).ok_or_else(missing)?;
        let container = self.containers.get(&found.container).ok_or_else(missing)?;
        let (running, exit_code) = match found.state {
            State::Created => (false, None),
            State::Running => (true, None),
            State::Ended(code) => (false, Some(code)),
        };
        let pid = if found.state == State::Created { 0 } else { i32::try_from(500_000 + number).unwrap_or(1) };
        Ok(ExecDetails { container: container.id.clone(), running, exit_code, pid })
    }

    pub fn exec_kill(&mut self, exec: &str) -> Result<()> {
        let number = self.exec_number(exec).ok_or_else(|| Self::exec_missing(Verb::ExecKill, exec))?;
        self.exec_exit(number, 137);
        Ok(())
    }

    /// A command ends, if it runs.
    pub fn exec_exit(&mut self, number: u64, code: i64) {
        if let Some(exec) = self.execs.get_mut(&number).filter(|e| e.state == State::Running) {
            exec.state = State::Ended(code);
            exec.output = None;
        }
    }

    /// A container ended, and its commands with it.
    pub fn end_execs_of(&mut self, container: u64) {
        for exec in self.execs.values_mut().filter(|e| e.container == container && e.state == State::Running) {
            exec.state = State::Ended(137);
            exec.output = None;
        }
    }

    /// The engine went away: its streams break, and it will know none of its commands.
    pub fn forget_execs(&mut self) {
        for exec in std::mem::take(&mut self.execs).into_values() {
            let message = "connection closed".to_owned();
            let error = EngineError::Unavailable { operation: Verb::ExecStart.to_string(), message };
            if let Some(output) = exec.output {
                // Who asked may have gone away.
                let _ = output.try_send(Err(error));
            }
        }
    }

    /// How many commands run now.
    pub fn running_execs(&self) -> usize {
        self.execs.values().filter(|e| e.state == State::Running).count()
    }
}
