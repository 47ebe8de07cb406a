//! Events in a table (`kubectl events`).

use super::{UNKNOWN, age, since, tabs};
use k8s_openapi::api::core::v1::Event;

/// The events in the order in which they last happened.
pub fn sorted(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| event.last_timestamp.as_ref().map(|at| at.0));
    events
}

/// The table of `events`, in the order given.
pub fn events(events: &[Event], now: jiff::Timestamp, namespaces: bool, header: bool) -> String {
    let mut names = vec!["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"];
    if namespaces {
        names.insert(0, "NAMESPACE");
    }
    let rows: Vec<Vec<String>> = events
        .iter()
        .map(|event| {
            let mut cells = vec![
                last_seen(event, now),
                event.type_.clone().unwrap_or_default(),
                event.reason.clone().unwrap_or_default(),
                object(event),
                event.message.clone().unwrap_or_default(),
            ];
            if namespaces {
                cells.insert(0, event.metadata.namespace.clone().unwrap_or_default());
            }
            cells
        })
        .collect();
    tabs::table(header.then_some(&names), &rows)
}

/// `Pod/web-n1`.
fn object(event: &Event) -> String {
    let object = &event.involved_object;
    let (kind, name) = (object.kind.as_deref().unwrap_or_default(), object.name.as_deref().unwrap_or_default());
    format!("{kind}/{name}")
}

/// `12s`, or `12s (x3 over 5m)`.
pub(super) fn last_seen(event: &Event, now: jiff::Timestamp) -> String {
    let last = event.last_timestamp.as_ref();
    let count = event.count.unwrap_or(1);
    match (last, &event.first_timestamp) {
        (None, _) => UNKNOWN.to_owned(),
        (last, Some(first)) if count > 1 => {
            format!("{} (x{count} over {})", since(last, now), age(now.duration_since(first.0).as_secs()))
        }
        (last, _) => since(last, now),
    }
}
