//! Status row by row: what the engine has of a pod, and what is shown of it.

mod rows;

use super::*;
use crate::{
    convert::NodeFacts,
    plan::{Failure, HookState, HookStates, LastResults, Target, WaitingReason, backoff::Pace},
    pod::{
        Attempt, ContainerId, ContainerState, ContainerStatus, ExitReason, ManifestSource, Node, Pod, PodStart, PodUid,
        ProbeKind, ProbeVerdict, Record, Sandbox,
    },
    time::{Clock, Timestamp},
};
use k8s_openapi::api::core::v1 as api;
use std::{collections::BTreeMap, fmt::Write, sync::Arc, time::Duration};

fn wall(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A moment of this daemon's life.
fn moment(second: u64) -> Timestamp {
    Timestamp::from_duration(Clock::EPOCH + Duration::from_secs(second))
}

fn node() -> NodeFacts {
    NodeFacts {
        node_ips: vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()],
        ..NodeFacts::new("/var/lib/kubelet-lite".into(), Node { name: "n1".into() }, "sha256:pause".into())
    }
}

fn pod(spec: &str) -> Arc<Pod> {
    let mut written: api::Pod =
        serde_yaml::from_str("metadata: {name: web, uid: u1, labels: {app: web}, annotations: {note: kept}}").unwrap();
    written.spec = Some(serde_yaml::from_str(spec).unwrap());
    let source = ManifestSource { path: "/m/web.yaml".into(), document: 0 };
    Arc::new(Pod::from_manifest(written, source, &Node { name: "n1".into() }).unwrap())
}

fn record(started: Option<i64>, finished: Option<i64>) -> Record {
    Record {
        created_at: Some(wall(started.unwrap_or(0))),
        started_at: started.map(wall),
        finished_at: finished.map(wall),
        image: "made:1".into(),
        image_id: "sha256:image".into(),
        error: String::new(),
        log_path: String::new(),
    }
}

/// A pod whose sandbox runs and that has no container yet.
struct Stage {
    picture: PodPicture,
}

impl Stage {
    fn new(spec: &str) -> Self {
        let pod = pod(spec);
        let sandbox = Sandbox {
            id: "sandbox-0".into(),
            attempt: Attempt(0),
            hash: None,
            pod_start: PodStart::default(),
            state: ContainerState::Running { started_at: moment(0) },
            ips: vec!["172.17.0.5".parse().unwrap()],
            record: Arc::new(record(Some(0), None)),
        };
        let picture = PodPicture {
            key: pod.key.clone(),
            uid: pod.uid.clone(),
            pod: Some(pod),
            sandboxes: vec![sandbox],
            containers: Vec::new(),
            lost: BTreeMap::new(),
            waiting: BTreeMap::new(),
            probes: None,
            hooks: HookStates::new(),
            created: wall(0),
            ending: None,
            finished: false,
            deadline_exceeded: false,
            node_shutdown: false,
            stale: Default::default(),
            message: None,
            conditions: Conditions::default(),
        };
        Self { picture }
    }

    /// The newest instance so far of a container.
    fn with(mut self, name: &str, attempt: u32, state: ContainerState, record: Record) -> Self {
        let kind = self.picture.pod.as_ref().unwrap().container(&name.into()).unwrap().kind;
        self.picture.containers.insert(
            0,
            ContainerStatus {
                id: ContainerId::new(format!("{name}-{attempt}")),
                name: name.into(),
                kind,
                attempt: Attempt(attempt),
                sandbox_id: "sandbox-0".into(),
                hash: None,
                backoff: None,
                round: 0,
                environment: None,
                grace: None,
                has_pre_stop: false,
                state,
                record: Arc::new(record),
            },
        );
        self
    }

    fn running(self, name: &str, attempt: u32, since: u64) -> Self {
        let at = i64::try_from(since).unwrap();
        self.with(name, attempt, ContainerState::Running { started_at: moment(since) }, record(Some(at), None))
    }

    fn exited(self, name: &str, attempt: u32, code: i64) -> Self {
        let reason = if code == 0 { ExitReason::Completed } else { ExitReason::Error };
        self.ended(name, attempt, code, reason)
    }

