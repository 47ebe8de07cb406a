//! kubectl's columns and words for the objects of the API. Pure: the present is handed in.
//!
//! Owns how a pod and an event are shown to people: the rules of kubectl's own printers, so that who
//! knows the one can read the other. Reads nothing but objects in the API's shape.

mod describe;
mod duration;
mod events;
mod pods;
mod tabs;

pub use describe::describe;
pub use duration::age;
pub use events::{events, sorted};
pub use pods::{Columns, PodRow, PodTable, pods};
pub use tabs::table;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// What is shown where there is nothing.
const NONE: &str = "<none>";
/// What is shown for a moment that is not known.
const UNKNOWN: &str = "<unknown>";

/// The time since a moment, in kubectl's words.
fn since(at: Option<&Time>, now: jiff::Timestamp) -> String {
    at.map_or_else(|| UNKNOWN.to_owned(), |at| age(now.duration_since(at.0).as_secs()))
}

#[cfg(test)]
mod tests;
