//! The last events, equal ones as one and many similar ones as one, as the kubelet's correlator does.
//! Pure: the present is handed in.

use super::{Event, EventType, Subject};
use std::collections::VecDeque;

/// How many events are kept; the ones that happened longest ago go first.
const CAPACITY: usize = 1024;
/// So many events that differ only in their message, within [`SIMILAR_WITHIN`], and the next ones are
/// counted as one.
const SIMILAR: usize = 10;
/// Figure of the kubelet's aggregator.
const SIMILAR_WITHIN: jiff::SignedDuration = jiff::SignedDuration::from_secs(600);
/// An event that did not happen for so long begins anew: an API server has forgotten it by then.
const FORGOTTEN_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_secs(3600);
/// Longest message, in bytes: the API's limit.
const MESSAGE: usize = 1024;
/// How the kubelet marks an event that stands for several similar ones.
const COMBINED: &str = "(combined from similar events): ";

/// The last events, the newest last.
#[derive(Debug, Default)]
pub(super) struct Ring {
    events: VecDeque<Event>,
    serial: u64,
}

impl Ring {
    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }

    /// Takes in that something happened.
    pub(super) fn note(
        &mut self,
        subject: Subject,
        kind: EventType,
        reason: &'static str,
        message: &str,
        now: jiff::Timestamp,
    ) {
        let mut message = bounded(message);
        let like = |e: &Event| e.kind == kind && e.reason == reason && e.subject == subject;
        let fresh = |e: &Event| now.duration_since(e.last) < FORGOTTEN_AFTER;
        let mut same = self.events.iter().rposition(|e| like(e) && e.message == message && fresh(e));
        if same.is_none() {
            let similar = |e: &&Event| like(e) && now.duration_since(e.last) < SIMILAR_WITHIN;
            if self.events.iter().filter(similar).count() >= SIMILAR {
                message = bounded(&format!("{COMBINED}{message}"));
                same = self.events.iter().rposition(|e| like(e) && e.message.starts_with(COMBINED));
            }
        }
        let before = same.and_then(|index| self.events.remove(index));
        let event = match before {
            Some(before) => Event { message, last: now, count: before.count.saturating_add(1), ..before },
            None => {
                self.serial += 1;
                Event { subject, kind, reason, message, first: now, last: now, count: 1, serial: self.serial }
            }
        };
        self.events.push_back(event);
        if self.events.len() > CAPACITY {
            self.events.pop_front();
        }
    }
}

/// A message cut at a character within the limit.
fn bounded(message: &str) -> String {
    let mut end = message.len().min(MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].to_owned()
}