    fn ended(self, name: &str, attempt: u32, code: i64, reason: ExitReason) -> Self {
        let ran_for = Duration::from_secs(2);
        let state = ContainerState::Exited { code, reason, ran_for, finished_at: moment(5) };
        self.with(name, attempt, state, record(Some(3), Some(5)))
    }

    fn waits(mut self, name: &str, reason: Option<&'static str>, message: &str) -> Self {
        self.picture.waiting.insert(name.into(), Waiting { reason, message: message.into() });
        self
    }

    fn probed(mut self, verdicts: &[(&str, ProbeKind, ProbeVerdict)]) -> Self {
        let verdicts = verdicts.iter().map(|(id, kind, verdict)| ((ContainerId::new(*id), *kind), *verdict));
        self.picture.probes = Some(verdicts.collect());
        self
    }

    fn hooked(mut self, container: &str, state: HookState) -> Self {
        self.picture.hooks.insert(ContainerId::new(container), state);
        self
    }

    fn finished(mut self) -> Self {
        self.picture.finished = true;
        self.picture.sandboxes[0].state = ContainerState::Exited {
            code: 0,
            reason: ExitReason::Completed,
            ran_for: Duration::ZERO,
            finished_at: moment(6),
        };
        self
    }

    /// All containers are done for good, and what should be let go is not yet.
    fn ends(mut self) -> Self {
        self.picture.finished = true;
        self
    }

    /// What is there so far is of a sandbox that was; there is another.
    fn rebuilt(mut self) -> Self {
        let old = self.picture.sandboxes[0].clone();
        self.picture.sandboxes[0].id = "sandbox-1".into();
        self.picture.sandboxes.push(old);
        self
    }

    /// An instance in the sandbox that is.
    fn here(mut self, name: &str) -> Self {
        let newest = self.picture.containers.iter_mut().find(|c| c.name.as_str() == name).unwrap();
        newest.sandbox_id = self.picture.sandboxes[0].id.clone();
        self
    }

    fn no_sandbox(mut self) -> Self {
        self.picture.sandboxes.clear();
        self
    }

    fn status(&self) -> api::PodStatus {
        pod_status(&self.picture.clone().settled(None, wall(60)), &node(), &Messages::new())
    }

    /// The status in short.
    fn short(&self) -> String {
        let status = self.status();
        let mut text = status.phase.clone().unwrap();
        let conditions = status.conditions.unwrap();
        let not: Vec<&str> = conditions.iter().filter(|c| c.status == "False").map(|c| c.type_.as_str()).collect();
        write!(text, "; not {}", if not.is_empty() { "any".into() } else { not.join(",") }).unwrap();
        for c in status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten()) {
            let flags = match (c.started, c.ready) {
                (Some(true), true) => "ready",
                (Some(true), false) => "started",
                (_, true) => "done",
                (_, false) => "-",
            };
            write!(text, "\n{} {flags} x{}: {}", c.name, c.restart_count, word(c.state.as_ref())).unwrap();
            if c.last_state.is_some() {
                write!(text, ", last {}", word(c.last_state.as_ref())).unwrap();
            }
        }
        text
    }
}

fn word(state: Option<&api::ContainerState>) -> String {
    match state.cloned().unwrap_or_default() {
        api::ContainerState { running: Some(_), .. } => "running".into(),
        api::ContainerState { terminated: Some(end), .. } => format!("{} {}", end.reason.unwrap(), end.exit_code),
        api::ContainerState { waiting: Some(waiting), .. } => waiting.reason.unwrap(),
        _ => "nothing".into(),
    }
}

