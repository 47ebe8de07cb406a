//! The key by which environments are hashed, kept for as long as the root directory.

use super::{
    VolumeError,
    error::{Io, Place},
    make_private,
};
use crate::pod::references::EnvironmentKey;
use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

const FILE: &str = "environment.key";
/// Whoever reads it could try values against labels.
const MODE: u32 = 0o600;

/// The key in `<root-dir>/environment.key`, made if there is none. One that is not as long as a key
/// is replaced: what was hashed with it then tells nothing.
pub fn environment_key(root: &Path) -> Result<EnvironmentKey, VolumeError> {
    let place = &Place::none();
    let path = root.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => {
            if let Ok(key) = bytes.try_into() {
                return Ok(EnvironmentKey::new(key));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(place.io("read", &path)(error)),
    }
    make_private(root, place)?;
    let mut key = [0; EnvironmentKey::LENGTH];
    let random = Path::new("/dev/urandom");
    fs::File::open(random).and_then(|mut file| file.read_exact(&mut key)).map_err(place.io("read", random))?;
    let unfinished = path.with_extension("key~new");
    let write = || -> io::Result<()> {
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&unfinished)?;
        file.write_all(&key)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)
    };
    write().map_err(place.io("write", &path))?;
    Ok(EnvironmentKey::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_kept_to_ourselves() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        let key = environment_key(&root).unwrap();
        assert_eq!(environment_key(&root).unwrap(), key);
        let path = root.join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, MODE);
        fs::write(&path, "short").unwrap();
        let other = environment_key(&root).unwrap();
        assert!(other != key && environment_key(&root).unwrap() == other);
    }
}
