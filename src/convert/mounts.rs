//! Mounts of a container: volumes, the managed `/etc/hosts`, the termination message.
//!
//! Docker's `Mounts` rather than `Binds`: paths may hold a colon, and a read-only mount can be told
//! to leave the mounts below it alone, which is Kubernetes' default and not that of newer engines.

use super::{
    ConvertError, DiskFacts, NodeFacts, SandboxFacts,
    env::{self, Environment, Scope},
    error::Subject,
    files, labels, names,
};
use crate::{
    pod::{Attempt, Container, Pod},
    volume::paths::{self, NotAFileName},
};
use bollard::models::{Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountType, MountVolumeOptions};
use k8s_openapi::api::core::v1 as api;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A `subPath` of a container: `source` is looked up without leaving the volume, and bound to
/// `target`, which is what the container mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubPath {
    /// Name of the volume.
    pub volume: String,
    /// The volume's directory (or file) on the node.
    pub root: PathBuf,
    /// The path below it, relative.
    pub path: PathBuf,
    /// What messages call it: the path, or how it was written if that has a Secret's value in it.
    pub shown: String,
    /// Where it is to be bound.
    pub target: PathBuf,
    /// Whether it must be there: nothing is made in the files of an image.
    pub must_exist: bool,
}

const ETC_HOSTS: &str = "/etc/hosts";

/// The sub-paths of a container's volumes, expanded.
pub fn sub_paths(
    pod: &Pod,
    container: &Container,
    sandbox: &SandboxFacts<'_>,
    disk: &DiskFacts,
    node: &NodeFacts,
) -> Result<Vec<SubPath>, ConvertError> {
    let subject = &Subject { pod: pod.key.clone(), container: Some(container.name.clone()) };
    let environment = env::environment(&Scope { pod, container, sandbox, env_files: &disk.env_files, node, subject })?;
    let mut found = Vec::new();
    for (index, mount) in container.api.volume_mounts.iter().flatten().enumerate() {
        let field = format!("volumeMounts[{index}]");
        if let Some((path, shown)) = sub_path(mount, &environment, subject, &field)? {
            let root = match claim_of(pod, mount) {
                Some(_) => {
                    disk.claims.get(&mount.name).cloned().ok_or_else(|| no_directory(subject, &field, "subPath"))?
                }
                None => volume_path(pod, container, mount, node, subject, &field)?,
            };
            let target = paths::sub_path(&node.root_dir, &pod.uid, &mount.name, &container.name, index)
                .map_err(name_error(subject, &field))?;
            let must_exist = container.image_volumes.iter().any(|volume| volume.name == mount.name);
            found.push(SubPath { volume: mount.name.clone(), root, path, shown, target, must_exist });
        }
    }
    Ok(found)
}

/// Everything that is mounted into one instance of a container.
pub(super) fn mounts(
    scope: &Scope<'_>,
    attempt: Attempt,
    environment: &Environment,
    claims: &ClaimDirectories,
) -> Result<Vec<Mount>, ConvertError> {
    let Scope { pod, container, sandbox, node, subject, .. } = scope;
    let mut mounts = Vec::new();
    for (index, mount) in container.api.volume_mounts.iter().flatten().enumerate() {
        let field = format!("volumeMounts[{index}]");
        let in_part = sub_path(mount, environment, subject, &field)?.is_some();
        let source = match claim_of(pod, mount) {
            Some(_) if !in_part && is_bound(mount) => {
                claims.get(&mount.name).cloned().ok_or_else(|| no_directory(subject, &field, bind_field(mount)))?
            }
            Some(claim) if !in_part => {
                let read_only = mount.read_only == Some(true) || claim.read_only == Some(true);
                mounts.push(claim_mount(&absolute(&mount.mount_path), pod, claim, read_only, node));
                continue;
            }
            _ if in_part => paths::sub_path(&node.root_dir, &pod.uid, &mount.name, &container.name, index)
                .map_err(name_error(subject, &field))?,
            _ => volume_path(pod, container, mount, node, subject, &field)?,
        };
        let read_only = mount.read_only == Some(true) || is_read_only(pod, mount);
        mounts.push(Mount {
            target: Some(absolute(&mount.mount_path)),
            source: Some(utf8(&source, subject, &field)?),
            typ: Some(MountType::BIND),
            read_only: read_only.then_some(true),
            bind_options: bind_options(mount, read_only, node, subject, &field)?,
            ..Mount::default()
        });
    }
    let file = |mounts: &mut Vec<Mount>, target: &str, source: Result<PathBuf, NotAFileName>| {
        let source = source.map_err(name_error(subject, "metadata.uid"))?;
        mounts.push(Mount {
            target: Some(target.to_owned()),
            source: Some(utf8(&source, subject, "--root-dir")?),
            typ: Some(MountType::BIND),
            ..Mount::default()
        });
        Ok::<(), ConvertError>(())
    };
    if mounts_hosts(container, pod, sandbox) {
        file(&mut mounts, ETC_HOSTS, paths::etc_hosts(&node.root_dir, &pod.uid))?;
    }
    if let Some(target) = termination_message_path(container) {
        let source = paths::termination_log(&node.root_dir, &pod.uid, &container.name, attempt);
        file(&mut mounts, &target, source)?;
    }
    Ok(mounts)
}