fn check(cases: Vec<(&str, Stage, &str)>) {
    let mut wrong = String::new();
    for (what, stage, expected) in cases {
        let (shown, expected) = (stage.short(), expected.lines().map(str::trim).collect::<Vec<_>>().join("\n"));
        if shown != expected {
            write!(wrong, "\n{what}\n  expected\n{expected}\n  shown\n{shown}\n").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

const TWO: &str = "{containers: [{name: log, image: 'log:1'}, {name: app, image: 'app:1'}]}";
const ONE: &str = "{containers: [{name: app, image: 'app:1'}]}";
const INIT: &str = "{initContainers: [{name: setup, image: 'i:1'}, {name: mesh, image: 'i:1', restartPolicy: Always}],
                     containers: [{name: app, image: 'app:1'}]}";

#[test]
fn those_after_a_pod_may_start_when_it_is_ready_or_has_succeeded() {
    const ONCE: &str = "{restartPolicy: Never, containers: [{name: app, image: 'app:1'}]}";
    const RETRIED: &str = "{restartPolicy: OnFailure, containers: [{name: app, image: 'app:1'}]}";
    let app = |code| Stage::new(INIT).exited("setup", 0, 0).exited("app", 0, code);
    let late = |stage: Stage| {
        let mut stage = stage;
        stage.picture.deadline_exceeded = true;
        stage
    };
    for (what, stage, expected) in [
        ("its sidecar was ended by a signal", app(0).exited("mesh", 0, 143).finished(), true),
        ("its sidecar is not gone yet", app(0).running("mesh", 0, 6).ends(), false),
        ("it failed", app(1).exited("mesh", 0, 0).finished(), false),
        ("it was too late", late(app(0).exited("mesh", 0, 0).finished()), false),
        ("it is ready", Stage::new(ONE).running("app", 0, 1), true),
        ("it is not ready yet", Stage::new(TWO).running("app", 0, 1), false),
        ("it is ready until it ends", Stage::new(RETRIED).running("app", 0, 1), true),
        ("it is to run to its end", Stage::new(ONCE).running("app", 0, 1), false),
        ("it has run to its end", Stage::new(ONCE).exited("app", 0, 0).finished(), true),
    ] {
        assert_eq!(stage.picture.settled(None, wall(60)).lets_others_start(), expected, "{what}");
    }
}

#[test]
fn why_a_condition_is_false() {
    let gated = "{readinessGates: [{conditionType: example.com/up}], containers: [{name: app, image: 'app:1'}]}";
    for (stage, kind, reason, message) in [
        (
            Stage::new(INIT),
            "Initialized",
            "ContainersNotInitialized",
            "containers with incomplete status: [setup mesh]",
        ),
        (Stage::new(TWO).running("log", 0, 1), "Ready", "ContainersNotReady", "containers with unready status: [app]"),
        (Stage::new(ONE).exited("app", 0, 0).finished(), "ContainersReady", "PodCompleted", ""),
        (Stage::new(ONE).exited("app", 0, 1).finished(), "Ready", "PodFailed", ""),
        // Nobody here could set their conditions: readiness gates count as met.
        (Stage::new(gated).running("app", 0, 1), "Ready", "", ""),
    ] {
        let conditions = stage.status().conditions.unwrap();
        let found = conditions.iter().find(|c| c.type_ == kind).unwrap();
        let told = (found.reason.as_deref().unwrap_or_default(), found.message.as_deref().unwrap_or_default());
        assert_eq!(
            (found.status.as_str(), told),
            (if reason.is_empty() { "True" } else { "False" }, (reason, message))
        );
    }
}

#[test]
fn probes_say_what_is_started_and_ready() {
    use ProbeKind::{Readiness, Startup};
    use ProbeVerdict::{Failure, Success};
    let probed = "{containers: [{name: app, image: 'app:1', startupProbe: {tcpSocket: {port: 80}}, readinessProbe: {tcpSocket: {port: 80}}}]}";
    let ours = || Stage::new(probed).running("app", 0, 5);
    let adopted = || {
        let long_ago = ContainerState::Running { started_at: Timestamp::default() };
        Stage::new(probed).with("app", 0, long_ago, record(Some(0), None))
    };
    for (what, stage, started, ready) in [
        ("nobody probes", ours(), true, true),
        ("no verdict yet", ours().probed(&[]), false, false),
        ("started", ours().probed(&[("app-0", Startup, Success)]), true, false),
        ("ready", ours().probed(&[("app-0", Startup, Success), ("app-0", Readiness, Success)]), true, true),
        ("not ready", ours().probed(&[("app-0", Startup, Success), ("app-0", Readiness, Failure)]), true, false),
        ("ready before it is started", ours().probed(&[("app-0", Readiness, Success)]), false, false),
        ("another instance's", ours().probed(&[("app-9", Startup, Success)]), false, false),
        ("it ran before us", adopted().probed(&[]), true, true),
        ("it ran before us and is not ready now", adopted().probed(&[("app-0", Readiness, Failure)]), true, false),
    ] {
        let status = &stage.status().container_statuses.unwrap()[0];
        assert_eq!((status.started, status.ready), (Some(started), ready), "{what}");
    }
}

#[test]
fn a_container_has_started_when_its_post_start_is_done() {
    let hooked = "{containers: [{name: app, image: 'app:1', lifecycle: {postStart: {sleep: {seconds: 9}}}}]}";
    let plain = "{containers: [{name: app, image: 'app:1'}]}";
    let running = |spec: &str| Stage::new(spec).running("app", 0, 5).probed(&[]);
    for (what, stage, started) in [
        ("under way", running(hooked).hooked("app-0", HookState::PostStartDue), false),
        ("failed", running(hooked).hooked("app-0", HookState::PostStartFailed), false),
        ("done", running(hooked), true),
        ("its end has begun", running(hooked).hooked("app-0", HookState::PreStopDone), true),
        ("another instance's", running(hooked).hooked("app-1", HookState::PostStartDue), true),
        ("it has none", running(plain).hooked("app-0", HookState::PostStartDue), true),
    ] {
        let status = &stage.status().container_statuses.unwrap()[0];
        assert_eq!((status.started, status.ready), (Some(started), started), "{what}");
    }
}

#[test]
fn a_condition_keeps_its_moment_until_it_changes() {
    let since = |picture: &PodPicture| {
        let conditions = pod_status(picture, &node(), &Messages::new()).conditions.unwrap();
        let moment =
            |c: &api::PodCondition| c.last_transition_time.as_ref().unwrap().0.duration_since(wall(0)).as_secs();
        conditions.iter().map(|c| format!("{} {} {}", c.type_, c.status, moment(c))).collect::<Vec<_>>()
    };
    // Found running by a daemon that has just come: since the engine says so.
    let running = Stage::new(ONE).running("app", 0, 5).picture.settled(None, wall(60));
    let expected = [
        "PodReadyToStartContainers True 0",
        "Initialized True 0",
        "Ready True 5",
        "ContainersReady True 5",
        "PodScheduled True 0",
    ];
    assert_eq!(since(&running), expected);
    let later = running.clone().settled(Some(&running), wall(70));
    assert_eq!(since(&later), expected);
    let ended = Stage::new(ONE).exited("app", 0, 1).picture.settled(Some(&later), wall(80));
    assert_eq!(since(&ended)[2..4], ["Ready False 80", "ContainersReady False 80"]);
    let again = Stage::new(ONE).running("app", 1, 90).picture.settled(Some(&ended), wall(91));
    assert_eq!(since(&again)[1..4], ["Initialized True 0", "Ready True 91", "ContainersReady True 91"]);
    // Another incarnation is another pod.
    let mut other = again.clone();
    other.uid = PodUid::new("u2");
    let other = other.settled(Some(&again), wall(100));
    assert_eq!(since(&other)[2], "Ready True 90");
}

#[test]
fn words_and_messages_of_waiting() {
    let pod = pod("{volumes: [{name: v, image: {reference: 'files:1'}}], \
         containers: [{name: app, image: 'app:1', volumeMounts: [{name: v, mountPath: /v}]}]}");
    let container = &pod.containers[0];
    let until = moment(0);
    let failed = |target, reason| {
        let pace = Pace::of(&target);
        let failure = Failure { failures: 1, pace, at: until, reason, message: "why".into() };
        LastResults::from([(target, failure)])
    };
    let image = || Target::Image("app:1".into());
    let own = || Target::Container("u1".into(), "app".into());
    let sandbox = || Target::Sandbox("u1".into());
    let delay = Duration::from_secs(80);
    for (waits, results, reason, message) in [
        (WaitingReason::ContainerCreating, LastResults::new(), None, ""),
        (
            WaitingReason::CrashLoopBackOff { delay, until },
            LastResults::new(),
            Some("CrashLoopBackOff"),
            "back-off 1m20s restarting failed container=app pod=web-n1_default(u1)",
        ),
        (
            WaitingReason::Failed { reason: "ErrImagePull", until },
            failed(image(), "ErrImagePull"),
            Some("ImagePullBackOff"),
            "Back-off pulling image \"app:1\": ErrImagePull: why",
        ),
        (
            WaitingReason::Failed { reason: "ErrImagePull", until },
            failed(Target::Image("files:1".into()), "ErrImagePull"),
            Some("ImagePullBackOff"),
            "Back-off pulling image \"files:1\": ErrImagePull: why",
        ),
        // While it is tried again.
        (WaitingReason::ContainerCreating, failed(image(), "ErrImagePull"), Some("ErrImagePull"), "why"),
        (
            WaitingReason::Failed { reason: "CreateContainerConfigError", until },
            failed(own(), "CreateContainerConfigError"),
            Some("CreateContainerConfigError"),
            "why",
        ),
        (
            WaitingReason::Failed { reason: "FailedCreatePodSandBox", until },
            failed(sandbox(), "FailedCreatePodSandBox"),
            None,
            "FailedCreatePodSandBox: why",
        ),
        (WaitingReason::PodInitializing, failed(own(), "FailedMount"), None, "FailedMount: why"),
        (
            WaitingReason::Failed { reason: "ErrImageNeverPull", until },
            failed(image(), "ErrImageNeverPull"),
            Some("ErrImageNeverPull"),
            "why",
        ),
        (
            WaitingReason::Failed { reason: "ImageInspectError", until },
            failed(image(), "ImageInspectError"),
            Some("ImageInspectError"),
            "why",
        ),
        (
            WaitingReason::Failed { reason: "RunContainerError", until },
            failed(own(), "RunContainerError"),
            Some("RunContainerError"),
            "why",
        ),
        (WaitingReason::ContainerCreating, failed(own(), "CreateContainerError"), Some("CreateContainerError"), "why"),
    ] {
        let found = waiting(&pod, container, &waits, &results);
        assert_eq!((found.reason, found.message.as_str()), (reason, message), "{waits:?}");
    }
    for (seconds, text) in [(0, "0s"), (10, "10s"), (60, "1m0s"), (300, "5m0s"), (3600, "1h0m0s")] {
        assert_eq!(waiting::go_duration(Duration::from_secs(seconds)), text);
    }
}

#[test]
fn the_whole_object() {
    let spec = "{
        initContainers: [{name: setup, image: 'setup:1'}],
        containers: [{name: web, image: 'web:1', resources: {limits: {cpu: '1', memory: 1Gi}}}, {name: log, image: 'log:1'}]}";
    let mut stage = Stage::new(spec)
        .exited("setup", 0, 0)
        .running("log", 0, 6)
        .exited("web", 0, 0)
        .exited("web", 1, 2)
        .waits("web", Some("CrashLoopBackOff"), "back-off 10s restarting failed container=web pod=web-n1_default(u1)");
    stage.picture.message = Some("a word to the operator".into());
    let messages = Messages::from([("web-1".into(), "could not open /data".into())]);
    let picture = stage.picture.settled(None, wall(60));
    insta::assert_yaml_snapshot!(api_pod(&picture, &node(), &messages));
    let ending = PodPicture { ending: Some(wall(70)), ..picture.clone() };
    let metadata = api_pod(&ending, &node(), &messages).metadata;
    assert_eq!(metadata.deletion_timestamp, Some(time(wall(100))));
    assert_eq!(metadata.deletion_grace_period_seconds, Some(30));
    // Neither manifest nor labels can be read.
    let unread = PodPicture { pod: None, ..picture };
    let shown = api_pod(&unread, &node(), &messages);
    let names: Vec<_> = shown.spec.unwrap().containers.into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["log", "web"]);
    assert_eq!(shown.status.unwrap().container_statuses.unwrap().len(), 2);
}

