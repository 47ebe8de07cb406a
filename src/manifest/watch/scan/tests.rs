use super::*;
use std::os::unix::fs::symlink;

fn looked_at(path: &Path) -> Fingerprint {
    match seen(path) {
        Some(Seen::Regular(fingerprint)) => fingerprint,
        other => panic!("{other:?}"),
    }
}

#[test]
fn manifest_names() {
    for name in ["a.yaml", "a.yml", "a.json", "a b.yaml", "a.bak.yaml", "\u{fc}.yaml"] {
        assert!(is_manifest_name(OsStr::new(name)), "{name}");
    }
    for name in ["", ".yaml", ".a.yaml", "..a.yaml", "yaml", "a.yaml~", "a.yaml.bak", "a.YAML", "#a.yaml#", "a.yaml "] {
        assert!(!is_manifest_name(OsStr::new(name)), "{name}");
    }
}

#[test]
fn a_way_names_each_link_and_the_end() {
    let top = tempfile::tempdir().unwrap();
    let top = top.path().canonicalize().unwrap();
    fs::create_dir_all(top.join("x/y")).unwrap();
    fs::write(top.join("x/y/file"), "").unwrap();
    symlink("x", top.join("relative")).unwrap();
    symlink(top.join("relative/y"), top.join("absolute")).unwrap();
    symlink("../y/../../absolute/file", top.join("x/y/up")).unwrap();
    symlink("loop", top.join("loop")).unwrap();
    let names = |way: &Way| -> Vec<String> {
        way.names.iter().map(|name| name.strip_prefix(&top).unwrap().display().to_string()).collect()
    };
    let table: [(&str, &[&str], &str); 5] = [
        ("x/y/file", &["x/y/file"], "x/y/file"),
        ("absolute/file", &["absolute", "relative", "x/y/file"], "x/y/file"),
        ("x/./y/../y/up", &["x/y/up", "absolute", "relative", "x/y/file"], "x/y/file"),
        ("relative", &["relative", "x"], "x"),
        ("x/..", &[], ""),
    ];
    for (path, expected, end) in table {
        let found = way(&top.join(path));
        assert_eq!(names(&found), expected, "{path}");
        assert_eq!(found.end.unwrap(), top.join(end).components().collect::<PathBuf>(), "{path}");
    }
    let missing = way(&top.join("relative/none/file"));
    assert_eq!(names(&missing), ["relative", "x/none"]);
    assert_eq!(missing.end.unwrap_err().kind(), io::ErrorKind::NotFound);
    let looped = way(&top.join("loop"));
    assert_eq!(looped.end.unwrap_err().to_string(), "too many symbolic links");
    let through_file = way(&top.join("x/y/file/more"));
    assert_eq!(through_file.end.unwrap_err().kind(), io::ErrorKind::NotADirectory);
}

#[test]
fn reading_takes_only_what_was_looked_at() {
    let top = tempfile::tempdir().unwrap();
    let path = top.path().join("a");
    fs::write(&path, "one").unwrap();
    let before = looked_at(&path);
    assert!(matches!(read(&path, &before), Content::Bytes(bytes) if bytes == b"one"));
    fs::write(&path, "longer").unwrap();
    assert!(matches!(read(&path, &before), Content::Disturbed));
    let before = looked_at(&path);
    fs::remove_file(&path).unwrap();
    assert!(matches!(read(&path, &before), Content::Disturbed));
    // A FIFO in its place would hold up whoever opens it.
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(matches!(read(&path, &before), Content::Disturbed));
}

#[test]
fn reading_knows_its_limit() {
    let top = tempfile::tempdir().unwrap();
    let path = top.path().join("a");
    let file = File::create(&path).unwrap();
    file.set_len(MAX_FILE_SIZE as u64).unwrap();
    assert!(matches!(read(&path, &looked_at(&path)), Content::Bytes(bytes) if bytes.len() == MAX_FILE_SIZE));
    file.set_len(MAX_FILE_SIZE as u64 + 1).unwrap();
    assert!(matches!(read(&path, &looked_at(&path)), Content::Unusable { code: "too-large", .. }));
}
