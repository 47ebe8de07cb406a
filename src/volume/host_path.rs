//! hostPath: the checks of its `type`, and what is created.

use super::{
    VolumeError,
    error::{Io, Place},
};
use k8s_openapi::api::core::v1 as api;
use std::{
    fs::{self, DirBuilder, FileType, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt},
    path::{Component, Path},
};

const DIRECTORY: u32 = 0o755;
const FILE: u32 = 0o644;

/// Checks a host path through symbolic links, and makes what its type lets be made. An untyped path
/// that is missing becomes a directory, as dockerd would make one for a bind.
pub(super) fn prepare(source: &api::HostPathVolumeSource, place: &Place) -> Result<(), VolumeError> {
    let path = Path::new(&source.path);
    let failed = |problem| VolumeError::HostPathType { place: place.clone(), path: path.to_owned(), problem };
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(failed("must not contain \"..\""));
    }
    let file_type = match fs::metadata(path) {
        Ok(metadata) => Some(metadata.file_type()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(place.io("look at", path)(error)),
    };
    type Is = fn(&FileType) -> bool;
    let (is, problem): (Is, _) = match (source.type_.as_deref().unwrap_or_default(), &file_type) {
        ("", Some(_)) => return Ok(()),
        ("" | "DirectoryOrCreate", None) => {
            let mut builder = DirBuilder::new();
            return builder.recursive(true).mode(DIRECTORY).create(path).map_err(place.io("create", path));
        }
        ("FileOrCreate", None) => {
            let made = OpenOptions::new().write(true).create_new(true).mode(FILE).open(path);
            return made.map(drop).map_err(place.io("create", path));
        }
        ("Directory" | "DirectoryOrCreate", _) => (FileType::is_dir, "is not a directory"),
        ("File" | "FileOrCreate", _) => (FileType::is_file, "is not a file"),
        ("Socket", _) => (FileType::is_socket, "is not a socket file"),
        ("CharDevice", _) => (FileType::is_char_device, "is not a character device"),
        ("BlockDevice", _) => (FileType::is_block_device, "is not a block device"),
        _ => return Err(failed("is an invalid volume type")),
    };
    if file_type.is_some_and(|file_type| is(&file_type)) { Ok(()) } else { Err(failed(problem)) }
}
