//! ConfigMaps and Secrets beside the pods, as their containers see them.

use crate::{
    node::Node,
    secrets::{SECRET, secret, tells_nobody},
    support::eventually,
};
use kubelet_lite::engine::Engine;
use std::{fs, os::unix::fs::MetadataExt, path::Path};

fn config_map(name: &str, data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {data}\n")
}

/// A pod whose container writes its environment to `out` and sleeps.
fn env_pod(out: &Path, metadata: &str, env: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: env{metadata}}}\nspec:\n  terminationGracePeriodSeconds: 1\n  \
         volumes: [{{name: out, hostPath: {{path: {}, type: DirectoryOrCreate}}}}]\n  containers:\n  - name: see\n    image: \
         kl-test/busybox:1\n    command: [sh, -c, 'env > /out/env.tmp; mv /out/env.tmp /out/env; exec sleep 3600']\n    \
         volumeMounts: [{{name: out, mountPath: /out}}]\n{env}",
        out.display()
    )
}

const ENV: &str = "    envFrom: [{prefix: CFG_, configMapRef: {name: settings}}]\n    env:\n    - {name: PASSWORD, valueFrom: \
                   {secretKeyRef: {name: keys, key: password}}}\n    - {name: URL, value: 'x://$(PASSWORD)@$(CFG_host)'}\n    \
                   - {name: NONE, valueFrom: {configMapKeyRef: {name: settings, key: none, optional: true}}}\n";

/// Waits until the container has written an environment with these lines.
async fn sees(out: &Path, lines: &[&str]) {
    eventually(&format!("the container sees {lines:?}"), || async {
        let text = fs::read_to_string(out.join("env")).ok()?;
        lines.iter().all(|line| text.lines().any(|l| l == *line)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_of_objects_waits_for_them_and_is_told_when_it_is_stale() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    node.declare("pod.yaml", &env_pod(&out, "", ENV));
    node.said("configmap \"settings\" not found").await;
    assert!(node.find("env", "see").await.is_none());
    // In any order, in a file of their own or together.
    node.declare("settings.yaml", &config_map("settings", "{host: example.org}"));
    node.said("secret \"keys\" not found").await;
    let missing = node.log().matches("not found").count();
    node.declare("keys.yaml", &secret("keys", &format!("{{password: {SECRET}}}")));
    let id = node.runs("env", "see").await;
    let url = format!("URL=x://{SECRET}@example.org");
    sees(&out, &["CFG_host=example.org", &format!("PASSWORD={SECRET}"), &url]).await;
    assert!(!fs::read_to_string(out.join("env")).unwrap().contains("NONE="));
    assert_eq!(node.log().matches("not found").count(), missing, "it waited without asking again and again");
    let sandbox = node.runs("env", "POD").await;
    tells_nobody(&node, &[&id, &sandbox]).await;

    // A change restarts nothing, and is told, also by the next daemon.
    node.declare("settings.yaml", &config_map("settings", "{host: example.com}"));
    node.said("EnvironmentStale").await;
    node.kill().await;
    node.start();
    node.said("EnvironmentStale").await;
    assert_eq!(node.runs("env", "see").await, id);
    let stale = || node.ask("describe pod env").out.contains("kubelet-lite.io/EnvironmentStale");
    eventually("its status says so", || async { stale().then_some(()) }).await;

    // Until the pod says that it should.
    let annotated = env_pod(&out, ", annotations: {kubelet-lite.io/restart-on-change: 'true'}", ENV);
    node.declare("pod.yaml", &annotated);
    let new = node.replaced("env", "see", &id).await;
    sees(&out, &["CFG_host=example.com"]).await;
    eventually("its status says so no more", || async { (!stale()).then_some(()) }).await;
    assert_eq!(node.runs("env", "POD").await, sandbox);
    // What is gone takes nothing along.
    node.withdraw("keys.yaml");
    node.said("keys.yaml").await;
    assert_eq!(node.runs("env", "see").await, new);
    node.withdraw("pod.yaml");
    node.nothing_left().await;
    tells_nobody(&node, &[]).await;
}

/// A pod with all kinds of volumes of files, which writes what it sees to `out` whenever it changes.
fn files_pod(out: &Path, label: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: files, labels: {{tier: {label}}}}}
spec:
  terminationGracePeriodSeconds: 1
  securityContext: {{fsGroup: 4321}}
  volumes:
  - {{name: out, hostPath: {{path: {out}, type: DirectoryOrCreate}}}}
  - {{name: settings, configMap: {{name: settings}}}}
  - {{name: keys, secret: {{secretName: keys, defaultMode: 0400}}}}
  - {{name: maybe, configMap: {{name: absent, optional: true}}}}
  - {{name: info, downwardAPI: {{items: [{{path: labels, fieldRef: {{fieldPath: metadata.labels}}}}]}}}}
  - name: all
    projected:
      sources:
      - {{configMap: {{name: settings, items: [{{key: host, path: cfg/host}}]}}}}
      - {{secret: {{name: keys, items: [{{key: password, path: password, mode: 0440}}]}}}}
  containers:
  - name: see
    image: kl-test/busybox:1
    command: [sh, -c]
    args:
    - |
      while :; do
        {{ for f in $(find /vol -type l -o -type f | grep -v -e '/[.][.]' -e '/bytes$' | sort); do [ ! -f $f ] || echo "$f=$(cat $f)"; done
          stat -L -c '%n %a %u %g' /vol/keys/password /vol/settings/host /vol/keys
          grep -E ' /vol/(keys|all|info|settings) ' /proc/self/mountinfo | sed 's/.* \(\/vol\/[a-z]*\) \([a-z]*\),.* - \([a-z0-9]*\) .*/\1 \2 \3/'
          echo sub=$(cat /sub); echo cfg=$(cat /vol/all/cfg/host)
          echo bytes=$(base64 /vol/settings/bytes); echo maybe=$(cd /vol/maybe && echo "<$(ls)>")
        }} > /out/seen.tmp 2>&1
        mv /out/seen.tmp /out/seen
        usleep 50000
      done
    volumeMounts:
    - {{name: out, mountPath: /out}}
    - {{name: settings, mountPath: /vol/settings}}
    - {{name: keys, mountPath: /vol/keys}}
    - {{name: info, mountPath: /vol/info}}
    - {{name: maybe, mountPath: /vol/maybe}}
    - {{name: all, mountPath: /vol/all}}
    - {{name: settings, mountPath: /sub, subPath: host}}
"#,
        out = out.display()
    )
}