/// The claim behind a mount, if there is one.
pub(super) fn claim_of<'a>(
    pod: &'a Pod,
    mount: &api::VolumeMount,
) -> Option<&'a api::PersistentVolumeClaimVolumeSource> {
    let volume = pod.spec.volumes.iter().flatten().find(|v| v.name == mount.name)?;
    volume.persistent_volume_claim.as_ref()
}

/// A claim is a Docker volume, which the engine makes when it is first mounted. It begins empty: what
/// the image has at that place is not copied into it.
fn claim_mount(
    target: &str,
    pod: &Pod,
    claim: &api::PersistentVolumeClaimVolumeSource,
    read_only: bool,
    node: &NodeFacts,
) -> Mount {
    let namespace = &pod.key.namespace;
    let labels = labels::of_claim(&node.instance, namespace, &claim.claim_name);
    Mount {
        target: Some(target.to_owned()),
        source: Some(names::claim_volume_name(namespace, &claim.claim_name)),
        typ: Some(MountType::VOLUME),
        read_only: read_only.then_some(true),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            labels: Some(labels.into_iter().collect()),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }
}

fn no_directory(subject: &Subject, field: &str, wish: &str) -> ConvertError {
    let why = "the claim's Docker volume is no directory of the engine's own (another driver, or options that mount \
               something), so that it can only be mounted as a whole and without options; remove the field"
        .to_owned();
    ConvertError::Unsupported { subject: subject.clone(), field: format!("{field}.{wish}"), why }
}

/// What of a mount Docker has for directories and not for its volumes; empty if there is nothing.
fn bind_field(mount: &api::VolumeMount) -> &'static str {
    let given = |text: &Option<String>, plain: &str| text.as_deref().is_some_and(|t| !t.is_empty() && t != plain);
    if given(&mount.mount_propagation, "None") {
        "mountPropagation"
    } else if given(&mount.recursive_read_only, "Disabled") {
        "recursiveReadOnly"
    } else {
        ""
    }
}

/// Whether the directory of a claim is bound, since Docker could not mount the volume as it is asked to.
fn is_bound(mount: &api::VolumeMount) -> bool {
    !bind_field(mount).is_empty()
}

/// The claims of a pod that is to have them: those that a container mounts, and those that are there and may come to
/// be mounted by an edit, which keeps the sandbox.
fn claims<'a>(
    pod: &'a Pod,
    node: &'a NodeFacts,
) -> impl Iterator<Item = (&'a String, &'a api::PersistentVolumeClaimVolumeSource)> {
    let claims = pod.spec.volumes.iter().flatten();
    let claims = claims.filter_map(|v| Some((&v.name, v.persistent_volume_claim.as_ref()?)));
    claims.filter(|(name, claim)| {
        let is_there = node.objects.claim(&pod.key.namespace, &claim.claim_name).is_some();
        is_there || pod.containers.iter().any(|container| super::uses(&container.api, name))
    })
}

/// The claims of a pod in its sandbox, where no program looks at them: as long as the pod is there the engine
/// knows that they are in use, also while no container mounts the whole of one, and prunes none.
pub(super) fn held_claims(pod: &Pod, node: &NodeFacts) -> Vec<Mount> {
    claims(pod, node).map(|(name, claim)| claim_mount(&format!("/claims/{name}"), pod, claim, true, node)).collect()
}

/// The volumes of the claims of a pod that its sandbox mounts.
pub fn claims_of_sandbox(pod: &Pod, node: &NodeFacts) -> Vec<String> {
    claims(pod, node).map(|(name, _)| name.clone()).collect()
}

/// The Docker volume of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimVolume {
    /// Name of the volume in the pod.
    pub volume: String,
    /// Name of the Docker volume.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// Where the Docker volumes of claims lie on the node, by the names of the pod's volumes.
pub type ClaimDirectories = BTreeMap<String, PathBuf>;

