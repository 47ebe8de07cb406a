//! What an inotify event means for the manifests. Pure.

use super::{scan::is_manifest_name, settle::Sign};
use notify::{
    Event, EventKind,
    event::{AccessKind, AccessMode, ModifyKind, RenameMode},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// What matters of all that happens in the watched directories. All paths but the manifests' own are
/// free of symlinks, as they are watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// The manifest directory, if it is one, and the same as configured.
    pub directory: Option<(PathBuf, PathBuf)>,
    /// Names on the way to the manifest path.
    pub way: BTreeSet<PathBuf>,
    /// Names that take part in a manifest: links, what they lead to, a single file. To the manifests
    /// as configured.
    pub parts: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    /// The watched directories.
    pub watched: BTreeSet<PathBuf>,
}

/// What to do about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Something happened to a manifest.
    File(PathBuf, Sign),
    /// Look at once: the way to the manifests changed.
    Look,
    /// Look when there is time: a name that is not read came or went.
    Soon,
    /// The watch of this directory, and of all below it, is no more.
    Lost(PathBuf),
    /// Events were lost.
    Everything,
}

/// What an event means.
pub fn hints(event: &Event, interest: &Interest) -> Vec<Hint> {
    if event.need_rescan() {
        return vec![Hint::Everything];
    }
    let (Some(sign), Some(path)) = (sign(&event.kind), event.paths.first()) else { return Vec::new() };
    let mut hints = BTreeMap::new();
    let mut file = |path: &Path| drop(hints.insert(path.to_owned(), Hint::File(path.to_owned(), sign)));
    interest.parts.get(path).into_iter().flatten().for_each(|manifest| file(manifest));
    let name = path.file_name().unwrap_or_default();
    let here = interest.directory.as_ref().filter(|(real, _)| path.parent() == Some(real));
    let mut rest = Vec::new();
    match here {
        Some((_, configured)) if is_manifest_name(name) => file(&configured.join(name)),
        Some(_) if matches!(sign, Sign::Made | Sign::Arrived | Sign::Left) => rest.push(Hint::Soon),
        _ => {}
    }
    if interest.watched.contains(path) {
        match sign {
            Sign::Left => rest.extend([Hint::Lost(path.clone()), Hint::Look]),
            Sign::Touched => rest.push(Hint::Soon),
            _ => {}
        }
    }
    if interest.way.contains(path) && matches!(sign, Sign::Made | Sign::Arrived | Sign::Left) {
        rest.push(Hint::Look);
    }
    rest.extend(hints.into_values());
    rest
}

/// Reading, which we do ourselves, is no sign. A rename within a directory is told as `From`, `To` and
/// `Both`; the last adds nothing.
fn sign(kind: &EventKind) -> Option<Sign> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Sign::Closed),
        EventKind::Create(_) => Some(Sign::Made),
        EventKind::Modify(ModifyKind::Data(_)) => Some(Sign::Written),
        EventKind::Modify(ModifyKind::Metadata(_)) => Some(Sign::Touched),
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Sign::Arrived),
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => Some(Sign::Left),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
