//! A Pod, resolved: identity given, defaults applied, the parts that decisions need as types.

use super::{
    ContainerName, ImageRef, PodKey, PodUid, ProbeKind, defaults,
    hash::{self, OfPod, SpecHash},
    restart::{Restart, RestartPolicy},
    standing::{self, Standing},
};
use k8s_openapi::{api::core::v1 as api, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

/// What identity takes from the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Node name: `--hostname-override`, else the lower-cased host name.
    pub name: String,
}

/// Where a pod was declared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManifestSource {
    /// The file.
    pub path: PathBuf,
    /// Index of the object in the file, from 0, counting list items.
    pub document: usize,
}

impl fmt::Display for ManifestSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if self.document > 0 {
            write!(f, " (document {})", self.document + 1)?;
        }
        Ok(())
    }
}

/// A pod with everything decided that can be decided from the manifest and the node alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    /// Namespace and suffixed name.
    pub key: PodKey,
    /// Given or derived uid.
    pub uid: PodUid,
    /// `kubernetes.io/config.hash`: changes with every semantic edit.
    pub config_hash: String,
    /// Where it was declared.
    pub source: ManifestSource,
    /// The manifest as written: what labels keep and hashes are made from.
    pub written: Arc<api::Pod>,
    /// The spec with defaults, without its containers: they are in `containers`, and in memory once.
    pub spec: Arc<api::PodSpec>,
    /// Hash of what the sandbox depends on.
    pub sandbox_hash: SpecHash,
    /// `spec.restartPolicy`.
    pub restart_policy: RestartPolicy,
    /// `spec.terminationGracePeriodSeconds`.
    pub grace: Duration,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// Init containers and sidecars in the order of the spec, then the apps in theirs.
    pub containers: Vec<Container>,
    /// What it is among the pods of its node.
    pub standing: Standing,
}

/// One container of the spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Unique in the pod.
    pub name: ContainerName,
    /// Init, sidecar or app.
    pub kind: ContainerKind,
    /// As the manifest names it.
    pub image: ImageRef,
    /// `imagePullPolicy`.
    pub pull_policy: PullPolicy,
    /// The `image` volumes that it mounts, in the order of the mounts.
    pub image_volumes: Vec<ImageVolume>,
    /// Whether it is started again after its end.
    pub restart: Restart,
    /// Hash of what the running process depends on.
    pub hash: SpecHash,
    /// The container with defaults.
    pub api: Arc<api::Container>,
}

/// A volume that is the files of an image (`volumes[].image`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageVolume {
    /// The volume's name.
    pub name: String,
    /// `image.reference`.
    pub image: ImageRef,
    /// `image.pullPolicy`.
    pub pull_policy: PullPolicy,
}

impl ImageVolume {
    fn of(volume: &api::Volume) -> Result<Option<Self>, ResolveError> {
        let Some(source) = &volume.image else { return Ok(None) };
        let reference = source.reference.as_deref().filter(|r| !r.is_empty());
        Ok(Some(Self {
            name: volume.name.clone(),
            image: ImageRef::new(reference.ok_or(ResolveError::Missing("image.reference"))?),
            pull_policy: pull_policy("image.pullPolicy", source.pull_policy.as_deref().unwrap_or("IfNotPresent"))?,
        }))
    }
}

/// Part a container plays in its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ContainerKind {
    /// An init container: runs to completion before the next starts.
    Init,
    /// An init container with `restartPolicy: Always` (KEP-753): runs beside the apps.
    Sidecar,
    /// A regular container.
    App,
}

impl ContainerKind {
    /// The word on label `io.kubelet-lite.kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Sidecar => "sidecar",
            Self::App => "app",
        }
    }
}

/// `imagePullPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PullPolicy {
    /// Pull before every start.
    Always,
    /// Pull when missing.
    IfNotPresent,
    /// Use what is there.
    Never,
}

/// What makes a Pod impossible to resolve. Validation reports all of these with their place first;
/// this is the last guard, and the one for labels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// A required field is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field has a value that is none of the API's words.
    #[error("{field}: {value:?} is not one of {expected}")]
    Unknown {
        /// Field path.
        field: &'static str,
        /// What was written.
        value: String,
        /// The API's words.
        expected: &'static str,
    },
}

/// `kubernetes.io/config.hash`.
pub const ANNOTATION_CONFIG_HASH: &str = "kubernetes.io/config.hash";
/// `kubernetes.io/config.source`; always `file` here.
pub const ANNOTATION_CONFIG_SOURCE: &str = "kubernetes.io/config.source";

impl Pod {
    /// Resolves a manifest on a node: suffixed name, default namespace, given or derived uid.
    pub fn from_manifest(
        written: impl Into<Arc<api::Pod>>,
        source: ManifestSource,
        node: &Node,
    ) -> Result<Self, ResolveError> {
        Self::from_made(written, None, source, node)
    }

