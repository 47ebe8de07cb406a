//! In temporary directories. Tests that mount need root and are run by `make test`.

mod as_root;
mod content;

use super::*;
use crate::pod::{Confidential, ContainerId, ContainerName, ManifestSource, Node};
use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::symlink,
};
use tempfile::TempDir;

struct Room {
    dir: TempDir,
}

impl Room {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("temporary directory") }
    }
    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }
    fn root(&self) -> PathBuf {
        self.path("root")
    }
    fn manager(&self) -> VolumeManager {
        VolumeManager::new(self.root())
    }
    fn node(&self) -> NodeFacts {
        NodeFacts::new(self.root(), node(), "sha256:pause".into())
    }
    /// A pod; `HOST` in its spec is a directory that is not the root.
    fn pod(&self, spec: &str) -> Pod {
        let spec = spec.replace("HOST", &self.path("host").display().to_string());
        let indented: String = spec.lines().map(|line| format!("  {line}\n")).collect();
        let yaml = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: web, uid: u1}}\nspec:\n{indented}");
        let written: k8s_openapi::api::core::v1::Pod = serde_yaml::from_str(&yaml).expect("pod");
        Pod::from_manifest(written, source(), &node()).expect("pod")
    }
    fn prepare(&self, spec: &str) -> Result<(), VolumeError> {
        let mut written: api::Pod = (*self.pod(spec).written).clone();
        let spec = written.spec.as_mut().expect("spec");
        // Volumes are those of a container.
        let mount = |v: &api::Volume| api::VolumeMount {
            name: v.name.clone(),
            mount_path: format!("/{}", v.name),
            ..api::VolumeMount::default()
        };
        spec.containers[0].volume_mounts = Some(spec.volumes.iter().flatten().map(mount).collect());
        let pod = Pod::from_manifest(written, source(), &node()).expect("pod");
        self.manager().prepare(&pod, &FileVolumes::default(), jiff::Timestamp::UNIX_EPOCH, &self.node()).map(drop)
    }
    fn prepare_container(&self, pod: &Pod, index: usize, attempt: u32, ips: &[&str]) -> Result<(), VolumeError> {
        let ips: Vec<std::net::IpAddr> = ips.iter().map(|ip| ip.parse().expect("ip")).collect();
        let sandbox = SandboxFacts { id: &ContainerId::new("s"), ips: &ips };
        self.manager().prepare_container(
            pod,
            &pod.containers[index],
            &sandbox,
            Attempt(attempt),
            &DiskFacts::default(),
            &self.node(),
        )
    }
    fn empty_dir(&self, name: &str) -> PathBuf {
        self.path(&format!("root/pods/u1/volumes/kubernetes.io~empty-dir/{name}"))
    }
}

fn node() -> Node {
    Node { name: "node1".into() }
}

fn source() -> ManifestSource {
    ManifestSource { path: "/m/web.yaml".into(), document: 1 }
}

fn uid() -> PodUid {
    PodUid::new("u1")
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("metadata").mode() & 0o7777
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("file")
}

