//! The task of one probe of one instance of a container: wait, ask, count, report.

use super::{
    HandlerTarget, Handlers, Leftover, Outcome, Probe,
    schedule::{self, Share},
    threshold::{Counter, Next},
};
use crate::{
    pod::{ContainerId, ProbeKey, ProbeKind, ProbeVerdict},
    time::{Clock, Timestamp},
};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle};

/// How often an asking that errs is repeated before the error is reported.
pub const ATTEMPTS: usize = 3;

/// The instance of a container that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSubject {
    /// Its id.
    pub container: ContainerId,
    /// When it was started: initial delays count from here.
    pub started_at: Timestamp,
    /// See [`super::address`]. It is the same for the whole life of the instance, since a sandbox made
    /// anew gets new instances.
    pub address: Option<IpAddr>,
    /// It ran before this daemon did: it is asked at once, and its first success is a verdict.
    pub adopted: bool,
}

/// What came of one asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// Which probe of which instance.
    pub key: ProbeKey,
    /// How the asking ended.
    pub outcome: Outcome,
    /// The verdict, if it is a new one.
    pub verdict: Option<ProbeVerdict>,
    /// How long the asking took, all attempts together.
    pub took: Duration,
    /// How long after its time it began.
    pub late: Duration,
}

impl ProbeReport {
    /// Reason and message of the Warning event that this is worth, if it is worth one.
    pub fn event(&self) -> Option<(&'static str, String)> {
        let kind = self.key.1;
        match &self.outcome {
            Outcome::Success(_) => None,
            Outcome::Warning(text) => Some(("ProbeWarning", format!("{kind} probe warning: {text}"))),
            Outcome::Failure(text) => Some(("Unhealthy", format!("{kind} probe failed: {text}"))),
            Outcome::Error(text) => {
                Some(("Unhealthy", format!("{kind} probe errored and resulted in unknown state: {text}")))
            }
        }
    }
}

/// A running probe. Dropping it ends it, and what it has under way.
///
/// Its gate is its maker's: liveness and readiness are begun when the container has started in the
/// sense of its startup probe.
#[derive(Debug)]
pub struct ProbeWorker {
    probe: Probe,
    subject: ProbeSubject,
    task: JoinHandle<()>,
}

impl ProbeWorker {
    /// Begins to ask, once what `before` had under way has ended. Every asking is reported to `sink`, in order; a
    /// full `sink` holds the probe up, a closed one ends it.
    pub fn spawn(
        handlers: Arc<dyn Handlers>,
        clock: Clock,
        subject: ProbeSubject,
        probe: Probe,
        sink: mpsc::Sender<ProbeReport>,
        before: Option<Self>,
    ) -> Self {
        let asking = Asking {
            handlers,
            clock,
            target: HandlerTarget { container: subject.container.clone(), address: subject.address },
            subject: subject.clone(),
            probe: probe.clone(),
            sink,
        };
        let task = tokio::spawn(async move {
            if let Some(mut before) = before {
                before.task.abort();
                // How it ended is of no interest.
                let _ = (&mut before.task).await;
            }
            asking.run().await;
        });
        Self { probe, subject, task }
    }

    /// Which probe of which instance it is.
    pub fn key(&self) -> ProbeKey {
        (self.subject.container.clone(), self.probe.kind)
    }

    /// Which question it asks.
    pub fn kind(&self) -> ProbeKind {
        self.probe.kind
    }

    /// Whether it asks just so, and there: an edited probe, or a pod with another address, needs another worker.
    pub fn asks(&self, probe: &Probe, address: Option<IpAddr>) -> bool {
        self.probe == *probe && self.subject.address == address
    }

    /// Whether it has said its last word: a startup probe over, or a failure that ends the container.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for ProbeWorker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Asking {
    handlers: Arc<dyn Handlers>,
    clock: Clock,
    subject: ProbeSubject,
    target: HandlerTarget,
    probe: Probe,
    sink: mpsc::Sender<ProbeReport>,
}

impl Asking {
    async fn run(self) {
        let share = Share::of(&self.subject.container, self.probe.kind);
        let mut counter = if self.subject.adopted { Counter::adopted() } else { Counter::default() };
        let mut due = schedule::first(&self.probe, self.subject.started_at, self.clock.now(), share);
        let mut leftover = Leftover::default();
        let mut is_first = true;
        loop {
            self.clock.sleep_until(due).await;
            let began = self.clock.now();
            let outcome = self.ask(&mut leftover).await;
            let ended = self.clock.now();
            let (verdict, next) = counter.record(&self.probe, &outcome);
            let key = (self.subject.container.clone(), self.probe.kind);
            let report = ProbeReport { key, outcome, verdict, took: ended.since(began), late: began.since(due) };
            if self.sink.send(report).await.is_err() || next == Next::Done {
                return;
            }
            due = if std::mem::take(&mut is_first) {
                schedule::second(&self.probe, due, ended, self.subject.adopted, share)
            } else {
                schedule::next(&self.probe, due, ended)
            };
        }
    }

    async fn ask(&self, leftover: &mut Leftover) -> Outcome {
        let handler = match &self.probe.handler {
            Ok(handler) => handler,
            Err(invalid) => return Outcome::Error(invalid.to_string()),
        };
        let mut outcome = Outcome::Error(String::new());
        for _ in 0..ATTEMPTS {
            outcome = self.handlers.ask(handler, &self.target, self.probe.timeout, leftover).await;
            if !matches!(outcome, Outcome::Error(_)) {
                break;
            }
        }
        outcome
    }
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
