//! What probes and hooks in the simulated containers come to, and a note of every asking.

use crate::chronicle::{Chronicle, Deed};
use futures_util::future::BoxFuture;
use kubelet_lite::{
    pod::ProbeKind,
    probe::{Handler, HandlerTarget, Handlers, Hook, HookDone, HookError, Leftover, Outcome},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// What a container is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    Probe(ProbeKind),
    PostStart,
    PreStop,
}

const ALL: [(Asked, &str); 5] = [
    (Asked::Probe(ProbeKind::Startup), "startup"),
    (Asked::Probe(ProbeKind::Liveness), "liveness"),
    (Asked::Probe(ProbeKind::Readiness), "readiness"),
    (Asked::PostStart, "postStart"),
    (Asked::PreStop, "preStop"),
];

impl Asked {
    /// The command that stands for it in a manifest.
    pub fn command(self) -> Vec<String> {
        ALL.iter().filter(|(asked, _)| *asked == self).map(|(_, word)| (*word).to_owned()).collect()
    }

    fn of(command: &[String]) -> Option<Self> {
        ALL.iter().find(|(_, word)| command.iter().any(|c| c == word)).map(|(asked, _)| *asked)
    }
}

/// How a container answers.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// Well, after so long.
    Passes(Duration),
    Fails(Duration),
    /// It could not be asked.
    Errs,
    /// Not at all, as long as anything may go wrong.
    Hangs,
}

/// How an asking ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    Passed,
    Failed,
    Erred,
    /// Whoever asked waits for it no more.
    GivenUp,
}

type Rule = Box<dyn FnMut(&str, Asked) -> Answer + Send>;
/// What a container of a pod (as the manifest names it) answers first, whichever instance is asked.
type Script = BTreeMap<(&'static str, &'static str, Asked), VecDeque<Answer>>;

/// Handlers that answer by a rule.
#[derive(Clone)]
pub struct Answers(Arc<Inner>);

struct Inner {
    chronicle: Chronicle,
    rule: Mutex<Rule>,
    script: Mutex<Script>,
    flights: AtomicU64,
    calm: watch::Sender<bool>,
}

/// One asking under way.
struct Flight<'a> {
    inner: &'a Inner,
    number: u64,
    id: String,
    asked: Asked,
    came: Came,
}

impl Answers {
    /// Everything passes at once.
    pub fn new(chronicle: Chronicle) -> Self {
        let rule: Mutex<Rule> = Mutex::new(Box::new(|_, _| Answer::Passes(Duration::ZERO)));
        let (script, flights, calm) = (Mutex::default(), AtomicU64::new(0), watch::Sender::new(false));
        Self(Arc::new(Inner { chronicle, rule, script, flights, calm }))
    }

    /// Chooses what comes of askings from now on, by container id.
    pub fn answer(&self, rule: impl FnMut(&str, Asked) -> Answer + Send + 'static) {
        *self.0.rule.lock().unwrap() = Box::new(rule);
    }

    /// Chooses the first answers of a container.
    pub fn first(&self, pod: &'static str, container: &'static str, asked: Asked, answers: &[Answer]) {
        self.0.script.lock().unwrap().insert((pod, container, asked), answers.iter().copied().collect());
    }

    /// From now on everything passes at once, and what hangs does.
    pub fn calm(&self) {
        self.0.calm.send_replace(true);
    }
}

impl Inner {
    fn begin(&self, id: &str, asked: Asked) -> (Flight<'_>, Answer) {
        let number = self.flights.fetch_add(1, Ordering::Relaxed);
        let answer = if *self.calm.borrow() {
            Answer::Passes(Duration::ZERO)
        } else {
            self.scripted(id, asked).unwrap_or_else(|| (self.rule.lock().unwrap())(id, asked))
        };
        self.chronicle.note(Deed::Asked { id: id.to_owned(), asked, flight: number });
        (Flight { inner: self, number, id: id.to_owned(), asked, came: Came::GivenUp }, answer)
    }
}

impl Inner {
    fn scripted(&self, id: &str, asked: Asked) -> Option<Answer> {
        let mut script = self.script.lock().unwrap();
        let labels = self.chronicle.labels(id)?;
        let is = |key: &str, value: &str| labels.get(key).is_some_and(|v| v == value);
        let this = script.iter_mut().find(|((pod, container, of), _)| {
            *of == asked
                && is("io.kubernetes.pod.name", &format!("{pod}-node1"))
                && is("io.kubernetes.container.name", container)
        });
        this?.1.pop_front()
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        // The play is over, and with it its time.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (id, asked, flight, came) = (std::mem::take(&mut self.id), self.asked, self.number, self.came);
        self.inner.chronicle.note(Deed::Answered { id, asked, flight, came });
    }
}

impl Handlers for Answers {
    fn ask<'a>(
        &'a self,
        handler: &'a Handler,
        target: &'a HandlerTarget,
        timeout: Duration,
        _: &'a mut Leftover,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let Handler::Exec { command } = handler else { panic!("{handler:?} in a simulation") };
            let asked = Asked::of(command).expect("a command of the simulation");
            let (mut flight, answer) = self.0.begin(target.container.as_str(), asked);
            let (after, outcome) = match answer {
                Answer::Passes(after) => (after, Outcome::Success("well".into())),
                Answer::Fails(after) => (after, Outcome::Failure("not well".into())),
                Answer::Errs => (Duration::ZERO, Outcome::Error("not to be asked".into())),
                Answer::Hangs => (timeout, Outcome::Failure("no answer".into())),
            };
            let outcome = if after < timeout { outcome } else { Outcome::Failure("no answer in time".into()) };
            tokio::time::sleep(after.min(timeout)).await;
            flight.came = match outcome {
                Outcome::Success(_) | Outcome::Warning(_) => Came::Passed,
                Outcome::Failure(_) => Came::Failed,
                Outcome::Error(_) => Came::Erred,
            };
            outcome
        })
    }

    fn run<'a>(&'a self, hook: &'a Hook, target: &'a HandlerTarget) -> BoxFuture<'a, Result<HookDone, HookError>> {
        Box::pin(async move {
            let Hook::Exec { command } = hook else { panic!("{hook:?} in a simulation") };
            let asked = Asked::of(command).expect("a command of the simulation");
            let (mut flight, answer) = self.0.begin(target.container.as_str(), asked);
            let passes = match answer {
                Answer::Passes(after) => {
                    tokio::time::sleep(after).await;
                    true
                }
                Answer::Fails(after) => {
                    tokio::time::sleep(after).await;
                    false
                }
                Answer::Errs => false,
                Answer::Hangs => self.0.calm.subscribe().wait_for(|calm| *calm).await.is_ok(),
            };
            flight.came = if passes { Came::Passed } else { Came::Failed };
            if passes {
                Ok(HookDone::default())
            } else {
                Err(HookError { message: "not well".into(), engine_away: false })
            }
        })
    }
}
