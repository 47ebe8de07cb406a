//! An event as the API shows it. Pure.

use super::{Event, Subject};
use crate::{pod::ContainerKind, status::time};
use k8s_openapi::{
    api::core::v1 as api,
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use sha2::{Digest, Sha256};

/// `source.component` of all events.
const COMPONENT: &str = "kubelet-lite";
/// Namespace of events about what has none.
const NAMESPACE: &str = "default";

/// The event object, on the node of this name.
pub fn api_event(event: &Event, node: &str) -> api::Event {
    let involved = involved(&event.subject);
    let namespace = involved.namespace.clone().unwrap_or_else(|| NAMESPACE.into());
    // The kubelet's way, with the serial in the place of nanoseconds that a coarse clock may repeat.
    let nanos = event.first.as_nanosecond().unsigned_abs() / 1_000_000 * 1_000_000;
    let serial = u128::from(event.serial % 1_000_000);
    let name = format!("{}.{:x}", involved.name.as_deref().unwrap_or(node), nanos + serial);
    api::Event {
        metadata: ObjectMeta {
            uid: Some(uid(&namespace, &name)),
            name: Some(name),
            namespace: Some(namespace),
            creation_timestamp: Some(time(event.first)),
            ..ObjectMeta::default()
        },
        involved_object: involved,
        type_: Some(event.kind.as_str().into()),
        reason: Some(event.reason.into()),
        message: Some(event.message.clone()),
        first_timestamp: Some(time(event.first)),
        last_timestamp: Some(time(event.last)),
        count: Some(i32::try_from(event.count).unwrap_or(i32::MAX)),
        source: Some(api::EventSource { component: Some(COMPONENT.into()), host: Some(node.into()) }),
        reporting_component: Some(COMPONENT.into()),
        reporting_instance: Some(node.into()),
        event_time: None::<MicroTime>,
        ..api::Event::default()
    }
}

fn involved(subject: &Subject) -> api::ObjectReference {
    match subject {
        Subject::Pod { key, uid, container } => api::ObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Pod".into()),
            namespace: Some(key.namespace.clone()),
            name: Some(key.name.clone()),
            uid: uid.as_ref().map(ToString::to_string),
            field_path: container.as_ref().map(|(name, kind)| match kind {
                ContainerKind::App => format!("spec.containers{{{name}}}"),
                ContainerKind::Init | ContainerKind::Sidecar => format!("spec.initContainers{{{name}}}"),
            }),
            resource_version: None,
        },
        Subject::Node(name) => api::ObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Node".into()),
            name: Some(name.clone()),
            // As the kubelet does for its own node.
            uid: Some(name.clone()),
            ..api::ObjectReference::default()
        },
    }
}

/// A uid in the form of a UUID, the same whenever the event is asked for.
fn uid(namespace: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("{namespace}/{name}"));
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
