//! What volumes hold: files that are written, claims that the pod has, and what is left of earlier manifests.

use super::*;

#[test]
fn what_an_edit_takes_out_of_the_volumes_goes() {
    let room = Room::new();
    room.prepare(ONE_EMPTY_DIR).expect("prepared");
    let (outside, volumes) = (room.path("outside"), room.path("root/pods/u1/volumes"));
    fs::create_dir(&outside).expect("directory");
    fs::write(outside.join("kept"), "x").expect("file");
    for file in ["cache/kept", "silent/gone"] {
        fs::write(room.empty_dir(file), "x").expect("file");
    }
    for directory in
        ["kubernetes.io~configmap/c/..1", "kubernetes.io~image/v.0123/usr", "kubernetes.io~image/v.0123~new"]
    {
        fs::create_dir_all(volumes.join(directory)).expect("directories");
    }
    fs::create_dir_all(room.path("root/pods/u1/volume-subpaths/silent/c/0")).expect("directories");
    symlink(&outside, room.empty_dir("link")).expect("link");
    symlink(&outside, volumes.join("kubernetes.io~secret")).expect("link");
    let image = room.pod(
        "containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /v}]}]\nvolumes: [{name: v, image: {reference: \
         'files:1'}}, {name: cache}]",
    );
    let current = paths::image(&room.root(), &uid(), &image.containers[0].image_volumes[0]).expect("path");
    fs::create_dir_all(&current).expect("directories");
    let prepare = |pod: &Pod| {
        let (files, now) = (FileVolumes::default(), jiff::Timestamp::UNIX_EPOCH);
        room.manager().prepare(pod, &files, now, &room.node()).expect("prepared");
    };
    let left = |path: &Path| {
        let mut names: Vec<_> = fs::read_dir(path).expect("list").map(|e| e.expect("entry").file_name()).collect();
        names.sort();
        names
    };
    prepare(&image);
    assert_eq!(left(&volumes), ["kubernetes.io~empty-dir", "kubernetes.io~image"]);
    assert_eq!(left(&volumes.join("kubernetes.io~empty-dir")), ["cache"]);
    assert_eq!(left(&volumes.join("kubernetes.io~image")), [current.file_name().expect("name")]);
    // What is declared stays, though no container uses it any more.
    assert_eq!(text(&room.empty_dir("cache/kept")), "x");
    assert!(!room.path("root/pods/u1/volume-subpaths").exists());
    prepare(&room.pod(PLAIN));
    assert_eq!(left(&volumes), [""; 0]);
    assert_eq!(text(&outside.join("kept")), "x", "no link is followed");
}

#[test]
fn a_volume_that_was_never_written_keeps_its_container_waiting() {
    let room = Room::new();
    let pod = room.pod(
        "containers: [{name: a, image: i, volumeMounts: [{name: v, mountPath: /v}]}, {name: b, image: i}]\nvolumes: [{name: v, \
         configMap: {name: gone}}]",
    );
    let failed = [("v".to_owned(), "configmap \"gone\" not found".to_owned())];
    let check = |index: usize| room.manager().check_written(&pod, &pod.containers[index], &failed);
    assert_eq!(check(0).expect_err("missing").to_string(), "configmap \"gone\" not found");
    check(1).expect("it does not mount it");
    // Its directory is not the volume.
    fs::create_dir_all(room.path("root/pods/u1/volumes/kubernetes.io~configmap/v/tmp")).expect("directories");
    check(0).expect_err("nothing was written");
    let file = convert::VolumeFile { content: Confidential::new(*b"x"), mode: 0o644 };
    let files = BTreeMap::from([(PathBuf::from("deep/key"), file)]);
    let volume = convert::FileVolume { name: "v".into(), medium: convert::Medium::Disk, group: None, files };
    let write = |volumes: &[convert::FileVolume], failed: &[(String, String)]| {
        let files = FileVolumes { volumes: volumes.to_vec(), failed: failed.to_vec() };
        room.manager().write_files(&pod, &files, jiff::Timestamp::UNIX_EPOCH).complete().expect("written")
    };
    assert_eq!(write(&[], &failed), Held::from([("v".to_owned(), None)]));
    let held = Held::from([("v".to_owned(), Some(BTreeSet::from([PathBuf::from("deep")])))]);
    assert_eq!(write(&[volume], &[]), held);
    check(0).expect("it was written before");
    assert_eq!(write(&[], &failed), held, "it keeps what it held");
}

