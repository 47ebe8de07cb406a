//! Which files may be read now, and when to look again.
//!
//! Pure: fed with what each look found and with the signs that inotify gave in between. A file that is
//! being written is left alone until it has been quiet for a while; each file waits for itself only.

use crate::time::Timestamp;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a file must not have changed before it is read, unless it came by a rename.
pub const QUIET: Duration = Duration::from_millis(150);
/// The same for a file that was written to and not closed since: its writer may only pause.
pub const OPEN_QUIET: Duration = Duration::from_secs(5);
/// After how long a file that never becomes quiet is talked about.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What tells one content of a file from another without reading it. Times are seconds and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Bytes.
    pub size: u64,
    /// When the content changed, by the file system or by whoever set it.
    pub mtime: (i64, i64),
    /// When anything changed, by the file system.
    pub ctime: (i64, i64),
}

impl Fingerprint {
    /// Whether this is the same content under another name: a rename changes only the ctime.
    fn is_moved(&self, other: &Self) -> bool {
        Self { ctime: other.ctime, ..*self } == *other
    }
}

/// What stands under a name that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A regular file, symlinks followed.
    Regular(Fingerprint),
    /// Something that is not opened (text says why).
    Unusable(String),
}

/// What inotify told of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Renamed to this name: complete.
    Arrived,
    /// Made: by opening it, or a link.
    Made,
    /// Content or length changed.
    Written,
    /// Closed by somebody who could write.
    Closed,
    /// Mode, owner, times or links changed.
    Touched,
    /// Removed or renamed away.
    Left,
}

/// The result of a look.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// To be read now.
    pub ready: Vec<PathBuf>,
    /// Not there, and since when.
    pub gone: Vec<(PathBuf, Timestamp)>,
    /// Files under a new name: from, to.
    pub renamed: Vec<(PathBuf, PathBuf)>,
    /// Files that never become quiet, each told once.
    pub restless: Vec<PathBuf>,
}

/// All files that were seen.
#[derive(Debug, Default)]
pub struct Settle {
    files: BTreeMap<PathBuf, Track>,
    looked: bool,
}

#[derive(Debug, Default)]
struct Track {
    /// As it was when it was read.
    read: Option<Seen>,
    /// As the last look found it.
    seen: Option<Seen>,
    /// Last sign of a change.
    changed_at: Timestamp,
    /// A sign came since the last look.
    signed: bool,
    /// It may differ from what was read although it looks the same.
    doubted: bool,
    /// Came by a rename.
    arrived: bool,
    /// Made and not closed since.
    made: bool,
    /// Written to and not closed since.
    open: bool,
    /// It has the content of a file that is missing, which is given time to come back.
    held_until: Option<Timestamp>,
    waiting_since: Option<Timestamp>,
    told: bool,
}

impl Track {
    fn is_due(&self) -> bool {
        self.doubted || self.read != self.seen
    }

    fn ready_at(&self) -> Timestamp {
        let empty = matches!(&self.seen, Some(Seen::Regular(fingerprint)) if fingerprint.size == 0);
        let quiet = match self {
            _ if self.arrived => Duration::ZERO,
            _ if self.open || self.made && empty => OPEN_QUIET,
            _ => QUIET,
        };
        (self.changed_at + quiet).max(self.held_until.unwrap_or_default())
    }
}

impl Settle {
    /// Takes a sign.
    pub fn note(&mut self, path: &Path, sign: Sign, now: Timestamp) {
        let track = self.files.entry(path.to_owned()).or_default();
        (track.changed_at, track.signed, track.doubted) = (now, true, true);
        match sign {
            Sign::Arrived => (track.arrived, track.made, track.open) = (true, false, false),
            Sign::Made => (track.arrived, track.made, track.open) = (false, true, false),
            Sign::Written => (track.arrived, track.open) = (false, true),
            Sign::Closed => (track.made, track.open) = (false, false),
            Sign::Touched => {}
            Sign::Left => (track.arrived, track.made, track.open) = (false, false, false),
        }
    }

    /// Doubts everything: signs were lost, or somebody wants all files read again. Who was writing is
    /// taken to be writing still.
    pub fn doubt(&mut self) {
        self.files.values_mut().for_each(|track| track.doubted = true);
    }

    /// Has a file read again.
    pub fn doubt_file(&mut self, path: &Path) {
        if let Some(track) = self.files.get_mut(path) {
            track.doubted = true;
        }
    }

    /// Forgets the signs: they were about another directory.
    pub fn forget_signs(&mut self) {
        for track in self.files.values_mut() {
            (track.signed, track.arrived, track.made, track.open) = (false, false, false, false);
        }
    }

