//! The shell around the manifest directory: inotify, periodic looks, reading, publishing.
//!
//! Owns all I/O on the manifest path. It decides nothing: [`hint`] says what an event means, [`settle`]
//! which files may be read, [`ledger`] what counts and what is news. Events only make it look sooner;
//! what a look finds is the truth, so that losing them all costs no more than
//! [`WatchOptions::file_check_frequency`]. Nothing here may stop a pod: it publishes
//! [`Snapshot`]s of what is known, and keeps what was known when it can not look.

mod hint;
mod ledger;
mod lookout;
mod mounts;
mod news;
mod once;
mod scan;
mod settle;

pub use once::once;

use super::{Snapshot, diagnostic::Diagnostic, parse::Parsed};
use crate::time::{Clock, Timestamp};
use hint::Hint;
use ledger::{Digest, Ledger};
use lookout::{Found, Hints, Lookout};
use scan::{Content, Ident, Listing};
use settle::{Fingerprint, QUIET, Seen, Settle};
use sha2::Digest as _;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// `--file-check-frequency` when not given.
pub const FILE_CHECK_FREQUENCY: Duration = Duration::from_secs(20);
/// Pause between two batches of signs, so that somebody who writes without end costs little.
const BATCH: Duration = Duration::from_millis(2);
/// How long a look, or the reading of a file, may take before the path counts as unavailable: the server
/// of a network file system may be gone.
const UNANSWERED: Duration = Duration::from_secs(10);
/// How long [`WatchHandle::rescan`] waits at most.
const RESCAN_WAIT: Duration = Duration::from_secs(5);
/// Pause after a look that failed by a fault of our own.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// What to watch.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// `--pod-manifest-path`: a directory, or one file.
    pub path: PathBuf,
    /// `--file-check-frequency`: how often to look although nothing was told.
    pub file_check_frequency: Duration,
}

/// Watches the manifest path and publishes what it holds. `P` judges a file's bytes; it runs off the
/// async threads, and its panic refuses the file.
pub struct ManifestWatcher<P> {
    frequency: Duration,
    unanswered: Duration,
    clock: Clock,
    parser: Arc<P>,
    /// `None` while a look is under way.
    lookout: Option<Lookout>,
    path: PathBuf,
    hints: Hints,
    settle: Settle,
    ledger: Ledger,
    directory: Option<Ident>,
    /// Since when the path can not be read, if that is not told yet.
    away_since: Option<Timestamp>,
    look_at: Option<Timestamp>,
    trouble: Option<String>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    requests: mpsc::Receiver<oneshot::Sender<()>>,
}

/// The other end of a [`ManifestWatcher`].
#[derive(Clone, Debug)]
pub struct WatchHandle {
    /// The latest snapshot; [`DirectoryState::Unread`](super::DirectoryState::Unread) until the first look.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    requests: mpsc::Sender<oneshot::Sender<()>>,
}

impl WatchHandle {
    /// Has all files read again now (SIGHUP). Returns when that is done, or the watcher has ended, or it
    /// takes long; files that are being written come later.
    pub async fn rescan(&self) {
        let (reply, done) = oneshot::channel();
        // A full queue is as good: its requests are not served yet.
        if self.requests.try_send(reply).is_ok() {
            tokio::time::timeout(RESCAN_WAIT, done).await.ok();
        }
    }
}

