//! What is wrong with an image's archive.

use std::{ffi::OsString, io, path::PathBuf};

/// Why an archive is not unpacked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("the engine's archive has no readable manifest.json: {0}")]
    Manifest(serde_json::Error),
    #[error("the engine's archive holds no image")]
    NoImage,
    #[error(
        "the engine's archive holds {0} images, and which of them is meant can not be told; name one by tag or digest"
    )]
    Images(usize),
    #[error("the engine's archive lacks layer {}", .0.display())]
    LacksLayer(PathBuf),
    #[error("a layer is compressed with zstd, which can not be unpacked here; build the image with gzip layers")]
    Zstd,
    #[error("the image has a file {}, which no engine unpacks", .0.display())]
    Outside(PathBuf),
    #[error("{} links to nothing", .0.display())]
    LinksToNothing(OsString),
    #[error("a layer has {0} bytes of names and attributes for one file, which no engine reads; build the image anew")]
    LongHeader(u64),
    #[error("the image has a sparse file {} of pax format, which can not be unpacked here; build the image without it", .0.display())]
    Sparse(PathBuf),
    #[error("nobody wants it any more")]
    GivenUp,
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        Self::other(refused)
    }
}
