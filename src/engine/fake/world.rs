//! The fake's state outside any call: time, timers, the log, the engine's own ups and downs.

use super::{
    behaviour::Rule,
    container::Container,
    event::{Passage, Stream},
    exec::{Exec, ExecRule},
    fault::{Call, Fault, Verb},
    image::Images,
};
use crate::{
    engine::{EngineAction, EngineError, EngineEvent, EngineVersion, VolumeDetails},
    time::{Clock, Timestamp},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::Notify, time::Instant};

/// One line of the fake's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// Number of the last call that had arrived by then.
    pub call: u64,
    /// Container id; empty for what concerns the engine as a whole or an image.
    pub id: String,
    /// Container name or image reference.
    pub name: String,
    /// Labels of the container.
    pub labels: Arc<BTreeMap<String, String>>,
    /// What happened.
    pub what: What,
}

/// What happened to a container, an image or the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Made.
    Created,
    /// Started.
    Started,
    /// Its start failed with this text.
    StartFailed(String),
    /// A stop was asked for, with this grace, while it ran.
    StopAsked(Duration),
    /// It was sent this signal by a kill.
    Signalled(String),
    /// It ended.
    Died {
        /// Exit code.
        code: i64,
        /// By the kernel, for want of memory.
        oom: bool,
    },
    /// Removed.
    Removed,
    /// An image arrived.
    ImageAdded,
    /// An image was saved.
    ImageSaved,
    /// The engine went down.
    EngineDown,
    /// The engine came back.
    EngineUp,
}

/// Something that is due at a certain time.
pub(super) enum Due {
    /// A delayed call. It is lost when the engine goes down.
    Call(Box<dyn FnOnce(&mut World) + Send>),
    /// The program ends, unless it was started anew since.
    Exit { container: u64, run: u32, code: i64, oom: bool },
    /// The grace of a stop is over. The timer is the engine's, and lost with it.
    Kill { container: u64, run: u32 },
    /// A late event arrives.
    Event(Box<EngineEvent>),
    /// A command begins.
    ExecBegin { exec: u64 },
    /// A command ends by itself.
    ExecExit { exec: u64, code: i64 },
    /// The engine comes back.
    Up,
}

/// Sees each call as it arrives and may put faults in its way. Must not call the engine.
pub(super) type Hook = Box<dyn FnMut(&Call) -> Vec<Fault> + Send>;

pub(super) struct World {
    /// The time of what is happening: the present, or that of the timer being carried out.
    pub now: Instant,
    made: Instant,
    zero: Timestamp,
    wall: jiff::Timestamp,
    pub up: bool,
    pub version: EngineVersion,
    pub containers: BTreeMap<u64, Container>,
    pub names: BTreeMap<String, u64>,
    pub made_containers: u64,
    pub images: Images,
    volumes: BTreeMap<String, VolumeDetails>,
    pub taken_ports: Vec<super::container::HostPort>,
    pub stream: Stream,
    pub rule: Rule,
    pub execs: BTreeMap<u64, Exec>,
    pub made_execs: u64,
    pub exec_rule: ExecRule,
    pub hook: Option<Hook>,
    pub faults: BTreeMap<u64, Vec<Fault>>,
    pub calls: Vec<Call>,
    pub history: Vec<HistoryEntry>,
    timers: BTreeMap<(Instant, u64), Due>,
    made_timers: u64,
    wake: Arc<Notify>,
}

impl World {
    pub fn new(clock: &Clock, wake: Arc<Notify>) -> Self {
        let now = Instant::now();
        Self {
            now,
            made: now,
            zero: clock.now(),
            wall: clock.wall(),
            up: true,
            version: EngineVersion {
                version: "20.10.24".to_owned(),
                api_version: "1.41".to_owned(),
                cgroup_driver: "cgroupfs".to_owned(),
                cgroup_version: "1".to_owned(),
                log_driver: "json-file".to_owned(),
                memory_total: 8 << 30,
                architecture: "x86_64".to_owned(),
                security: ["apparmor", "seccomp"].map(str::to_owned).to_vec(),
            },
            containers: BTreeMap::new(),
            names: BTreeMap::new(),
            made_containers: 0,
            images: Images::default(),
            volumes: BTreeMap::new(),
            taken_ports: Vec::new(),
            stream: Stream::default(),
            rule: Box::new(super::behaviour::default_rule),
            execs: BTreeMap::new(),
            made_execs: 0,
            exec_rule: Box::new(super::exec::default_exec_rule),
            hook: None,
            faults: BTreeMap::new(),
            calls: Vec::new(),
            history: Vec::new(),
            timers: BTreeMap::new(),
            made_timers: 0,
            wake,
        }
    }

    /// A named volume, made if there is none; it is nowhere on the node.
    pub fn volume(&mut self, name: &str, labels: BTreeMap<String, String>) -> VolumeDetails {
        self.volumes.entry(name.to_owned()).or_insert(VolumeDetails { directory: None, labels }).clone()
    }

    /// Wall-clock time of what is happening.
    pub fn wall_now(&self) -> jiff::Timestamp {
        let since = jiff::SignedDuration::try_from(self.now - self.made).unwrap_or_default();
        self.wall.checked_add(since).unwrap_or(jiff::Timestamp::MAX)
    }

