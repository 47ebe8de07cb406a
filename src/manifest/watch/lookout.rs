//! Looks at the manifest path and keeps the inotify watches where they tell of changes.
//!
//! Blocking; the loop runs it off the async threads. A look happens under the watches: whatever is not
//! watched yet is watched first and looked at again.

use super::{
    hint::{Hint, Interest, hints},
    mounts,
    scan::{self, Ident, Listing, Way},
};
use notify::{INotifyWatcher, RecursiveMode, Watcher};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{mpsc, watch};

/// Directories watched at most, for links that lead to many places. What is beyond is left to the
/// periodic look.
const MAX_WATCHES: usize = 64;
/// Hints that wait at most; more are told as one [`Hint::Everything`].
pub const MAX_HINTS: usize = 1024;

/// Whoever looks.
pub struct Lookout {
    path: PathBuf,
    hints: mpsc::Sender<Hint>,
    overflow: Arc<AtomicBool>,
    interest: watch::Sender<Interest>,
    watcher: Option<INotifyWatcher>,
    pub(super) watched: BTreeMap<PathBuf, Ident>,
    was: Option<Was>,
    /// Where the kernel's and the administrator's words on mounts are.
    mountinfo: PathBuf,
    fstab: PathBuf,
}

/// What the path was when it could be read last.
enum Was {
    Directory { ident: Ident, mount: Option<PathBuf> },
    File,
}

/// Where the hints come out.
pub struct Hints {
    queue: mpsc::Receiver<Hint>,
    overflow: Arc<AtomicBool>,
}

impl Hints {
    /// The next hint. Cancel-safe.
    pub async fn next(&mut self) -> Hint {
        match self.queue.recv().await {
            Some(hint) => self.or_everything(hint),
            // Never: the lookout holds a sender as long as the loop lives.
            None => std::future::pending().await,
        }
    }

    /// A hint that waits, if any.
    pub fn try_next(&mut self) -> Option<Hint> {
        self.queue.try_recv().ok().map(|hint| self.or_everything(hint))
    }

    fn or_everything(&self, hint: Hint) -> Hint {
        if self.overflow.swap(false, Ordering::Relaxed) { Hint::Everything } else { hint }
    }
}

/// What a look found.
pub struct Found {
    /// The files, or why the path can not be read.
    pub listing: Result<Listing, String>,
    /// Why not everything is watched, if so.
    pub trouble: Option<String>,
}

impl Lookout {
    /// A lookout over an absolute path.
    pub fn new(path: PathBuf) -> (Self, Hints) {
        let (hints, queue) = mpsc::channel(MAX_HINTS);
        let overflow = Arc::new(AtomicBool::new(false));
        let lookout = Self {
            path,
            hints,
            overflow: overflow.clone(),
            interest: watch::Sender::new(Interest::default()),
            watcher: None,
            watched: BTreeMap::new(),
            was: None,
            mountinfo: "/proc/self/mountinfo".into(),
            fstab: "/etc/fstab".into(),
        };
        (lookout, Hints { queue, overflow })
    }

    /// The watch of this directory is no more, nor those below it.
    pub fn lose(&mut self, directory: &Path) {
        self.watched.retain(|path, _| !path.starts_with(directory));
    }

    /// Looks.
    pub fn look(&mut self) -> Found {
        let mut found = self.look_once();
        // Each round watches what the one before found; links may lead on a few times.
        for _ in 0..4 {
            if !found.1 {
                break;
            }
            found = self.look_once();
        }
        found.0
    }

