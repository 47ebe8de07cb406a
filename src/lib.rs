//! kubelet-lite: the kubelet's static-pod job on a plain Docker node.
//!
//! # The five invariants
//! 1. **Decide purely, act dumbly.** [`plan::compute_pod_actions`] is a function of values; nothing
//!    else decides what happens to a pod.
//! 2. **A plan holds only actions that may start now**, all independent of one another. What depends
//!    on an earlier effect waits until that effect has been *observed*.
//! 3. **The engine is the database.** What must survive is on container labels or is an engine fact.
//! 4. **One pod, one task.** A [`worker::PodWorker`] is the only code that changes that pod's containers.
//! 5. **Events are hints, observation is truth.** Losing, doubling or reordering events costs latency,
//!    never correctness.
//!
//! # The rooms
//! | room | owns | pure |
//! |---|---|---|
//! | [`pod`] | the domain's nouns: identity, resolved spec, hashes, what was observed | yes |
//! | [`manifest`] | the manifest directory → `ManifestSet` | all but `watch` |
//! | [`plan`] | every decision about a running pod | yes |
//! | [`convert`] | what a field means in Docker terms, and back | yes |
//! | [`engine`] | the connection to the Docker Engine, and its fake | no |
//! | [`probe`] | asking containers how they are: thresholds, times, handlers | `spec`, `threshold`, `schedule` |
//! | [`status`] | a pod's status and object in the API's shape | yes |
//! | [`event`] | Kubernetes Events: the last of them, and the log line of each | all but the recorder |
//! | [`worker`] | doing: one task for each pod, and their manager | no |
//! | [`volume`] | directories below `--root-dir` | no |
//! | [`api`] | the read-only part of the Kubernetes API on a socket for root | `route`, `selector`, `refusal` |
//! | [`mod@print`] | kubectl's columns and words for objects | yes |
//! | [`query`] | the commands that ask the daemon: `get`, `describe`, `events` | all but asking |
//! | [`validate`] | the command that judges manifests without a daemon | all but reading files |
//! | [`shutdown`] | the shutdown of the node: groups of pods, systemd-logind | all but `logind` and its guard |
//! | [`time`] | the only caller of a clock | no |

pub mod api;
pub mod cli;
pub mod convert;
pub mod daemon;
pub mod engine;
pub mod event;
pub mod exit;
pub mod lock;
pub mod log;
pub mod manifest;
pub mod plan;
pub mod pod;
pub mod print;
pub mod probe;
pub mod query;
pub mod settings;
pub mod shutdown;
pub mod status;
pub mod systemd;
pub mod time;
pub mod validate;
pub mod volume;
pub mod worker;

/// The whole chain of an error on one line.
pub fn report(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
