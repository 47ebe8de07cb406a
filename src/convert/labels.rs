//! Every label, typed in both directions.
//!
//! Labels are the database: all that must survive the daemon is written here at creation and read
//! back here, and nowhere else. A label of another schema is never guessed at.

use super::{InstanceId, LabelError};
use crate::pod::{
    Attempt, Container, ContainerId, ContainerKind, ContainerName, History, ManifestSource, Pod, PodKey, PodUid,
    hash::SpecHash, references::EnvironmentHash,
};
use k8s_openapi::api::core::v1 as api;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf, time::Duration};

/// Ownership: the [`InstanceId`]. What does not carry it is not ours and is never touched.
pub const MANAGED_BY: &str = "io.kubelet-lite.managed-by";
const SCHEMA: &str = "io.kubelet-lite.schema";
const KIND: &str = "io.kubelet-lite.kind";
const ATTEMPT: &str = "io.kubelet-lite.attempt";
const SANDBOX_HASH: &str = "io.kubelet-lite.sandbox-hash";
const SPEC_HASH: &str = "io.kubelet-lite.spec-hash";
const POD: &str = "io.kubelet-lite.pod";
const CONTAINER: &str = "io.kubelet-lite.container";
const SOURCE: &str = "io.kubelet-lite.source";
const BACKOFF: &str = "io.kubelet-lite.backoff";
const ROUND: &str = "io.kubelet-lite.restart-all-count";
const CLAIM_NAMESPACE: &str = "io.kubelet-lite.claim-namespace";
const CLAIM_NAME: &str = "io.kubelet-lite.claim-name";
const ENVIRONMENT: &str = "io.kubelet-lite.environment-hash";
const POD_STARTED_AT: &str = "io.kubelet-lite.pod-started-at";

const POD_NAME: &str = "io.kubernetes.pod.name";
const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
const POD_UID: &str = "io.kubernetes.pod.uid";
const CONTAINER_NAME: &str = "io.kubernetes.container.name";
const SANDBOX_ID: &str = "io.kubernetes.sandbox.id";
/// The kubelet's label of the restart count.
pub const ANNOTATION_RESTART_COUNT: &str = "annotation.io.kubernetes.container.restartCount";

/// What makes a container the one that a deterministic name stands for.
pub const IDENTITY_LABELS: [&str; 5] = [MANAGED_BY, POD_UID, CONTAINER_NAME, KIND, ATTEMPT];

/// The rules of this build; a container with another schema is somebody else's or a later version's.
const SCHEMA_VERSION: &str = "1";
/// `io.kubernetes.container.name` of a sandbox.
const SANDBOX_CONTAINER_NAME: &str = "POD";
const SANDBOX_KIND: &str = "sandbox";

/// Whether a pod's own label must not go on the sandbox: it would be taken for one of ours or, with
/// `io.kubernetes.docker.type`, make a dockershim take the sandbox for its own.
pub(super) fn is_reserved(key: &str) -> bool {
    key.starts_with("io.kubelet-lite.")
        || key.starts_with("io.kubernetes.docker.")
        || key.starts_with("io.kubernetes.container.")
        || key.starts_with("io.kubernetes.sandbox.")
        || key.starts_with("annotation.")
        || matches!(key, POD_NAME | POD_NAMESPACE | POD_UID)
}

/// What the labels of one of our containers say.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// Of a pause container.
    Sandbox(Box<SandboxLabels>),
    /// Of any other.
    Container(Box<ContainerLabels>),
}

/// Labels of a sandbox.
#[derive(Clone, Debug, PartialEq)]
pub struct SandboxLabels {
    /// Pod.
    pub key: PodKey,
    /// Its uid.
    pub uid: PodUid,
    /// 0 for the first sandbox.
    pub attempt: Attempt,
    /// `None` when its version is not known.
    pub hash: Option<SpecHash>,
    /// Where the pod was declared.
    pub source: ManifestSource,
    /// When the first sandbox of this pod was made; `None` on those of releases that did not note it.
    pub started_at: Option<jiff::Timestamp>,
    /// The manifest.
    pub written: api::Pod,
}

