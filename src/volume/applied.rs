//! The manifest last applied to a pod, beside its volumes.
//!
//! Labels can not change once a container is made, so an edit that restarts nothing (a probe, a
//! grace period) is known only here after a restart of the daemon. A convenience: without this file
//! the labels count.

use super::{
    VolumeError,
    error::{Io, Place},
    make_private, paths,
};
use crate::{
    convert::EncodedSource,
    pod::{ManifestSource, PodUid},
};
use k8s_openapi::api::core::v1 as api;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// It holds env values.
const MODE: u32 = 0o600;
const SCHEMA: u32 = 1;

/// Reads and writes `<root-dir>/pods/<uid>/pod.json`.
#[derive(Clone, Debug)]
pub struct AppliedStore {
    pub(super) root: PathBuf,
}

#[derive(Serialize)]
struct Encoded<'a> {
    schema: u32,
    source: EncodedSource,
    pod: &'a api::Pod,
}

#[derive(Deserialize)]
struct Decoded {
    schema: u32,
    source: EncodedSource,
    pod: api::Pod,
}

impl AppliedStore {
    /// A store below an absolute `--root-dir`.
    pub fn new(root_dir: impl Into<PathBuf>) -> Self {
        Self { root: root_dir.into() }
    }

    /// Keeps a manifest as the one applied, replacing the last one whole or not at all.
    ///
    /// To be called before the edit is acted on, so that this is never older than a label. It is not
    /// forced to disk: after a power cut an older or unreadable one only means that the labels count.
    pub fn save_applied(&self, uid: &PodUid, pod: &api::Pod, source: &ManifestSource) -> Result<(), VolumeError> {
        let place = &Place::of_uid(uid);
        let directory = paths::pod_dir(&self.root, uid).map_err(place.name())?;
        let path = paths::applied(&self.root, uid).map_err(place.name())?;
        make_private(&directory, place)?;
        let encoded = Encoded { schema: SCHEMA, source: source.into(), pod };
        replace(&path, &encoded).map_err(place.io("write", &path))
    }

    /// The manifest last applied; `None` if there is none, or none that can be read.
    pub fn load_applied(&self, uid: &PodUid) -> Option<(api::Pod, ManifestSource)> {
        let path = paths::applied(&self.root, uid).ok()?;
        let value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let decoded: Decoded = serde_json::from_value(value).ok()?;
        (decoded.schema == SCHEMA).then(|| (decoded.pod, decoded.source.into()))
    }
}

/// Writes JSON in the place of a file, whole or not at all. Not forced to disk.
pub(super) fn replace(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let unfinished = path.with_extension("json~new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&unfinished)?;
    file.write_all(&serde_json::to_vec(content)?)?;
    fs::rename(&unfinished, path)
}
