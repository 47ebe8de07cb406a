//! What happened → the ring and the log.

use super::{Event, EventType, Subject, ring::Ring};
use crate::{
    pod::{ContainerKind, ContainerName, PodKey, PodUid},
    time::Clock,
};
use tokio::sync::watch;
use tracing::{error, field::display, info, warn};

/// Takes in what happens: each thing is one event and one log line.
#[derive(Debug)]
pub struct Recorder {
    ring: watch::Sender<Ring>,
    clock: Clock,
}

/// Something that happened to a pod.
#[derive(Clone, Debug)]
pub struct Happening<'a> {
    key: &'a PodKey,
    uid: Option<&'a PodUid>,
    container: Option<(&'a ContainerName, ContainerKind)>,
    kind: EventType,
    reason: &'static str,
    message: String,
    line: Option<String>,
    container_id: Option<&'a str>,
    image: Option<&'a str>,
    our_fault: bool,
}

impl<'a> Happening<'a> {
    /// Something that is as it should be.
    pub fn normal(key: &'a PodKey, uid: Option<&'a PodUid>, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            key,
            uid,
            container: None,
            kind: EventType::Normal,
            reason,
            message: message.into(),
            line: None,
            container_id: None,
            image: None,
            our_fault: false,
        }
    }

    /// Something that somebody may have to look at.
    pub fn warning(key: &'a PodKey, uid: Option<&'a PodUid>, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind: EventType::Warning, ..Self::normal(key, uid, reason, message) }
    }

    /// Says which container.
    #[must_use]
    pub fn of(mut self, name: &'a ContainerName, kind: ContainerKind) -> Self {
        self.container = Some((name, kind));
        self
    }

    /// Says which instance, in the log.
    #[must_use]
    pub fn instance(mut self, id: Option<&'a str>) -> Self {
        self.container_id = id;
        self
    }

    /// Says which image, in the log.
    #[must_use]
    pub fn image(mut self, image: &'a str) -> Self {
        self.image = Some(image);
        self
    }

    /// What the log says in place of the event's message.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.line = Some(line.into());
        self
    }

    /// A fault of this program.
    #[must_use]
    pub fn our_fault(mut self, yes: bool) -> Self {
        self.our_fault = yes;
        self
    }
}

impl Recorder {
    /// A recorder without any event.
    pub fn new(clock: Clock) -> Self {
        Self { ring: watch::Sender::new(Ring::default()), clock }
    }

    /// Keeps the event and writes the line.
    pub fn record(&self, happening: Happening<'_>) {
        happening.log();
        let Happening { key, uid, container, kind, reason, message, .. } = happening;
        let container = container.map(|(name, kind)| (name.clone(), kind));
        let subject = Subject::Pod { key: key.clone(), uid: uid.cloned(), container };
        self.keep(subject, kind, reason, &message);
    }

    /// Keeps an event of the node, of which the log was told already.
    pub fn keep_of_node(&self, node: &str, kind: EventType, reason: &'static str, message: &str) {
        self.keep(Subject::Node(node.to_owned()), kind, reason, message);
    }

    fn keep(&self, subject: Subject, kind: EventType, reason: &'static str, message: &str) {
        let now = self.clock.wall();
        self.ring.send_modify(|ring| ring.note(subject, kind, reason, message, now));
    }

    /// All events that are kept, the one that happened longest ago first.
    pub fn events(&self) -> Vec<Event> {
        self.ring.borrow().events().cloned().collect()
    }
}

impl Happening<'_> {
    fn log(&self) {
        let uid = self.uid.map(display);
        let container = self.container.map(|(name, _)| display(name));
        let (pod, reason, image) = (self.key, self.reason, self.image);
        let container_id = self.container_id.map(display);
        // The words of a probe's program may have lines of their own; one happening is one line.
        let line = self.line.as_ref().unwrap_or(&self.message).trim_end().replace(['\n', '\r'], " ");
        match self.kind {
            _ if self.our_fault => error!(%pod, uid, container, reason, container_id, image, "{line}"),
            EventType::Warning => warn!(%pod, uid, container, reason, container_id, image, "{line}"),
            EventType::Normal => info!(%pod, uid, container, reason, container_id, image, "{line}"),
        }
    }
}