    /// Looks, then watches; says whether something is watched now that was not before the look.
    fn look_once(&mut self) -> (Found, bool) {
        let way = scan::way(&self.path);
        let listing = self.list(&way);
        let mut interest = Interest { way: way.names.iter().cloned().collect(), ..Interest::default() };
        let mut wanted: BTreeSet<PathBuf> = parents(&way.names).collect();
        if let Ok(listing) = &listing {
            if let Some((real, _)) = &listing.directory {
                interest.directory = Some((real.clone(), self.path.clone()));
                wanted.insert(real.clone());
            }
            interest.parts.clone_from(&listing.parts);
        } else if let Ok(end) = &way.end {
            wanted.insert(end.clone());
        }
        let links: BTreeSet<PathBuf> = parents(interest.parts.keys()).filter(|path| !wanted.contains(path)).collect();
        let room = MAX_WATCHES.saturating_sub(wanted.len());
        let beyond = links.len().saturating_sub(room);
        wanted.extend(links.into_iter().take(room));
        interest.watched.clone_from(&wanted);
        self.interest.send_replace(interest);
        let before = self.watched.len();
        let (armed, trouble) = match self.arm(&wanted) {
            Ok(armed) => (armed, None),
            Err(trouble) => (self.watched.len() > before, Some(trouble)),
        };
        let beyond = (beyond > 0).then(|| format!("links lead to {beyond} directories more than are watched"));
        (Found { listing, trouble: trouble.or(beyond) }, armed)
    }

    fn list(&mut self, way: &Way) -> Result<Listing, String> {
        let path = self.path.display();
        let end = match &way.end {
            Ok(end) => end,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.list_missing(way),
            Err(error) => return Err(format!("{path} can not be reached: {error}")),
        };
        let metadata = fs::metadata(end).map_err(|error| format!("{path} can not be reached: {error}"))?;
        if metadata.is_dir() {
            let listing = scan::list(end, &self.path).map_err(|error| format!("{path} can not be read: {error}"))?;
            self.check_mounts(end, scan::ident(&metadata), listing.files.is_empty())?;
            return Ok(listing);
        }
        if !metadata.is_file() {
            let kind = scan::kind(metadata.file_type());
            return Err(format!("{path} is {kind}, neither a directory nor a file"));
        }
        if let Some(Was::Directory { .. }) = self.was {
            return Err(format!("{path} was a directory and is a file now"));
        }
        self.was = Some(Was::File);
        Ok(scan::list_single(&self.path, way))
    }

    /// A single file may be missing: then there are no pods, as long as its directory is there.
    fn list_missing(&self, way: &Way) -> Result<Listing, String> {
        let single = match self.was {
            Some(Was::File) => true,
            Some(Was::Directory { .. }) => false,
            None => self.path.file_name().is_some_and(scan::is_manifest_name),
        };
        let path = self.path.display();
        let parent = self.path.parent().unwrap_or(Path::new("/"));
        let is_link = fs::symlink_metadata(&self.path).is_ok();
        if single && (is_link || fs::read_dir(parent).is_ok()) {
            return Ok(scan::list_single(&self.path, way));
        }
        let missing = way.names.last().map(|name| name.display().to_string()).unwrap_or_default();
        Err(if missing == path.to_string() {
            format!("{path} does not exist")
        } else {
            format!("{path} can not be reached: {missing} does not exist")
        })
    }

    /// An unmounted directory is not an empty one: refuses a directory whose file system went away, and
    /// an empty one that should be mounted at boot.
    fn check_mounts(&mut self, real: &Path, ident: Ident, empty: bool) -> Result<(), String> {
        let before = match &self.was {
            Some(Was::Directory { ident, mount }) => Some((*ident, mount.clone())),
            _ => None,
        };
        let known = before.as_ref().is_some_and(|(before, _)| *before == ident);
        if known && !empty {
            return Ok(());
        }
        let points = mounts::mount_points(&fs::read(&self.mountinfo).unwrap_or_default());
        let gone = |point: &PathBuf| {
            // Without /proc there is nothing to compare with.
            !points.is_empty() && point != Path::new("/") && real.starts_with(point) && !points.contains(point)
        };
        if let Some(mount) = before.and_then(|(_, mount)| mount).filter(gone) {
            let mount = mount.display();
            return Err(format!("{mount} was mounted and is not any more; mount it, or restart to go on without it"));
        }
        let wanted = if empty { mounts::wanted(&fs::read(&self.fstab).unwrap_or_default()) } else { Vec::new() };
        if let Some(point) = wanted.iter().find(|point| gone(point)) {
            let point = point.display();
            return Err(format!("{point} is in /etc/fstab and not mounted, and there are no manifests below it"));
        }
        self.was = Some(Was::Directory { ident, mount: mounts::holding(&points, real).cloned() });
        Ok(())
    }