impl<P> ManifestWatcher<P>
where
    P: Fn(&Path, &[u8]) -> Parsed + Send + Sync + 'static,
{
    /// A watcher and its handle. It does nothing until it [`run`](Self::run)s. A relative path counts from
    /// the working directory, now.
    pub fn new(options: &WatchOptions, clock: Clock, parser: P) -> io::Result<(Self, WatchHandle)> {
        let path: PathBuf = std::path::absolute(&options.path)?.components().collect();
        let (lookout, hints) = Lookout::new(path.clone());
        let (snapshots, latest) = watch::channel(Arc::default());
        let (request, requests) = mpsc::channel(8);
        let watcher = Self {
            frequency: options.file_check_frequency,
            unanswered: UNANSWERED,
            clock,
            parser: Arc::new(parser),
            lookout: Some(lookout),
            path,
            hints,
            settle: Settle::default(),
            ledger: Ledger::default(),
            directory: None,
            away_since: None,
            look_at: None,
            trouble: None,
            snapshots,
            requests,
        };
        Ok((watcher, WatchHandle { snapshots: latest, requests: request }))
    }

    /// Watches until told to stop. Dropping the future is as good.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut waiting = Vec::new();
        loop {
            let looked_at = self.clock.now();
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.look() => {}
            }
            for reply in waiting.drain(..) {
                let reply: oneshot::Sender<()> = reply;
                // Nobody waits any more: as good.
                reply.send(()).ok();
            }
            loop {
                let wake = self.wake(looked_at);
                // Cancel-safe: each arm only waits. The timer goes before the hints, which may never end.
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    Some(reply) = self.requests.recv() => {
                        self.settle.doubt();
                        waiting.push(reply);
                        break;
                    }
                    () = self.clock.sleep_until(wake) => break,
                    hint = self.hints.next() => if self.absorb(hint) {
                        break;
                    },
                }
                tokio::time::sleep(BATCH).await;
            }
        }
    }

    /// When to look although nothing is told.
    fn wake(&self, looked_at: Timestamp) -> Timestamp {
        let away = self.away_since.map(|since| since + QUIET);
        let known = [self.settle.wake(), self.ledger.wake(looked_at), self.look_at, away];
        let first = known.into_iter().flatten().chain([looked_at + self.frequency]).min();
        first.unwrap_or(looked_at).max(looked_at + BATCH)
    }

    /// Takes a hint and those that wait behind it; says whether to look at once.
    fn absorb(&mut self, first: Hint) -> bool {
        let now = self.clock.now();
        let mut at_once = false;
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(hint) = next {
            match hint {
                Hint::File(path, sign) => {
                    at_once |= sign == settle::Sign::Arrived;
                    self.settle.note(&path, sign, now);
                }
                Hint::Soon => self.look_at = self.look_at.or(Some(now + QUIET)),
                Hint::Look => at_once = true,
                Hint::Lost(directory) => self.lose(&directory),
                Hint::Everything => {
                    self.lose(Path::new("/"));
                    self.settle.doubt();
                    at_once = true;
                }
            }
            // No more than a full queue: they may come as fast as they are taken.
            taken += 1;
            next = if taken < lookout::MAX_HINTS { self.hints.try_next() } else { None };
        }
        at_once
    }

    fn lose(&mut self, directory: &Path) {
        if let Some(lookout) = &mut self.lookout {
            lookout.lose(directory);
        }
    }

    /// Looks, reads what is ready, and publishes if that changed anything.
    async fn look(&mut self) {
        self.look_at = None;
        let Some(Found { listing, trouble }) = self.find().await else {
            tokio::time::sleep(AFTER_PANIC).await;
            return;
        };
        self.tell_trouble(trouble);
        match listing {
            Ok(listing) => self.take(listing).await,
            Err(reason) => self.away(reason),
        }
        self.publish();
    }

    fn publish(&mut self) {
        if let Some(snapshot) = self.ledger.publish() {
            self.snapshots.send_replace(snapshot);
        }
    }

    /// Waits for work on the file system, and says so when that does not answer.
    async fn answer<T>(&mut self, mut work: tokio::task::JoinHandle<T>) -> Result<T, tokio::task::JoinError> {
        // Cancel-safe: a dropped handle leaves the work alone.
        if let Ok(answer) = tokio::time::timeout(self.unanswered, &mut work).await {
            return answer;
        }
        let reason = format!("{} has not answered for {} s", self.path.display(), self.unanswered.as_secs());
        self.ledger.unavailable(reason).iter().for_each(ledger::News::log);
        self.publish();
        work.await
    }

    async fn find(&mut self) -> Option<Found> {
        let mut lookout = match self.lookout.take() {
            Some(lookout) => lookout,
            // The look before this one panicked, and took its watches along.
            None => {
                let (lookout, hints) = Lookout::new(self.path.clone());
                self.hints = hints;
                lookout
            }
        };
        let look = tokio::task::spawn_blocking(move || {
            let found = lookout.look();
            (lookout, found)
        });
        match self.answer(look).await {
            Ok((lookout, found)) => {
                self.lookout = Some(lookout);
                Some(found)
            }
            Err(error) => {
                tracing::error!(path = %self.path.display(), %error, "could not look at the manifests; will try again");
                None
            }
        }
    }

    async fn take(&mut self, listing: Listing) {
        let now = self.clock.now();
        self.away_since = None;
        let directory = listing.directory.as_ref().map(|(_, ident)| *ident);
        if std::mem::replace(&mut self.directory, directory) != directory {
            self.forget_what_was_told();
        }
        let found: BTreeMap<_, _> =
            listing.files.into_iter().map(|(path, seen)| (path, self.dated(seen, now))).collect();
        let seen: BTreeMap<_, _> = found.iter().map(|(path, (seen, _))| (path.clone(), seen.clone())).collect();
        let look = self.settle.look(found, now);
        self.ledger.present(seen.keys());
        let mut news = Vec::new();
        for (from, to) in &look.renamed {
            news.extend(self.ledger.renamed(from, to));
        }
        for path in self.ledger.missing(&seen) {
            // One that was never read is not followed: it counts as gone from now.
            let since = look.gone.iter().find(|(gone, _)| *gone == path).map_or(now, |(_, since)| *since);
            self.ledger.gone(&path, since);
        }
        for path in look.ready {
            if let Some(seen) = seen.get(&path) {
                news.extend(self.read(path, seen.clone()).await);
            }
        }
        for path in &look.restless {
            news.extend(self.ledger.restless(path));
        }
        news.extend(self.ledger.strangers(listing.strangers, now));
        news.extend(self.ledger.available(seen.keys()));
        let (settled, gone) = self.ledger.settle(self.settle.is_busy(), now);
        news.extend(settled);
        gone.iter().for_each(|path| self.settle.forget(path));
        news.iter().for_each(ledger::News::log);
    }

    /// The path can not be read. That is told when it lasts, save at the start.
    fn away(&mut self, reason: String) {
        let now = self.clock.now();
        self.forget_what_was_told();
        let since = *self.away_since.get_or_insert(now);
        if !self.ledger.is_available() || now.since(since) >= QUIET {
            self.away_since = None;
            self.ledger.unavailable(reason).iter().for_each(ledger::News::log);
        }
    }

    /// The directory is another, or not there.
    fn forget_what_was_told(&mut self) {
        self.settle.forget_signs();
        for path in self.ledger.forget_deferred() {
            self.settle.doubt_file(&path);
        }
    }

    /// What was seen, with the moment of its last change on our axis.
    fn dated(&self, seen: Seen, now: Timestamp) -> (Seen, Timestamp) {
        let changed = match &seen {
            Seen::Regular(Fingerprint { ctime: (seconds, nanoseconds), .. }) => {
                let nanoseconds = i32::try_from(*nanoseconds).unwrap_or_default();
                jiff::Timestamp::new(*seconds, nanoseconds).map_or(now, |wall| self.clock.timestamp_of(wall))
            }
            Seen::Unusable(_) => Timestamp::default(),
        };
        (seen, changed)
    }

    /// Reads and judges one file.
    async fn read(&mut self, path: PathBuf, seen: Seen) -> Vec<ledger::News> {
        let judged = match &seen {
            Seen::Unusable(reason) => {
                Judged::unusable(&path, "unusable-file", reason, "put a regular file in its place, or remove it")
            }
            Seen::Regular(fingerprint) => self.judge(&path, *fingerprint).await,
        };
        let now = self.clock.now();
        let since = self.settle.changed_at(&path).unwrap_or(now);
        match judged {
            Judged::Disturbed => {
                self.settle.disturbed(&path, now);
                Vec::new()
            }
            Judged::Same => {
                self.settle.taken(&path, seen, now);
                self.ledger.same(&path);
                Vec::new()
            }
            Judged::New(parsed, digest) => {
                self.settle.taken(&path, seen, now);
                self.ledger.take(&path, digest, parsed, since, now)
            }
        }
    }

    async fn judge(&mut self, path: &Path, fingerprint: Fingerprint) -> Judged {
        let (parser, known) = (self.parser.clone(), self.ledger.digest(path));
        let (file, name) = (path.to_owned(), path.display().to_string());
        let judge = tokio::task::spawn_blocking(move || match scan::read(&file, &fingerprint) {
            Content::Disturbed => Judged::Disturbed,
            Content::Unusable { code, message, suggestion } => Judged::unusable(&file, code, &message, suggestion),
            Content::Bytes(bytes) => {
                let digest = sha2::Sha256::digest(&bytes).into();
                if known == Some(digest) { Judged::Same } else { Judged::New(parser(&file, &bytes), digest) }
            }
        });
        self.answer(judge).await.unwrap_or_else(|error| {
            // The panic itself is in the log; the file must not be tried again and again.
            let message = format!("kubelet-lite failed on this file, which is a bug of its own: {error}");
            Judged::unusable(Path::new(&name), "internal-error", &message, "please report it with the file")
        })
    }

    fn tell_trouble(&mut self, trouble: Option<String>) {
        let path = self.path.display();
        let seconds = self.frequency.as_secs();
        match &trouble {
            _ if self.trouble == trouble => {}
            Some(reason) => {
                tracing::warn!(%path, %reason, "can not watch all there is to watch; looking every {seconds} s");
            }
            None => tracing::info!(%path, "watching again"),
        }
        self.trouble = trouble;
    }
}

/// What came of a file.
enum Judged {
    Disturbed,
    Same,
    New(Parsed, Digest),
}

impl Judged {
    fn unusable(path: &Path, code: &'static str, message: &str, suggestion: &str) -> Self {
        let digest = sha2::Sha256::new().chain_update(code).chain_update([0]).chain_update(message).finalize().into();
        let diagnostic = Diagnostic::error(code, path, message).suggest(suggestion);
        Self::New(Parsed { objects: Vec::new(), diagnostics: vec![diagnostic] }, digest)
    }
}

#[cfg(test)]
mod tests;