    /// As [`Self::from_manifest`], with a uid that is made from `identity`, if there is one, instead of the spec.
    pub fn from_made(
        written: impl Into<Arc<api::Pod>>,
        identity: Option<&api::PodSpec>,
        source: ManifestSource,
        node: &Node,
    ) -> Result<Self, ResolveError> {
        let written = written.into();
        let spec = written.spec.as_ref().ok_or(ResolveError::Missing("spec"))?;
        let spec = identity.unwrap_or(spec);
        let (namespace, name) = names(&written.metadata).ok_or(ResolveError::Missing("metadata.name"))?;
        let uid = match written.metadata.uid.as_deref().filter(|u| !u.is_empty()) {
            Some(uid) => uid.to_owned(),
            // Another template is another Job.
            None if standing::is_controlled_by(&written, "Job") => hash::whole_uid(&node.name, namespace, name, spec),
            None => hash::derived_uid(&node.name, namespace, name, spec),
        };
        let key = key(namespace, name, node);
        Self::resolve(written, source, key, PodUid::new(uid))
    }

    /// Whether what it is for is done when it has ended, rather than while it runs.
    pub fn runs_to_its_end(&self) -> bool {
        self.standing.is_job || self.restart_policy == RestartPolicy::Never
    }

    /// The key that a pod with this metadata has on a node; `None` without a name.
    pub fn key_of(metadata: &ObjectMeta, node: &Node) -> Option<PodKey> {
        names(metadata).map(|(namespace, name)| key(namespace, name, node))
    }

    /// Resolves a manifest whose identity is known, as read back from labels.
    pub fn resolve(
        written: impl Into<Arc<api::Pod>>,
        source: ManifestSource,
        key: PodKey,
        uid: PodUid,
    ) -> Result<Self, ResolveError> {
        let written = written.into();
        let written_spec = written.spec.as_ref().ok_or(ResolveError::Missing("spec"))?;
        let mut spec = written_spec.clone();
        defaults::apply(&mut spec);
        let policy = spec.restart_policy.as_deref().unwrap_or("Always");
        let restart_policy = RestartPolicy::parse("spec.restartPolicy", policy)?;
        let volumes = spec.volumes.iter().flatten().map(ImageVolume::of).filter_map(Result::transpose);
        let volumes: Vec<ImageVolume> = volumes.collect::<Result<_, _>>()?;
        let parts = PodParts { written: &written, restart_policy, image_volumes: &volumes };
        let mut containers = Vec::new();
        let written_init = written_spec.init_containers.iter().flatten();
        let init = spec.init_containers.take().into_iter().flatten();
        for (written, defaulted) in written_init.zip(init) {
            let sidecar = defaulted.restart_policy.as_deref() == Some("Always");
            let kind = if sidecar { ContainerKind::Sidecar } else { ContainerKind::Init };
            containers.push(Container::resolve(kind, written, defaulted, parts)?);
        }
        if spec.containers.is_empty() {
            return Err(ResolveError::Missing("spec.containers"));
        }
        for (written, defaulted) in written_spec.containers.iter().zip(std::mem::take(&mut spec.containers)) {
            containers.push(Container::resolve(ContainerKind::App, written, defaulted, parts)?);
        }
        let standing = Standing::of(&written, &key);
        Ok(Self {
            key,
            uid,
            config_hash: hash::config_hash(&written),
            source,
            sandbox_hash: hash::sandbox_hash(written_spec),
            restart_policy,
            grace: seconds(spec.termination_grace_period_seconds.unwrap_or(defaults::TERMINATION_GRACE_PERIOD_SECONDS)),
            host_network: spec.host_network == Some(true),
            standing,
            containers,
            spec: Arc::new(spec),
            written,
        })
    }

    /// The container of this name.
    pub fn container(&self, name: &ContainerName) -> Option<&Container> {
        self.containers.iter().find(|c| c.name == *name)
    }

    /// The whole spec with defaults, containers included.
    pub fn whole_spec(&self) -> api::PodSpec {
        let of = |is_app: bool| {
            let all = self.containers.iter().filter(move |c| (c.kind == ContainerKind::App) == is_app);
            all.map(|container| (*container.api).clone()).collect::<Vec<_>>()
        };
        let init_containers = Some(of(false)).filter(|init| !init.is_empty());
        api::PodSpec { containers: of(true), init_containers, ..(*self.spec).clone() }
    }

    /// `metadata.labels`.
    pub fn labels(&self) -> BTreeMap<String, String> {
        self.written.metadata.labels.clone().unwrap_or_default()
    }

    /// `metadata.annotations`, with those the kubelet adds.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = self.written.metadata.annotations.clone().unwrap_or_default();
        annotations.insert(ANNOTATION_CONFIG_HASH.into(), self.config_hash.clone());
        annotations.insert(ANNOTATION_CONFIG_SOURCE.into(), "file".into());
        annotations
    }
}

