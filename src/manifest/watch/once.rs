//! One complete look at a directory without watching it: what `validate` judges.

use super::{
    scan::{self, Content},
    settle::Seen,
};
use crate::manifest::{DirectoryState, ManifestFile, Snapshot, diagnostic::Diagnostic, parse::Parsed};
use std::{io, path::Path, sync::Arc};

/// How often a file that changes while it is read is tried.
const TRIES: usize = 3;

/// Reads every file of a directory that a daemon would read, in its way.
pub fn once(directory: &Path, mut parser: impl FnMut(&Path, &[u8]) -> Parsed) -> io::Result<Snapshot> {
    let listing = scan::list(&std::fs::canonicalize(directory)?, directory)?;
    let mut snapshot = Snapshot { generation: 1, state: DirectoryState::Read, ..Snapshot::default() };
    snapshot.ignored = listing.strangers;
    for (path, seen) in listing.files {
        let parsed = match seen {
            Seen::Regular(fingerprint) => {
                let contents = (0..TRIES).map(|_| scan::read(&path, &fingerprint));
                match contents.into_iter().find(|content| !matches!(content, Content::Disturbed)) {
                    Some(Content::Bytes(bytes)) => parser(&path, &bytes),
                    Some(Content::Unusable { code, message, suggestion }) => {
                        refused(Diagnostic::error(code, &path, message).suggest(suggestion))
                    }
                    Some(Content::Disturbed) | None => {
                        refused(Diagnostic::error("unreadable-file", &path, "the file changes while it is read"))
                    }
                }
            }
            Seen::Unusable(reason) => {
                let diagnostic = Diagnostic::error("unusable-file", &path, reason);
                refused(diagnostic.suggest("put a regular file in its place, or remove it"))
            }
        };
        let good = !parsed.is_refused();
        let objects = good.then(|| Arc::new(parsed.objects));
        let file = ManifestFile { last_good: objects.clone(), objects, diagnostics: parsed.diagnostics };
        snapshot.files.insert(path, file);
    }
    Ok(snapshot)
}

fn refused(diagnostic: Diagnostic) -> Parsed {
    Parsed { objects: Vec::new(), diagnostics: vec![diagnostic] }
}