    /// Monotonic time of what is happening.
    pub fn timestamp_now(&self) -> Timestamp {
        self.zero + (self.now - self.made)
    }

    pub fn after(&mut self, delay: Duration, due: Due) {
        let key = (self.now + delay, self.made_timers);
        self.made_timers += 1;
        let is_first = self.next_due().is_none_or(|first| key.0 < first);
        self.timers.insert(key, due);
        if is_first {
            self.wake.notify_one();
        }
    }

    pub fn next_due(&self) -> Option<Instant> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Carries out all that is due by now, in order of time and, at one time, of asking.
    pub fn advance(&mut self) {
        let present = Instant::now();
        while let Some(first) = self.timers.first_entry() {
            if first.key().0 > present {
                break;
            }
            let ((at, _), due) = first.remove_entry();
            self.now = at.max(self.now);
            match due {
                Due::Call(call) => call(self),
                Due::Exit { container, run, code, oom } => self.exit(container, run, code, oom),
                Due::Kill { container, run } => self.exit(container, run, 137, false),
                Due::Event(event) => self.stream.deliver(&event),
                Due::ExecBegin { exec } => self.exec_begin(exec),
                Due::ExecExit { exec, code } => self.exec_exit(exec, code),
                Due::Up => self.come_up(),
            }
        }
        self.now = present;
    }

    /// Records a call and takes the faults meant for it.
    pub fn arrive(&mut self, verb: Verb, subject: &str) -> Vec<Fault> {
        let n = self.calls.len() as u64 + 1;
        let subject = self.find(subject).map_or_else(|_| subject.to_owned(), |c| c.name.clone());
        let call = Call { n, at: self.timestamp_now(), verb, subject };
        let mut faults = self.faults.remove(&n).unwrap_or_default();
        if let Some(hook) = &mut self.hook {
            faults.extend(hook(&call));
        }
        self.calls.push(call);
        faults
    }

    pub fn note_engine(&mut self, name: &str, what: What) {
        let entry = HistoryEntry {
            at: self.timestamp_now(),
            call: self.calls.len() as u64,
            id: String::new(),
            name: name.to_owned(),
            labels: Arc::default(),
            what,
        };
        self.history.push(entry);
    }

    /// Records what happened to a container.
    pub fn note(&mut self, number: u64, what: What) {
        let (at, call) = (self.timestamp_now(), self.calls.len() as u64);
        if let Some(c) = self.containers.get(&number) {
            let (id, name, labels) = (c.id.clone(), c.name.clone(), Arc::clone(&c.labels));
            self.history.push(HistoryEntry { at, call, id, name, labels, what });
        }
    }

    /// Sends an event about a container on its way.
    pub fn emit(&mut self, number: u64, action: EngineAction) {
        let Some(c) = self.containers.get(&number) else { return };
        if !self.up {
            return;
        }
        let event = EngineEvent { action, id: c.id.clone(), labels: (*c.labels).clone() };
        match self.stream.passage(&event) {
            Passage::Lost => {}
            Passage::Now => self.stream.deliver(&event),
            Passage::Late(by) => self.after(by, Due::Event(Box::new(event))),
        }
    }

    /// The engine stops: calls in flight and the timers of its stops are lost, streams end, and
    /// without live-restore every container is stopped.
    pub fn go_down(&mut self, live_restore: bool, down: Duration) {
        self.note_engine("", What::EngineDown);
        self.stream.cut("the engine went away");
        self.up = false;
        self.forget_execs();
        self.timers.retain(|_, due| matches!(due, Due::Exit { .. }));
        for container in self.containers.values_mut() {
            container.forget_stops();
        }
        if !live_restore {
            let live: Vec<u64> = self.containers.iter().filter(|(_, c)| c.is_live()).map(|(n, _)| *n).collect();
            for number in live {
                let code = self.containers.get(&number).map_or(137, Container::code_of_engine_stop);
                self.finish(number, code, false);
            }
        }
        self.after(down, Due::Up);
    }

    fn come_up(&mut self) {
        self.up = true;
        self.note_engine("", What::EngineUp);
    }

    /// Shifts every recorded wall-clock time, as if the machine's clock had jumped the other way.
    pub fn shift_recorded_times(&mut self, by: jiff::SignedDuration) {
        let shift = |t: jiff::Timestamp| t.checked_add(by).unwrap_or(t);
        for c in self.containers.values_mut() {
            c.created_at = shift(c.created_at);
            c.started_at = c.started_at.map(shift);
            c.finished_at = c.finished_at.map(shift);
        }
    }
}

/// An error of the engine's side about container or image `subject`.
pub(super) fn not_found(verb: Verb, subject: &str, message: String) -> EngineError {
    EngineError::NotFound { operation: format!("{verb} {subject}"), message }
}

/// A clash with the present state.
pub(super) fn conflict(verb: Verb, subject: &str, message: String) -> EngineError {
    EngineError::Conflict { operation: format!("{verb} {subject}"), message }
}

/// A refusal with an HTTP status.
pub(super) fn refused(verb: Verb, subject: &str, status: u16, message: String) -> EngineError {
    EngineError::Refused { operation: format!("{verb} {subject}"), status, message }
}
