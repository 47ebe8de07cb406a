//! What each file holds, what it held when it was last good, and what is news.
//!
//! Pure. What adds or changes pods counts at once. What would remove one (a file that is gone, a file
//! that does not declare it any more) counts when nothing has happened for a while: editors take a file
//! away before they put the new one in its place, and a pod may only be moving to another file.

use super::settle::QUIET;
use crate::{
    manifest::{DirectoryState, Object, Snapshot, diagnostic::Diagnostic, parse::Parsed},
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The longest that a removal waits for other files to become quiet.
pub const REMOVAL_PATIENCE: Duration = Duration::from_millis(1500);

/// Tells one content from another.
pub type Digest = [u8; 32];

/// Kind, namespace and name.
type Name = (&'static str, String, String);

/// Something to log, once.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A file is good for the first time.
    Accepted { file: PathBuf, pods: usize, warnings: Vec<Diagnostic> },
    /// A good file has other content.
    Changed { file: PathBuf, pods: usize, warnings: Vec<Diagnostic> },
    /// A file is refused.
    Refused { file: PathBuf, diagnostics: Vec<Diagnostic> },
    /// A file is gone.
    Removed { file: PathBuf },
    /// A file has another name.
    Renamed { from: PathBuf, to: PathBuf },
    /// A file is written to without a pause.
    Restless { file: PathBuf },
    /// A name is not read.
    Ignored { file: PathBuf, reason: String },
    /// The manifest path can not be read.
    Unavailable { reason: String },
    /// It can be read again.
    Available,
}

/// The state of the manifest path.
#[derive(Debug, Default)]
pub struct Ledger {
    snapshot: Snapshot,
    notes: BTreeMap<PathBuf, Note>,
    deferred: BTreeMap<PathBuf, Deferred>,
    strangers: BTreeMap<PathBuf, (String, Timestamp)>,
    /// Files that have been refused ever since the first look, which made this `Some`.
    unknown: Option<BTreeSet<PathBuf>>,
    gone: BTreeSet<PathBuf>,
    changed: bool,
}

/// What is known of a file beside what the snapshot says.
#[derive(Debug, Default)]
struct Note {
    digest: Option<Digest>,
    /// Pods and objects that its last change brought, and when that was.
    brought: BTreeSet<Name>,
    at: Timestamp,
    restless: bool,
}

#[derive(Debug)]
struct Deferred {
    since: Timestamp,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Content { parsed: Parsed, digest: Digest },
    Gone,
}

impl Ledger {
    /// The digest of what a file holds: reading the same again is no news.
    pub fn digest(&self, path: &Path) -> Option<Digest> {
        match self.deferred.get(path) {
            Some(Deferred { change: Change::Content { digest, .. }, .. }) => Some(*digest),
            _ => self.notes.get(path).and_then(|note| note.digest),
        }
    }

    /// Takes what a file holds; it has been so since `since`.
    pub fn take(&mut self, path: &Path, digest: Digest, parsed: Parsed, since: Timestamp, now: Timestamp) -> Vec<News> {
        self.deferred.remove(path);
        self.quiet(path);
        if self.notes.get(path).is_some_and(|note| note.digest == Some(digest)) {
            return Vec::new();
        }
        if !parsed.is_refused() && self.drops(path, &names(&parsed.objects), since) {
            self.deferred.insert(path.to_owned(), Deferred { since, change: Change::Content { parsed, digest } });
            return Vec::new();
        }
        self.commit(path, digest, parsed, now)
    }

    /// A file was read and holds what [`Self::digest`] says.
    pub fn same(&mut self, path: &Path) {
        self.quiet(path);
    }

    /// These names are there: none of them is gone.
    pub fn present<'a>(&mut self, paths: impl Iterator<Item = &'a PathBuf>) {
        for path in paths {
            if matches!(self.deferred.get(path), Some(Deferred { change: Change::Gone, .. })) {
                self.deferred.remove(path);
            }
        }
    }

    /// The files that are known and not among these.
    pub fn missing<T>(&self, found: &BTreeMap<PathBuf, T>) -> Vec<PathBuf> {
        self.snapshot.files.keys().filter(|path| !found.contains_key(*path)).cloned().collect()
    }

    /// A file has not been there since.
    pub fn gone(&mut self, path: &Path, since: Timestamp) {
        match self.deferred.get(path) {
            Some(Deferred { change: Change::Gone, .. }) => {}
            _ => drop(self.deferred.insert(path.to_owned(), Deferred { since, change: Change::Gone })),
        }
    }

    /// A file has another name, and with it its history.
    pub fn renamed(&mut self, from: &Path, to: &Path) -> Vec<News> {
        let Some(file) = self.snapshot.files.remove(from) else { return Vec::new() };
        self.deferred.remove(from);
        self.changed = true;
        self.snapshot.files.insert(to.to_owned(), file);
        // It is read again under its new name, which its findings must name.
        let note = self.notes.remove(from).unwrap_or_default();
        self.notes.insert(to.to_owned(), Note { digest: None, ..note });
        if let Some(unknown) = &mut self.unknown
            && unknown.remove(from)
        {
            unknown.insert(to.to_owned());
        }
        vec![News::Renamed { from: from.to_owned(), to: to.to_owned() }]
    }

    /// A file never becomes quiet.
    pub fn restless(&mut self, path: &Path) -> Vec<News> {
        let text = "is written to without a pause; what it held before counts until it is quiet";
        let file = self.snapshot.files.entry(path.to_owned()).or_default();
        file.diagnostics.push(Diagnostic::warning("restless-file", path, text));
        self.notes.entry(path.to_owned()).or_default().restless = true;
        self.changed = true;
        vec![News::Restless { file: path.to_owned() }]
    }

    fn quiet(&mut self, path: &Path) {
        if let Some(note) = self.notes.get_mut(path).filter(|note| note.restless)
            && let Some(file) = self.snapshot.files.get_mut(path)
        {
            note.restless = false;
            file.diagnostics.retain(|diagnostic| diagnostic.code != "restless-file");
            self.changed = true;
        }
    }

    /// Names that are not read, and why. They count when they last, since programs that replace files
    /// make such names for a moment.
    pub fn strangers(&mut self, found: BTreeMap<PathBuf, String>, now: Timestamp) -> Vec<News> {
        let first = self.unknown.is_none();
        let mut known = std::mem::take(&mut self.strangers);
        for (path, reason) in found {
            let since = known.remove(&path).filter(|(before, _)| *before == reason).map(|(_, since)| since);
            self.strangers.insert(path, (reason, since.unwrap_or(if first { Timestamp::default() } else { now })));
        }
        let lasting = self.strangers.iter().filter(|(_, (_, since))| now.since(*since) >= QUIET);
        let lasting: BTreeMap<_, _> = lasting.map(|(path, (reason, _))| (path.clone(), reason.clone())).collect();
        let new = lasting.iter().filter(|(path, reason)| self.snapshot.ignored.get(*path) != Some(reason));
        let news = new.map(|(file, reason)| News::Ignored { file: file.clone(), reason: reason.clone() }).collect();
        self.changed |= lasting != self.snapshot.ignored;
        self.snapshot.ignored = lasting;
        news
    }

    /// The path could be read, and these names that are read are there. What was ready has been taken
    /// before.
    pub fn available<'a>(&mut self, present: impl Iterator<Item = &'a PathBuf>) -> Vec<News> {
        if self.unknown.is_none() {
            for path in present {
                // Not read yet: nobody knows what it declares, so what runs from it is kept.
                self.snapshot.files.entry(path.clone()).or_default();
            }
            let unknown = self.snapshot.files.iter().filter(|(_, file)| file.last_good.is_none());
            self.unknown = Some(unknown.map(|(path, _)| path.clone()).collect());
        }
        let news = match self.snapshot.state {
            DirectoryState::Read => return Vec::new(),
            DirectoryState::Unread => Vec::new(),
            DirectoryState::Unavailable(_) => vec![News::Available],
        };
        self.snapshot.state = DirectoryState::Read;
        self.changed = true;
        news
    }

    /// The path can not be read. All that is known of its files stays.
    pub fn unavailable(&mut self, reason: String) -> Vec<News> {
        let known = matches!(&self.snapshot.state, DirectoryState::Unavailable(before) if *before == reason);
        if known {
            return Vec::new();
        }
        self.snapshot.state = DirectoryState::Unavailable(reason.clone());
        self.changed = true;
        vec![News::Unavailable { reason }]
    }

    /// Whether the path could be read at the last look.
    pub fn is_available(&self) -> bool {
        self.snapshot.state == DirectoryState::Read
    }

    /// Forgets what was about to be removed: it was about a directory that is not there now. Returns
    /// the files that must be read again if they come back.
    pub fn forget_deferred(&mut self) -> Vec<PathBuf> {
        let deferred = std::mem::take(&mut self.deferred).into_iter();
        let content = deferred.filter(|(_, deferred)| matches!(deferred.change, Change::Content { .. }));
        content.map(|(path, _)| path).collect()
    }

    /// Lets those removals count whose time has come. `busy`: other files are on their way in. Returns
    /// the files that are gone too.
    pub fn settle(&mut self, busy: bool, now: Timestamp) -> (Vec<News>, Vec<PathBuf>) {
        let mut news = Vec::new();
        let mut gone = Vec::new();
        loop {
            let all = !busy && self.deferred.values().all(|deferred| now.since(deferred.since) >= QUIET);
            let due = self.deferred.iter().find(|(path, deferred)| {
                let names = match &deferred.change {
                    Change::Content { parsed, .. } => names(&parsed.objects),
                    Change::Gone => BTreeSet::new(),
                };
                let nothing_lost = match deferred.change {
                    Change::Content { .. } => !self.drops(path, &names, deferred.since),
                    Change::Gone => self.has_names(path) && !self.drops(path, &names, deferred.since),
                };
                all || nothing_lost || now.since(deferred.since) >= REMOVAL_PATIENCE
            });
            let Some(path) = due.map(|(path, _)| path.clone()) else { return (news, gone) };
            match self.deferred.remove(&path).map(|deferred| deferred.change) {
                Some(Change::Content { parsed, digest }) => news.extend(self.commit(&path, digest, parsed, now)),
                Some(Change::Gone) => {
                    news.extend(self.remove(&path));
                    gone.push(path);
                }
                None => {}
            }
        }
    }

    /// When to settle again.
    pub fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        let removals =
            self.deferred.values().flat_map(|deferred| [deferred.since + QUIET, deferred.since + REMOVAL_PATIENCE]);
        let strangers = self.strangers.values().map(|(_, since)| *since + QUIET);
        removals.chain(strangers).filter(|at| *at > now).min()
    }

    /// The present state, if it is another than the last time.
    pub fn publish(&mut self) -> Option<Arc<Snapshot>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        self.snapshot.generation += 1;
        let since_start = self.unknown.as_ref().is_some_and(|unknown| !unknown.is_empty());
        self.snapshot.gone = since_start.then(|| self.gone.clone());
        Some(Arc::new(self.snapshot.clone()))
    }

    fn commit(&mut self, path: &Path, digest: Digest, parsed: Parsed, now: Timestamp) -> Vec<News> {
        self.changed = true;
        let file = path.to_owned();
        let refused = parsed.is_refused();
        let Parsed { objects, diagnostics } = parsed;
        let before = self.names(path);
        let entry = self.snapshot.files.entry(file.clone()).or_default();
        let note = self.notes.entry(file.clone()).or_default();
        note.digest = Some(digest);
        entry.diagnostics.clone_from(&diagnostics);
        if refused {
            entry.objects = None;
            return vec![News::Refused { file, diagnostics }];
        }
        let pods = objects.iter().filter_map(Object::as_pod).count();
        note.brought = names(&objects).difference(&before).cloned().collect();
        note.at = now;
        let first = entry.last_good.is_none();
        entry.objects = Some(Arc::new(objects));
        entry.last_good.clone_from(&entry.objects);
        self.understood(path);
        let warnings = diagnostics;
        vec![if first { News::Accepted { file, pods, warnings } } else { News::Changed { file, pods, warnings } }]
    }

    fn remove(&mut self, path: &Path) -> Vec<News> {
        self.notes.remove(path);
        let Some(file) = self.snapshot.files.remove(path) else { return Vec::new() };
        self.changed = true;
        self.understood(path);
        if file.last_good.is_some() && self.unknown.as_ref().is_some_and(|unknown| !unknown.is_empty()) {
            self.gone.insert(path.to_owned());
        }
        vec![News::Removed { file: path.to_owned() }]
    }

    fn understood(&mut self, path: &Path) {
        self.gone.remove(path);
        if let Some(unknown) = &mut self.unknown {
            unknown.remove(path);
            if unknown.is_empty() {
                self.gone.clear();
            }
        }
    }

    fn names(&self, path: &Path) -> BTreeSet<Name> {
        let file = self.snapshot.files.get(path).and_then(|file| file.last_good.as_ref());
        file.map(|objects| names(objects)).unwrap_or_default()
    }

    fn has_names(&self, path: &Path) -> bool {
        !self.names(path).is_empty()
    }

    /// Whether a pod would be removed if the file declared only these: one that no other file brought
    /// about when this change began, or later.
    fn drops(&self, path: &Path, now_declared: &BTreeSet<Name>, since: Timestamp) -> bool {
        let moved = |name: &Name| {
            let mut others = self.notes.iter().filter(|(other, _)| *other != path);
            others.any(|(_, note)| note.at + QUIET >= since && note.brought.contains(name))
        };
        self.names(path).difference(now_declared).any(|name| !moved(name))
    }
}

fn names(objects: &[Object]) -> BTreeSet<Name> {
    let pod = |pod: &k8s_openapi::api::core::v1::Pod| {
        let namespace = pod.metadata.namespace.clone().filter(|namespace| !namespace.is_empty());
        ("Pod", namespace.unwrap_or_else(|| "default".into()), pod.metadata.name.clone().unwrap_or_default())
    };
    let name = |object: &Object| match object {
        Object::Pod { pod: found, .. } => Some(pod(found)),
        Object::Config { config, .. } => {
            let id = config.id();
            Some((id.kind.as_str(), id.namespace, id.name))
        }
        Object::Workload { .. } => None,
    };
    objects.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests;