/// Namespace and name as written.
fn names(metadata: &ObjectMeta) -> Option<(&str, &str)> {
    let name = metadata.name.as_deref().filter(|n| !n.is_empty())?;
    Some((metadata.namespace.as_deref().filter(|n| !n.is_empty()).unwrap_or("default"), name))
}

fn key(namespace: &str, name: &str, node: &Node) -> PodKey {
    PodKey::new(namespace, format!("{name}-{}", node.name.to_lowercase()))
}

/// What a container takes from its pod.
#[derive(Clone, Copy)]
struct PodParts<'a> {
    written: &'a api::Pod,
    restart_policy: RestartPolicy,
    image_volumes: &'a [ImageVolume],
}

impl Container {
    /// The images that it is made of, each once: its own, then those of the `image` volumes that it mounts.
    pub fn images(&self) -> impl Iterator<Item = (&ImageRef, PullPolicy)> {
        self.images_without(|_| false)
    }

    /// The same, without those of volumes that are there already.
    pub fn images_without(
        &self,
        is_there: impl Fn(&ImageVolume) -> bool,
    ) -> impl Iterator<Item = (&ImageRef, PullPolicy)> {
        let volumes = self.image_volumes.iter().filter(move |volume| !is_there(volume));
        let volumes = volumes.map(|volume| (&volume.image, volume.pull_policy));
        std::iter::once((&self.image, self.pull_policy)).chain(volumes.filter(|(image, _)| **image != self.image))
    }

    /// The probe of this kind, as declared.
    pub fn probe(&self, kind: ProbeKind) -> Option<&api::Probe> {
        match kind {
            ProbeKind::Startup => self.api.startup_probe.as_ref(),
            ProbeKind::Liveness => self.api.liveness_probe.as_ref(),
            ProbeKind::Readiness => self.api.readiness_probe.as_ref(),
        }
    }

    /// `terminationGracePeriodSeconds` of a probe; without it the pod's counts.
    pub fn probe_grace(&self, kind: ProbeKind) -> Option<Duration> {
        self.probe(kind)?.termination_grace_period_seconds.map(seconds)
    }

    /// `lifecycle.postStart`.
    pub fn post_start(&self) -> Option<&api::LifecycleHandler> {
        self.api.lifecycle.as_ref()?.post_start.as_ref()
    }

    /// `lifecycle.preStop`.
    pub fn pre_stop(&self) -> Option<&api::LifecycleHandler> {
        self.api.lifecycle.as_ref()?.pre_stop.as_ref()
    }

    /// A container that no pod declares any more, from what it was made from. Nothing starts it again.
    pub fn made_from(kind: ContainerKind, written: &api::Container) -> Result<Self, ResolveError> {
        let mut spec = api::PodSpec { containers: vec![written.clone()], ..Default::default() };
        defaults::apply(&mut spec);
        let defaulted = spec.containers.first().unwrap_or(written).clone();
        let pod = api::Pod { spec: Some(spec), ..Default::default() };
        let parts = PodParts { written: &pod, restart_policy: RestartPolicy::Never, image_volumes: &[] };
        Self::resolve(kind, written, defaulted, parts)
    }

    fn resolve(
        kind: ContainerKind,
        written: &api::Container,
        defaulted: api::Container,
        pod: PodParts<'_>,
    ) -> Result<Self, ResolveError> {
        let image = defaulted.image.as_deref().filter(|i| !i.is_empty());
        let mut image_volumes: Vec<ImageVolume> = Vec::new();
        for mount in defaulted.volume_mounts.iter().flatten() {
            let volume = pod.image_volumes.iter().find(|volume| volume.name == mount.name);
            image_volumes.extend(volume.filter(|volume| !image_volumes.contains(volume)).cloned());
        }
        Ok(Self {
            name: ContainerName::new(defaulted.name.clone()),
            kind,
            image: ImageRef::new(image.ok_or(ResolveError::Missing("image"))?),
            pull_policy: pull_policy(
                "imagePullPolicy",
                defaulted.image_pull_policy.as_deref().unwrap_or("IfNotPresent"),
            )?,
            image_volumes,
            restart: Restart::resolve(kind, &defaulted, pod.restart_policy)?,
            hash: hash::container_hash(written, OfPod::of(pod.written, written)),
            api: Arc::new(defaulted),
        })
    }
}

fn pull_policy(field: &'static str, value: &str) -> Result<PullPolicy, ResolveError> {
    match value {
        "Always" => Ok(PullPolicy::Always),
        "IfNotPresent" => Ok(PullPolicy::IfNotPresent),
        "Never" => Ok(PullPolicy::Never),
        other => Err(ResolveError::Unknown { field, value: other.to_owned(), expected: "Always, IfNotPresent, Never" }),
    }
}

/// Whole seconds as written; negative ones count as 0.
fn seconds(written: i64) -> Duration {
    Duration::from_secs(u64::try_from(written).unwrap_or(0))
}