    /// Takes what a look found: for each name what stands there, and when the file system changed it.
    pub fn look(&mut self, found: BTreeMap<PathBuf, (Seen, Timestamp)>, now: Timestamp) -> Look {
        let mut look = Look::default();
        let first = !std::mem::replace(&mut self.looked, true);
        for (path, track) in &mut self.files {
            if !found.contains_key(path) {
                if !track.signed && track.seen.is_some() {
                    track.changed_at = now;
                }
                let (changed_at, doubted) = (track.changed_at, track.doubted);
                *track = Track { read: track.read.take(), changed_at, doubted, ..Track::default() };
            }
        }
        self.files.retain(|path, track| track.read.is_some() || found.contains_key(path));
        for (path, (seen, changed)) in found {
            let track = self.files.entry(path).or_default();
            if track.seen.as_ref() != Some(&seen) {
                // The age that the file system tells is believed at the first look only: its clock
                // may be another machine's.
                let since = match () {
                    () if track.signed => track.changed_at,
                    () if first => Timestamp::default(),
                    () => now,
                };
                track.arrived &= track.signed;
                track.changed_at = since.max(changed.min(now));
                track.seen = Some(seen);
            }
            track.signed = false;
        }
        self.find_renamed(&mut look, now);
        for (path, track) in &mut self.files {
            if track.seen.is_none() {
                look.gone.push((path.clone(), track.changed_at));
            } else if !track.is_due() {
                (track.waiting_since, track.told) = (None, false);
            } else if track.ready_at() <= now {
                look.ready.push(path.clone());
            } else {
                let since = *track.waiting_since.get_or_insert(now);
                if now.since(since) >= PATIENCE && !track.told {
                    track.told = true;
                    look.restless.push(path.clone());
                }
            }
        }
        look
    }

    /// A new file that has the content of a missing one is that one renamed, unless the missing one
    /// comes back at once (an editor that saves).
    fn find_renamed(&mut self, look: &mut Look, now: Timestamp) {
        let missing = self.files.iter().filter(|(_, track)| track.seen.is_none());
        let missing = missing.filter_map(|(path, track)| match &track.read {
            Some(Seen::Regular(fingerprint)) => Some((path.clone(), *fingerprint, track.changed_at)),
            _ => None,
        });
        let missing: Vec<_> = missing.collect();
        let mut renamed = Vec::new();
        for (to, track) in &mut self.files {
            track.held_until = None;
            let (None, Some(Seen::Regular(new))) = (&track.read, &track.seen) else { continue };
            let from =
                missing.iter().find(|(from, old, _)| old.is_moved(new) && !renamed.iter().any(|(f, _)| f == from));
            if let Some((from, _, since)) = from {
                if now.since(*since) < QUIET {
                    track.held_until = Some(*since + QUIET);
                } else {
                    renamed.push((from.clone(), to.clone()));
                }
            }
        }
        self.files.retain(|path, _| !renamed.iter().any(|(from, _)| from == path));
        look.renamed = renamed;
    }

    /// A file was read (or found unusable) as it then was.
    pub fn taken(&mut self, path: &Path, seen: Seen, now: Timestamp) {
        if let Some(track) = self.files.get_mut(path) {
            // What arrived is read again when it is quiet: a change within the same tick of the
            // file system's clock can not be told from none.
            track.doubted = track.arrived && now.since(track.changed_at) < QUIET;
            track.arrived = false;
            track.read = Some(seen);
            (track.waiting_since, track.told) = (None, false);
        }
    }

    /// A file changed while it was read.
    pub fn disturbed(&mut self, path: &Path, now: Timestamp) {
        if let Some(track) = self.files.get_mut(path) {
            (track.changed_at, track.doubted, track.arrived) = (now, true, false);
        }
    }

    /// A file that is gone needs no more attention.
    pub fn forget(&mut self, path: &Path) {
        self.files.remove(path);
    }

    /// Last sign of a change of this file.
    pub fn changed_at(&self, path: &Path) -> Option<Timestamp> {
        self.files.get(path).map(|track| track.changed_at)
    }

    /// Whether a file is on its way in: what would remove a pod waits for it a little, since the pod may
    /// only move.
    pub fn is_busy(&self) -> bool {
        self.files
            .values()
            .any(|track| !track.told && (track.signed || track.seen.is_some() && track.read != track.seen))
    }

    /// When to look again because of what is known now.
    pub fn wake(&self) -> Option<Timestamp> {
        let due = self.files.values().filter(|track| track.is_due() && (track.signed || track.seen.is_some()));
        due.flat_map(|track| {
            let tell = track.waiting_since.filter(|_| !track.told).map(|since| since + PATIENCE);
            [Some(track.ready_at()), tell]
        })
        .flatten()
        .min()
    }
}

#[cfg(test)]
mod tests;
