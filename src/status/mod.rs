//! The status of a pod and the whole Pod object, in the API's own shape.
//!
//! Owns what `status` says: phase, conditions, container statuses, and the metadata that the kubelet
//! gives a static pod. Pure: everything follows from a [`PodPicture`], which the pod's worker publishes,
//! and from what is known of the node. It decides nothing and asks nobody; times come with the picture.

mod conditions;
mod containers;
mod object;
mod phase;
mod picture;
mod waiting;

pub use conditions::{Conditions, READY};
pub use object::{Messages, api_pod, pod_status};
pub use phase::{DEADLINE_EXCEEDED, NODE_SHUTDOWN, Phase};
pub use picture::{PodPicture, Published};
pub use waiting::{Waiting, waiting};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// A moment as the API writes it: in whole seconds.
pub fn time(at: jiff::Timestamp) -> Time {
    Time(jiff::Timestamp::from_second(at.as_second()).unwrap_or(at))
}

#[cfg(test)]
mod tests;
