//! Layers as engines and other builders write them.

use super::*;
use std::{io::Write, os::unix::fs::MetadataExt};

/// An entry of a layer.
enum Entry {
    Dir(&'static str, u32),
    File(&'static str, &'static str),
    Mode(&'static str, u32),
    Symlink(&'static str, &'static str),
    Hard(&'static str, &'static str),
    Special(&'static str, EntryType),
    /// What a header of its own says of the entry behind it.
    Extension(EntryType, &'static str),
}
use Entry::{Dir, Extension, File as Regular, Hard, Mode as WithMode, Special, Symlink as Soft};

fn header(kind: EntryType, mode: u32, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    // Whoever runs the tests owns what they unpack.
    header.set_uid(nix::unistd::getuid().as_raw().into());
    header.set_gid(nix::unistd::getgid().as_raw().into());
    header.set_mtime(1_000_000_000);
    header
}

/// As it is: `tar::Builder` would refuse some of these paths.
fn append(builder: &mut tar::Builder<Vec<u8>>, mut header: tar::Header, path: &str, link: &str, content: &[u8]) {
    header.as_gnu_mut().expect("a GNU header").name[..path.len()].copy_from_slice(path.as_bytes());
    header.as_gnu_mut().expect("a GNU header").linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    builder.append(&header, content).expect("append");
}

fn layer(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let (path, kind, mode, link, content) = match *entry {
            Dir(path, mode) => (path, EntryType::Directory, mode, "", ""),
            Regular(path, content) => (path, EntryType::Regular, 0o644, "", content),
            WithMode(path, mode) => (path, EntryType::Regular, mode, "", ""),
            Soft(path, target) => (path, EntryType::Symlink, 0o777, target, ""),
            Hard(path, target) => (path, EntryType::Link, 0o644, target, ""),
            Special(path, kind) => (path, kind, 0o644, "", ""),
            Extension(kind, content) => ("extension", kind, 0o644, "", content),
        };
        append(&mut builder, header(kind, mode, content.len()), path, link, content.as_bytes());
    }
    builder.into_inner().expect("a layer")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("compress");
    encoder.finish().expect("compress")
}

/// An archive with the manifest at its end, where engines put it.
fn archive(layers: &[Vec<u8>]) -> File {
    let names: Vec<String> = (0..layers.len()).map(|n| format!("{n}/layer.tar")).collect();
    let mut builder = tar::Builder::new(Vec::new());
    for (name, layer) in names.iter().zip(layers) {
        append(&mut builder, header(EntryType::Regular, 0o644, layer.len()), name, "", layer);
    }
    finished(builder, &names)
}

fn finished(mut builder: tar::Builder<Vec<u8>>, layers: &[String]) -> File {
    let manifest = serde_json::json!([{ "Config": "c.json", "RepoTags": null, "Layers": layers }]).to_string();
    append(&mut builder, header(EntryType::Regular, 0o644, manifest.len()), MANIFEST, "", manifest.as_bytes());
    kept(&builder.into_inner().expect("an archive"))
}

fn kept(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("write");
    file
}

/// What is below a directory: paths with the content of files and the targets of links.
fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let shown = path.strip_prefix(root).expect("below").display().to_string();
        let metadata = fs::symlink_metadata(&path).expect("metadata");
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).expect("list").map(|entry| entry.expect("entry").path()));
            if path != root {
                found.push(format!("{shown}/"));
            }
        } else if metadata.is_symlink() {
            found.push(format!("{shown} -> {}", fs::read_link(&path).expect("link").display()));
        } else {
            found.push(format!("{shown}: {}", fs::read_to_string(&path).expect("text")));
        }
    }
    found.sort();
    found
}

fn unpacked(archive: &File) -> io::Result<(tempfile::TempDir, Vec<String>)> {
    let directory = tempfile::tempdir().expect("a directory");
    unpack(archive, directory.path(), &|| false)?;
    let found = tree(directory.path());
    Ok((directory, found))
}

/// As of a file too large for the header proper.
fn sized_by_extension() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    append(&mut builder, header(EntryType::XHeader, 0o644, 9), "extension", "", b"9 size=5\n");
    append(&mut builder, header(EntryType::Regular, 0o644, 0), "a", "", b"hello");
    append(&mut builder, header(EntryType::Regular, 0o644, 1), "b", "", b"1");
    builder.into_inner().expect("a layer")
}

