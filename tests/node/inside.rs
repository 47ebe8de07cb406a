//! What security contexts, resources and resolvers come to, as seen from inside the container.

use crate::{
    node::{Node, restarts},
    support::{eventually, images},
};
use kubelet_lite::engine::Engine;
use std::{fs, os::unix::fs::PermissionsExt};

/// Makes a container write all that it sees of itself to `/out/<name>`, and then sleep.
fn look(name: &str) -> String {
    format!(
        "command: [sh, -c, 'cat /proc/self/status /etc/resolv.conf > /out/{name}.tmp; \
         cd /proc/sys/net; echo \"unprivileged=$(cat ipv4/ip_unprivileged_port_start) somaxconn=$(cat core/somaxconn)\" >> /out/{name}.tmp; \
         echo \"hostname=$(hostname) oom=$(cat /proc/self/oom_score_adj)\" >> /out/{name}.tmp; cd /sys/fs/cgroup; \
         echo \"memory=$(cat memory/memory.limit_in_bytes memory.max)\" >> /out/{name}.tmp; \
         echo \"reserved=$(cat memory/memory.soft_limit_in_bytes memory.low)\" >> /out/{name}.tmp; \
         echo \"cpu=$(cat cpu/cpu.cfs_quota_us cpu.max)\" >> /out/{name}.tmp; \
         echo \"pids=$(cat pids/pids.max pids.max)\" >> /out/{name}.tmp; \
         echo \"kcore=$(head -c 1 /proc/kcore)\" >> /out/{name}.tmp; cat /etc/hosts /proc/self/mountinfo >> /out/{name}.tmp; \
         echo x > /rootfile && echo wrote-rootfs >> /out/{name}.tmp; \
         echo x > /dev/chosen && echo wrote-device >> /out/{name}.tmp; \
         touch /scratch/{name} && mkdir /scratch/d-{name} && echo made-directory >> /out/{name}.tmp; \
         busybox stat -c \"scratch=%a %g\" /scratch >> /out/{name}.tmp; busybox stat -c \"file=%u:%g\" /scratch/{name} >> /out/{name}.tmp; \
         busybox mv /out/{name}.tmp /out/{name}; exec sleep 3600']"
    )
}

/// The value of a line of `/proc/self/status`.
fn status<'t>(seen: &'t str, field: &str) -> Vec<&'t str> {
    let line = seen.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in:\n{seen}")).split_whitespace().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn security_contexts_are_what_the_process_has() {
    let Some(node) = Node::new().await else { return };
    let node = node.flag("--allowed-unsafe-sysctls=net.core.*").flag("--pod-max-pids=77");
    let out = node.path("out");
    fs::create_dir_all(&out).unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o777)).unwrap();
    fs::create_dir_all(node.path("root/seccomp/profiles")).unwrap();
    let no_mkdir = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}"#;
    fs::write(node.path("root/seccomp/profiles/no-mkdir.json"), no_mkdir).unwrap();
    node.start();
    let mounts = "volumeMounts: [{name: out, mountPath: /out}, {name: scratch, mountPath: /scratch}, {name: device, mountPath: /dev/chosen}]";
    let manifest = format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: inside}}
spec:
  terminationGracePeriodSeconds: 2
  hostname: mirror
  subdomain: hall
  setHostnameAsFQDN: true
  dnsPolicy: None
  dnsConfig: {{nameservers: [192.0.2.53], searches: [one.example, two.example], options: [{{name: ndots, value: '3'}}]}}
  securityContext:
    runAsUser: 1000
    runAsGroup: 2000
    fsGroup: 3000
    supplementalGroups: [4000]
    sysctls: [{{name: net.ipv4.ip_unprivileged_port_start, value: '79'}}, {{name: net/core/somaxconn, value: '78'}}]
  volumes:
  - {{name: out, hostPath: {{path: {out}}}}}
  - {{name: scratch, emptyDir: {{medium: Memory, sizeLimit: 1Mi}}}}
  - {{name: device, hostPath: {{path: /dev/null, type: CharDevice}}}}
  containers:
  - name: strict
    image: kl-test/busybox:1
    {strict}
    {mounts}
    resources: {{limits: {{memory: 32Mi, cpu: 100m}}, requests: {{memory: 16Mi}}}}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {{drop: [ALL]}}
      seccompProfile: {{type: Localhost, localhostProfile: profiles/no-mkdir.json}}
  - name: loose
    image: kl-test/busybox:1
    {loose}
    {mounts}
    securityContext:
      runAsUser: 0
      capabilities: {{drop: [CHOWN], add: [NET_ADMIN]}}
      seccompProfile: {{type: Unconfined}}