/// The message with those of its sources.
fn chain(error: &VolumeError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

const PLAIN: &str = "containers: [{name: c, image: i}]";
const ONE_EMPTY_DIR: &str = "containers: [{name: c, image: i}]\nvolumes: [{name: cache, emptyDir: {}}, {name: silent}]";

#[test]
fn an_empty_dir_is_anyones_and_outlives_another_prepare() {
    let room = Room::new();
    room.prepare(ONE_EMPTY_DIR).expect("prepared");
    let (cache, silent) = (room.empty_dir("cache"), room.empty_dir("silent"));
    assert_eq!((mode(&cache), mode(&silent)), (0o777, 0o777));
    assert_eq!(mode(&room.path("root/pods/u1")), 0o750);
    fs::write(cache.join("kept"), "x").expect("written");
    fs::set_permissions(&cache, Permissions::from_mode(0o700)).expect("mode");
    room.prepare(ONE_EMPTY_DIR).expect("prepared again");
    assert_eq!((text(&cache.join("kept")), mode(&cache)), ("x".to_owned(), 0o700));
}

#[test]
fn an_unfinished_empty_dir_is_finished() {
    let room = Room::new();
    let unfinished = room.empty_dir("cache~new");
    fs::create_dir_all(&unfinished).expect("left by a crash");
    room.prepare(ONE_EMPTY_DIR).expect("prepared");
    assert_eq!(mode(&room.empty_dir("cache")), 0o777);
    assert!(!unfinished.exists());
}

#[test]
fn something_else_in_the_place_of_a_volume_is_named() {
    let room = Room::new();
    fs::create_dir_all(room.empty_dir("x").parent().expect("parent")).expect("directories");
    symlink("/etc", room.empty_dir("cache")).expect("link");
    let error = chain(&room.prepare(ONE_EMPTY_DIR).expect_err("a link"));
    let path = room.empty_dir("cache");
    assert!(
        error.starts_with(&format!("pod default/web-node1, volume cache: can not use {}: ", path.display())),
        "{error}"
    );
}

#[test]
fn host_path_types() {
    let room = Room::new();
    let host = room.path("host");
    fs::create_dir(&host).expect("directory");
    fs::write(host.join("file"), "").expect("file");
    fs::create_dir(host.join("dir")).expect("directory");
    let _socket = std::os::unix::net::UnixListener::bind(host.join("socket")).expect("socket");
    for (name, target) in [("to-dir", "dir"), ("to-file", "file"), ("to-nothing", "none")] {
        symlink(target, host.join(name)).expect("link");
    }
    let cases = [
        ("dir", "", None),
        ("file", "", None),
        ("dir", "Directory", None),
        ("to-dir", "Directory", None),
        ("dir", "DirectoryOrCreate", None),
        ("file", "File", None),
        ("to-file", "FileOrCreate", None),
        ("socket", "Socket", None),
        ("file", "Directory", Some("is not a directory")),
        ("file", "DirectoryOrCreate", Some("is not a directory")),
        ("none", "Directory", Some("is not a directory")),
        ("to-nothing", "Directory", Some("is not a directory")),
        ("dir", "File", Some("is not a file")),
        ("none", "File", Some("is not a file")),
        ("dir", "FileOrCreate", Some("is not a file")),
        ("file", "Socket", Some("is not a socket file")),
        ("none", "Socket", Some("is not a socket file")),
        ("file", "CharDevice", Some("is not a character device")),
        ("file", "BlockDevice", Some("is not a block device")),
        ("file", "Fifo", Some("is an invalid volume type")),
        ("none", "Fifo", Some("is an invalid volume type")),
        ("dir/../file", "", Some("must not contain \"..\"")),
    ];
    for (path, kind, problem) in cases {
        let spec = format!("{PLAIN}\nvolumes: [{{name: v, hostPath: {{path: 'HOST/{path}', type: '{kind}'}}}}]");
        match (room.prepare(&spec), problem) {
            (Ok(()), None) => {}
            (Err(error), Some(problem)) => {
                let path = host.join(path);
                let expected = format!(
                    "pod default/web-node1, volume v: hostPath type check failed: {} {problem}; make it so, or correct hostPath.type",
                    path.display()
                );
                assert_eq!(error.to_string(), expected);
            }
            (result, problem) => panic!("{path} as {kind}: {result:?} instead of {problem:?}"),
        }
    }
    assert!(!host.join("none").exists());
    let device = format!("{PLAIN}\nvolumes: [{{name: v, hostPath: {{path: /dev/null, type: CharDevice}}}}]");
    room.prepare(&device).expect("a device");
    let is_block = |path: &PathBuf| {
        let kind = fs::metadata(path).map(|metadata| metadata.file_type());
        kind.is_ok_and(|kind| std::os::unix::fs::FileTypeExt::is_block_device(&kind))
    };
    let mut devices = fs::read_dir("/dev").expect("devices").flatten().map(|entry| entry.path());
    match devices.find(is_block) {
        Some(path) => {
            let block = device.replace("/dev/null", &path.display().to_string()).replace("CharDevice", "BlockDevice");
            room.prepare(&block).expect("a block device");
            assert!(room.prepare(&block.replace("BlockDevice", "CharDevice")).is_err());
        }
        None => println!("NOT ASKED, because this machine has no block device: BlockDevice"),
    }
}

#[test]
fn only_volumes_that_are_mounted_are_made_and_checked() {
    let room = Room::new();
    let of = |first: &str| {
        room.pod(&format!(
            "containers: [{{name: a, image: i, volumeMounts: [{first}]}}, {{name: b, image: i, volumeMounts: [{{name: file, mountPath: \
             /f}}]}}]\nvolumes: [{{name: cache, emptyDir: {{}}}}, {{name: log, hostPath: {{path: HOST/log}}}}, {{name: file, \
             hostPath: {{path: HOST/file, type: File}}}}, {{name: none, hostPath: {{path: HOST/none, type: Directory}}}}]"
        ))
    };
    let file = room.path("host/file");
    fs::create_dir(room.path("host")).expect("directory");
    let prepare =
        |pod: &Pod| room.manager().prepare(pod, &FileVolumes::default(), jiff::Timestamp::UNIX_EPOCH, &room.node());
    assert!(matches!(prepare(&of("")), Err(VolumeError::HostPathType { path, .. }) if path == file));
    fs::write(&file, "").expect("file");
    prepare(&of("")).expect("nobody mounts the one that is missing");
    assert!(!room.empty_dir("cache").exists() && !room.path("host/log").exists());
    // What only the other container mounts has gone, and this one comes to mount more.
    fs::remove_file(&file).expect("removed");
    let pod = of("{name: cache, mountPath: /c}, {name: log, mountPath: /l}");
    room.prepare_container(&pod, 0, 1, &[]).expect("prepared");
    assert!(room.empty_dir("cache").is_dir() && room.path("host/log").is_dir());
    assert!(matches!(room.prepare_container(&pod, 1, 1, &[]), Err(VolumeError::HostPathType { .. })));
}

#[test]
fn host_paths_are_made_where_the_type_says_so() {
    let room = Room::new();
    let spec = "containers: [{name: c, image: i}]\nvolumes: [{name: a, hostPath: {path: HOST/deep/dir, type: DirectoryOrCreate}}, \
        {name: b, hostPath: {path: HOST/file, type: FileOrCreate}}, {name: c, hostPath: {path: HOST/untyped/dir}}]";
    room.prepare(spec).expect("prepared");
    let host = room.path("host");
    assert!(host.join("deep/dir").is_dir() && host.join("untyped/dir").is_dir());
    assert!(host.join("file").is_file());
    room.prepare(spec).expect("prepared again");
    // Parents of files are not made: a missing one is more likely a missing mount.
    let error =
        room.prepare(&format!("{PLAIN}\nvolumes: [{{name: v, hostPath: {{path: HOST/no/file, type: FileOrCreate}}}}]"));
    let error = chain(&error.expect_err("no parent"));
    assert!(error.contains("can not create") && error.contains("host/no/file: No such file"), "{error}");
}

#[test]
fn kinds_that_are_not_built_are_refused_by_name() {
    let room = Room::new();
    for volume in ["cephfs: {monitors: [m]}", "nfs: {server: s, path: /}"] {
        let error = room.prepare(&format!("{PLAIN}\nvolumes: [{{name: v, {volume}}}]")).expect_err(volume);
        assert!(
            matches!(&error, VolumeError::Unsupported { place } if place.to_string() == "pod default/web-node1, volume v: ")
        );
    }
}

#[test]
fn hosts_is_rewritten_in_place() {
    let room = Room::new();
    let pod = room.pod("hostname: h\ncontainers: [{name: c, image: i}]");
    let path = room.path("root/pods/u1/etc-hosts");
    room.prepare_container(&pod, 0, 0, &[]).expect("no address");
    assert!(!path.exists());
    room.prepare_container(&pod, 0, 0, &["172.17.0.2"]).expect("prepared");
    let before = fs::metadata(&path).expect("hosts");
    assert!(text(&path).ends_with("172.17.0.2\th\n"));
    assert_eq!(mode(&path), 0o644);
    room.prepare_container(&pod, 0, 1, &["172.17.0.3"]).expect("prepared");
    assert!(text(&path).ends_with("172.17.0.3\th\n"));
    // Containers that run mount the inode.
    assert_eq!(fs::metadata(&path).expect("hosts").ino(), before.ino());

    // A container has blown it up; it is not read back into memory.
    let blown_up = OpenOptions::new().write(true).open(&path).expect("hosts");
    blown_up.set_len(1 << 40).expect("a sparse file");
    room.prepare_container(&pod, 0, 2, &["172.17.0.3"]).expect("prepared");
    assert!(text(&path).ends_with("172.17.0.3\th\n"));

    let host_network = room
        .pod("hostNetwork: true\nhostAliases: [{ip: 192.0.2.1, hostnames: [a]}]\ncontainers: [{name: c, image: i}]");
    room.prepare_container(&host_network, 0, 0, &[]).expect("prepared");
    assert!(text(&path).contains("(host network)") && text(&path).ends_with("192.0.2.1\ta\n"));
}

#[test]
fn each_instance_has_its_termination_log_and_old_ones_go() {
    let room = Room::new();
    let pod = room.pod("containers: [{name: c, image: i}, {name: quiet, image: i, terminationMessagePath: ''}]");
    // An empty path is the default one, as the API server has it.
    let logs = room.path("root/pods/u1/containers/c");
    for attempt in 0..12 {
        room.prepare_container(&pod, 0, attempt, &[]).expect("prepared");
        fs::write(logs.join(attempt.to_string()), format!("died {attempt}")).expect("last words");
    }
    let mut names: Vec<_> = fs::read_dir(&logs).expect("list").map(|e| e.expect("entry").file_name()).collect();
    names.sort();
    assert_eq!(names, ["10", "11"]);
    assert_eq!((text(&logs.join("10")), mode(&logs.join("11"))), ("died 10".to_owned(), 0o666));
    // The same attempt made again starts empty.
    room.prepare_container(&pod, 0, 11, &[]).expect("prepared");
    assert_eq!(text(&logs.join("11")), "");
    room.prepare_container(&pod, 1, 0, &[]).expect("prepared");
    assert!(room.path("root/pods/u1/containers/quiet/0").exists());
}

#[test]
fn files_are_never_written_through_links() {
    let room = Room::new();
    let pod = room.pod(PLAIN);
    let victim = room.path("victim");
    fs::write(&victim, "untouched").expect("victim");
    room.prepare_container(&pod, 0, 0, &["172.17.0.2"]).expect("prepared");
    for path in ["root/pods/u1/etc-hosts", "root/pods/u1/containers/c/0"] {
        let path = room.path(path);
        fs::remove_file(&path).expect("removed");
        symlink(&victim, &path).expect("link");
        assert!(room.prepare_container(&pod, 0, 0, &["172.17.0.2"]).is_err());
        fs::remove_file(&path).expect("removed");
    }
    assert_eq!(text(&victim), "untouched");
}

#[test]
fn removal_takes_all_of_the_pod_and_nothing_else() {
    let room = Room::new();
    let outside = room.path("outside");
    fs::create_dir_all(outside.join("deep")).expect("directories");
    fs::write(outside.join("deep/file"), "kept").expect("file");
    room.prepare(ONE_EMPTY_DIR).expect("prepared");
    let cache = room.empty_dir("cache");
    symlink(&outside, cache.join("link")).expect("link");
    symlink("/", cache.join("slash")).expect("link");
    fs::create_dir_all(cache.join("a/b/c")).expect("directories");
    fs::set_permissions(cache.join("a"), Permissions::from_mode(0o500)).expect("mode");
    room.manager().remove(&uid()).expect("removed");
    assert!(!room.path("root/pods/u1").exists());
    assert_eq!(text(&outside.join("deep/file")), "kept");
    room.manager().remove(&uid()).expect("gone already");
    room.manager().remove(&PodUid::new("never-was")).expect("never was");
}

#[test]
fn a_pod_directory_that_is_a_link_is_removed_as_one() {
    let room = Room::new();
    let outside = room.path("outside");
    fs::create_dir_all(outside.join("dir")).expect("directories");
    fs::create_dir_all(room.path("root/pods")).expect("directories");
    symlink(&outside, room.path("root/pods/u1")).expect("link");
    room.manager().remove(&uid()).expect("removed");
    assert!(outside.join("dir").is_dir() && !room.path("root/pods/u1").exists());
}

#[test]
fn uids_that_lead_elsewhere_are_rejected_before_anything_is_touched() {
    let room = Room::new();
    fs::create_dir_all(room.path("root/pods")).expect("directories");
    fs::write(room.path("root/kept"), "").expect("file");
    for bad in ["", ".", "..", "../..", "a/b", "/etc", "a\0b", "-rf"] {
        let uid = PodUid::new(bad);
        let error = room.manager().remove(&uid).expect_err(bad);
        assert!(chain(&error).contains("is not a plain name"), "{error:?}");
        let pod = Pod { uid: uid.clone(), ..room.pod(ONE_EMPTY_DIR) };
        assert!(
            matches!(
                room.manager().prepare(&pod, &FileVolumes::default(), jiff::Timestamp::UNIX_EPOCH, &room.node()),
                Err(VolumeError::Name { .. })
            ),
            "{bad:?}"
        );
        let store = AppliedStore::new(room.root());
        assert!(store.save_applied(&uid, &pod.written, &pod.source).is_err());
        assert_eq!(store.load_applied(&uid), None);
    }
    assert_eq!(fs::read_dir(room.path("root")).expect("list").count(), 2);
    assert_eq!(fs::read_dir(room.path("root/pods")).expect("list").count(), 0);
}

#[test]
fn a_sweep_keeps_what_it_is_told_to() {
    let room = Room::new();
    assert_eq!(room.manager().known_uids().expect("nothing yet"), BTreeSet::new());
    for uid in ["a", "b", "c"] {
        fs::create_dir_all(room.path(&format!("root/pods/{uid}/volumes"))).expect("directories");
    }
    fs::create_dir(room.path("root/pods/.not ours")).expect("directory");
    let all = BTreeSet::from(["a", "b", "c"].map(PodUid::new));
    assert_eq!(room.manager().known_uids().expect("known"), all);
    let set_aside = || {
        let leftovers = room.manager().set_aside(&BTreeSet::from(["b", "z"].map(PodUid::new))).expect("set aside");
        assert!(leftovers.failed.is_empty(), "{:?}", leftovers.failed);
        assert_eq!(room.manager().known_uids().expect("known"), BTreeSet::from([PodUid::new("b")]));
        leftovers.aside
    };
    let uids = |aside: &[(String, PathBuf)]| aside.iter().map(|(uid, _)| uid.clone()).collect::<BTreeSet<_>>();
    assert_eq!(uids(&set_aside()), BTreeSet::from(["a", "c"].map(str::to_owned)));
    // The daemon died before they were removed, and a pod of one of the uids came and went.
    fs::create_dir_all(room.path("root/pods/a/volumes")).expect("directories");
    let aside = set_aside();
    assert_eq!((uids(&aside).len(), aside.len()), (2, 3));
    aside.iter().for_each(|(_, path)| room.manager().remove_aside(path).expect("removed"));
    assert_eq!(set_aside(), []);
    assert!(room.path("root/pods/.not ours").exists() && room.path("root/pods/b/volumes").exists());
    assert_eq!(fs::read_dir(room.path("root/pods")).expect("list").count(), 2);
}

#[test]
fn the_applied_manifest_reads_back() {
    let room = Room::new();
    let store = AppliedStore::new(room.root());
    assert_eq!(store.load_applied(&uid()), None);
    let pod = room.pod(ONE_EMPTY_DIR);
    for source in [source(), ManifestSource { path: "/other.yaml".into(), document: 0 }] {
        store.save_applied(&uid(), &pod.written, &source).expect("saved");
        assert_eq!(store.load_applied(&uid()), Some(((*pod.written).clone(), source)));
    }
    let path = room.path("root/pods/u1/pod.json");
    assert_eq!(mode(&path), 0o600);
    let whole = fs::read(&path).expect("file");
    for bad in [&b""[..], b"{}", b"null", &whole[..whole.len() / 2], &[0u8; 64]] {
        fs::write(&path, bad).expect("damaged");
        assert_eq!(store.load_applied(&uid()), None);
    }
    let later = String::from_utf8(whole).expect("text").replace("\"schema\":1", "\"schema\":2");
    fs::write(&path, later).expect("later version");
    assert_eq!(store.load_applied(&uid()), None);
    // What a crash left half written does not matter.
    fs::write(room.path("root/pods/u1/pod.json~new"), "{").expect("left by a crash");
    store.save_applied(&uid(), &pod.written, &source()).expect("saved");
    assert!(store.load_applied(&uid()).is_some());
    room.manager().remove(&uid()).expect("removed");
    assert_eq!(store.load_applied(&uid()), None);
}

#[test]
fn sizes_of_memory_volumes() {
    let room = Room::new();
    let with = |name: &str, more: &str| {
        format!("{{name: {name}, image: i{more}, resources: {{limits: {{memory: {name}Mi}}}}}}")
    };
    let (one, two, three) = (with("1", ""), with("2", ""), with("3", ""));
    let (init, sidecar) = (with("5", ""), with("4", ", restartPolicy: Always"));
    for (limit, containers, init, size) in [
        ("", "{name: a, image: i}".to_owned(), "", 8 << 20),
        ("sizeLimit: 1Mi", "{name: a, image: i}".to_owned(), "", 1 << 20),
        ("sizeLimit: 0", "{name: a, image: i}".to_owned(), "", 8 << 20),
        ("", three.clone(), "", 3 << 20),
        ("", format!("{three}, {{name: b, image: i}}"), "", 8 << 20),
        ("", format!("{one}, {two}"), "", 3 << 20),
        ("sizeLimit: 9Mi", three.clone(), "", 3 << 20),
        // The larger of what runs before the apps and what runs with them.
        ("", three.clone(), init.as_str(), 5 << 20),
        ("", format!("{three}, {{name: b, image: i}}"), init.as_str(), 8 << 20),
        ("", three.clone(), sidecar.as_str(), 7 << 20),
        ("", one.clone(), &format!("{}, {sidecar}", with("2", "")), 5 << 20),
        ("", one.clone(), &format!("{}, {}", with("4", ", restartPolicy: Always"), with("2", "")), 6 << 20),
    ] {
        let pod = room
            .pod(&format!("initContainers: [{init}]\ncontainers: [{containers}]\nvolumes: [{{name: v, emptyDir: {{medium: Memory, {limit}}}}}]"));
        let volume = pod.spec.volumes.as_ref().expect("volumes")[0].empty_dir.clone().expect("emptyDir");
        assert_eq!(memory_size(&pod, &volume, 8 << 20), Some(size), "{limit} | {containers}");
        assert_eq!(memory_size(&pod, &volume, 0), Some(size).filter(|size| *size < 8 << 20), "{limit} | {containers}");
    }
}

#[test]
fn sizes_of_huge_pages() {
    let room = Room::new();
    let limits = |sizes: &str| format!("containers: [{{name: c, image: i, resources: {{limits: {{{sizes}}}}}}}]");
    for (sizes, medium, expected) in [
        ("hugepages-2Mi: 4Mi", "HugePages", Ok(2 << 20)),
        ("hugepages-2Mi: 4Mi", "HugePages-2Mi", Ok(2 << 20)),
        ("hugepages-2Mi: 4Mi, hugepages-1Gi: 1Gi", "HugePages-1Gi", Ok(1 << 30)),
        ("hugepages-2Mi: 4Mi, hugepages-1Gi: 1Gi", "HugePages", Err("several sizes")),
        ("hugepages-2Mi: 4Mi", "HugePages-1Gi", Err("no container asks for huge pages of that size")),
        ("memory: 1Gi", "HugePages", Err("no container asks for huge pages of that size")),
        ("hugepages-2Mi: 4Mi", "HugePages-big", Err("names no size")),
    ] {
        let found = memory::page_size(&room.pod(&limits(sizes)), medium);
        match (&found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(*found, expected, "{sizes} | {medium}"),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            _ => panic!("{sizes} | {medium}: {found:?}"),
        }
    }
}

#[test]
fn group_ids_out_of_range_are_named() {
    let room = Room::new();
    for group in [-1, i64::MAX] {
        let error =
            room.prepare(&format!("{ONE_EMPTY_DIR}\nsecurityContext: {{fsGroup: {group}}}")).expect_err("no group");
        assert!(matches!(error, VolumeError::Group { group: found, .. } if found == group));
    }
}

#[test]
fn an_image_is_unpacked_once_and_complete_or_not_there() {
    use crate::engine::archive::{LayerEntry, image_archive};
    let room = Room::new();
    let of = |image: &str| {
        room.pod(&format!(
            "containers: [{{name: c, image: i, volumeMounts: [{{name: v, mountPath: /v}}]}}]\n\
             volumes: [{{name: v, image: {{reference: '{image}'}}}}]"
        ))
    };
    let pod = of("files:1");
    let [volume] = pod.containers[0].image_volumes.as_slice() else { panic!("{:?}", pod.containers[0]) };
    room.manager().prepare(&pod, &FileVolumes::default(), jiff::Timestamp::UNIX_EPOCH, &room.node()).expect("prepared");
    let file = [LayerEntry::File("greeting", 0o640, b"hello")];
    let image = image_archive("files:1", &serde_json::json!({}), &file);
    let path = paths::image(&room.root(), &pod.uid, volume).expect("path");
    // An archive that the engine has not finished is no volume, and is written anew.
    for bytes in [&image.bytes[..100], &image.bytes] {
        assert!(!path.exists());
        let mut archive = room.manager().begin_image(&pod, volume).expect("begun").expect("nothing is there yet");
        archive.write_all(bytes).expect("written");
        let finished = room.manager().finish_image(&pod, volume, &|| false);
        assert_eq!(finished.is_ok(), bytes.len() == image.bytes.len(), "{finished:?}");
    }
    // As a crash leaves them that comes before the archive is removed, or an engine that came late.
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
    fs::write(beside("~archive"), "x").expect("left by a crash");
    fs::create_dir_all(beside("~new").join("deep")).expect("left by a crash");
    assert!(room.manager().begin_image(&pod, volume).expect("looked at").is_none(), "it is there");
    assert_eq!((text(&path.join("greeting")).as_str(), mode(&path.join("greeting"))), ("hello", 0o640));
    let left: Vec<_> = fs::read_dir(path.parent().expect("parent")).expect("list").collect();
    assert_eq!(left.len(), 1, "{left:?}");
    // Another image under the same name is another directory.
    let edited = of("files:2");
    let [other] = edited.containers[0].image_volumes.as_slice() else { panic!("{edited:?}") };
    assert!(room.manager().begin_image(&edited, other).expect("looked at").is_some());
    room.manager().remove(&uid()).expect("removed");
    assert!(!room.path("root/pods/u1").exists());
}