/// What it is about, the layers from the lowest up, what is there then.
type Case = (&'static str, Vec<Vec<u8>>, &'static [&'static str]);

#[test]
fn layers_lie_over_one_another() {
    let base = || {
        layer(&[
            Dir("etc/", 0o755),
            Regular("etc/a", "1"),
            Regular("etc/b", "1"),
            Dir("d/", 0o755),
            Regular("d/x", "1"),
        ])
    };
    let cases: [Case; 17] = [
        ("one", vec![base()], &["d/", "d/x: 1", "etc/", "etc/a: 1", "etc/b: 1"]),
        ("none", vec![], &[]),
        ("an empty one above", vec![base(), layer(&[])], &["d/", "d/x: 1", "etc/", "etc/a: 1", "etc/b: 1"]),
        (
            "a file is replaced, one is hidden, and so is a whole directory",
            vec![base(), layer(&[Regular("etc/a", "2"), Regular("etc/.wh.b", ""), Regular(".wh.d", "")])],
            &["etc/", "etc/a: 2"],
        ),
        (
            "an opaque directory has only its own, wherever its mark stands",
            vec![base(), layer(&[Regular("etc/c", "2"), Regular("etc/.wh..wh..opq", "")])],
            &["d/", "d/x: 1", "etc/", "etc/c: 2"],
        ),
        (
            "what is hidden comes back above",
            vec![base(), layer(&[Regular("d/.wh.x", "")]), layer(&[Regular("d/x", "3")])],
            &["d/", "d/x: 3", "etc/", "etc/a: 1", "etc/b: 1"],
        ),
        (
            "a whiteout of what is not there, and marks of other file systems",
            vec![layer(&[
                Regular("no/.wh.thing", ""),
                Regular(".wh..wh.plnk", ""),
                Regular(".wh.", ""),
                Regular(".wh...", ""),
            ])],
            &[],
        ),
        (
            "a directory becomes a file, and a file a directory",
            vec![base(), layer(&[Regular("d", "file"), Dir("etc/a", 0o755), Regular("etc/a/deep", "2")])],
            &["d: file", "etc/", "etc/a/", "etc/a/deep: 2", "etc/b: 1"],
        ),
        (
            "a directory becomes a link, and nothing is removed through it",
            vec![base(), layer(&[Soft("d", "etc")]), layer(&[Regular(".wh.d", "")])],
            &["etc/", "etc/a: 1", "etc/b: 1"],
        ),
        (
            "directories that nobody wrote are made",
            vec![layer(&[Regular("a/b/c", "1"), Regular("./x", "1"), Regular("/y", "1")])],
            &["a/", "a/b/", "a/b/c: 1", "x: 1", "y: 1"],
        ),
        (
            "hard links",
            vec![layer(&[Regular("a", "1"), Hard("b", "a"), Hard("c", "/a")]), layer(&[Regular("a", "2")])],
            &["a: 2", "b: 1", "c: 1"],
        ),
        (
            "devices and pipes are left out, and what is linked to them",
            vec![
                layer(&[
                    Special("null", EntryType::Char),
                    Special("disk", EntryType::Block),
                    Special("pipe", EntryType::Fifo),
                    Hard("zero", "./null"),
                    Hard("nothing", "/zero"),
                    Regular("a", "1"),
                ]),
                layer(&[Regular("disk", "2"), Hard("copy", "disk"), Hard("b/pipe", "pipe")]),
            ],
            &["a: 1", "b/", "copy: 2", "disk: 2"],
        ),
        (
            "what a device or a pipe replaces is gone",
            vec![base(), layer(&[Special("etc/a", EntryType::Char), Special("d", EntryType::Fifo)])],
            &["etc/", "etc/b: 1"],
        ),
        (
            "a directory in the place of a link hides nothing of what the link led to",
            vec![
                layer(&[Dir("new/", 0o755), Regular("new/x", "1"), Soft("current", "/new"), Soft("other", "new")]),
                layer(&[
                    Dir("current/", 0o755),
                    Regular("current/.wh..wh..opq", ""),
                    Regular("current/y", "2"),
                    Regular("other/.wh.x", ""),
                    Dir("other/", 0o755),
                ]),
            ],
            &["current/", "current/y: 2", "new/", "new/x: 1", "other/"],
        ),
        (
            "nor does one below a link, or in the place of a file",
            vec![
                layer(&[Dir("new/d/", 0o755), Regular("new/d/x", "1"), Soft("current", "new"), Regular("f", "1")]),
                layer(&[
                    Dir("current/", 0o755),
                    Dir("current/d/", 0o755),
                    Regular("current/d/.wh.x", ""),
                    Dir("f/", 0o755),
                    Regular("f/.wh..wh..opq", ""),
                ]),
            ],
            &["current/", "current/d/", "f/", "new/", "new/d/", "new/d/x: 1"],
        ),
        (
            "long names, of files and in links",
            vec![layer(&[
                Extension(EntryType::GNULongName, "long/name\0"),
                Regular("short", "1"),
                Extension(EntryType::GNULongLink, "long/name\0"),
                Extension(EntryType::GNULongName, "link\0"),
                Soft("short", ""),
                Extension(EntryType::XGlobalHeader, "13 comment=x\n"),
                Extension(EntryType::XHeader, "18 path=pax/name1\n"),
                Regular("short", "2"),
                Regular("next", "3"),
            ])],
            &["link -> long/name", "long/", "long/name: 1", "next: 3", "pax/", "pax/name1: 2"],
        ),
        ("a size that only its own header says", vec![sized_by_extension()], &["a: hello", "b: 1"]),
    ];
    for (what, layers, expected) in cases {
        for (how, layers) in
            [("plain", layers.clone()), ("compressed", layers.iter().map(|layer| gzip(layer)).collect::<Vec<_>>())]
        {
            let (_, found) = unpacked(&archive(&layers)).unwrap_or_else(|error| panic!("{what}, {how}: {error}"));
            assert_eq!(found, expected, "{what}, {how}");
        }
    }
}

#[test]
fn what_is_given_up_ends_wherever_it_is() {
    let archive = archive(&[layer(&[Regular("a", "1"), Dir("d/", 0o755), Regular("d/b", "1")])]);
    let until = |last: usize| {
        let (asked, directory) = (std::cell::Cell::new(0), tempfile::tempdir().expect("a directory"));
        let given_up = || asked.replace(asked.get() + 1) >= last;
        (unpack(&archive, directory.path(), &given_up).is_ok(), asked.get())
    };
    let (whole, asked) = until(usize::MAX);
    assert!(whole && asked > 6, "{asked}: within the layer, too");
    for last in 0..asked {
        assert!(!until(last).0, "{last} of {asked}");
    }
}

#[test]
fn links_lead_nowhere_but_inside() {
    let outside = tempfile::tempdir().expect("a directory");
    let aim: &'static str = Box::leak(outside.path().display().to_string().into_boxed_str());
    let through: &'static str = Box::leak(format!("{aim}/evil").into_boxed_str());
    let inside = aim.trim_start_matches('/');
    let above: &'static str = Box::leak(format!("../../../../../../../..{aim}").into_boxed_str());
    fs::write(outside.path().join("kept"), "kept").expect("write");
    for link in [aim, above] {
        let (room, found) = unpacked(&archive(&[
            layer(&[Dir(inside, 0o755), Soft("out", link)]),
            layer(&[Regular("out/evil", "1"), Regular("out/.wh.kept", ""), Hard("copy", "out/evil")]),
        ]))
        .expect("unpacked");
        assert_eq!(tree(outside.path()), ["kept: kept"], "{link}");
        assert!(found.contains(&"copy: 1".to_owned()), "{link}: {found:?}");
        // As a container would see it: the link's target is below the image's own root.
        assert_eq!(fs::read_to_string(room.path().join(through.trim_start_matches('/'))).expect("inside"), "1");
    }
    // A link to nothing is no directory, as for the engine.
    let dangling = unpacked(&archive(&[layer(&[Soft("self", "/proc/self/cwd"), Regular("self/x", "1")])]));
    assert_eq!(dangling.expect_err("refused").kind(), io::ErrorKind::AlreadyExists);
    for bad in [Regular("../evil", "1"), Regular("a/../../evil", "1"), Hard("b", "../../etc/passwd")] {
        let error = unpacked(&archive(&[layer(&[bad])])).expect_err("refused");
        assert!(error.to_string().contains("which no engine unpacks"), "{error}");
    }
    let lost = unpacked(&archive(&[layer(&[Hard("b", "nowhere")])])).expect_err("a link to nothing");
    assert_eq!(lost.kind(), io::ErrorKind::NotFound);
}

#[test]
fn modes_and_times_are_kept_and_set_user_id_is_not() {
    let (room, _) = unpacked(&archive(&[layer(&[
        Dir("closed", 0o700),
        WithMode("closed/tool", 0o4755),
        WithMode("secret", 0o400),
        Dir("tmp", 0o1777),
    ])]))
    .expect("unpacked");
    let of = |path: &str| fs::symlink_metadata(room.path().join(path)).expect(path);
    for (path, mode) in [("closed", 0o700), ("closed/tool", 0o755), ("secret", 0o400), ("tmp", 0o777)] {
        assert_eq!(of(path).mode() & 0o7777, mode, "{path:?}");
    }
    assert_eq!(of("secret").mtime(), 1_000_000_000);
}

/// Docker has it so, as long as its own storage unpacks the image: containers of such an image see the root of theirs as of
/// mode 0755.
#[test]
fn the_root_stays_as_it_is() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut root = header(EntryType::Directory, 0o710, 0);
    root.set_uid(1234);
    root.set_gid(4321);
    append(&mut builder, root, "./", "", b"");
    let (room, _) = unpacked(&archive(&[builder.into_inner().expect("a layer")])).expect("unpacked");
    let of = |path: &Path| fs::metadata(path).map(|found| (found.uid(), found.gid(), found.mode())).expect("metadata");
    assert_eq!(of(room.path()), of(tempfile::tempdir().expect("a directory").path()));
}

#[test]
fn what_a_header_says_of_the_next_is_never_long() {
    let long: &'static str = Box::leak("x".repeat((1 << 20) + 1).into_boxed_str());
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader, EntryType::XGlobalHeader] {
        for ahead in [None, Some(Extension(EntryType::XHeader, "9 size=9\n"))] {
            let entries: Vec<Entry> = [Regular("a", "1")]
                .into_iter()
                .chain(ahead)
                .chain([Extension(kind, long), Regular("b", "1")])
                .collect();
            for layer in [layer(&entries), gzip(&layer(&entries))] {
                let error = unpacked(&archive(&[layer])).expect_err("refused");
                assert!(error.to_string().contains("which no engine reads"), "{kind:?}: {error}");
            }
        }
    }
}