",
        out = out.display(),
        strict = look("strict"),
        loose = look("loose"),
    );
    node.declare("inside.yaml", &manifest);
    let read = |name: &'static str| {
        let path = out.join(name);
        async move { eventually(name, || async { fs::read_to_string(&path).ok() }).await }
    };
    let strict = read("strict").await;
    assert_eq!(status(&strict, "Uid"), ["1000"; 4]);
    assert_eq!(status(&strict, "Gid"), ["2000"; 4]);
    let groups = status(&strict, "Groups");
    assert!(groups.contains(&"3000") && groups.contains(&"4000"), "{groups:?}");
    assert_eq!(status(&strict, "CapEff"), ["0000000000000000"]);
    assert_eq!(status(&strict, "CapBnd"), ["0000000000000000"]);
    assert_eq!(status(&strict, "NoNewPrivs"), ["1"]);
    assert_eq!(status(&strict, "Seccomp"), ["2"]);
    let loose = read("loose").await;
    assert_eq!(status(&loose, "Uid"), ["0"; 4]);
    assert_eq!(status(&loose, "NoNewPrivs"), ["0"]);
    assert_eq!(status(&loose, "Seccomp"), ["0"]);
    let capabilities = u64::from_str_radix(status(&loose, "CapEff")[0], 16).unwrap();
    const CHOWN: u32 = 0;
    const KILL: u32 = 5;
    const NET_ADMIN: u32 = 12;
    const SYS_ADMIN: u32 = 21;
    let has = |number: u32| capabilities & (1 << number) != 0;
    assert_eq!([CHOWN, KILL, NET_ADMIN, SYS_ADMIN].map(has), [false, true, true, false], "{capabilities:x}");
    for seen in [&strict, &loose] {
        for line in [
            "nameserver 192.0.2.53",
            "search one.example two.example",
            "options ndots:3",
            "unprivileged=79 somaxconn=78",
            // Hidden from every container but a privileged one.
            "kcore=",
            "pids=77",
            "scratch=2777 3000",
            "wrote-device",
        ] {
            assert!(seen.lines().any(|l| l == line), "{line:?} is not in:\n{seen}");
        }
        assert!(seen.contains("\nhostname=mirror.hall.default.svc.cluster.local "), "{seen}");
        assert!(seen.contains("\tmirror.hall.default.svc.cluster.local\tmirror\n"), "{seen}");
        let scratch = seen.lines().find(|line| line.contains(" /scratch ")).expect("a mount");
        assert!(scratch.contains(" - tmpfs ") && scratch.contains("size=1024k"), "{scratch}");
    }
    // Its group is the directory's, by set-gid.
    assert!(strict.contains("\nfile=1000:3000\n") && loose.contains("\nfile=0:3000\n"), "{strict}\n{loose}");
    assert!(!strict.contains("wrote-rootfs") && loose.contains("wrote-rootfs"));
    assert!(!strict.contains("made-directory") && loose.contains("made-directory"));
    // Of cgroup v1 or v2, whichever is there.
    assert!(strict.contains("\nmemory=33554432\n") && strict.contains("\nreserved=16777216\n"), "{strict}");
    assert!(strict.contains("\ncpu=10000\n") || strict.contains("\ncpu=10000 100000\n"), "{strict}");
    let id = node.runs("inside", "strict").await;
    let score = node.engine.inspect(&id).await.unwrap().oom_score_adj;
    assert!((3..1000).contains(&score) && strict.contains(&format!(" oom={score}\n")), "{score}: {strict}");
    node.withdraw("inside.yaml");
    node.nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_seccomp_profile_is_waited_for() {
    let Some(node) = Node::running().await else { return };
    let pod = "---\n{apiVersion: v1, kind: Pod, metadata: {name: late}, spec: {terminationGracePeriodSeconds: 2, \
               containers: [{name: c, image: 'kl-test/busybox:1', command: [sleep, '3600'], securityContext: \
               {seccompProfile: {type: Localhost, localhostProfile: p.json}}}]}}";
    node.declare("late.yaml", pod);
    node.said("seccomp/p.json: No such file").await;
    assert!(node.log().contains("CreateContainerConfigError"));
    fs::create_dir_all(node.path("root/seccomp")).unwrap();
    fs::write(node.path("root/seccomp/p.json"), r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#).unwrap();
    node.runs("late", "c").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_the_pod_for_good() {
    let Some(node) = Node::running().await else { return };
    node.declare(
        "short.yaml",
        "---\n{apiVersion: v1, kind: Pod, metadata: {name: short}, spec: {activeDeadlineSeconds: 20, \
         terminationGracePeriodSeconds: 2, containers: [{name: c, image: 'kl-test/server:1'}]}}",
    );
    node.said_of("short", "container started").await;
    node.said("Pod was active on the node longer than the specified deadline").await;
    let ended = || async { node.running_ids().await.is_empty().then_some(()) };
    eventually("nothing of it runs", ended).await;
    // Another daemon finds the same end.
    node.kill().await;
    node.start();
    node.said("Pod was active on the node longer than the specified deadline").await;
    ended().await.expect("nothing runs again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_restarts_what_its_policy_would_not() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    node.declare(
        "ruled.yaml",
        &format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: ruled}}
spec:
  volumes: [{{name: out, hostPath: {{path: {}, type: DirectoryOrCreate}}}}]
  containers:
  - name: once
    image: kl-test/busybox:1
    restartPolicy: Never
    restartPolicyRules: [{{action: Restart, exitCodes: {{operator: In, values: [42]}}}}]
    command: [sh, -c, 'if [ -e /out/tried ]; then touch /out/again; exit 7; fi; touch /out/tried; exit 42']
    volumeMounts: [{{name: out, mountPath: /out}}]
",
            out.display()
        ),
    );
    eventually("it was started again", || async { out.join("again").exists().then_some(()) }).await;
    node.said("all containers of the pod are done").await;

    let rows = node.containers().await;
    let once = rows.iter().find(|row| row.labels["io.kubernetes.container.name"] == "once").expect("a record");
    assert_eq!(restarts(once), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_makes_all_containers_start_over() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    node.declare(
        "rounds.yaml",
        &format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: rounds}}
