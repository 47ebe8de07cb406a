//! The manifest directory → the set of pods that should run.
//!
//! Owns reading, decoding and judging of files. `watch` (the shell) produces complete
//! [`Snapshot`]s of the directory and remembers each file's last good content; `set` (pure) turns
//! a snapshot into a [`ManifestSet`], given which pods already run from where. A file is taken whole
//! or not at all. This room never touches the engine.

pub mod codes;
pub mod decode;
pub mod diagnostic;
mod findings;
mod judge;
mod kinds;
mod object;
mod order;
pub mod parse;
mod path;
mod schema;
pub mod set;
mod text;
mod unhonoured;
mod validate;
pub mod watch;
pub mod workloads;

pub use judge::ANNOTATION_SILENCE;
pub use object::{Config, Object, Workload};
pub use validate::names;

use crate::pod::{ManifestSource, NodeMismatch, Objects, Pod, PodKey};
use diagnostic::Diagnostic;
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
    /// The files that are gone since our start; `None` unless some file has been refused ever since our
    /// start. Such a file may be the renamed home of a pod whose label names a path that is not here,
    /// so what runs from an unknown path is kept, save what ran from these files.
    pub gone: Option<BTreeSet<PathBuf>>,
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

/// What should run on this node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ManifestSet {
    /// Generation of the snapshot it was made from.
    pub generation: u64,
    /// The desired pods.
    pub pods: BTreeMap<PodKey, Arc<Pod>>,
    /// What they may refer to.
    pub objects: Arc<Objects>,
    /// What may run although it is not among `pods`.
    pub held: Held,
    /// Shares of DaemonSets that are for other nodes, and why.
    pub elsewhere: BTreeMap<PodKey, NodeMismatch>,
    /// Pods that workloads ask for none of (`replicas: 0`).
    pub none: BTreeSet<PodKey>,
    /// Findings about the files together: clashes of names, too many pods.
    pub diagnostics: Vec<Diagnostic>,
}

/// Pods that run, are not desired, and yet must not be stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Held {
    /// The directory can not be read: nothing is stopped.
    #[default]
    Everything,
    /// Pods declared by these files, which are refused as they stand and whose earlier content is unknown.
    Files(BTreeSet<PathBuf>),
}

impl Held {
    /// Whether a pod that is not desired is kept. `source` is what [`set::resolve`] was given for it as
    /// incumbent.
    pub fn holds(&self, source: &ManifestSource) -> bool {
        match self {
            Self::Everything => true,
            Self::Files(files) => files.contains(&source.path),
        }
    }
}
