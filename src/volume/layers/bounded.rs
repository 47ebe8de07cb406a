//! The bytes of a layer, in which no header is long: what a header of its own says of the next entry (its long
//! name, its attributes) is read into memory whole.

use super::refused::Refused;
use std::{
    io::{self, Read},
    mem,
};
use tar::{EntryType, Header, PaxExtensions};

/// Bytes of such a header; the engine's own limit.
const MAX_EXTENSION: u64 = 1 << 20;
const BLOCK: u64 = 512;
/// Where a block of a sparse file's map says whether another follows.
const GOES_ON: usize = 504;

/// Passes a layer on, and fails behind the first header that announces too much.
pub(super) struct Bounded<R> {
    inner: R,
    part: Part,
    /// Bytes until the next part.
    left: u64,
    /// What has come of this part, if it counts.
    kept: Vec<u8>,
    /// Size of the next entry, if its own header says it.
    size: Option<u64>,
}

/// What comes now.
enum Part {
    Header,
    /// Attributes of the next entry, so many bytes of them.
    Attributes(usize),
    /// The map of a sparse file with so much content: so many bytes were there already.
    Map {
        content: u64,
        before: u64,
    },
    Content,
}

impl<R> Bounded<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, part: Part::Header, left: BLOCK, kept: Vec::new(), size: None }
    }

    fn next_part(&mut self) -> io::Result<()> {
        let kept = mem::take(&mut self.kept);
        (self.part, self.left) = match self.part {
            Part::Header => self.after_header(&kept)?,
            Part::Attributes(size) => {
                self.size = size_of(kept.get(..size).unwrap_or_default());
                (Part::Header, BLOCK)
            }
            Part::Map { content, before } => after_map(kept.get(GOES_ON) == Some(&1), content, before)?,
            Part::Content => (Part::Header, BLOCK),
        };
        Ok(())
    }

    fn after_header(&mut self, bytes: &[u8]) -> io::Result<(Part, u64)> {
        if bytes.iter().all(|byte| *byte == 0) {
            // The end.
            return Ok((Part::Header, BLOCK));
        }
        let header = Header::from_byte_slice(bytes);
        let kind = header.entry_type();
        let known = header.as_gnu().is_some() || header.as_ustar().is_some();
        let size = header.entry_size()?;
        match kind {
            EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader
                if size > MAX_EXTENSION =>
            {
                Err(Refused::LongHeader(size).into())
            }
            EntryType::XHeader if known => {
                // Never cut short: it was just compared.
                Ok((Part::Attributes(usize::try_from(size).unwrap_or(usize::MAX)), padded(size)))
            }
            // These may stand between the attributes and their entry.
            EntryType::GNULongName | EntryType::GNULongLink if known => Ok((Part::Content, padded(size))),
            EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader => {
                self.size = None;
                Ok((Part::Content, padded(size)))
            }
            EntryType::GNUSparse => {
                let goes_on = header.as_gnu().is_some_and(tar::GnuHeader::is_extended);
                after_map(goes_on, self.size.take().unwrap_or(size), 0)
            }
            _ => Ok((Part::Content, padded(self.size.take().unwrap_or(size)))),
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let read = self.inner.read(&mut into[..most])?;
        self.left -= read as u64;
        if !matches!(self.part, Part::Content) {
            self.kept.extend_from_slice(&into[..read]);
        }
        while self.left == 0 {
            self.next_part()?;
        }
        Ok(read)
    }
}

fn after_map(goes_on: bool, content: u64, before: u64) -> io::Result<(Part, u64)> {
    if !goes_on {
        return Ok((Part::Content, padded(content)));
    }
    let before = before + BLOCK;
    if before > MAX_EXTENSION {
        return Err(Refused::LongHeader(before).into());
    }
    Ok((Part::Map { content, before }, BLOCK))
}

/// With what fills its last block.
fn padded(size: u64) -> u64 {
    size.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX)
}

/// The size that attributes give an entry, as tar-rs takes it from them.
fn size_of(attributes: &[u8]) -> Option<u64> {
    let mut sizes = PaxExtensions::new(attributes).map_while(Result::ok).filter(|record| record.key_bytes() == b"size");
    sizes.next()?.value().ok()?.parse().ok()
}
