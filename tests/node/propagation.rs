//! What is mounted on the node while a container runs, as the container sees it.

use crate::{
    node::Node,
    support::{eventually, say},
};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file system in memory, as long as this lives.
struct Mounted(PathBuf);

impl Mounted {
    fn at(path: PathBuf) -> Self {
        fs::create_dir_all(&path).unwrap();
        mount(Some("tmpfs"), &path, Some("tmpfs"), MsFlags::empty(), None::<&Path>).unwrap();
        Self(path)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_of_the_node_reaches_the_containers_that_ask_for_it() {
    let Some(node) = Node::running().await else { return };
    let shared = Mounted::at(node.path("shared"));
    if mount(None::<&Path>, &shared.0, None::<&Path>, MsFlags::MS_SHARED, None::<&Path>).is_err() {
        say("NOT RUN, because no mount can be shared here: a_mount_of_the_node_reaches_the_containers_that_ask_for_it");
        return;
    }
    let out = node.path("out");
    let container = |name: &str, propagation: &str| {
        format!(
            "{{name: {name}, image: 'kl-test/busybox:1', command: [sh, -c, 'while ! test -e /out/go; do sleep 0.2; done; cat \
             /shared/late/word > /out/{name}.tmp; busybox mv /out/{name}.tmp /out/{name}; exec sleep 3600'], volumeMounts: \
             [{{name: out, mountPath: /out}}, {{name: shared, mountPath: /shared{propagation}}}]}}"
        )
    };
    node.declare(
        "late.yaml",
        &format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: late}}, spec: {{terminationGracePeriodSeconds: 2, volumes: [{{name: \
             out, hostPath: {{path: {}, type: DirectoryOrCreate}}}}, {{name: shared, hostPath: {{path: {}}}}}], containers: [{}, \
             {}]}}}}",
            out.display(),
            shared.0.display(),
            container("follows", ", mountPropagation: HostToContainer"),
            container("stays", "")
        ),
    );
    node.runs("late", "follows").await;
    node.runs("late", "stays").await;
    let late = Mounted::at(shared.0.join("late"));
    fs::write(late.0.join("word"), "mounted late").unwrap();
    fs::write(out.join("go"), "").unwrap();
    let seen = async |name: &str| eventually(name, || async { fs::read_to_string(out.join(name)).ok() }).await;
    assert_eq!(seen("follows").await, "mounted late");
    assert_eq!(seen("stays").await, "");
    node.withdraw("late.yaml");
    node.nothing_left().await;
}