async fn shows(out: &Path, lines: &[&str], not: &[&str]) {
    let text = || fs::read_to_string(out.join("seen")).unwrap_or_default();
    let has = |text: &str, line: &str| text.lines().any(|l| l == line);
    let what = format!("the files are {lines:?}");
    let wait = eventually(&what, || async {
        let text = text();
        (lines.iter().all(|l| has(&text, l)) && !not.iter().any(|l| text.contains(l))).then_some(())
    });
    tokio::select! {
        () = wait => {}
        () = tokio::time::sleep(std::time::Duration::from_secs(50)) => panic!("{lines:?} but not {not:?} in\n{}", text()),
    }
}

/// What is read, unless it is gone: the daemon renames and removes meanwhile.
fn there<T>(read: std::io::Result<T>) -> Option<T> {
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        read => Some(read.unwrap()),
    }
}

/// Files on the disk, not in memory, that hold the secret.
fn on_disk(root: &Path) -> Vec<String> {
    let device = fs::symlink_metadata(root).unwrap().dev();
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let Some(metadata) = there(fs::symlink_metadata(&path)) else { continue };
        if metadata.dev() != device {
            continue;
        }
        if metadata.is_dir() {
            left.extend(there(fs::read_dir(&path)).into_iter().flatten().map(|entry| entry.unwrap().path()));
        } else if metadata.is_file()
            && there(fs::read(&path)).is_some_and(|bytes| String::from_utf8_lossy(&bytes).contains(SECRET))
        {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Mounts below the root directory.
pub fn mounts(node: &Node) -> Vec<String> {
    let root = node.path("root").display().to_string();
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().filter(|line| line.contains(&root)).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_of_objects_follow_them_without_a_restart() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    // Of another namespace, and none of the pod's business.
    let elsewhere = config_map("settings, namespace: other", "{host: example.invalid, foreign: x}");
    node.declare("elsewhere.yaml", &elsewhere);
    node.declare("files.yaml", &files_pod(&out, "front"));
    node.said("configmap \"settings\" not found").await;
    assert!(node.containers().await.is_empty(), "no sandbox without its volumes");
    let settings = config_map("settings", "{host: example.org, gone: soon}");
    node.declare("settings.yaml", &format!("{settings}binaryData: {{bytes: /wDDKA==}}\n"));
    node.said("secret \"keys\" not found").await;
    node.declare("keys.yaml", &secret("keys", &format!("{{password: {SECRET}}}")));
    let id = node.runs("files", "see").await;
    let password = format!("/vol/keys/password={SECRET}");
    shows(
        &out,
        &[
            "/vol/settings/host=example.org",
            "/vol/settings/gone=soon",
            &password,
            "/vol/info/labels=tier=\"front\"",
            "cfg=example.org",
            // fsGroup adds what a group needs to read.
            "/vol/keys/password 440 0 4321",
            "/vol/settings/host 644 0 4321",
            "/vol/keys 2755 0 4321",
            "/vol/keys ro tmpfs",
            "/vol/all ro tmpfs",
            "/vol/info ro tmpfs",
            "sub=example.org",
            // No UTF-8, to the last byte.
            "bytes=/wDDKA==",
            "maybe=<>",
        ],
        &["/vol/settings ro tmpfs", "example.invalid", "foreign"],
    )
    .await;
    // A change, a vanished key, an edited label, what was absent: the same container sees them.
    node.declare("settings.yaml", &config_map("settings", "{host: example.com}"));
    node.declare("absent.yaml", &config_map("absent", "{late: come}"));
    node.declare("files.yaml", &files_pod(&out, "back"));
    shows(
        &out,
        &[
            "/vol/settings/host=example.com",
            "/vol/info/labels=tier=\"back\"",
            "sub=example.org",
            "/vol/maybe/late=come",
        ],
        &["/vol/settings/gone"],
    )
    .await;
    // What changes while nobody looks is seen by the next daemon; what goes takes nothing along.
    node.kill().await;
    node.declare("keys.yaml", &secret("keys", &format!("{{password: {SECRET}, second: too}}")));
    node.withdraw("settings.yaml");
    node.start();
    shows(&out, &["/vol/keys/second=too", "/vol/settings/host=example.com"], &[]).await;
    assert_eq!(node.runs("files", "see").await, id);
    // The container dies: it starts again with what is there.
    node.engine.kill(&id, "SIGKILL").await.unwrap();
    let new = node.replaced("files", "see", &id).await;
    let sandbox = node.runs("files", "POD").await;
    tells_nobody(&node, &[&new, &sandbox]).await;
    assert_eq!(on_disk(&node.path("root")), Vec::<String>::new());
    assert_eq!(mounts(&node).iter().filter(|line| line.contains("tmpfs")).count(), 3, "{:?}", mounts(&node));
    node.withdraw("files.yaml");
    node.nothing_left().await;
    assert_eq!(mounts(&node), Vec::<String>::new());
}

/// A pod that mounts below volumes of files, and writes what is there to `out` again and again. `more` is one more
/// mount.
fn nested_pod(out: &Path, more: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: nested}}
spec:
  terminationGracePeriodSeconds: 1
  volumes:
  - {{name: out, hostPath: {{path: {out}, type: DirectoryOrCreate}}}}
  - {{name: cfg, configMap: {{name: cfg}}}}
  - {{name: keys, secret: {{secretName: keys}}}}
  - {{name: all, projected: {{sources: [{{configMap: {{name: cfg}}}}]}}}}
  - {{name: tmp, emptyDir: {{}}}}
  - {{name: unused, secret: {{secretName: gone}}}}
  - {{name: late, configMap: {{name: late}}}}
  - {{name: scratch, emptyDir: {{medium: Memory}}}}
  containers:
  - name: see
    image: kl-test/busybox:1
    command: [sh, -c]
    args:
    - |
      echo made > /all/deep/tmp/file
      while :; do
        for f in /etc/app/host /etc/app/keys/password /etc/app/one.conf /all/host /all/deep/tmp/file /late/x /scratch; do
          [ -d $f ] && echo $f/ || echo $f=$(cat $f)
        done > /out/seen.tmp 2>&1
        mv /out/seen.tmp /out/seen
        usleep 50000
      done
    volumeMounts:
    - {{name: out, mountPath: /out}}
    - {{name: cfg, mountPath: /etc/app}}
    - {{name: keys, mountPath: /etc/app/keys}}
    - {{name: out, mountPath: /etc/app/one.conf, subPath: one.conf}}
    - {{name: all, mountPath: /all}}
    - {{name: tmp, mountPath: /all/deep/tmp}}
{more}"#,
        out = out.display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn mounts_lie_below_volumes_of_objects() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("one.conf"), "1").unwrap();
    node.declare("cfg.yaml", &config_map("cfg", "{host: example.org}"));
    node.declare("keys.yaml", &secret("keys", "{password: abc}"));
    // What nobody mounts is not waited for.
    node.declare("nested.yaml", &nested_pod(&out, ""));
    let id = node.runs("nested", "see").await;
    let below = ["/etc/app/keys/password=abc", "/etc/app/one.conf=1", "/all/deep/tmp/file=made"];
    shows(&out, &[&below[..], &["/etc/app/host=example.org", "/all/host=example.org"]].concat(), &["later"]).await;
    // The mounts stay when the files around them change.
    node.declare("cfg.yaml", &config_map("cfg", "{host: example.com}"));
    shows(&out, &[&below[..], &["/etc/app/host=example.com", "/all/host=example.com"]].concat(), &[]).await;
    // A key takes no mount's place.
    node.declare("cfg.yaml", &config_map("cfg", "{host: example.net, keys: clash}"));
    node.said("/etc/app/keys can not be mounted in the volume").await;
    shows(&out, &[&below[..], &["/etc/app/host=example.com"]].concat(), &[]).await;
    assert_eq!(node.runs("nested", "see").await, id);
    // Which is no other volume's affair, nor that of a container that starts again with what is there.
    node.declare("keys.yaml", &secret("keys", "{password: def}"));
    shows(&out, &["/etc/app/keys/password=def", "/etc/app/host=example.com"], &[]).await;
    node.kill().await;
    node.declare("keys.yaml", &secret("keys", "{password: abc}"));
    node.start();
    shows(&out, &below, &[]).await;
    node.engine.kill(&id, "SIGKILL").await.unwrap();
    let id = node.replaced("nested", "see", &id).await;
    node.declare("cfg.yaml", &config_map("cfg", "{host: example.net}"));
    shows(&out, &[&below[..], &["/etc/app/host=example.net"]].concat(), &[]).await;
    // An edit that mounts what nobody used, and what can not be had, stops nothing.
    let sandbox = node.runs("nested", "POD").await;
    let late = "    - {name: late, mountPath: /late}\n    - {name: scratch, mountPath: /scratch}\n";
    let clash = "    - {name: scratch, mountPath: /etc/app/host}\n";
    node.declare("nested.yaml", &nested_pod(&out, clash));
    node.said("/etc/app/host can not be mounted in the volume").await;
    node.declare("nested.yaml", &nested_pod(&out, late));
    node.said("configmap \"late\" not found").await;
    assert_eq!(node.runs("nested", "see").await, id);
    // The container is made anew once it is there, and the volumes with it.
    node.declare("late.yaml", &config_map("late", "{x: later}"));
    node.replaced("nested", "see", &id).await;
    shows(&out, &[&below[..], &["/late/x=later", "/scratch/"]].concat(), &[]).await;
    assert_eq!(node.runs("nested", "POD").await, sandbox);
    node.withdraw("nested.yaml");
    node.nothing_left().await;
    assert_eq!(mounts(&node), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_come_from_a_file_that_an_init_container_wrote() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    let pod = |script: &str| {
        format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: filed}}