    /// Watches these directories and no others. `Ok(true)` if one is watched that was not.
    fn arm(&mut self, wanted: &BTreeSet<PathBuf>) -> Result<bool, String> {
        let idents: BTreeMap<&PathBuf, Ident> =
            wanted.iter().filter_map(|path| Some((path, scan::ident(&fs::metadata(path).ok()?)))).collect();
        let stale: Vec<_> = self
            .watched
            .iter()
            .filter(|(path, ident)| idents.get(path) != Some(ident))
            .map(|(path, _)| path.clone())
            .collect();
        for path in stale {
            // The old watch follows a directory that was renamed away, under its old name.
            self.watched.remove(&path);
            drop(self.ask(|watcher| watcher.unwatch(&path)));
        }
        let new: Vec<_> = idents.iter().filter(|(path, _)| !self.watched.contains_key(**path)).collect();
        if new.is_empty() {
            return Ok(false);
        }
        if self.watcher.is_none() {
            self.watcher = Some(self.make_watcher().map_err(|error| trouble(&error))?);
        }
        for (path, ident) in new {
            // Events that were queued before may have ended a watch of this name that notify still knows.
            drop(self.ask(|watcher| watcher.unwatch(path)));
            match self.ask(|watcher| watcher.watch(path, RecursiveMode::NonRecursive)) {
                Ok(()) => {}
                Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => continue,
                Err(error) => return Err(trouble(&error)),
            }
            if fs::metadata(path).is_ok_and(|metadata| scan::ident(&metadata) == *ident) {
                self.watched.insert((*path).clone(), *ident);
            }
        }
        Ok(true)
    }

    /// The watcher panics when its thread could not be started; then it is given up, and never dropped,
    /// since that would panic as well.
    fn ask(&mut self, question: impl FnOnce(&mut INotifyWatcher) -> notify::Result<()>) -> notify::Result<()> {
        let Some(mut watcher) = self.watcher.take() else { return Err(notify::Error::watch_not_found()) };
        match std::panic::catch_unwind(AssertUnwindSafe(|| question(&mut watcher))) {
            Ok(answer) => {
                self.watcher = Some(watcher);
                answer
            }
            Err(_) => {
                std::mem::forget(watcher);
                self.watched.clear();
                Err(notify::Error::generic("the watching thread is not there"))
            }
        }
    }

    fn make_watcher(&self) -> notify::Result<INotifyWatcher> {
        let (queue, overflow, interest) = (self.hints.clone(), self.overflow.clone(), self.interest.subscribe());
        let mut last = None;
        let handler = move |event: notify::Result<notify::Event>| {
            let hints = match event {
                Ok(event) => hints(&event, &interest.borrow()),
                Err(_) => vec![Hint::Everything],
            };
            for hint in hints {
                // Whoever writes without end must not fill the queue: as long as it is not empty, the
                // same hint as the last one says nothing new.
                if queue.capacity() < queue.max_capacity() && last.as_ref() == Some(&hint) {
                    continue;
                }
                last = Some(hint.clone());
                if queue.try_send(hint).is_err() {
                    overflow.store(true, Ordering::Relaxed);
                }
            }
        };
        INotifyWatcher::new(handler, notify::Config::default())
    }
}

fn parents<'a>(names: impl IntoIterator<Item = &'a PathBuf>) -> impl Iterator<Item = PathBuf> {
    names.into_iter().filter_map(|name| name.parent()).map(Path::to_owned)
}

fn trouble(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::MaxFilesWatch => "the limit fs.inotify.max_user_watches is reached".into(),
        notify::ErrorKind::Io(error) if error.raw_os_error() == Some(nix::errno::Errno::EMFILE as i32) => {
            "the limit fs.inotify.max_user_instances, or of open files, is reached".into()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