#[test]
fn a_pod_past_its_deadline_has_failed_though_its_containers_report_success() {
    let mut stage = Stage::new(ONE).exited("app", 0, 0).finished();
    stage.picture.deadline_exceeded = true;
    let status = stage.status();
    assert_eq!((status.phase.as_deref(), status.reason.as_deref()), (Some("Failed"), Some("DeadlineExceeded")));
    assert_eq!(status.message.as_deref(), Some(DEADLINE_EXCEEDED));
}

#[test]
fn a_pod_that_the_nodes_shutdown_has_ended_has_failed() {
    let mut stage = Stage::new(ONE).exited("app", 0, 0);
    stage.picture.node_shutdown = true;
    let status = stage.status();
    assert_eq!((status.phase.as_deref(), status.reason.as_deref()), (Some("Failed"), Some("Terminated")));
    assert_eq!(status.message.as_deref(), Some(NODE_SHUTDOWN));
    let conditions = status.conditions.unwrap();
    let disrupted = conditions.iter().find(|c| c.type_ == "DisruptionTarget").unwrap();
    assert_eq!((disrupted.status.as_str(), disrupted.reason.as_deref()), ("True", Some("TerminationByKubelet")));
    assert_eq!(disrupted.message.as_deref(), Some(NODE_SHUTDOWN));
    assert_eq!(disrupted.last_transition_time, Some(time(wall(60))));
}

