//! What the test did, in the order of the engine's history: together they are the story that the
//! invariants are held against.

use crate::{
    answers::{Asked, Came},
    manifests::Wished,
};
use kubelet_lite::{
    engine::fake::{FakeEngine, HistoryEntry, What},
    pod::PodKey,
    time::{Clock, Timestamp},
};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex},
};

/// Something done from outside of the daemon.
#[derive(Clone, Debug)]
pub enum Deed {
    /// From now on the daemon can know that this is wanted.
    Wish(Wished),
    DaemonUp,
    DaemonDown,
    /// The operator did something to this container.
    ByHand {
        id: String,
        what: &'static str,
    },
    /// An image is on the node without a pull.
    ImageAdded(String),
    ImageRemoved(String),
    /// A probe or hook of this container was begun.
    Asked {
        id: String,
        asked: Asked,
        flight: u64,
    },
    /// It has ended.
    Answered {
        id: String,
        asked: Asked,
        flight: u64,
        came: Came,
    },
    /// The wall clock jumped.
    ClockJump,
    /// All is as wished, and was so for a while.
    Settled,
    /// Anything that only the reader of a failure wants to know.
    Remark(String),
}

#[derive(Clone, Debug)]
pub struct Note {
    /// How many entries the engine's history had.
    pub index: usize,
    pub at: Timestamp,
    pub deed: Deed,
}

/// Takes notes.
#[derive(Clone)]
pub struct Chronicle {
    engine: FakeEngine,
    clock: Clock,
    notes: Arc<Mutex<Vec<Note>>>,
}

impl Chronicle {
    pub fn new(engine: &FakeEngine, clock: &Clock) -> Self {
        Self { engine: engine.clone(), clock: clock.clone(), notes: Arc::default() }
    }

    pub fn note(&self, deed: Deed) {
        let index = self.engine.with_history(<[_]>::len);
        self.notes.lock().unwrap().push(Note { index, at: self.clock.now(), deed });
    }

    /// Labels of a container.
    pub fn labels(&self, id: &str) -> Option<BTreeMap<String, String>> {
        self.engine.containers().into_iter().find(|c| c.id == id).map(|c| c.labels)
    }

    pub fn notes(&self) -> Vec<Note> {
        self.notes.lock().unwrap().clone()
    }
}

/// What a container is, read from its labels.
#[derive(Clone, Debug)]
pub struct Who {
    /// It carries our mark.
    pub ours: bool,
    pub key: PodKey,
    pub uid: String,
    pub name: String,
    pub kind: Kind,
    pub attempt: u32,
    /// The sandbox it joined; its own id for a sandbox.
    pub sandbox: String,
    pub hash: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sandbox,
    Init,
    Sidecar,
    App,
}

/// The engine's history with the test's deeds.
pub struct Story {
    pub history: Vec<HistoryEntry>,
    pub notes: Vec<Note>,
    who: BTreeMap<String, Who>,
}

/// One thing that happened.
#[derive(Clone, Copy)]
pub enum Step<'a> {
    Deed(&'a Note),
    /// Something happened to a container.
    Container(&'a HistoryEntry, &'a Who),
    /// Something happened to an image or to the engine.
    Engine(&'a HistoryEntry),
}

impl Story {
    pub fn new(history: Vec<HistoryEntry>, notes: Vec<Note>) -> Self {
        let mut who = BTreeMap::new();
        for entry in history.iter().filter(|e| !e.id.is_empty()) {
            if !who.contains_key(&entry.id) {
                who.insert(entry.id.clone(), Who::read(entry));
            }
        }
        Self { history, notes, who }
    }

    /// All that happened, in order.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let mut notes = self.notes.iter().peekable();
        let mut history = self.history.iter().enumerate().peekable();
        std::iter::from_fn(move || {
            let next = history.peek().map_or(usize::MAX, |(index, _)| *index);
            if let Some(note) = notes.next_if(|note| note.index <= next) {
                return Some(Step::Deed(note));
            }
            let (_, entry) = history.next()?;
            Some(self.who.get(&entry.id).map_or(Step::Engine(entry), |who| Step::Container(entry, who)))
        })
    }

    /// What happened to our containers.
    pub fn ours(&self) -> impl Iterator<Item = (&HistoryEntry, &Who)> {
        self.steps().filter_map(|step| match step {
            Step::Container(entry, who) if who.ours => Some((entry, who)),
            Step::Container(..) | Step::Deed(_) | Step::Engine(_) => None,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // The uids of the story, by short names.
        let mut uids: Vec<&str> = Vec::new();
        for who in self.history.iter().filter_map(|e| self.who.get(&e.id)).filter(|who| who.ours) {
            if !uids.contains(&who.uid.as_str()) {
                uids.push(&who.uid);
            }
        }
        for step in self.steps() {
            let _ = match step {
                Step::Deed(note) => writeln!(text, "{:>12} ---- {}", seconds(note.at), note.deed.text()),
                Step::Container(e, _) | Step::Engine(e) => {
                    writeln!(text, "{:>12} #{:<4} {} {:?}", seconds(e.at), e.call, e.name, e.what)
                }
            };
        }
        for (at, uid) in uids.iter().enumerate().filter(|(_, uid)| uid.len() == 32) {
            text = text.replace(uid, &format!("uid{at}"));
        }
        text.replace("-node1_default", "")
    }
}

/// Seconds since the beginning, for people.
pub fn seconds(at: Timestamp) -> String {
    let since = at.since(Timestamp::default() + kubelet_lite::time::Clock::EPOCH);
    format!("{:.3}", since.as_secs_f64())
}

impl Deed {
    fn text(&self) -> String {
        match self {
            Self::Wish(pods) => {
                let pod = |p: &kubelet_lite::pod::Pod| format!("{} {} grace {:?}", p.key.name, p.uid, p.grace);
                format!("wish {:?}", pods.values().map(|p| pod(p)).collect::<Vec<_>>())
            }
            Self::Remark(text) => text.clone(),
            other => format!("{other:?}"),
        }
    }
}

impl Who {
    fn read(entry: &HistoryEntry) -> Self {
        let label = |key: &str| entry.labels.get(key).cloned().unwrap_or_default();
        let kind = match label("io.kubelet-lite.kind").as_str() {
            "sandbox" => Kind::Sandbox,
            "init" => Kind::Init,
            "sidecar" => Kind::Sidecar,
            _ => Kind::App,
        };
        let sandbox = if kind == Kind::Sandbox { entry.id.clone() } else { label("io.kubernetes.sandbox.id") };
        let hash = if kind == Kind::Sandbox { "io.kubelet-lite.sandbox-hash" } else { "io.kubelet-lite.spec-hash" };
        Self {
            ours: entry.labels.contains_key("io.kubelet-lite.managed-by"),
            key: PodKey::new(label("io.kubernetes.pod.namespace"), label("io.kubernetes.pod.name")),
            uid: label("io.kubernetes.pod.uid"),
            name: label("io.kubernetes.container.name"),
            kind,
            attempt: label("io.kubelet-lite.attempt").parse().unwrap_or(0),
            sandbox,
            hash: label(hash),
        }
    }
}

/// Whether this entry is the end of a run.
pub fn is_end(what: &What) -> bool {
    matches!(what, What::Died { .. } | What::Removed)
}
