//! Files that change all at once (the kubelet's `AtomicWriter`).
//!
//! What a volume holds lies in a directory of its own, `..<time>`, to which the symbolic link `..data`
//! points; each name that a container sees is a link to `..data/<name>`. New content is written beside
//! the old and then takes its place by the renaming of one link. Whoever reads sees the old or the new,
//! and so does the next start after a crash at any point. What is right already is not touched.

use crate::convert::FileVolume;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, symlink},
    path::{Path, PathBuf},
};

const DATA: &str = "..data";
const DATA_NEW: &str = "..data_tmp";
const DIRECTORY: u32 = 0o755;
const SETGID: u32 = 0o2000;
/// What `fsGroup` adds to files and directories that nobody may write.
const GROUP_FILE: u32 = 0o440;
const GROUP_DIRECTORY: u32 = SETGID | 0o550;

/// Makes the directory hold these files and no others. `stamp` names the new content, with a number
/// added if that name is taken. `step` is called before each change of what is on the disk.
pub(super) fn write(
    directory: &Path,
    volume: &FileVolume,
    stamp: &str,
    step: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let owner = Owner { group: volume.group };
    owner.apply_to_directory(directory, step)?;
    let current = current(directory)?;
    let is_right = |name: &OsString| holds(&directory.join(name), volume, &owner);
    let kept = match current {
        Some(name) if is_right(&name)? => name,
        _ => {
            let new = write_new(directory, volume, stamp, &owner, step)?;
            let link = directory.join(DATA_NEW);
            remove(&link, step)?;
            step()?;
            symlink(&new, &link)?;
            step()?;
            fs::rename(&link, directory.join(DATA))?;
            new
        }
    };
    link_names(directory, volume, step)?;
    clear(directory, volume, &kept, step)
}

/// The names that a container sees of what was written into a directory; `None` if nothing was.
pub(super) fn held(directory: &Path) -> io::Result<Option<BTreeSet<PathBuf>>> {
    if current(directory)?.is_none() {
        return Ok(None);
    }
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        // What is no link is a place for what is mounted there.
        if entry.file_type()?.is_symlink() && !name.to_string_lossy().starts_with("..") {
            names.insert(PathBuf::from(name));
        }
    }
    Ok(Some(names))
}

