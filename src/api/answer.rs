//! The answers: objects made from what the workers have published, at the moment somebody asks.

use super::{
    messages,
    refusal::Refusal,
    route::{Route, route},
    selector::{FieldSelector, LabelSelector},
    watch,
};
use crate::{
    convert::NodeFacts,
    engine::Engine,
    event::api_event,
    manifest::{DirectoryState, Snapshot, diagnostic::Diagnostic},
    pod::PodKey,
    status::{PodPicture, api_pod},
    worker::{NodeSummary, Shared},
};
use futures_util::stream::BoxStream;
use hyper::{Method, StatusCode, body::Bytes};
use k8s_openapi::api::core::v1::{Event, Pod};
use serde::Serialize;
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use tokio::sync::{Semaphore, watch::Receiver};

/// What answers are made from.
pub struct ApiState<E> {
    /// What all workers use: the engine, the facts, the events.
    pub shared: Arc<Shared<E>>,
    /// What the workers publish.
    pub summary: Receiver<NodeSummary>,
    /// The latest look at the manifest directory.
    pub snapshots: Receiver<Arc<Snapshot>>,
}

/// Status, type and body of an answer.
pub(super) struct Answer {
    pub(super) code: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: Body,
}

/// What is answered.
pub(super) enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// What a watch tells, for as long as somebody listens.
    Watch(BoxStream<'static, Bytes>),
}

/// Watches at a time.
pub(super) const WATCHES: usize = 16;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

impl<E: Engine> ApiState<E> {
    /// The answer to a request. A watch holds a place of `watches`.
    pub(super) async fn answer(
        self: &Arc<Self>,
        method: &Method,
        path: &str,
        query: Option<&str>,
        watches: &Arc<Semaphore>,
    ) -> Answer {
        let answered = match route(method, path, query) {
            Ok(Route::Health) => {
                return Answer { code: StatusCode::OK, content_type: TEXT, body: Body::Whole(b"ok".to_vec()) };
            }
            Ok(Route::Pods { namespace, labels, fields }) => self.pods(namespace.as_deref(), &labels, &fields).await,
            Ok(Route::WatchPods(watched)) => match watches.clone().try_acquire_owned() {
                Ok(place) => {
                    let body = Body::Watch(watch::events(self.clone(), watched, place));
                    return Answer { code: StatusCode::OK, content_type: JSON, body };
                }
                Err(_) => Err(Refusal::too_many("there are too many watches already")),
            },
            Ok(Route::Pod { namespace, name }) => self.pod(&namespace, &name).await,
            Ok(Route::Events { namespace, fields }) => self.events(namespace.as_deref(), &fields),
            Ok(Route::Manifests) => to_json(&self.manifests()),
            Err(refusal) => Err(refusal),
        };
        match answered {
            Ok(body) => Answer { code: StatusCode::OK, content_type: JSON, body: Body::Whole(body) },
            Err(refusal) => {
                let body = Body::Whole(to_json(&refusal.to_status()).unwrap_or_default());
                Answer { code: refusal.code, content_type: JSON, body }
            }
        }
    }

    /// The pictures of a namespace's pods, or of all.
    fn pictures(&self, namespace: Option<&str>) -> Vec<Arc<PodPicture>> {
        let summary = self.summary.borrow();
        let pods = summary.pods.iter().filter(|(key, _)| namespace.is_none_or(|namespace| key.namespace == namespace));
        pods.filter_map(|(_, pod)| pod.picture.as_ref().map(|picture| picture.0.clone())).collect()
    }

    pub(super) async fn object(&self, picture: &PodPicture, facts: &NodeFacts) -> Pod {
        let messages = messages::read(&self.shared, picture).await;
        api_pod(picture, facts, &messages)
    }

    async fn pods(
        &self,
        namespace: Option<&str>,
        labels: &LabelSelector,
        fields: &FieldSelector,
    ) -> Result<Vec<u8>, Refusal> {
        let facts = self.shared.facts();
        let mut list = ListWriter::new("PodList");
        for picture in self.pictures(namespace) {
            if labels.matches(picture.pod.as_ref().map(|pod| pod.labels()).as_ref()) {
                let pod = self.object(&picture, &facts).await;
                if fields.matches(|name| pod_field(&pod, name)) {
                    list.add(&pod)?;
                }
            }
        }
        Ok(list.end())
    }

    async fn pod(&self, namespace: &str, name: &str) -> Result<Vec<u8>, Refusal> {
        let facts = self.shared.facts();
        let pictures = self.pictures(Some(namespace));
        let with_suffix = format!("{name}-{}", facts.node.name);
        let named = |name: &str| pictures.iter().find(|picture| picture.key.name == name);
        let picture = named(name).or_else(|| named(&with_suffix)).ok_or_else(|| Refusal::not_found("pods", name))?;
        to_json(&self.object(picture, &facts).await)
    }

