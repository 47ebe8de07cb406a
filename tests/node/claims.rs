//! Claims beside the pods: what they hold outlives who uses it.

use crate::{node::Node, objects::mounts, support::eventually};
use kubelet_lite::engine::Engine;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_keeps_its_data() {
    let Some(node) = Node::running().await else { return };
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], \
                 resources: {requests: {storage: 1Gi}}}\n";
    let out = node.path("out");
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: claims}}\nspec:\n  terminationGracePeriodSeconds: 1\n  volumes:\n  - \
         {{name: out, hostPath: {{path: {}, type: DirectoryOrCreate}}}}\n  - {{name: data, persistentVolumeClaim: {{claimName: \
         data}}}}\n  containers:\n  - name: see\n    image: kl-test/busybox:1\n    command: [sh, -c, 'echo run >> /data/runs; cp \
         /data/runs /out/runs; exec sleep 3600']\n    volumeMounts: [{{name: out, mountPath: /out}}, {{name: data, mountPath: \
         /data}}]\n",
        out.display()
    );
    node.declare("pod.yaml", &pod);
    node.said("persistentvolumeclaim \"data\" not found").await;
    node.declare("claim.yaml", claim);
    let ran = |times: usize| {
        let out = out.clone();
        async move {
            eventually("the pod has run", || async {
                let runs = fs::read_to_string(out.join("runs")).ok()?;
                (runs.lines().count() == times).then_some(())
            })
            .await;
        }
    };
    ran(1).await;
    let (_, volume) = node.dockerd.request("GET", "/volumes/k8s_default_data", None).await.unwrap();
    assert_eq!(volume["Labels"]["io.kubelet-lite.claim-name"], "data", "{volume}");
    node.withdraw("pod.yaml");
    node.withdraw("claim.yaml");
    node.nothing_left().await;
    node.declare("both.yaml", &format!("{pod}---\n{claim}"));
    ran(2).await;
    node.withdraw("both.yaml");
    node.nothing_left().await;
    let (status, _) = node.dockerd.request("GET", "/volumes/k8s_default_data", None).await.unwrap();
    assert_eq!(status, 200, "the data is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_an_edit_mounts_is_waited_for_and_given_to_the_group() {
    let Some(node) = Node::running().await else { return };
    let pod = |more: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: late}}\nspec:\n  terminationGracePeriodSeconds: 1\n  securityContext: \
             {{fsGroup: 4321}}\n  volumes: [{{name: data, persistentVolumeClaim: {{claimName: late}}}}]\n  containers:\n  - name: \
             see\n    image: kl-test/busybox:1\n    command: [sleep, '3600']\n{more}"
        )
    };
    let mounts = "    volumeMounts: [{name: data, mountPath: /data}]\n";
    node.declare("pod.yaml", &pod(""));
    let id = node.runs("late", "see").await;
    node.declare("pod.yaml", &pod(mounts));
    node.said("persistentvolumeclaim \"late\" not found").await;
    assert_eq!(node.runs("late", "see").await, id);
    // It has been used before, by root.
    let volume = serde_json::json!({ "Name": "k8s_default_late" });
    let (_, made) = node.dockerd.request("POST", "/volumes/create", Some(&volume)).await.unwrap();
    let file = Path::new(made["Mountpoint"].as_str().unwrap()).join("file");
    fs::write(&file, "before").unwrap();
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: late}\nspec: {accessModes: [ReadWriteOnce], \
                 resources: {requests: {storage: 1Gi}}}\n";
    node.declare("claim.yaml", claim);
    let id = node.replaced("late", "see", &id).await;
    assert_eq!(fs::metadata(&file).unwrap().gid(), 4321);
    // The pod has it from now on: it needs no declaration to go on with it, and is not given it again.
    std::os::unix::fs::chown(&file, None, Some(0)).unwrap();
    node.withdraw("claim.yaml");
    node.engine.kill(&id, "SIGKILL").await.unwrap();
    node.replaced("late", "see", &id).await;
    assert_eq!(fs::metadata(&file).unwrap().gid(), 0);
    node.withdraw("pod.yaml");
    node.nothing_left().await;
}

