//! The manifest directory → the set of pods that should run.
//!
//! Owns reading, decoding and judging of files. `watch` (the shell) produces complete
//! [`Snapshot`]s of the directory and remembers each file's last good content; `set` (pure) turns
//! a snapshot into a [`ManifestSet`], given which pods already run from where. A file is taken whole
//! or not at all. This room never touches the engine.

pub mod decode;
pub mod diagnostic;
pub mod parse;

use crate::pod::{Pod, PodKey};
use diagnostic::Diagnostic;
use k8s_openapi::api::core::v1 as api;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

/// One complete look at the manifest path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Counts the looks that differed from the one before.
    pub generation: u64,
    /// Whether the directory could be read.
    pub state: DirectoryState,
    /// Every file whose name is read, by path.
    pub files: BTreeMap<PathBuf, ManifestFile>,
    /// Names that are not read, and why.
    pub ignored: BTreeMap<PathBuf, String>,
}

/// Whether the manifest path could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DirectoryState {
    /// Not looked at yet: nothing may be stopped.
    #[default]
    Unread,
    /// Read completely; no files means no pods.
    Read,
    /// Missing, unreadable or not mounted (text says which): nothing may be stopped.
    Unavailable(String),
}

/// One file of a snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ManifestFile {
    /// The objects, if the file as it stands is good.
    pub objects: Option<Arc<Vec<Object>>>,
    /// What it last held when it was good; the same as `objects` if it is good now. `None` if no
    /// good content was seen since our start: then what runs from this file is kept as it is.
    pub last_good: Option<Arc<Vec<Object>>>,
    /// Errors (when refused) and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// One object of a manifest file, as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// `v1` Pod.
    Pod {
        /// Index in the file, from 0, counting list items.
        document: usize,
        /// The object.
        pod: Box<api::Pod>,
    },
}

/// What should run on this node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ManifestSet {
    /// Generation of the snapshot it was made from.
    pub generation: u64,
    /// The desired pods.
    pub pods: BTreeMap<PodKey, Arc<Pod>>,
    /// What may run although it is not among `pods`.
    pub held: Held,
    /// Problems that concern several files: clashes of names.
    pub diagnostics: Vec<Diagnostic>,
}

/// Pods that run, are not desired, and yet must not be stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Held {
    /// The directory can not be read: nothing is stopped.
    #[default]
    Everything,
    /// Pods declared by these files, which are refused as they stand.
    Files(BTreeSet<PathBuf>),
}
