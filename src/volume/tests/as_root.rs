//! These change owners and mount file systems, which only root may do.

use super::*;

#[test]
#[ignore = "needs root: changes a group"]
fn fs_group_owns_an_empty_dir() {
    let room = Room::new();
    room.prepare(&format!("{ONE_EMPTY_DIR}\nsecurityContext: {{fsGroup: 4321}}")).expect("prepared");
    let cache = room.empty_dir("cache");
    assert_eq!((mode(&cache), fs::metadata(&cache).expect("metadata").gid()), (0o2777, 4321));
}

#[test]
#[ignore = "needs root: mounts memory"]
fn a_memory_volume_is_mounted_once_and_unmounted_with_its_pod() {
    let room = Room::new();
    let spec = "securityContext: {fsGroup: 4321}\ncontainers: [{name: c, image: i}]\nvolumes: [{name: m, emptyDir: {medium: Memory, sizeLimit: 1Mi}}]";
    room.prepare(spec).expect("prepared");
    let memory = room.empty_dir("m");
    assert_eq!((mode(&memory), fs::metadata(&memory).expect("metadata").gid()), (0o2777, 4321));
    fs::write(memory.join("kept"), "x").expect("written");
    room.prepare(spec).expect("prepared again");
    assert_eq!(text(&memory.join("kept")), "x");
    assert!(fs::write(memory.join("big"), vec![1u8; 2 << 20]).is_err(), "the limit is kept");
    // After a reboot the directory is there, and nothing is mounted on it.
    mount_table::unmount(&memory).expect("unmounted");
    room.prepare(spec).expect("prepared after a reboot");
    assert!(memory::is_mount_point(&memory).expect("metadata") && !memory.join("kept").exists());
    room.manager().remove(&uid()).expect("removed");
    assert!(!room.path("root/pods/u1").exists());
}

#[test]
#[ignore = "needs root: mounts memory"]
fn an_edit_of_medium_and_size_counts() {
    let room = Room::new();
    let memory = room.empty_dir("m");
    let prepare = |source: &str| {
        room.prepare(&format!("{PLAIN}\nvolumes: [{{name: m, emptyDir: {source}}}]")).expect("prepared");
        let found = nix::sys::statvfs::statvfs(&memory).expect("file system");
        let mounted = memory::is_mount_point(&memory).expect("metadata");
        mounted.then(|| found.blocks() * found.fragment_size())
    };
    assert_eq!(prepare("{medium: Memory, sizeLimit: 1Mi}"), Some(1 << 20));
    let file = memory.join("file");
    fs::write(&file, vec![1u8; 1 << 19]).expect("written");
    // As long as there is room the content stays.
    let pages = 2_000_000_u64.div_ceil(4096);
    for _ in 0..2 {
        assert_eq!(prepare("{medium: Memory, sizeLimit: 2M}"), Some(pages * 4096));
    }
    assert!(file.exists());
    assert_eq!(prepare("{medium: Memory, sizeLimit: 64Ki}"), Some(64 << 10));
    assert!(!file.exists());
    fs::write(&file, "in memory").expect("written");
    assert_eq!((prepare("{}"), mode(&memory)), (None, 0o777));
    assert!(!file.exists());
    fs::write(&file, "on the disk").expect("written");
    assert_eq!(prepare("{}"), None);
    assert_eq!(text(&file), "on the disk");
    room.manager().remove(&uid()).expect("removed");
}

#[test]
#[ignore = "needs root: mounts memory"]
fn a_secret_that_is_no_volume_any_more_is_in_memory_no_more() {
    let room = Room::new();
    let pod = room.pod(
        "containers: [{name: c, image: i, volumeMounts: [{name: s, mountPath: /s, subPath: key}]}]\nvolumes: [{name: s, secret: \
         {secretName: s}}]",
    );
    let content = convert::VolumeFile { content: Confidential::new(*b"hunter2"), mode: 0o600 };
    let files = BTreeMap::from([(PathBuf::from("key"), content)]);
    let secret = convert::FileVolume { name: "s".into(), medium: convert::Medium::Memory, group: None, files };
    let files = FileVolumes { volumes: vec![secret], failed: Vec::new() };
    room.manager().prepare(&pod, &files, jiff::Timestamp::UNIX_EPOCH, &room.node()).expect("prepared");
    room.prepare_container(&pod, 0, 0, &[]).expect("prepared");
    let mounts = || {
        let (table, root) = (fs::read_to_string("/proc/self/mountinfo").expect("mounts"), room.root());
        table.lines().filter(|line| line.contains(&root.display().to_string())).count()
    };
    assert_eq!(mounts(), 2, "the volume, and the part that the container mounts");
    room.prepare(PLAIN).expect("prepared without it");
    assert_eq!(mounts(), 0);
    room.manager().remove(&uid()).expect("removed");
}

