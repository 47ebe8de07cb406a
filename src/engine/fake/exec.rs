//! Commands run in the fake's containers.

use super::{
    behaviour::Launch,
    fault::Verb,
    world::{Due, World, conflict, not_found, refused},
};
use crate::{
    engine::{Bytes, EngineError, EngineState, ExecDetails},
    time::Timestamp,
};
use std::time::Duration;
use tokio::sync::mpsc;

type Result<T> = std::result::Result<T, EngineError>;
pub(super) type Output = std::result::Result<Bytes, EngineError>;

/// What one command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecBehaviour {
    output: Bytes,
    /// How long the engine takes to begin it.
    begins: Duration,
    /// Exit code and time after which it ends; `None` runs until it or its container is killed.
    end: Option<(i64, Duration)>,
}

impl ExecBehaviour {
    /// Ends with `code`, `after` its start.
    pub fn exits(code: i64, after: Duration) -> Self {
        Self { output: Bytes::new(), begins: Duration::ZERO, end: Some((code, after)) }
    }

    /// Never ends by itself.
    pub fn hangs() -> Self {
        Self { output: Bytes::new(), begins: Duration::ZERO, end: None }
    }

    /// The program does not exist: text in the output, and exit code 126.
    pub fn missing() -> Self {
        Self::exits(126, Duration::ZERO).saying("OCI runtime exec failed: exec failed: no such file or directory")
    }

    /// The engine is busy, and takes so long to begin it.
    #[must_use]
    pub fn begun_after(self, begins: Duration) -> Self {
        Self { begins, ..self }
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
    mark: String,
    state: State,
    /// What it does, until it has begun.
    behaviour: Option<ExecBehaviour>,
    /// Closed at its end.
    output: Option<mpsc::Sender<Output>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Created,
    /// Its start was asked for, and it has not begun.
    Beginning,
    /// Since then.
    Running(Timestamp),
    Ended(i64),
}

impl State {
    fn is_live(self) -> bool {
        matches!(self, Self::Beginning | Self::Running(_))
    }
}

impl World {
    pub fn exec_create(&mut self, id: &str, command: Vec<String>, mark: String) -> Result<String> {
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
        let state = State::Created;
        let exec = Exec { container: number, run, command, mark, state, behaviour: None, output: None };
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
        let begins = behaviour.begins;
        if let Some(found) = self.execs.get_mut(&number) {
            (found.state, found.output, found.behaviour) = (State::Beginning, Some(to), Some(behaviour));
        }
        if begins.is_zero() {
            self.exec_begin(number);
        } else {
            self.after(begins, Due::ExecBegin { exec: number });
        }
        Ok(from)
    }

    /// A command begins, unless its container has ended meanwhile.
    pub fn exec_begin(&mut self, number: u64) {
        let now = self.timestamp_now();
        let Some(found) = self.execs.get_mut(&number).filter(|e| e.state == State::Beginning) else { return };
        found.state = State::Running(now);
        let Some(behaviour) = found.behaviour.take() else { return };
        if let Some(to) = found.output.as_ref().filter(|_| !behaviour.output.is_empty()) {
            // There is room; who asked may have gone away.
            let _ = to.try_send(Ok(behaviour.output));
        }
        if let Some((code, after)) = behaviour.end {
            self.after(after, Due::ExecExit { exec: number, code });
        }
    }

    pub fn exec_inspect(&self, exec: &str) -> Result<ExecDetails> {
        let missing = || Self::exec_missing(Verb::ExecInspect, exec);
        let number = self.exec_number(exec).ok_or_else(missing)?;
        let found = self.execs.get(&number).ok_or_else(missing)?;
        let container = self.containers.get(&found.container).ok_or_else(missing)?;
        let host_pid = i32::try_from(500_000 + number).unwrap_or(1);
        let (running, exit_code, pid, age) = match found.state {
            State::Created => (false, None, 0, None),
            State::Beginning => (true, None, 0, None),
            State::Running(since) => (true, None, host_pid, Some(self.timestamp_now().since(since))),
            State::Ended(code) => (false, Some(code), host_pid, None),
        };
        Ok(ExecDetails { container: container.id.clone(), running, exit_code, pid, age, mark: found.mark.clone() })
    }

    pub fn exec_kill(&mut self, exec: &str) -> Result<()> {
        let number = self.exec_number(exec).ok_or_else(|| Self::exec_missing(Verb::ExecKill, exec))?;
        if self.execs.get(&number).is_some_and(|e| e.state == State::Beginning) {
            return Err(conflict(Verb::ExecKill, exec, "the engine has not begun it yet".to_owned()));
        }
        self.exec_exit(number, 137);
        Ok(())
    }

    /// Ids of a container's commands that have not ended.
    pub fn execs_of(&self, container: u64) -> Vec<String> {
        let of = |e: &Exec| e.container == container && !matches!(e.state, State::Ended(_));
        self.execs.iter().filter(|(_, e)| of(e)).map(|(number, _)| format!("{number:064x}")).collect()
    }

    /// A command ends, if it runs.
    pub fn exec_exit(&mut self, number: u64, code: i64) {
        if let Some(exec) = self.execs.get_mut(&number).filter(|e| matches!(e.state, State::Running(_))) {
            exec.state = State::Ended(code);
            exec.output = None;
        }
    }

    /// A container ended, and its commands with it.
    pub fn end_execs_of(&mut self, container: u64) {
        for exec in self.execs.values_mut().filter(|e| e.container == container && e.state.is_live()) {
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
        self.execs.values().filter(|e| e.state.is_live()).count()
    }
}