/// The claims whose files belong to the pod's `fsGroup`: all but those that are read-only.
pub fn claims_of_group(pod: &Pod, node: &NodeFacts) -> Vec<ClaimVolume> {
    if pod.spec.security_context.as_ref().and_then(|context| context.fs_group).is_none() {
        return Vec::new();
    }
    claim_volumes(pod, node, |_, claim| claim.read_only != Some(true))
}

/// Whether a mount is of a part of its volume.
pub(super) fn is_in_part(mount: &api::VolumeMount) -> bool {
    let given = |path: &Option<String>| path.as_ref().is_some_and(|path| !path.is_empty());
    given(&mount.sub_path) || given(&mount.sub_path_expr)
}

/// The claims of which a container mounts a part, or which it mounts as Docker mounts directories alone.
pub fn claims_in_parts(pod: &Pod, container: &Container, node: &NodeFacts) -> Vec<ClaimVolume> {
    let in_part = |name: &str| {
        let mut mounts = container.api.volume_mounts.iter().flatten();
        mounts.any(|m| m.name == name && (is_in_part(m) || is_bound(m)))
    };
    claim_volumes(pod, node, |name, _| in_part(name))
}

fn claim_volumes(
    pod: &Pod,
    node: &NodeFacts,
    wanted: impl Fn(&str, &api::PersistentVolumeClaimVolumeSource) -> bool,
) -> Vec<ClaimVolume> {
    let volume = |(name, claim): (&String, &api::PersistentVolumeClaimVolumeSource)| ClaimVolume {
        volume: name.clone(),
        name: names::claim_volume_name(&pod.key.namespace, &claim.claim_name),
        labels: labels::of_claim(&node.instance, &pod.key.namespace, &claim.claim_name),
    };
    claims(pod, node).filter(|(name, claim)| wanted(name, claim)).map(volume).collect()
}

/// Whether the container gets the managed `/etc/hosts`: not if it mounts its own, nor without an
/// address to write into it.
pub(crate) fn mounts_hosts(container: &Container, pod: &Pod, sandbox: &SandboxFacts<'_>) -> bool {
    (pod.host_network || !sandbox.ips.is_empty()) && !has_mount(container, ETC_HOSTS)
}

/// Where the container's termination message is mounted, if at all.
pub(crate) fn termination_message_path(container: &Container) -> Option<String> {
    let path = container.api.termination_message_path.as_deref().filter(|path| !path.is_empty())?;
    let path = absolute(path);
    (!has_mount(container, &path)).then_some(path)
}

fn has_mount(container: &Container, target: &str) -> bool {
    container.api.volume_mounts.iter().flatten().any(|m| absolute(&m.mount_path).trim_end_matches('/') == target)
}

