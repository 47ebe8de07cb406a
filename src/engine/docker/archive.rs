//! What `docker cp` delivers, as far as one small file needs it. Pure.

use crate::engine::COPY_LIMIT;
use std::{io::Read, path::PathBuf};

/// Links that are followed before a circle is assumed, as in the kernel's `ELOOP`.
pub(super) const MAX_LINKS: usize = 40;
/// So much of an archive is read: the largest file with its headers, and a little of what follows.
pub(super) const LONGEST: usize = COPY_LIMIT + (16 << 10);

/// The first entry of an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Copied {
    File(Vec<u8>),
    Link(PathBuf),
    TooLong,
    Other,
}

/// Reads the first entry.
pub(super) fn first_entry(archive: &[u8]) -> Result<Copied, String> {
    let unreadable = |error: std::io::Error| format!("the archive can not be read: {error}");
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries().map_err(unreadable)?;
    let mut entry = entries.next().ok_or_else(|| "the archive is empty".to_owned())?.map_err(unreadable)?;
    let kind = entry.header().entry_type();
    if kind.is_symlink() {
        let target = entry.link_name().map_err(unreadable)?;
        return Ok(target.map_or(Copied::Other, |target| Copied::Link(target.into_owned())));
    }
    if !kind.is_file() {
        return Ok(Copied::Other);
    }
    if usize::try_from(entry.size()).map_or(true, |size| size > COPY_LIMIT) {
        return Ok(Copied::TooLong);
    }
    let mut content = Vec::new();
    let size = entry.size();
    entry.read_to_end(&mut content).map_err(unreadable)?;
    if u64::try_from(content.len()) != Ok(size) {
        return Err("the archive is cut short".to_owned());
    }
    Ok(Copied::File(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(kind: tar::EntryType, link: &str, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        let mut builder = tar::Builder::new(Vec::new());
        if link.is_empty() {
            builder.append_data(&mut header, "passwd", content).unwrap();
        } else {
            builder.append_link(&mut header, "passwd", link).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn what_an_archive_begins_with() {
        use tar::EntryType;
        let long = vec![b'x'; COPY_LIMIT + 1];
        for (archive, copied) in [
            (archive(EntryType::Regular, "", b"root:x:0:0"), Copied::File(b"root:x:0:0".to_vec())),
            (archive(EntryType::Symlink, "../run/passwd", b""), Copied::Link("../run/passwd".into())),
            (archive(EntryType::Directory, "", b""), Copied::Other),
            (archive(EntryType::Fifo, "", b""), Copied::Other),
            (archive(EntryType::Regular, "", &long), Copied::TooLong),
        ] {
            assert_eq!(first_entry(&archive), Ok(copied));
        }
        let whole = archive(EntryType::Regular, "", b"root:x:0:0");
        for cut in [0, 100, 515] {
            assert!(first_entry(&whole[..cut]).is_err(), "{cut}");
        }
    }
}