#[test]
fn a_volume_that_can_not_be_written_does_not_hold_up_the_next() {
    let room = Room::new();
    let pod = room.pod(&format!(
        "{PLAIN}\nvolumes: [{{name: a, configMap: {{name: c}}}}, {{name: b, configMap: {{name: c}}}}, {{name: c, configMap: {{name: \
         c}}}}]"
    ));
    let volume = |name: &str| {
        let file = convert::VolumeFile { content: Confidential::new(*b"x"), mode: 0o644 };
        let files = BTreeMap::from([(PathBuf::from("key"), file)]);
        convert::FileVolume { name: name.into(), medium: convert::Medium::Disk, group: None, files }
    };
    let files = FileVolumes { volumes: ["a", "b", "c"].map(volume).to_vec(), failed: Vec::new() };
    let of = |name: &str| room.path(&format!("root/pods/u1/volumes/kubernetes.io~configmap/{name}"));
    let blocked = |name: &str| {
        fs::create_dir_all(of(name).parent().expect("parent")).expect("directories");
        fs::write(of(name), "").expect("a file in its place");
    };
    let write = || room.manager().write_files(&pod, &files, jiff::Timestamp::UNIX_EPOCH);
    blocked("a");
    let written = write();
    assert_eq!(written.held.keys().collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(text(&of("c").join("key")), "x");
    assert!(matches!(written.complete(), Err(VolumeError::Io { .. })));
    fs::remove_dir_all(of("c")).expect("removed");
    blocked("c");
    let error = write().complete().expect_err("two of them").to_string();
    assert!(error.contains("volume a: ") && error.contains("; pod default/web-node1, volume c: "), "{error}");
}

#[test]
fn a_claim_is_the_pods_from_its_beginning_or_since_it_was_mounted() {
    let room = Room::new();
    let pod = room.pod(
        "containers: [{name: a, image: i, volumeMounts: [{name: v, mountPath: /v}, {name: w, mountPath: /w}, {name: tmp, mountPath: \
         /t}]}]\nvolumes: [{name: v, persistentVolumeClaim: {claimName: one}}, {name: w, persistentVolumeClaim: {claimName: \
         two}}, {name: tmp}]",
    );
    let manager = room.manager();
    let new = || manager.new_claims(&pod, &pod.containers[0]).expect("looked at");
    let failed = [("w".to_owned(), "persistentvolumeclaim \"two\" not found".to_owned())];
    let prepare = || {
        let files = FileVolumes { volumes: Vec::new(), failed: failed.to_vec() };
        let held = manager.prepare(&pod, &files, jiff::Timestamp::UNIX_EPOCH, &room.node()).expect("prepared");
        held["w"].is_some()
    };
    assert!(!prepare());
    assert_eq!(new(), ["v", "w"]);
    manager.take_claims(&pod, &["v".to_owned()], &BTreeMap::new()).expect("taken");
    assert_eq!(new(), ["w"]);
    let check = || manager.check_written(&pod, &pod.containers[0], &failed);
    assert!(matches!(check(), Err(VolumeError::Missing { .. })), "nobody declares it, and the pod does not have it");
    manager.take_claims(&pod, &new(), &BTreeMap::new()).expect("taken");
    check().expect("the pod has it");
    // As for another sandbox.
    assert!(!prepare());
    assert_eq!(new(), ["v", "w"]);
}

#[test]
fn what_is_mounted_in_a_volume_of_files_has_its_place_there() {
    let room = Room::new();
    let of = |nested: &str| {
        room.pod(&format!(
            "containers: [{{name: a, image: i, volumeMounts: [{{name: v, mountPath: /v}}, {nested}]}}]\nvolumes: [{{name: v, \
             configMap: {{name: c}}}}, {{name: tmp, emptyDir: {{}}}}, {{name: file, hostPath: {{path: HOST}}}}]"
        ))
    };
    fs::write(room.path("host"), "").expect("file");
    let volume = room.path("root/pods/u1/volumes/kubernetes.io~configmap/v");
    let files = |names: &[&str]| {
        let file = |name: &&str| {
            let file = convert::VolumeFile { content: Confidential::new(name.as_bytes()), mode: 0o644 };
            (PathBuf::from(*name), file)
        };
        let files = names.iter().map(file).collect();
        let written = convert::FileVolume { name: "v".into(), medium: convert::Medium::Disk, group: None, files };
        let files = FileVolumes { volumes: vec![written], failed: Vec::new() };
        room.manager().write_files(&of("{name: tmp, mountPath: /t}"), &files, jiff::Timestamp::UNIX_EPOCH).complete()
    };
    files(&["one", "two"]).expect("written");
    let start = |nested: &str| room.prepare_container(&of(nested), 0, 0, &[]);
    start("{name: tmp, mountPath: /v/deep/dir}, {name: file, mountPath: /v/file}").expect("prepared");
    assert!(volume.join("deep/dir").is_dir() && volume.join("file").is_file());
    assert_eq!((mode(&volume.join("deep")), mode(&volume.join("file"))), (0o755, 0o644));
    // They outlive what comes and goes around them.
    files(&["one", "three"]).expect("written");
    assert!(volume.join("deep/dir").is_dir() && volume.join("file").is_file() && !volume.join("two").exists());
    // An edit mounts the one where the other was.
    start("{name: file, mountPath: /v/deep/dir}, {name: tmp, mountPath: /v/file}").expect("prepared");
    assert!(volume.join("deep/dir").is_file() && volume.join("file").is_dir());
    let error = chain(&start("{name: tmp, mountPath: /v/one}").expect_err("a key is there"));
    assert!(error.contains("volume v: can not make a place to mount at"), "{error}");
    assert_eq!(text(&volume.join("one")), "one");
}
