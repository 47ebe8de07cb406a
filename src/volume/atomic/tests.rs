//! Content, modes, and a crash before every change of the disk.

use super::*;
use crate::{
    convert::{Medium, VolumeFile},
    pod::Confidential,
};

/// A volume of `path`, `content` and mode.
fn volume(files: &[(&str, &str, u32)]) -> FileVolume {
    let file = |(path, content, mode): &(&str, &str, u32)| {
        (PathBuf::from(path), VolumeFile { content: Confidential::new(content.as_bytes()), mode: *mode })
    };
    FileVolume { name: "v".into(), medium: Medium::Disk, group: None, files: files.iter().map(file).collect() }
}

fn write_all(directory: &Path, volume: &FileVolume) {
    write(directory, volume, "stamp", &mut || Ok(())).unwrap();
}

/// What a reader sees: every file by its visible name, with content and mode.
fn seen(directory: &Path) -> Vec<(String, String, u32)> {
    fn look(root: &Path, at: &Path, found: &mut Vec<(String, String, u32)>) {
        let mut names: Vec<_> = fs::read_dir(root.join(at)).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        for name in names.into_iter().filter(|name| !name.to_string_lossy().starts_with("..")) {
            let path = at.join(name);
            // A link whose key has gone shows nothing.
            let Ok(metadata) = fs::metadata(root.join(&path)) else { continue };
            if metadata.is_dir() {
                look(root, &path, found);
            } else {
                let content = fs::read_to_string(root.join(&path)).unwrap();
                found.push((path.display().to_string(), content, metadata.mode() & 0o7777));
            }
        }
    }
    let mut found = Vec::new();
    look(directory, Path::new(""), &mut found);
    found
}

fn wanted(files: &[(&str, &str, u32)]) -> Vec<(String, String, u32)> {
    let mut wanted: Vec<_> = files.iter().map(|(p, c, m)| ((*p).to_owned(), (*c).to_owned(), *m)).collect();
    wanted.sort();
    wanted
}

/// All entries of the directory, hidden ones too.
fn entries(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

const OLD: &[(&str, &str, u32)] = &[("a", "old a", 0o644), ("deep/er/b", "old b", 0o400), ("gone", "x", 0o644)];
const NEW: &[(&str, &str, u32)] = &[("a", "new a", 0o600), ("deep/er/b", "old b", 0o400), ("more", "y", 0o777)];

#[test]
fn content_is_what_was_asked_for_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    write_all(path, &volume(OLD));
    assert_eq!(seen(path), wanted(OLD));
    assert_eq!(entries(path), ["..data", "..stamp.0", "a", "deep", "gone"]);
    assert_eq!(fs::read_link(path.join("a")).unwrap(), Path::new("..data/a"));
    assert_eq!(fs::metadata(path.join("deep/er")).unwrap().mode() & 0o7777, 0o755);
    write_all(path, &volume(NEW));
    assert_eq!(seen(path), wanted(NEW));
    assert_eq!(entries(path), ["..data", "..stamp.1", "a", "deep", "more"]);
    write_all(path, &volume(&[]));
    assert_eq!(seen(path), []);
    assert_eq!(entries(path), ["..data", "..stamp.0"]);
}

#[test]
fn what_is_right_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    write_all(directory.path(), &volume(OLD));
    let mut steps = 0;
    write(directory.path(), &volume(OLD), "later", &mut || {
        steps += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(steps, 0);
    // Another mode, another content of the same size, a file too many, one too few.
    for (path, content, mode) in [("a", "old a", 0o640), ("a", "OLD a", 0o644), ("extra", "", 0o644)] {
        write_all(directory.path(), &volume(OLD));
        let mut other: Vec<_> = OLD.iter().copied().filter(|(p, ..)| *p != path).collect();
        other.push((path, content, mode));
        write_all(directory.path(), &volume(&other));
        assert_eq!(seen(directory.path()), wanted(&other), "{path} {content} {mode:o}");
    }
    // What somebody spoilt on the disk is mended.
    write_all(directory.path(), &volume(OLD));
    fs::write(directory.path().join("..data/a"), "bad a").unwrap();
    write_all(directory.path(), &volume(OLD));
    assert_eq!(seen(directory.path()), wanted(OLD));
}

#[test]
fn a_crash_at_any_point_leaves_the_old_or_the_new_whole() {
    let mut crashes = 0;
    for at in 0.. {
        let directory = tempfile::tempdir().unwrap();
        write_all(directory.path(), &volume(OLD));
        let mut left = at;
        let crashed = write(directory.path(), &volume(NEW), "stamp", &mut || {
            if left == 0 {
                return Err(io::Error::other("crash"));
            }
            left -= 1;
            Ok(())
        });
        let found = seen(directory.path());
        // Names may lag behind; what is behind them is of one piece.
        let piece = |files: &[(&str, &str, u32)]| {
            found.iter().all(|f| wanted(files).contains(f)) && found.iter().any(|(path, ..)| path == "a")
        };
        assert!(piece(OLD) || piece(NEW), "crash {at}: {found:?}");
        // The next start completes it, or takes it back, and leaves nothing behind.
        let then = if at % 2 == 0 { NEW } else { OLD };
        write_all(directory.path(), &volume(then));
        assert_eq!(seen(directory.path()), wanted(then), "crash {at}");
        assert_eq!(entries(directory.path()).len(), 2 + 3, "crash {at}: {:?}", entries(directory.path()));
        if crashed.is_ok() {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 10, "{crashes}");
}

#[test]
fn odd_things_in_the_directory_do_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("a"), "outside").unwrap();
    let path = directory.path().join("v");
    fs::create_dir(&path).unwrap();
    symlink(outside.path(), path.join("..data")).unwrap();
    symlink(outside.path(), path.join("..data_tmp")).unwrap();
    symlink(outside.path(), path.join("stray")).unwrap();
    symlink(outside.path(), path.join("..old")).unwrap();
    // A sub-path of a key that was not there.
    fs::create_dir(path.join("a")).unwrap();
    fs::create_dir(path.join("..left")).unwrap();
    fs::write(path.join("..left/x"), "x").unwrap();
    write_all(&path, &volume(OLD));
    assert_eq!(seen(&path), wanted(OLD));
    assert_eq!(entries(&path), ["..data", "..stamp.0", "a", "deep", "gone"]);
    assert_eq!(fs::read_to_string(outside.path().join("a")).unwrap(), "outside");
}

#[test]
fn a_key_takes_the_place_of_mounts_that_are_gone() {
    let room = tempfile::tempdir().unwrap();
    let directory = room.path();
    write_all(directory, &volume(OLD));
    for place in ["x/y/z", "x/other", "y"] {
        fs::create_dir_all(directory.join(place)).unwrap();
    }
    let keys = &[("x", "key", 0o644), ("y", "key", 0o644)];
    write_all(directory, &volume(keys));
    assert_eq!(seen(directory), wanted(keys));
    // What is in such a directory is nobody's to remove.
    write_all(directory, &volume(OLD));
    fs::create_dir_all(directory.join("x/y")).unwrap();
    fs::write(directory.join("x/y/file"), "kept").unwrap();
    write(directory, &volume(keys), "stamp", &mut || Ok(())).unwrap_err();
    assert_eq!(fs::read_to_string(directory.join("x/y/file")).unwrap(), "kept");
}