/// Labels of a container.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerLabels {
    /// Pod.
    pub key: PodKey,
    /// Its uid.
    pub uid: PodUid,
    /// Name in the pod.
    pub name: ContainerName,
    /// Init, sidecar or app.
    pub kind: ContainerKind,
    /// Restart count.
    pub attempt: Attempt,
    /// The sandbox it joined.
    pub sandbox_id: ContainerId,
    /// `None` when its version is not known.
    pub hash: Option<SpecHash>,
    /// Waited for before this attempt.
    pub backoff: Option<Duration>,
    /// How often all containers of the pod had started over.
    pub round: u32,
    /// Of what its environment took from ConfigMaps and Secrets, if anything.
    pub environment: Option<EnvironmentHash>,
    /// The pod's grace at its creation.
    pub grace: Duration,
    /// The container of the manifest.
    pub written: api::Container,
}

impl SandboxLabels {
    pub(super) fn of(pod: &Pod, attempt: Attempt, started_at: jiff::Timestamp) -> Self {
        Self {
            started_at: Some(started_at),
            key: pod.key.clone(),
            uid: pod.uid.clone(),
            attempt,
            hash: Some(pod.sandbox_hash.clone()),
            source: pod.source.clone(),
            written: (*pod.written).clone(),
        }
    }

    /// The labels, with the pod's own beside them.
    pub(super) fn encode(&self, instance: &InstanceId) -> BTreeMap<String, String> {
        let own = self.written.metadata.labels.iter().flatten().filter(|(key, _)| !is_reserved(key));
        let mut labels: BTreeMap<String, String> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
        common(&mut labels, instance, (&self.key, &self.uid), SANDBOX_CONTAINER_NAME, SANDBOX_KIND, self.attempt);
        if let Some(hash) = &self.hash {
            labels.insert(SANDBOX_HASH.into(), hash.to_string());
        }
        if let Some(started_at) = self.started_at {
            labels.insert(POD_STARTED_AT.into(), started_at.to_string());
        }
        labels.insert(POD.into(), json(&self.written));
        labels.insert(SOURCE.into(), encode_source(&self.source));
        labels
    }
}

impl ContainerLabels {
    pub(super) fn of(pod: &Pod, container: &Container, sandbox_id: &ContainerId, history: &History) -> Self {
        let History { attempt, backoff, round } = *history;
        Self {
            key: pod.key.clone(),
            uid: pod.uid.clone(),
            name: container.name.clone(),
            kind: container.kind,
            attempt,
            sandbox_id: sandbox_id.clone(),
            hash: Some(container.hash.clone()),
            backoff,
            round,
            environment: None,
            grace: pod.grace,
            written: written_container(pod, container),
        }
    }

    pub(super) fn encode(&self, instance: &InstanceId) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        let pod = (&self.key, &self.uid);
        common(&mut labels, instance, pod, self.name.as_str(), self.kind.as_str(), self.attempt);
        labels.insert(SANDBOX_ID.into(), self.sandbox_id.to_string());
        labels.insert(ANNOTATION_RESTART_COUNT.into(), self.attempt.to_string());
        if let Some(hash) = &self.hash {
            labels.insert(SPEC_HASH.into(), hash.to_string());
        }
        if let Some(backoff) = self.backoff {
            labels.insert(BACKOFF.into(), humantime::format_duration(backoff).to_string());
        }
        if self.round > 0 {
            labels.insert(ROUND.into(), self.round.to_string());
        }
        if let Some(environment) = &self.environment {
            labels.insert(ENVIRONMENT.into(), environment.to_string());
        }
        let applied = AppliedContainer {
            container: &self.written,
            termination_grace_period_seconds: i64::try_from(self.grace.as_secs()).unwrap_or(i64::MAX),
        };
        labels.insert(CONTAINER.into(), json(&applied));
        labels
    }
}

