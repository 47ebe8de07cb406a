//! Images made of Debian packages: a program with the libraries it needs, and nothing else.

use kubelet_lite::engine::archive::{ImageArchive, LayerEntry, image_archive};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// Packages unpacked side by side, fetched from the machine's own Debian archive. They are kept for the next
/// test.
pub struct Unpacked(PathBuf);

/// Fetches and unpacks packages; nothing is installed.
pub fn unpack(packages: &[&str]) -> Unpacked {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-debian");
    let directory = all.join(packages.join("+"));
    fs::create_dir_all(&all).expect("a directory for packages");
    // Tests are processes that run beside each other.
    let one_at_a_time = fs::File::create(all.join(format!("{}.lock", packages.join("+")))).expect("a lock");
    one_at_a_time.lock().expect("a lock");
    if !directory.join("complete").exists() {
        let _ = fs::remove_dir_all(&directory);
        let archives = directory.join("archives");
        fs::create_dir_all(&archives).expect("a directory for packages");
        run(Command::new("apt-get").arg("download").args(packages).current_dir(&archives));
        for archive in fs::read_dir(&archives).expect("packages") {
            run(Command::new("dpkg-deb").arg("-x").arg(archive.expect("a package").path()).arg(directory.join("root")));
        }
        fs::write(directory.join("complete"), "").expect("a mark");
    }
    Unpacked(directory.join("root"))
}

fn run(command: &mut Command) {
    let output = command.output().expect("a Debian machine");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The files of an image, by path without a leading slash.
#[derive(Default)]
pub struct Files(BTreeMap<String, (u32, Vec<u8>)>);

impl Unpacked {
    /// Where a file of the packages lies now.
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// A program or library of the packages, at its own place, with all libraries it is linked with.
    pub fn linked(&self, path: &str, files: &mut Files) {
        let file = self.0.join(path.trim_start_matches('/'));
        files.put(path, &file);
        let libraries = fs::read_dir(self.0.join("usr/lib")).into_iter().flatten().flatten();
        let libraries: Vec<String> = libraries.map(|entry| entry.path().display().to_string()).collect();
        let output = Command::new("ldd").arg(&file).env("LD_LIBRARY_PATH", libraries.join(":")).output().expect("ldd");
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            // `name => /path (address)`, or only `/path (address)` for the loader.
            let path = line.split("=>").last().unwrap_or_default().split_whitespace().next().unwrap_or_default();
            if path.starts_with('/') {
                let inside = path.strip_prefix(&self.0.display().to_string()).unwrap_or(path);
                files.put(inside, Path::new(path));
            }
        }
    }

    /// All files of a directory of the packages.
    pub fn all_linked(&self, directory: &str, files: &mut Files) {
        for entry in fs::read_dir(self.0.join(directory.trim_start_matches('/'))).expect("a directory") {
            let name = entry.expect("an entry").file_name();
            self.linked(&format!("{directory}/{}", name.to_string_lossy()), files);
        }
    }
}

impl Files {
    fn put(&mut self, path: &str, from: &Path) {
        let content = fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        let mode = fs::metadata(from).expect("metadata").permissions().mode() & 0o777;
        self.0.insert(path.trim_start_matches('/').to_owned(), (mode, content));
    }

    /// The image of these files.
    pub fn image(&self, tag: &str, run: &serde_json::Value) -> ImageArchive {
        let mut layer = vec![LayerEntry::Directory("tmp", 0o1777)];
        layer.extend(self.0.iter().map(|(path, (mode, content))| LayerEntry::File(path, *mode, content)));
        image_archive(tag, run, &layer)
    }
}