#[test]
#[ignore = "needs root: mounts huge pages"]
fn huge_pages_are_mounted_in_the_size_that_the_pod_asks_for() {
    let filesystems = fs::read_to_string("/proc/filesystems").expect("file systems");
    if !filesystems.contains("hugetlbfs") || !Path::new("/sys/kernel/mm/hugepages/hugepages-2048kB").exists() {
        println!("NOT RUN, because this kernel has no huge pages of 2 MiB");
        return;
    }
    let room = Room::new();
    let spec = "securityContext: {fsGroup: 4321}\ncontainers: [{name: c, image: i, resources: {limits: {hugepages-2Mi: 4Mi, \
                memory: 1Mi}}}]\nvolumes: [{name: m, emptyDir: {medium: HugePages, sizeLimit: 4Mi}}]";
    for _ in 0..2 {
        room.prepare(spec).expect("prepared");
    }
    let pages = room.empty_dir("m");
    assert_eq!((mode(&pages), fs::metadata(&pages).expect("metadata").gid()), (0o2777, 4321));
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let mounted: Vec<_> = mounts.lines().filter(|line| line.contains(&format!(" {} ", pages.display()))).collect();
    let [mount] = mounted.as_slice() else { panic!("{mounted:?}") };
    assert!(mount.contains(" - hugetlbfs ") && mount.contains("pagesize=2M") && mount.contains("size=4"), "{mount}");
    room.manager().remove(&uid()).expect("removed");
    assert!(!room.path("root/pods/u1").exists());
}

#[test]
#[ignore = "needs root: binds directories"]
fn what_is_mounted_in_a_volume_survives_its_removal() {
    let room = Room::new();
    let outside = room.path("outside");
    fs::create_dir_all(&outside).expect("directory");
    fs::write(outside.join("file"), "kept").expect("file");
    room.prepare(ONE_EMPTY_DIR).expect("prepared");
    // As a container with Bidirectional propagation does, twice on one place.
    let inner = room.empty_dir("cache").join("with blank");
    fs::create_dir(&inner).expect("directory");
    for _ in 0..2 {
        let none = None::<&Path>;
        nix::mount::mount(Some(&outside), &inner, none, nix::mount::MsFlags::MS_BIND, none).expect("bound");
    }
    room.manager().remove(&uid()).expect("removed");
    assert!(!room.path("root/pods/u1").exists());
    assert_eq!(text(&outside.join("file")), "kept");
}

fn sub_path_pod(room: &Room, mounts: &str) -> Pod {
    let pod = room.pod(&format!(
        "containers: [{{name: c, image: i, volumeMounts: [{mounts}]}}]\nvolumes: [{{name: v}}, {{name: h, hostPath: {{path: HOST}}}}]"
    ));
    room.manager().prepare(&pod, &FileVolumes::default(), jiff::Timestamp::UNIX_EPOCH, &room.node()).expect("prepared");
    pod
}

#[test]
#[ignore = "needs root: binds directories"]
fn sub_paths_are_made_and_bound() {
    let room = Room::new();
    let pod = sub_path_pod(
        &room,
        "{name: v, mountPath: /a, subPath: new/deep}, {name: h, mountPath: /b, subPath: file}, {name: h, mountPath: /c, subPath: link/x}",
    );
    let host = room.path("host");
    fs::write(host.join("file"), "content").expect("file");
    fs::create_dir(host.join("real")).expect("directory");
    symlink("real", host.join("link")).expect("link");
    room.prepare_container(&pod, 0, 0, &[]).expect("prepared");
    let target = |index: usize, volume: &str| {
        paths::sub_path(&room.root(), &uid(), volume, &ContainerName::new("c"), index).expect("path")
    };
    assert_eq!((mode(&target(0, "v")), mode(&room.empty_dir("v").join("new"))), (0o777, 0o777));
    fs::write(target(0, "v").join("through"), "").expect("written");
    assert!(room.empty_dir("v").join("new/deep/through").exists());
    assert_eq!(text(&target(1, "h")), "content");
    assert!(host.join("real/x").is_dir());
    // Another instance, with the file replaced by another.
    fs::remove_file(host.join("file")).expect("removed");
    fs::write(host.join("file"), "newer").expect("file");
    room.prepare_container(&pod, 0, 1, &[]).expect("prepared again");
    assert_eq!(text(&target(1, "h")), "newer");
    fs::remove_file(host.join("file")).expect("removed");
    fs::create_dir(host.join("file")).expect("directory");
    room.prepare_container(&pod, 0, 2, &[]).expect("a directory now");
    assert!(target(1, "h").is_dir());
    room.manager().remove(&uid()).expect("removed");
    assert!(host.join("file").is_dir() && host.join("real/x").is_dir());
    assert!(!room.path("root/pods/u1").exists());
}