/// A pod of user 1000 whose container mounts parts of a claim, which belongs to a group.
fn parts_pod(out: &Path, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: shared}}\nspec: {{accessModes: [ReadWriteOnce], resources: \
         {{requests: {{storage: 1Gi}}}}}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: parts}}\nspec:\n  \
         terminationGracePeriodSeconds: 1\n  securityContext: {{runAsUser: 1000, fsGroup: 4321{more}}}\n  volumes:\n  - {{name: \
         out, hostPath: {{path: {}}}}}\n  - {{name: data, persistentVolumeClaim: {{claimName: shared}}}}\n  containers:\n  - name: \
         see\n    image: kl-test/busybox:1\n    env: [{{name: WHO, value: web}}]\n    command: [sh, -c, 'echo part >> /part/file; \
         {{ id -G; ls -ln /part /by-name; touch /fixed/x || echo fixed; }} > /out/seen.tmp 2>&1; cp /out/seen.tmp /out/seen; \
         exec sleep 3600']\n    volumeMounts:\n    - {{name: out, mountPath: /out}}\n    - {{name: data, mountPath: /part, subPath: \
         a/b}}\n    - {{name: data, mountPath: /by-name, subPathExpr: 'of-$(WHO)'}}\n    - {{name: data, mountPath: /fixed, subPath: \
         a, readOnly: true}}\n",
        out.display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_claim_are_mounted_and_belong_to_the_pods_group() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    fs::create_dir(&out).unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o777)).unwrap();
    // It has been used before, by root.
    let volume = serde_json::json!({ "Name": "k8s_default_shared" });
    let (_, made) = node.dockerd.request("POST", "/volumes/create", Some(&volume)).await.unwrap();
    let data = Path::new(made["Mountpoint"].as_str().unwrap()).to_owned();
    fs::create_dir_all(data.join("a/b")).unwrap();
    fs::write(data.join("a/b/file"), "before\n").unwrap();
    fs::set_permissions(data.join("a/b/file"), fs::Permissions::from_mode(0o600)).unwrap();
    let outside = node.path("outside");
    fs::write(&outside, "x").unwrap();
    symlink(&outside, data.join("a/link")).unwrap();
    node.declare("parts.yaml", &parts_pod(&out, ""));
    // The copy is not made at once.
    let whole = || async { fs::read_to_string(out.join("seen")).ok().filter(|seen| seen.ends_with("fixed\n")) };
    let seen = eventually("the pod has looked", whole).await;
    assert!(seen.lines().next().unwrap().contains("4321"), "{seen}");
    assert_eq!(fs::read_to_string(data.join("a/b/file")).unwrap(), "before\npart\n");
    for path in ["", "a", "a/b", "a/b/file", "of-web"] {
        let metadata = fs::metadata(data.join(path)).unwrap();
        assert_eq!((metadata.gid(), metadata.mode() & 0o060), (4321, 0o060), "{path:?}");
    }
    assert_eq!(fs::metadata(&outside).unwrap().gid(), 0, "what a link points to is not the volume's");

    // While the pod is there the engine takes it for used, though no container mounts the whole of it.
    let (status, said) = node.dockerd.request("DELETE", "/volumes/k8s_default_shared", None).await.unwrap();
    assert_eq!(status, 409, "{said}");
    let see = node.runs("parts", "see").await;
    node.engine.kill(&see, "SIGKILL").await.unwrap();
    node.replaced("parts", "see", &see).await;
    eventually("it has run again", || async {
        (fs::read_to_string(data.join("a/b/file")).unwrap().lines().count() == 3).then_some(())
    })
    .await;
    node.withdraw("parts.yaml");
    node.nothing_left().await;
    assert!(mounts(&node).is_empty(), "{:?}", mounts(&node));
    assert!(data.join("a/b/file").exists());

    // A root that is right is believed; and a link that leads out of the volume is no way out.
    fs::write(data.join("late"), "x").unwrap();
    fs::set_permissions(data.join("late"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_dir_all(data.join("of-web")).unwrap();
    symlink(node.path("outside"), data.join("of-web")).unwrap();
    node.declare("parts.yaml", &parts_pod(&out, ", fsGroupChangePolicy: OnRootMismatch"));
    node.said("leads out of the volume by a symbolic link").await;
    assert_eq!(fs::metadata(data.join("late")).unwrap().mode() & 0o777, 0o600);
    assert!(node.find("parts", "see").await.is_none());
    fs::remove_file(data.join("of-web")).unwrap();
    node.runs("parts", "see").await;
    node.withdraw("parts.yaml");
    node.nothing_left().await;
}