spec:
  restartPolicy: Never
  volumes: [{{name: out, hostPath: {{path: {}, type: DirectoryOrCreate}}}}, {{name: kept, emptyDir: {{}}}}]
  initContainers:
  - name: seed
    image: kl-test/busybox:1
    command: [sh, -c, 'echo seed >>/out/story; echo x >>/kept/rounds; cp /kept/rounds /out/rounds']
    volumeMounts: [{{name: out, mountPath: /out}}, {{name: kept, mountPath: /kept}}]
  containers:
  - name: done
    image: kl-test/busybox:1
    command: [sh, -c, 'echo done >>/out/story']
    volumeMounts: [{{name: out, mountPath: /out}}]
  - name: deaf
    image: kl-test/busybox:1
    command: [sh, -c, \"trap '' TERM; echo deaf >>/out/story; while :; do sleep 1; done\"]
    lifecycle: {{preStop: {{exec: {{command: [sh, -c, 'echo asked >>/out/story']}}}}}}
    volumeMounts: [{{name: out, mountPath: /out}}]
  - name: asks
    image: kl-test/busybox:1
    restartPolicyRules: [{{action: RestartAllContainers, exitCodes: {{operator: In, values: [42]}}}}]
    restartPolicy: Never
    command: [sh, -c, 'echo asks >>/out/story; until [ -e /out/ask ]; do sleep 0.1; done; rm /out/ask; exit 42']
    volumeMounts: [{{name: out, mountPath: /out}}]
",
            out.display()
        ),
    );
    // What each round has told: its init container, then the others as they come.
    let rounds = || {
        let story = std::fs::read_to_string(out.join("story")).unwrap_or_default();
        let lines: Vec<String> = story.lines().map(str::to_owned).collect();
        let in_order = |round: &[String]| {
            let mut round = round.to_vec();
            round[1..].sort();
            round
        };
        lines.chunks(4).map(in_order).collect::<Vec<_>>()
    };
    let round = ["seed", "asks", "deaf", "done"].map(str::to_owned).to_vec();
    let told = async |count: usize| {
        let all = vec![round.clone(); count];
        eventually(&format!("{count} rounds"), || async { (rounds() == all).then_some(()) }).await;
    };
    told(1).await;
    let sandbox = node.find("rounds", "POD").await.expect("a sandbox").id;

    std::fs::write(out.join("ask"), "").unwrap();
    node.said("a rule of restartPolicyRules restarts all containers of its pod").await;
    // Wherever the daemon dies, what asked is its own record.
    node.kill().await;
    node.start();
    told(2).await;
    assert_eq!(std::fs::read_to_string(out.join("rounds")).unwrap(), "x\nx\n", "emptyDir volumes stay");
    assert_eq!(node.find("rounds", "POD").await.expect("a sandbox").id, sandbox, "and so does the sandbox");
    for name in ["seed", "done", "deaf", "asks"] {
        let mut newest = 0;
        for row in node.containers().await.iter().filter(|row| row.labels["io.kubernetes.container.name"] == name) {
            newest = newest.max(restarts(row));
        }
        assert_eq!(newest, 1, "{name}");
    }
    std::fs::write(out.join("ask"), "").unwrap();
    told(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_by_name_is_looked_up_in_the_image_before_it_may_run() {
    let Some(node) = Node::running().await else { return };
    for user in ["nobody", "toor", "ghost"] {
        images::load(&node.engine, images::busybox_as(&format!("kl-test/{user}:1"), user)).await;
        let pod = format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {user}}}, spec: {{terminationGracePeriodSeconds: 2, \
             securityContext: {{runAsNonRoot: true}}, \
             containers: [{{name: c, image: 'kl-test/{user}:1', command: [sleep, '3600']}}]}}}}"
        );
        node.declare(&format!("{user}.yaml"), &pod);
    }
    node.said("it would run as root (the image's user has the id 0 in its /etc/passwd)").await;
    node.said("its /etc/passwd has no such user").await;
    let id = node.runs("nobody", "c").await;
    assert_eq!(node.engine.inspect(&id).await.unwrap().user, "nobody");
    for refused in ["toor", "ghost"] {
        assert!(node.find(refused, "c").await.is_none(), "{refused} runs");
    }
    // Another image of that name heals it.
    node.engine.image_load(images::busybox_as("kl-test/toor:1", "nobody").bytes).await.unwrap();
    node.runs("toor", "c").await;
    for user in ["nobody", "toor", "ghost"] {
        node.withdraw(&format!("{user}.yaml"));
    }
    node.nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_of_a_pod_share_what_it_says() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    node.declare(
        "shares.yaml",
        &format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: shares}}