spec:
  terminationGracePeriodSeconds: 1
  volumes:
  - {{name: out, hostPath: {{path: {out}, type: DirectoryOrCreate}}}}
  - {{name: config, emptyDir: {{}}}}
  initContainers:
  - name: write
    image: kl-test/busybox:1
    command: [sh, -c, "{script}"]
    volumeMounts: [{{name: config, mountPath: /data}}]
  containers:
  - name: see
    image: kl-test/busybox:1
    command: [sh, -c, 'env > /out/env.tmp; mv /out/env.tmp /out/env; exec sleep 3600']
    env:
    - {{name: ADDRESS, valueFrom: {{fileKeyRef: {{volumeName: config, path: sub/config.env, key: ADDRESS}}}}}}
    - {{name: URL, value: 'x://$(ADDRESS)'}}
    - {{name: NONE, valueFrom: {{fileKeyRef: {{volumeName: config, path: none.env, key: X, optional: true}}}}}}
    volumeMounts: [{{name: out, mountPath: /out}}]
"#,
            out = out.display()
        )
    };
    let written = format!("mkdir /data/sub; echo ADDRESS=\\\\'{SECRET}\\\\' > /data/sub/config.env");
    node.declare("filed.yaml", &pod("ln -s /etc /data/sub; echo > /data/none"));
    // A link out of the volume is no way to the node's files.
    node.said("a symbolic link leads out of the volume").await;
    node.said("CreateContainerConfigError").await;
    node.declare("filed.yaml", &pod(&written));
    let id = node.runs("filed", "see").await;
    sees(&out, &[&format!("ADDRESS={SECRET}"), &format!("URL=x://{SECRET}")]).await;
    assert!(!fs::read_to_string(out.join("env")).unwrap().contains("NONE="));
    let labels = node.engine.inspect(&id).await.unwrap().labels;
    assert!(!labels["io.kubelet-lite.container"].contains(SECRET));
    node.withdraw("filed.yaml");
    node.nothing_left().await;
}