#[test]
#[ignore = "needs root: binds directories"]
fn sub_paths_never_leave_their_volume() {
    let room = Room::new();
    let secret = room.path("secret");
    fs::create_dir(&secret).expect("directory");
    let pod = sub_path_pod(&room, "{name: v, mountPath: /a, subPath: x/y}");
    let volume = room.empty_dir("v");
    for target in [secret.as_path(), Path::new("../../../../../.."), Path::new("/"), Path::new("/proc/self/cwd")] {
        symlink(target, volume.join("x")).expect("link");
        let error = room.prepare_container(&pod, 0, 0, &[]).expect_err("escape");
        assert!(matches!(&error, VolumeError::Escapes { path, .. } if path == Path::new("x/y")), "{error:?}");
        fs::remove_file(volume.join("x")).expect("removed");
    }
    assert_eq!(fs::read_dir(&secret).expect("list").count(), 0);
    // An absolute link to a place inside is followed, as a kubelet does.
    fs::create_dir_all(volume.join("releases/5/y")).expect("directories");
    symlink(volume.join("releases/5"), volume.join("x")).expect("link");
    room.prepare_container(&pod, 0, 0, &[]).expect("prepared");
    let target = paths::sub_path(&room.root(), &uid(), "v", &ContainerName::new("c"), 0).expect("path");
    fs::write(target.join("through"), "").expect("written");
    assert!(volume.join("releases/5/y/through").exists());
    fs::remove_file(volume.join("x")).expect("removed");
    // A link in a circle, and one to nothing.
    symlink("x", volume.join("x")).expect("link");
    assert!(matches!(room.prepare_container(&pod, 0, 0, &[]), Err(VolumeError::Escapes { .. })));
    fs::remove_file(volume.join("x")).expect("removed");
    symlink("nothing", volume.join("x")).expect("link");
    assert!(matches!(room.prepare_container(&pod, 0, 0, &[]), Err(VolumeError::Io { .. })));
    room.manager().remove(&uid()).expect("removed");
}

/// As on every node with systemd: a host directory whose mounts are shared, with a disk mounted in it.
#[test]
#[ignore = "needs root: mounts memory"]
fn what_is_mounted_in_a_directory_of_the_host_stays_when_a_sub_path_of_it_goes() {
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    let none = None::<&Path>;
    let room = Room::new();
    let host = room.path("host");
    let disk = |name: &str| {
        let path = host.join("part").join(name);
        fs::create_dir_all(&path).expect("directory");
        mount(Some("tmpfs"), &path, Some("tmpfs"), MsFlags::empty(), none).expect("mounted");
        fs::write(path.join("file"), name).expect("file");
    };
    fs::create_dir_all(&host).expect("directory");
    mount(Some("tmpfs"), &host, Some("tmpfs"), MsFlags::empty(), none).expect("mounted");
    mount(none, &host, none, MsFlags::MS_SHARED, none).expect("shared");
    disk("before");
    let pod = sub_path_pod(&room, "{name: h, mountPath: /b, subPath: part}");
    let target = paths::sub_path(&room.root(), &uid(), "h", &ContainerName::new("c"), 0).expect("path");
    let seen = |path: &Path| ["before", "late"].map(|name| fs::read_to_string(path.join(name).join("file")).is_ok());
    room.prepare_container(&pod, 0, 0, &[]).expect("prepared");
    assert_eq!(seen(&target), [true, false], "mounts in it are part of it");
    disk("late");
    assert_eq!(seen(&target), [true, true]);
    room.prepare_container(&pod, 0, 1, &[]).expect("prepared for the next instance");
    assert_eq!((seen(&target), seen(&host.join("part"))), ([true, true], [true, true]));
    room.manager().remove(&uid()).expect("removed");
    assert_eq!(seen(&host.join("part")), [true, true]);
    umount2(&host, MntFlags::MNT_DETACH).expect("unmounted");
}
