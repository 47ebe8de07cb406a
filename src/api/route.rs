//! What a request asks for. Pure.

use super::{
    refusal::Refusal,
    selector::{FieldSelector, LabelSelector},
    watch::Watched,
};
use hyper::Method;

/// Path of the state of the manifest directory, which the Kubernetes API has no object for.
pub const MANIFESTS: &str = "/apis/kubelet-lite.io/v1alpha1/manifests";

/// Fields by which pods can be selected.
const POD_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.hostNetwork",
    "spec.serviceAccountName",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
];
/// Fields by which events can be selected.
const EVENT_FIELDS: [&str; 13] = [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "type",
    "source",
    "reportingComponent",
    "metadata.name",
    "metadata.namespace",
];

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Whether this daemon answers.
    Health,
    /// A list of pods, of one namespace or all.
    Pods { namespace: Option<String>, labels: LabelSelector, fields: FieldSelector },
    /// Changes of pods as they happen.
    WatchPods(Watched),
    /// One pod; its name may lack the node's suffix.
    Pod { namespace: String, name: String },
    /// A list of events, of one namespace or all.
    Events { namespace: Option<String>, fields: FieldSelector },
    /// The state of the manifest directory.
    Manifests,
}

/// Reads a request.
pub(super) fn route(method: &Method, path: &str, query: Option<&str>) -> Result<Route, Refusal> {
    let query = Query::read(query.unwrap_or_default());
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (namespace, rest) = match segments.as_slice() {
        ["healthz" | "livez" | "readyz"] => return only_get(method, Route::Health),
        _ if path.trim_end_matches('/') == MANIFESTS => return only_get(method, Route::Manifests),
        ["api", "v1", "namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
        ["api", "v1", rest @ ..] => (None, rest),
        _ => return Err(Refusal::unknown_path()),
    };
    let route = match (rest, namespace) {
        (["pods"], namespace) => Route::Pods {
            namespace,
            labels: LabelSelector::parse(&query.labels).map_err(Refusal::bad_request)?,
            fields: FieldSelector::parse(&query.fields, &POD_FIELDS).map_err(Refusal::bad_request)?,
        },
        (["pods", name], Some(namespace)) => Route::Pod { namespace, name: (*name).to_owned() },
        (["events"], namespace) => Route::Events {
            namespace,
            fields: FieldSelector::parse(&query.fields, &EVENT_FIELDS).map_err(Refusal::bad_request)?,
        },
        _ => return Err(Refusal::unknown_path()),
    };
    let route = match (query.watch, route) {
        (false, route) => route,
        (true, Route::Pods { namespace, labels, fields }) => Route::WatchPods(Watched { namespace, labels, fields }),
        (true, _) => return Err(Refusal::bad_request("only lists of pods can be watched".into())),
    };
    only_get(method, route)
}

fn only_get(method: &Method, route: Route) -> Result<Route, Refusal> {
    if matches!(*method, Method::GET | Method::HEAD) { Ok(route) } else { Err(Refusal::wrong_verb()) }
}

#[derive(Default)]
struct Query {
    labels: String,
    fields: String,
    watch: bool,
}

impl Query {
    /// Reads what is known; the API ignores other parameters too.
    fn read(text: &str) -> Self {
        let mut query = Self::default();
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            match &*key {
                "labelSelector" => query.labels = value.into_owned(),
                "fieldSelector" => query.fields = value.into_owned(),
                "watch" => query.watch = matches!(&*value, "true" | "1"),
                _ => {}
            }
        }
        query
    }
}