/// A relative path is taken from the container's root.
pub(super) fn absolute(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

pub(super) fn volume_path(
    pod: &Pod,
    container: &Container,
    mount: &api::VolumeMount,
    node: &NodeFacts,
    subject: &Subject,
    field: &str,
) -> Result<PathBuf, ConvertError> {
    let volume = pod.spec.volumes.iter().flatten().find(|v| v.name == mount.name);
    let Some(volume) = volume else {
        let why = format!("the pod has no volume {:?}; declare it under spec.volumes", mount.name);
        return Err(ConvertError::Invalid { subject: subject.clone(), field: format!("{field}.name"), why });
    };
    if let Some(host_path) = &volume.host_path {
        return Ok(PathBuf::from(absolute(&host_path.path)));
    }
    if let Some(image) = container.image_volumes.iter().find(|image| image.name == volume.name) {
        return paths::image(&node.root_dir, &pod.uid, image).map_err(name_error(subject, field));
    }
    if volume.empty_dir.is_some() {
        return paths::empty_dir(&node.root_dir, &pod.uid, &volume.name).map_err(name_error(subject, field));
    }
    if let Some(path) = files::file_volume_path(&node.root_dir, pod, volume) {
        return path.map_err(name_error(subject, field));
    }
    let why = format!("volume {:?} is of a kind that is not built yet; use hostPath or emptyDir", mount.name);
    Err(ConvertError::Unsupported { subject: subject.clone(), field: format!("{field}.name"), why })
}

/// The mount's sub-path, with `subPathExpr` expanded, and what messages call it.
fn sub_path(
    mount: &api::VolumeMount,
    environment: &Environment,
    subject: &Subject,
    field: &str,
) -> Result<Option<(PathBuf, String)>, ConvertError> {
    let written = |path: &Option<String>| path.clone().filter(|path| !path.is_empty());
    let (field, path, shown) = match (written(&mount.sub_path), written(&mount.sub_path_expr)) {
        (Some(path), _) => (format!("{field}.subPath"), path.clone(), path),
        (None, Some(expression)) => {
            let field = format!("{field}.subPathExpr");
            // Unlike in a command, a variable that is missing or empty would silently mean another
            // directory.
            if let Some(name) = missing_variable(&expression, environment) {
                let why = format!("variable {name:?} is not set or empty; set it under env");
                return Err(ConvertError::Invalid { subject: subject.clone(), field, why });
            }
            let path = environment.expand(&expression);
            let shown = if environment.is_confidential(&expression) { expression } else { path.clone() };
            (field, path, shown)
        }
        (None, None) => return Ok(None),
    };
    if path.starts_with('/') || path.split('/').any(|part| part == "..") || path.contains('\0') {
        let why = format!("{shown:?} may lead out of the volume; write a relative path without \"..\"");
        return Err(ConvertError::Invalid { subject: subject.clone(), field, why });
    }
    Ok(Some((PathBuf::from(path), shown)))
}

/// The first referenced variable that has no value.
fn missing_variable(expression: &str, environment: &Environment) -> Option<String> {
    let missing = std::cell::RefCell::new(None);
    super::expand(expression, |name| {
        let value = environment.get(name).filter(|value| !value.is_empty());
        if value.is_none() {
            missing.borrow_mut().get_or_insert_with(|| name.to_owned());
        }
        value
    });
    missing.into_inner()
}

/// Whether a volume is read-only whatever the mount says: its files are ours to write, or an image's, or its claim
/// says so.
fn is_read_only(pod: &Pod, mount: &api::VolumeMount) -> bool {
    let volume = pod.spec.volumes.iter().flatten().find(|v| v.name == mount.name);
    let of_claim = |v: &api::Volume| v.persistent_volume_claim.as_ref().is_some_and(|c| c.read_only == Some(true));
    volume.is_some_and(|v| files::plugin(v).is_some() || v.image.is_some() || of_claim(v))
}

/// The engine's API since which a read-only mount can be told to take those below it along (Docker
/// Engine 25).
const RECURSIVE_READ_ONLY_API: (u32, u32) = (1, 44);

fn bind_options(
    mount: &api::VolumeMount,
    read_only: bool,
    node: &NodeFacts,
    subject: &Subject,
    field: &str,
) -> Result<Option<MountBindOptions>, ConvertError> {
    let unknown = |field: String, value: &str, expected: &str| ConvertError::Invalid {
        subject: subject.clone(),
        field,
        why: format!("{value:?} is not one of {expected}"),
    };
    // Where nothing is asked for, the engine's own default is Kubernetes' too, save that it lets a
    // mount above its data directory follow the host.
    let propagation = match mount.mount_propagation.as_deref() {
        None | Some("" | "None") => None,
        Some("HostToContainer") => Some(MountBindOptionsPropagationEnum::RSLAVE),
        Some("Bidirectional") => Some(MountBindOptionsPropagationEnum::RSHARED),
        Some(other) => {
            let field = format!("{field}.mountPropagation");
            return Err(unknown(field, other, "None, HostToContainer, Bidirectional"));
        }
    };
    let mut force_recursive = None;
    let not_recursive = match mount.recursive_read_only.as_deref() {
        None | Some("" | "Disabled") => read_only,
        Some("IfPossible") => false,
        Some("Enabled") if node.engine_api >= RECURSIVE_READ_ONLY_API => {
            force_recursive = Some(true);
            false
        }
        Some("Enabled") => {
            let why = "this engine would leave the mounts below it writable: upgrade it to Docker Engine 25 or later, \
                       or write IfPossible"
                .to_owned();
            let field = format!("{field}.recursiveReadOnly");
            return Err(ConvertError::Unsupported { subject: subject.clone(), field, why });
        }
        Some(other) => {
            return Err(unknown(format!("{field}.recursiveReadOnly"), other, "Disabled, IfPossible, Enabled"));
        }
    };
    let options = MountBindOptions {
        propagation,
        read_only_non_recursive: not_recursive.then_some(true),
        read_only_force_recursive: force_recursive,
        ..MountBindOptions::default()
    };
    Ok((options != MountBindOptions::default()).then_some(options))
}

pub(super) fn name_error<'a>(subject: &'a Subject, field: &'a str) -> impl FnOnce(NotAFileName) -> ConvertError + 'a {
    move |source| ConvertError::Name { subject: subject.clone(), field: field.to_owned(), source }
}

/// The engine's API is JSON: a path that is not UTF-8 can not be told to it.
fn utf8(path: &Path, subject: &Subject, field: &str) -> Result<String, ConvertError> {
    path.to_str().map(str::to_owned).ok_or_else(|| ConvertError::Invalid {
        subject: subject.clone(),
        field: field.to_owned(),
        why: format!("{} is not UTF-8, which the engine's API needs", path.display()),
    })
}
