//! The fake's event streams and what can happen to events on their way.

use crate::engine::{EngineError, EngineEvent, MANAGED_BY_LABEL};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

pub(super) type EventItem = Result<EngineEvent, EngineError>;

struct Subscriber {
    instance: Option<Arc<str>>,
    to: mpsc::UnboundedSender<EventItem>,
}

/// All open event streams.
#[derive(Default)]
pub(super) struct Stream {
    subscribers: Vec<Subscriber>,
    pub drop_next: u32,
    pub double_next: u32,
    pub delay_next: Option<Duration>,
}

/// What the world must do with an event that happened.
pub(super) enum Passage {
    Lost,
    Now,
    Late(Duration),
}

impl Stream {
    pub fn subscribe(&mut self, instance: Option<Arc<str>>) -> mpsc::UnboundedReceiver<EventItem> {
        let (to, from) = mpsc::unbounded_channel();
        self.subscribers.push(Subscriber { instance, to });
        from
    }

    /// Ends every stream with an error.
    pub fn cut(&mut self, why: &str) {
        for subscriber in self.subscribers.drain(..) {
            let error = EngineError::Unavailable { operation: "events".to_owned(), message: why.to_owned() };
            // A client that went away needs no word.
            let _ = subscriber.to.send(Err(error));
        }
    }

    /// Decides the way of the event that happens now. Only events that somebody listens to use a
    /// fault up: a sweep must not lose its fault to a container that is not ours.
    pub fn passage(&mut self, event: &EngineEvent) -> Passage {
        self.subscribers.retain(|s| !s.to.is_closed());
        if !self.subscribers.iter().any(|s| s.wants(event)) {
            return Passage::Lost;
        }
        if self.drop_next > 0 {
            self.drop_next -= 1;
            return Passage::Lost;
        }
        self.delay_next.take().map_or(Passage::Now, Passage::Late)
    }

    pub fn deliver(&mut self, event: &EngineEvent) {
        let copies = if self.double_next > 0 { 2 } else { 1 };
        self.double_next = self.double_next.saturating_sub(1);
        for subscriber in self.subscribers.iter().filter(|s| s.wants(event)) {
            for _ in 0..copies {
                let _ = subscriber.to.send(Ok(event.clone()));
            }
        }
    }
}

impl Subscriber {
    fn wants(&self, event: &EngineEvent) -> bool {
        match &self.instance {
            None => true,
            Some(instance) => event.labels.get(MANAGED_BY_LABEL).is_some_and(|owner| **owner == **instance),
        }
    }
}
