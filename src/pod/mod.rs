//! The domain's nouns: identity, the resolved spec, hashes, and what was observed in the engine.
//!
//! Everything may use this room; it uses nothing but the Kubernetes types. No I/O, no clock.

pub mod defaults;
pub mod hash;
pub mod key;
pub mod node;
pub mod objects;
pub mod observed;
pub mod ports;
pub mod priority;
pub mod probe;
pub mod quantity;
pub mod references;
pub mod restart;
pub mod spec;
pub mod standing;

pub use key::{Attempt, ContainerId, ContainerName, ImageRef, PodKey, PodUid};
pub use node::{NodeMismatch, NodeRules, Taint, TaintEffect};
pub use objects::{Confidential, ObjectId, ObjectKind, Objects};
pub use observed::{
    AppliedPod, ContainerState, ContainerStatus, ExitReason, History, Incarnation, ObservedPod, PodStart, Record,
    Sandbox,
};
pub use ports::{HostPort, PortTaken, taken_ports};
pub use probe::{ProbeKey, ProbeKind, ProbeVerdict, ProbeVerdicts};
pub use references::{ContainerReferences, PodReferences};
pub use restart::{Restart, RestartAction, RestartPolicy};
pub use spec::{Container, ContainerKind, ImageVolume, ManifestSource, Node, Pod, PullPolicy};
pub use standing::Standing;