/// What `..data` points to: a name in the same directory, or nothing that is any use.
fn current(directory: &Path) -> io::Result<Option<OsString>> {
    match fs::read_link(directory.join(DATA)) {
        Ok(target) => {
            let plain = target.components().count() == 1 && target.to_string_lossy().starts_with("..");
            let there = plain && fs::symlink_metadata(directory.join(&target)).is_ok_and(|m| m.is_dir());
            Ok((there && target.as_os_str() != "..").then(|| target.into_os_string()))
        }
        // Missing, or no link.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes all files into a new directory and returns its name.
fn write_new(
    directory: &Path,
    volume: &FileVolume,
    stamp: &str,
    owner: &Owner,
    step: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<OsString> {
    let (name, path) = new_directory(directory, stamp, step)?;
    owner.apply_to_directory(&path, step)?;
    for (relative, file) in &volume.files {
        let mut parent = path.clone();
        for part in relative.parent().into_iter().flat_map(Path::components) {
            parent.push(part);
            step()?;
            match DirBuilder::new().mode(DIRECTORY).create(&parent) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            owner.apply_to_directory(&parent, step)?;
        }
        step()?;
        // For nobody's eyes until the mode is set.
        let mut open = OpenOptions::new();
        let mut made = open
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(path.join(relative))?;
        made.write_all(file.content.reveal())?;
        owner.apply_to_file(&made, file.mode)?;
    }
    Ok(name)
}

fn new_directory(
    directory: &Path,
    stamp: &str,
    step: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<(OsString, PathBuf)> {
    let mut number = 0u32;
    loop {
        let name = OsString::from(format!("..{stamp}.{number}"));
        let path = directory.join(&name);
        step()?;
        match DirBuilder::new().mode(DIRECTORY).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < u32::MAX => number += 1,
            made => return made.map(|()| (name, path)),
        }
    }
}

/// Gives each first part of a path its link.
fn link_names(directory: &Path, volume: &FileVolume, step: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
    for name in names(volume) {
        let (link, target) = (directory.join(&name), Path::new(DATA).join(&name));
        match fs::symlink_metadata(&link) {
            Ok(metadata) if metadata.is_symlink() && fs::read_link(&link)? == target => continue,
            // Made for mounts below it; it goes if there is nothing but places for them.
            Ok(metadata) if metadata.is_dir() => remove_empty(&link, step)?,
            Ok(_) => remove(&link, step)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        step()?;
        symlink(&target, &link)?;
    }
    Ok(())
}

/// Removes a tree of empty directories; what is anything else stays, and is an error.
fn remove_empty(top: &Path, step: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
    let mut directories = vec![top.to_owned()];
    let mut looked_at = 0;
    while let Some(directory) = directories.get(looked_at) {
        looked_at += 1;
        let entries: Vec<_> = fs::read_dir(directory)?.collect::<io::Result<_>>()?;
        for entry in entries {
            if entry.file_type()?.is_dir() {
                directories.push(entry.path());
            }
        }
    }
    // Outer ones come before what is in them.
    for directory in directories.iter().rev() {
        step()?;
        fs::remove_dir(directory)?;
    }
    Ok(())
}

/// Removes the links of what is gone, and all content but the present one.
fn clear(
    directory: &Path,
    volume: &FileVolume,
    kept: &OsString,
    step: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let names = names(volume);
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let kind = entry.file_type()?;
        let is_ours = name.to_string_lossy().starts_with("..");
        if name == *kept || name == DATA || names.contains(&name) {
            continue;
        }
        if kind.is_symlink() {
            remove(&entry.path(), step)?;
        } else if is_ours && kind.is_dir() {
            step()?;
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The names that a container sees.
fn names(volume: &FileVolume) -> BTreeSet<OsString> {
    let first = |path: &PathBuf| path.components().next().map(|part| part.as_os_str().to_owned());
    volume.files.keys().filter_map(first).collect()
}

fn remove(path: &Path, step: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
    step()?;
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Whether a directory holds exactly these files, each with its mode and owner.
fn holds(directory: &Path, volume: &FileVolume, owner: &Owner) -> io::Result<bool> {
    let mut found = BTreeMap::new();
    if !owner.is_of_directory(directory)? || !walk(directory, Path::new(""), owner, &mut found)? {
        return Ok(false);
    }
    if found.len() != volume.files.len() {
        return Ok(false);
    }
    for (path, file) in &volume.files {
        if found.get(path) != Some(&(file.content.reveal().len() as u64)) {
            return Ok(false);
        }
        let mut open = OpenOptions::new().read(true).custom_flags(nix::libc::O_NOFOLLOW).open(directory.join(path))?;
        let mut content = Vec::new();
        open.read_to_end(&mut content)?;
        if content != file.content.reveal() || !owner.is_of_file(&open, file.mode)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Notes the sizes of all files; false if there is anything else, or a directory is not as it should be.
fn walk(root: &Path, below: &Path, owner: &Owner, found: &mut BTreeMap<PathBuf, u64>) -> io::Result<bool> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let metadata = entry.metadata()?;
        let as_it_should = if metadata.is_dir() {
            owner.is_of_directory(&entry.path())? && walk(root, &path, owner, found)?
        } else {
            metadata.is_file()
        };
        if !as_it_should {
            return Ok(false);
        }
        if metadata.is_file() {
            found.insert(path, metadata.len());
        }
    }
    Ok(true)
}

/// Who owns what, with which permissions.
struct Owner {
    group: Option<u32>,
}

impl Owner {
    fn of_directory(&self) -> u32 {
        DIRECTORY | self.group.map_or(0, |_| GROUP_DIRECTORY)
    }

    fn of_file(&self, mode: u32) -> u32 {
        mode | self.group.map_or(0, |_| GROUP_FILE)
    }

    fn is_right(&self, metadata: &fs::Metadata, mode: u32) -> bool {
        metadata.mode() & 0o7777 == mode && self.group.is_none_or(|group| metadata.gid() == group)
    }

    fn is_of_directory(&self, path: &Path) -> io::Result<bool> {
        Ok(self.is_right(&fs::symlink_metadata(path)?, self.of_directory()))
    }

    fn is_of_file(&self, file: &File, mode: u32) -> io::Result<bool> {
        Ok(self.is_right(&file.metadata()?, self.of_file(mode)))
    }

    fn apply_to_directory(&self, path: &Path, step: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        if self.is_of_directory(path)? {
            return Ok(());
        }
        step()?;
        let flags = nix::libc::O_DIRECTORY | nix::libc::O_NOFOLLOW;
        self.apply(&OpenOptions::new().read(true).custom_flags(flags).open(path)?, self.of_directory())
    }

    fn apply_to_file(&self, file: &File, mode: u32) -> io::Result<()> {
        self.apply(file, self.of_file(mode))
    }

    /// The group first: a change of owner clears set-gid.
    fn apply(&self, file: &File, mode: u32) -> io::Result<()> {
        if self.group.is_some() {
            fchown(file, None, self.group)?;
        }
        file.set_permissions(Permissions::from_mode(mode))
    }
}

#[cfg(test)]
mod tests;