#[test]
fn a_sparse_file_is_refused_rather_than_unpacked_wrong() {
    for record in ["22 GNU.sparse.major=1\n", "9 size=1\n23 GNU.sparse.size=100\n"] {
        let sparse = layer(&[Extension(EntryType::XHeader, record), Regular("holes", "1")]);
        let error = unpacked(&archive(&[sparse])).expect_err("refused");
        assert!(error.to_string().contains("sparse file holes"), "{error}");
    }
}

#[test]
fn archives_of_all_engines() {
    // Before Docker Engine 25 a layer that is there twice is a link to the other.
    let same = layer(&[Regular("a", "1")]);
    let mut builder = tar::Builder::new(Vec::new());
    append(&mut builder, header(EntryType::Regular, 0o644, same.len()), "1/layer.tar", "", &same);
    append(&mut builder, header(EntryType::Symlink, 0o777, 0), "2/layer.tar", "../1/layer.tar", b"");
    let names = ["1/layer.tar", "2/layer.tar"].map(str::to_owned);
    assert_eq!(unpacked(&finished(builder, &names)).expect("unpacked").1, ["a: 1"]);

    for (bytes, says) in [
        (Vec::new(), "has no readable manifest.json"),
        (layer(&[Regular("manifest.json", "[]")]), "holds no image"),
        (layer(&[Regular("manifest.json", "[{\"Layers\": []}, {\"Layers\": []}]")]), "holds 2 images"),
        (layer(&[Regular("manifest.json", "[{\"Layers\": [\"gone\"]}]")]), "lacks layer gone"),
        (layer(&[Regular("manifest.json", "{")]), "has no readable manifest.json"),
    ] {
        let error = unpacked(&kept(&bytes)).expect_err(says);
        assert!(error.to_string().contains(says), "{error}");
    }
    let mut zstd = ZSTD.to_vec();
    zstd.resize(2048, 0);
    let error = unpacked(&archive(&[zstd])).expect_err("zstd");
    assert!(error.to_string().contains("build the image with gzip layers"), "{error}");
    let mut short = gzip(&same);
    short.truncate(short.len() / 2);
    assert!(unpacked(&archive(&[short])).is_err(), "a layer that ends too early");
}

#[test]
fn what_is_hidden_may_be_as_deep_as_can_be_made() {
    let room = tree::tests::room();
    let deep = room.path().join("deep");
    tree::tests::make_deep(&deep);
    clear(&deep, true).expect("a directory in the place of a directory");
    assert!(deep.exists());
    clear(&deep, false).expect("cleared");
    assert!(!deep.exists());
    clear(&deep, false).expect("nothing is there");
}