    fn events(&self, namespace: Option<&str>, fields: &FieldSelector) -> Result<Vec<u8>, Refusal> {
        let node = self.shared.facts().node.name.clone();
        let mut list = ListWriter::new("EventList");
        for event in self.shared.events.events() {
            let event = api_event(&event, &node);
            let here = namespace.is_none_or(|namespace| event.metadata.namespace.as_deref() == Some(namespace));
            if here && fields.matches(|name| event_field(&event, name)) {
                list.add(&event)?;
            }
        }
        Ok(list.end())
    }

    /// The manifest directory: what is read, what is refused and why.
    fn manifests(&self) -> Value {
        let snapshot = self.snapshots.borrow().clone();
        let summary = self.summary.borrow();
        let state = match &snapshot.state {
            DirectoryState::Unread => json!({"state": "Unread"}),
            DirectoryState::Read => json!({"state": "Read"}),
            DirectoryState::Unavailable(why) => json!({"state": "Unavailable", "message": why}),
        };
        let files = snapshot.files.iter().map(|(path, file)| {
            let of_set = summary.findings.iter().filter(|finding| finding.path == *path);
            let findings: Vec<&Diagnostic> = file.diagnostics.iter().chain(of_set).collect();
            let refused = findings.iter().any(|finding| finding.is_error());
            let pods: Vec<String> = summary
                .pods
                .iter()
                .filter(|(_, pod)| declared_in(pod.picture.as_ref().map(|p| &*p.0), path))
                .map(|(key, _): (&PodKey, _)| key.to_string())
                .collect();
            json!({
                "metadata": {"name": file_name(path)},
                "status": {
                    "path": path.display().to_string(),
                    "state": if refused { "Refused" } else { "Accepted" },
                    "pods": pods,
                    "findings": findings.iter().map(|f| finding(f)).collect::<Vec<_>>(),
                },
            })
        });
        let ignored = snapshot.ignored.iter().map(|(path, why)| {
            json!({
                "metadata": {"name": file_name(path)},
                "status": {"path": path.display().to_string(), "state": "Ignored", "message": why},
            })
        });
        let items: Vec<Value> = files.chain(ignored).collect();
        json!({
            "apiVersion": "kubelet-lite.io/v1alpha1", "kind": "ManifestList", "metadata": {},
            "directory": state, "items": items,
        })
    }
}

fn declared_in(picture: Option<&PodPicture>, path: &Path) -> bool {
    picture.and_then(|picture| picture.pod.as_ref()).is_some_and(|pod| pod.source.path == path)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn finding(finding: &Diagnostic) -> Value {
    json!({
        "severity": finding.severity.as_str(),
        "code": finding.code,
        "line": finding.place.map(|place| place.line),
        "column": finding.place.map(|place| place.column),
        "field": finding.field,
        "message": finding.message,
        "suggestion": finding.suggestion,
    })
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(value).map_err(|error| Refusal::internal(format!("the answer can not be written: {error}")))
}

/// A list object, written item by item so that only one of them is in memory as an object.
struct ListWriter {
    body: Vec<u8>,
    is_empty: bool,
}

impl ListWriter {
    fn new(kind: &str) -> Self {
        let head = format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"v1\",\"metadata\":{{}},\"items\":[");
        Self { body: head.into_bytes(), is_empty: true }
    }

    fn add(&mut self, item: &impl Serialize) -> Result<(), Refusal> {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.body.push(b',');
        }
        serde_json::to_writer(&mut self.body, item)
            .map_err(|error| Refusal::internal(format!("the answer can not be written: {error}")))
    }

    fn end(mut self) -> Vec<u8> {
        self.body.extend_from_slice(b"]}");
        self.body
    }
}

pub(super) fn pod_field(pod: &Pod, name: &str) -> Option<String> {
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    match name {
        "metadata.name" => pod.metadata.name.clone(),
        "metadata.namespace" => pod.metadata.namespace.clone(),
        "spec.nodeName" => spec?.node_name.clone(),
        "spec.restartPolicy" => spec?.restart_policy.clone(),
        "spec.hostNetwork" => Some(spec?.host_network.unwrap_or(false).to_string()),
        "spec.serviceAccountName" => spec?.service_account_name.clone(),
        "status.phase" => status?.phase.clone(),
        "status.podIP" => status?.pod_ip.clone(),
        _ => None,
    }
}

fn event_field(event: &Event, name: &str) -> Option<String> {
    let object = &event.involved_object;
    match name {
        "involvedObject.kind" => object.kind.clone(),
        "involvedObject.namespace" => object.namespace.clone(),
        "involvedObject.name" => object.name.clone(),
        "involvedObject.uid" => object.uid.clone(),
        "involvedObject.apiVersion" => object.api_version.clone(),
        "involvedObject.fieldPath" => object.field_path.clone(),
        "reason" => event.reason.clone(),
        "type" => event.type_.clone(),
        "source" => event.source.as_ref()?.component.clone(),
        "reportingComponent" => event.reporting_component.clone(),
        "metadata.name" => event.metadata.name.clone(),
        "metadata.namespace" => event.metadata.namespace.clone(),
        _ => None,
    }
}