spec:
  terminationGracePeriodSeconds: 2
  shareProcessNamespace: true
  volumes:
  - {{name: out, hostPath: {{path: {out}, type: DirectoryOrCreate}}}}
  - {{name: data, emptyDir: {{}}}}
  initContainers:
  - name: first
    image: kl-test/busybox:1
    command: [sh, -c, 'mkdir -p /data/config /data/shares && echo one > /data/config/file && echo two > /data/shares/file']
    volumeMounts: [{{name: data, mountPath: /data}}]
  containers:
  - name: see
    image: kl-test/busybox:1
    env: [{{name: DIRECTORY, value: shares}}]
    command: [sh, -c, 'cat /proc/1/comm /by-path /by-name/file > /out/see.tmp; touch /read-only/x || echo read-only >> /out/see.tmp; until cat /proc/*/cmdline | busybox grep -q other-[n]ame; do sleep 1; done; echo sees-other >> /out/see.tmp; \
      echo shm > /dev/shm/file; busybox mv /out/see.tmp /out/see; exec sleep 3600']
    volumeMounts:
    - {{name: out, mountPath: /out}}
    - {{name: data, mountPath: /by-path, subPath: config/file}}
    - {{name: data, mountPath: /by-name, subPathExpr: $(DIRECTORY)}}
    - {{name: data, mountPath: /read-only, readOnly: true}}
  - name: other
    image: kl-test/busybox:1
    command: [sh, -c, 'until [ -e /dev/shm/file ]; do sleep 1; : other-name; done; touch /out/other; exec sleep 3600']
    volumeMounts: [{{name: out, mountPath: /out}}]
",
            out = out.display()
        ),
    );
    let seen = eventually("the pod has looked", || async { fs::read_to_string(out.join("see")).ok() }).await;
    assert_eq!(seen, "pause\none\ntwo\nread-only\nsees-other\n");
    eventually("memory is shared", || async { out.join("other").exists().then_some(()) }).await;
    node.withdraw("shares.yaml");
    node.nothing_left().await;
}