/// The labels that both kinds carry.
fn common(
    labels: &mut BTreeMap<String, String>,
    instance: &InstanceId,
    (key, uid): (&PodKey, &PodUid),
    container: &str,
    kind: &str,
    attempt: Attempt,
) {
    for (key, value) in [
        (MANAGED_BY, instance.as_str()),
        (SCHEMA, SCHEMA_VERSION),
        (KIND, kind),
        (ATTEMPT, &attempt.to_string()),
        (POD_NAME, &key.name),
        (POD_NAMESPACE, &key.namespace),
        (POD_UID, uid.as_str()),
        (CONTAINER_NAME, container),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
}

/// Labels of the Docker volume of a claim.
pub(super) fn of_claim(instance: &InstanceId, namespace: &str, claim: &str) -> BTreeMap<String, String> {
    let labels = [(MANAGED_BY, instance.as_str()), (CLAIM_NAMESPACE, namespace), (CLAIM_NAME, claim)];
    labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The container as the manifest has it, without defaults.
fn written_container(pod: &Pod, container: &Container) -> api::Container {
    let spec = pod.written.spec.as_ref();
    let init = spec.and_then(|s| s.init_containers.as_ref()).into_iter().flatten();
    let apps = spec.map(|s| s.containers.as_slice()).unwrap_or_default();
    let mut all = init.chain(apps);
    all.find(|c| c.name == container.name.as_str()).cloned().unwrap_or_else(|| (*container.api).clone())
}

impl Labels {
    /// Reads the labels of a container. `None` if it is not this instance's; an error if it is, and
    /// what decisions need can not be read.
    pub fn decode(labels: &BTreeMap<String, String>, instance: &InstanceId) -> Option<Result<Self, LabelError>> {
        (labels.get(MANAGED_BY)? == instance.as_str()).then(|| Self::decode_ours(labels))
    }

    fn decode_ours(labels: &BTreeMap<String, String>) -> Result<Self, LabelError> {
        let text = |key: &'static str| {
            let found = labels.get(key).map(String::as_str).filter(|text| !text.is_empty());
            found.ok_or_else(|| LabelError::new(key, None, "a text"))
        };
        let schema = text(SCHEMA)?;
        if schema != SCHEMA_VERSION {
            return Err(LabelError::new(SCHEMA, Some(schema), format!("{SCHEMA_VERSION}, which this version writes")));
        }
        let key = PodKey::new(text(POD_NAMESPACE)?, text(POD_NAME)?);
        let uid = PodUid::new(text(POD_UID)?);
        let attempt = text(ATTEMPT)?;
        let attempt = attempt.parse().map_err(|_| LabelError::new(ATTEMPT, Some(attempt), "a number from 0"))?;
        let attempt = Attempt(attempt);
        let hash = |key| labels.get(key).and_then(|text| SpecHash::parse(text));
        let kind = match text(KIND)? {
            SANDBOX_KIND => {
                return Ok(Self::Sandbox(Box::new(SandboxLabels {
                    key,
                    uid,
                    attempt,
                    hash: hash(SANDBOX_HASH),
                    started_at: labels.get(POD_STARTED_AT).and_then(|text| text.parse().ok()),
                    source: decode_source(text(SOURCE)?)?,
                    written: from_json(POD, text(POD)?)?,
                })));
            }
            "init" => ContainerKind::Init,
            "sidecar" => ContainerKind::Sidecar,
            "app" => ContainerKind::App,
            other => return Err(LabelError::new(KIND, Some(other), "sandbox, init, sidecar or app")),
        };
        let backoff = |text: &String| {
            let parsed = humantime::parse_duration(text);
            parsed.map_err(|_| LabelError::new(BACKOFF, Some(text), "a duration, as in 10s"))
        };
        let round = |text: &String| text.parse().map_err(|_| LabelError::new(ROUND, Some(text), "a number from 0"));
        let applied: DecodedContainer = from_json(CONTAINER, text(CONTAINER)?)?;
        Ok(Self::Container(Box::new(ContainerLabels {
            key,
            uid,
            name: ContainerName::new(text(CONTAINER_NAME)?),
            kind,
            attempt,
            sandbox_id: ContainerId::new(text(SANDBOX_ID)?),
            hash: hash(SPEC_HASH),
            backoff: labels.get(BACKOFF).map(backoff).transpose()?,
            round: labels.get(ROUND).map(round).transpose()?.unwrap_or(0),
            environment: labels.get(ENVIRONMENT).and_then(|text| EnvironmentHash::parse(text)),
            grace: Duration::from_secs(u64::try_from(applied.termination_grace_period_seconds).unwrap_or(0)),
            written: applied.container,
        })))
    }
}

/// The pod a container of this instance belongs to, from its labels alone (rows of a list, events).
/// `None` if it is not this instance's.
pub fn pod_identity(labels: &BTreeMap<String, String>, instance: &InstanceId) -> Option<(PodKey, PodUid)> {
    if labels.get(MANAGED_BY)? != instance.as_str() {
        return None;
    }
    let key = PodKey::new(labels.get(POD_NAMESPACE)?, labels.get(POD_NAME)?);
    Some((key, PodUid::new(labels.get(POD_UID)?)))
}

/// Where the pod of a sandbox was declared; `None` if the label is missing or can not be read.
pub fn source(labels: &BTreeMap<String, String>) -> Option<ManifestSource> {
    decode_source(labels.get(SOURCE)?).ok()
}

/// Whether the labels are a sandbox's, and which container's otherwise; as far as they can be read.
pub(super) fn role(labels: &BTreeMap<String, String>) -> (bool, ContainerName) {
    let name = labels.get(CONTAINER_NAME).map(String::as_str).unwrap_or_default();
    let kind = labels.get(KIND).map(String::as_str);
    (kind == Some(SANDBOX_KIND) || name == SANDBOX_CONTAINER_NAME, ContainerName::new(name))
}

/// The restart count, as far as it can be read.
pub(super) fn attempt(labels: &BTreeMap<String, String>) -> Attempt {
    Attempt(labels.get(ATTEMPT).and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// The sandbox joined, as far as it can be read.
pub(super) fn sandbox_id(labels: &BTreeMap<String, String>) -> ContainerId {
    ContainerId::new(labels.get(SANDBOX_ID).cloned().unwrap_or_default())
}

/// `io.kubelet-lite.container`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AppliedContainer<'a> {
    container: &'a api::Container,
    termination_grace_period_seconds: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DecodedContainer {
    container: api::Container,
    termination_grace_period_seconds: i64,
}

/// `io.kubelet-lite.source`, and part of the applied pod's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EncodedSource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// A path that is not UTF-8, byte by byte.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    path_bytes: Vec<u8>,
    document: usize,
}

impl From<&ManifestSource> for EncodedSource {
    fn from(source: &ManifestSource) -> Self {
        let path = source.path.to_str().map(str::to_owned);
        let bytes = || source.path.clone().into_os_string().into_vec();
        Self { path_bytes: if path.is_none() { bytes() } else { Vec::new() }, path, document: source.document }
    }
}

impl From<EncodedSource> for ManifestSource {
    fn from(source: EncodedSource) -> Self {
        let path = match source.path {
            Some(path) => PathBuf::from(path),
            None => PathBuf::from(OsString::from_vec(source.path_bytes)),
        };
        Self { path, document: source.document }
    }
}

fn encode_source(source: &ManifestSource) -> String {
    json(&EncodedSource::from(source))
}

fn decode_source(text: &str) -> Result<ManifestSource, LabelError> {
    from_json::<EncodedSource>(SOURCE, text).map(ManifestSource::from)
}

/// JSON with sorted keys, so that equal values give equal labels. The types serialised here can not
/// fail; a failure would show as `null`, which reads back as an error.
fn json(value: &impl Serialize) -> String {
    serde_json::to_value(value).unwrap_or_default().to_string()
}

/// Reads a label of JSON. The error tells only where the fault lies: the text may hold values that
/// belong in no log.
fn from_json<T: DeserializeOwned>(key: &'static str, text: &str) -> Result<T, LabelError> {
    let value = serde_json::from_str(text).map_err(|error| {
        let place = format!("JSON (line {}, column {} is not)", error.line(), error.column());
        LabelError::new(key, Some("unreadable"), place)
    })?;
    serde_json::from_value(value)
        .map_err(|_| LabelError::new(key, Some("unreadable"), "what version 1 of the schema holds"))
}

#[cfg(test)]
mod tests;