#[test]
fn a_stale_environment_is_a_condition() {
    let mut stage = Stage::new(ONE);
    let stale = |stage: &Stage| {
        let picture = stage.picture.clone().settled(None, wall(7));
        let conditions = pod_status(&picture, &node(), &Messages::new()).conditions.unwrap();
        conditions.into_iter().find(|c| c.type_ == "kubelet-lite.io/EnvironmentStale")
    };
    assert_eq!(stale(&stage), None);
    stage.picture.stale.insert(crate::pod::ContainerName::new("app"));
    let found = stale(&stage).unwrap();
    assert_eq!((found.status.as_str(), found.last_transition_time), ("True", Some(time(wall(7)))));
    assert!(found.message.unwrap().ends_with("changed: [app]"));
}

#[test]
fn addresses() {
    let of = |stage: &Stage| {
        let status = stage.status();
        assert_eq!(
            status.host_ips.map(|ips| ips.into_iter().map(|ip| ip.ip).collect()),
            Some(vec!["192.0.2.7".to_owned(), "2001:db8::7".to_owned()])
        );
        (status.host_ip, status.pod_ip, status.pod_ips.map_or(0, |ips| ips.len()))
    };
    let host = Some("192.0.2.7".to_owned());
    assert_eq!(of(&Stage::new(ONE)), (host.clone(), Some("172.17.0.5".into()), 1));
    assert_eq!(of(&Stage::new(ONE).finished()), (host.clone(), None, 0));
    let mut dual = Stage::new(ONE);
    dual.picture.sandboxes[0].ips = vec!["172.17.0.5".parse().unwrap(), "2001:db8::5".parse().unwrap()];
    assert_eq!(of(&dual), (host.clone(), Some("172.17.0.5".into()), 2));
    let mut shared = Stage::new("{hostNetwork: true, containers: [{name: app, image: i}]}");
    shared.picture.sandboxes[0].ips.clear();
    assert_eq!(of(&shared), (host.clone(), host, 2));
    assert!(shared.picture.clone().settled(None, wall(1)).conditions.is_true("PodReadyToStartContainers"));
}

#[test]
fn what_was_removed_by_hand_is_not_forgotten() {
    let step = |stage: Stage, before: &PodPicture| Stage { picture: stage.picture.with_losses(Some(before)) };
    let running = Stage::new(ONE).running("app", 0, 1);
    let gone = step(Stage::new(ONE), &running.picture);
    assert_eq!(
        gone.short(),
        "Running; not Ready,ContainersReady\napp - x1: ContainerCreating, last ContainerStatusUnknown 137"
    );
    assert_eq!(gone.status().container_statuses.unwrap()[0].restart_count, 1);
    let again = step(Stage::new(ONE).running("app", 1, 9), &gone.picture);
    assert_eq!(again.short(), "Running; not any\napp ready x1: running, last ContainerStatusUnknown 137");
    let ended = step(Stage::new(ONE).exited("app", 1, 2).running("app", 2, 12), &again.picture);
    assert_eq!(ended.short(), "Running; not any\napp ready x2: running, last Error 2");
    // What has ended before its record was removed was seen.
    let tidied = step(Stage::new(ONE).running("app", 3, 15), &Stage::new(ONE).exited("app", 2, 0).picture);
    assert_eq!(tidied.short(), "Running; not any\napp ready x3: running");
}
