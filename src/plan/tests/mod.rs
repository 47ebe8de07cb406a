//! Tables in the kubelet's style: a base round, a sentence that changes it, the whole plan.

mod admission;
mod asked;
mod deadline;
mod edit;
mod init;
mod model;
mod probes;
mod property;
mod references;
mod replace;
mod restart;
mod rounds;
mod sandbox;
mod shutdown;
mod start;
mod terminate;
mod text;
mod wanted;

use super::*;
use crate::pod::{
    AppliedPod, Attempt, Container, ContainerKind, ContainerState, ContainerStatus, ExitReason, History, ImageVolume,
    Incarnation, ManifestSource, PodKey, PodStart, PullPolicy, Sandbox,
};
use k8s_openapi::api::core::v1 as api;

/// The present of every table.
const NOW: Timestamp = Timestamp::from_duration(Duration::from_secs(1_000_000));

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// `seconds` before the present.
fn ago(seconds: u64) -> Timestamp {
    NOW.before(Duration::from_secs(seconds))
}

/// One call of `compute_pod_actions`, with everything owned and easy to change.
#[derive(Clone)]
struct Round {
    /// The manifest that is wanted, unless `desired` says something else.
    written: api::Pod,
    desired: Option<Desired>,
    observed: ObservedPod,
    attempts: Attempts,
    images: ImageStates,
    volumes: BTreeSet<PodUid>,
    in_flight: InFlight,
    results: LastResults,
    references: ReferenceStates,
    terminating: BTreeSet<PodUid>,
    endings: Endings,
    probes: ProbeVerdicts,
    hooks: HookStates,
    policy: NodePolicy,
    hold: Hold,
}

/// A sentence, what it changes, and the plan in the words of [`text::plan`].
type Case = (&'static str, fn(&mut Round), &'static str);

/// Checks all cases of a table and reports every one that differs.
#[track_caller]
fn check(base: &Round, cases: &[Case]) {
    let mut wrong = String::new();
    for (sentence, change, expected) in cases {
        let mut round = base.clone();
        change(&mut round);
        let plan = round.plan();
        assert_eq!(plan, round.plan(), "{sentence}: the same input gives the same plan");
        let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let actual = text::plan(&plan);
        if actual != expected {
            wrong += &format!("\n{sentence}\n  expected\n    {}\n", expected.join("\n    "));
            wrong += &format!("  planned\n    {}\n", actual.join("\n    "));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

impl Round {
    fn plan(&self) -> PodPlan {
        let desired = self.desired.clone().unwrap_or_else(|| Desired::Run(resolve(&self.written)));
        compute_pod_actions(&SyncInput {
            now: NOW,
            desired: &desired,
            observed: &self.observed,
            attempts: &self.attempts,
            images: &self.images,
            volumes: &self.volumes,
            in_flight: &self.in_flight,
            results: &self.results,
            terminating: &self.terminating,
            references: &self.references,
            endings: &self.endings,
            probes: &self.probes,
            hooks: &self.hooks,
            policy: &self.policy,
            hold: &self.hold,
        })
    }

    /// Nothing is observed and nothing is known.
    fn nothing(written: api::Pod) -> Self {
        Self {
            written,
            desired: None,
            observed: ObservedPod::default(),
            attempts: Attempts::new(),
            images: ImageStates::new(),
            volumes: BTreeSet::new(),
            in_flight: InFlight::new(),
            results: LastResults::new(),
            references: ReferenceStates::new(),
            terminating: BTreeSet::new(),
            endings: Endings::new(),
            probes: ProbeVerdicts::new(),
            hooks: HookStates::new(),
            policy: NodePolicy::default(),
            hold: Hold::default(),
        }
    }

    /// All of it runs for a minute: init containers are done, sidecars and apps run.
    fn running(written: api::Pod) -> Self {
        let incarnation = running_incarnation(&resolve(&written));
        Self { observed: ObservedPod { incarnations: vec![incarnation] }, ..Self::nothing(written) }
    }

    /// The incarnation of the wanted pod, or the only one.
    fn incarnation(&mut self) -> &mut Incarnation {
        &mut self.observed.incarnations[0]
    }

    fn sandbox(&mut self) -> &mut Sandbox {
        &mut self.incarnation().sandboxes[0]
    }

    /// The newest instance of a container.
    fn container(&mut self, name: &str) -> &mut ContainerStatus {
        let all = &mut self.incarnation().containers;
        all.iter_mut().find(|c| c.name.as_str() == name).unwrap()
    }

    /// Adds an instance that is newer (or, with a lower attempt, older) than what is there.
    fn add(&mut self, status: ContainerStatus) {
        let all = &mut self.incarnation().containers;
        all.push(status);
        all.sort_by_key(|c| (c.name.clone(), std::cmp::Reverse(c.attempt)));
    }

    fn forget(&mut self, name: &str) {
        self.incarnation().containers.retain(|c| c.name.as_str() != name);
    }

    /// Images that are known to be on the node.
    fn know(&mut self, images: &[&str]) {
        let known = images.iter().map(|image| (ImageRef::new(*image), Arc::new(ImageDetails::default())));
        self.images.extend(known);
    }

    fn begin(&mut self, action: PodAction) {
        if let PodAction::StopContainer { id, grace, reason, .. } = &action
            && !self.endings.contains_key(id)
        {
            self.ends(id.as_str(), NOW + *grace, *reason);
        }
        self.in_flight.insert(action.target(), action);
    }

    fn fail(&mut self, target: Target, failures: u32, seconds_ago: u64, reason: &'static str) {
        let (pace, at) = (backoff::Pace::of(&target), ago(seconds_ago));
        self.results.insert(target, Failure { failures, pace, at, reason, message: "it failed".into() });
    }

    /// A container of the wanted manifest, init containers included.
    fn edit(&mut self, name: &str) -> &mut api::Container {
        let spec = self.written.spec.as_mut().unwrap();
        let all = spec.init_containers.iter_mut().flatten().chain(&mut spec.containers);
        all.into_iter().find(|c| c.name == name).unwrap()
    }

    /// The container mounts a volume of the files of this image.
    fn mount_image(&mut self, name: &str, image: &str) {
        let volume = format!("files-of-{name}");
        let source = api::ImageVolumeSource { reference: Some(image.to_owned()), ..Default::default() };
        let declared = api::Volume { name: volume.clone(), image: Some(source), ..Default::default() };
        self.spec().volumes.get_or_insert_default().push(declared);
        let mount = api::VolumeMount { name: volume, mount_path: "/files".to_owned(), ..Default::default() };
        self.edit(name).volume_mounts.get_or_insert_default().push(mount);
    }

    /// The volume of [`Self::mount_image`] is on the disk.
    fn made(&mut self, uid: &str, container: &str, image: &str) {
        let name = format!("files-of-{container}");
        let volume = ImageVolume { name, image: ImageRef::new(image), pull_policy: PullPolicy::Always };
        self.references.entry(uid.into()).or_default().image_volumes.push(volume);
    }

    fn spec(&mut self) -> &mut api::PodSpec {
        self.written.spec.as_mut().unwrap()
    }

    fn restart_policy(&mut self, policy: &str) {
        self.spec().restart_policy = Some(policy.into());
    }

    /// Makes the wanted pod another one.
    fn wanted_uid(&mut self, uid: &str) {
        self.written.metadata.uid = Some(uid.into());
    }

    /// The end of the incarnation began so long ago, and with it that of all that runs in it.
    fn doomed(&mut self, uid: &str, seconds_ago: u64) {
        self.terminating.insert(uid.into());
        let Some(incarnation) = self.observed.incarnation(&uid.into()) else { return };
        let running: Vec<_> = incarnation.containers.iter().filter(|c| c.state.may_run()).cloned().collect();
        for container in running {
            let grace = container.grace.unwrap_or(seconds(30));
            self.ends(container.id.as_str(), ago(seconds_ago) + grace, StopReason::PodRemoved);
        }
    }

    /// The end of this container has begun.
    fn ends(&mut self, id: &str, deadline: Timestamp, reason: StopReason) {
        self.endings.insert(id.into(), Ending { deadline, reason, progress: EndingProgress::Begun });
    }

    /// The manifest was removed; its end began so long ago.
    fn removed(&mut self, seconds_ago: u64) {
        self.desired = Some(remove());
        self.doomed("a", seconds_ago);
    }

    /// The sandbox has ended, after a minute or so, with all that it took along.
    fn lose_sandbox(&mut self, code: i64) {
        self.sandbox().state = exited(0, 60, 5);
        for container in self.incarnation().containers.iter_mut().filter(|c| c.state.is_running()) {
            container.state = exited(code, 60, 4);
        }
    }
}

/// Pod `web` with uid `a`: apps `app` and `log`, 30 s of grace.
fn two_apps() -> api::Pod {
    manifest("two-apps", "{containers: [{name: app, image: 'app:1'}, {name: log, image: 'log:1'}]}")
}

fn one_app() -> api::Pod {
    manifest("one-app", "{containers: [{name: app, image: 'app:1'}]}")
}

/// Init containers and sidecars in turn before one app: `setup`, sidecar `mesh`, `seed`, sidecar `tail`, `app`.
fn with_init() -> api::Pod {
    let spec = "
        initContainers:
        - {name: setup, image: 'setup:1'}
        - {name: mesh, image: 'mesh:1', restartPolicy: Always}
        - {name: seed, image: 'seed:1'}
        - {name: tail, image: 'tail:1', restartPolicy: Always}
        containers:
        - {name: app, image: 'app:1'}";
    manifest("with-init", spec)
}

fn manifest(name: &str, spec: &str) -> api::Pod {
    let mut pod: api::Pod = serde_yaml::from_str(&format!("metadata: {{name: {name}, uid: a}}")).unwrap();
    pod.spec = Some(serde_yaml::from_str(spec).unwrap());
    pod
}

fn resolve(written: &api::Pod) -> Arc<Pod> {
    let source = ManifestSource { path: "/etc/kubernetes/manifests/web.yaml".into(), document: 0 };
    let uid = PodUid::new(written.metadata.uid.clone().unwrap());
    Arc::new(Pod::resolve(written.clone(), source, PodKey::new("default", "web-node"), uid).unwrap())
}

/// What is observed when all of `pod` runs for a minute.
fn running_incarnation(pod: &Arc<Pod>) -> Incarnation {
    let sandbox = sandbox_of(pod, 0, running(60));
    let mut containers: Vec<_> = pod
        .containers
        .iter()
        .map(|c| match c.kind {
            ContainerKind::Init => instance(pod, c.name.as_str(), 0, exited(0, 1, 58)),
            ContainerKind::Sidecar | ContainerKind::App => instance(pod, c.name.as_str(), 0, running(55)),
        })
        .collect();
    containers.sort_by_key(|c| c.name.clone());
    Incarnation { uid: pod.uid.clone(), applied: AppliedPod::Known(pod.clone()), sandboxes: vec![sandbox], containers }
}

/// Sandbox `<uid>-sb<attempt>` as `pod` declares it.
fn sandbox_of(pod: &Pod, attempt: u32, state: ContainerState) -> Sandbox {
    Sandbox {
        id: ContainerId::new(format!("{}-sb{attempt}", pod.uid)),
        attempt: Attempt(attempt),
        hash: Some(pod.sandbox_hash.clone()),
        pod_start: PodStart { wall: None, at: ago(60) },
        state,
        ips: vec![std::net::Ipv4Addr::new(172, 17, 0, 5).into()],
        record: Arc::default(),
    }
}

/// Instance `<name>-<attempt>` as `pod` declares it, in the first sandbox.
fn instance(pod: &Pod, name: &str, attempt: u32, state: ContainerState) -> ContainerStatus {
    let container = pod.container(&name.into()).unwrap();
    ContainerStatus {
        id: ContainerId::new(format!("{name}-{attempt}")),
        name: container.name.clone(),
        kind: container.kind,
        attempt: Attempt(attempt),
        sandbox_id: ContainerId::new(format!("{}-sb0", pod.uid)),
        hash: Some(container.hash.clone()),
        backoff: None,
        round: 0,
        environment: None,
        grace: Some(pod.grace),
        has_pre_stop: container.pre_stop().is_some(),
        state,
        record: Arc::default(),
    }
}

fn running(since: u64) -> ContainerState {
    ContainerState::Running { started_at: ago(since) }
}

/// Ended so many seconds ago after so many seconds.
fn exited(code: i64, ran_for: u64, seconds_ago: u64) -> ContainerState {
    let reason = if code == 0 { ExitReason::Completed } else { ExitReason::Error };
    ended(code, reason, ran_for, seconds_ago)
}

fn ended(code: i64, reason: ExitReason, ran_for: u64, seconds_ago: u64) -> ContainerState {
    ContainerState::Exited { code, reason, ran_for: seconds(ran_for), finished_at: ago(seconds_ago) }
}

fn target(name: &str) -> Target {
    Target::Container("a".into(), name.into())
}

fn create(name: &str, attempt: u32) -> PodAction {
    PodAction::CreateContainer {
        uid: "a".into(),
        sandbox: "a-sb0".into(),
        name: name.into(),
        history: History { attempt: Attempt(attempt), ..History::default() },
    }
}

fn start(id: &str, name: &str) -> PodAction {
    PodAction::StartContainer { uid: "a".into(), name: name.into(), id: id.into() }
}

fn stop(id: &str, name: &str) -> PodAction {
    PodAction::StopContainer {
        id: id.into(),
        name: name.into(),
        grace: seconds(30),
        reason: StopReason::DefinitionChanged,
    }
}

fn pull(image: &str) -> PodAction {
    PodAction::EnsureImage { image: image.into(), policy: PullPolicy::IfNotPresent }
}

/// The manifest is gone.
fn remove() -> Desired {
    Desired::Terminate(StopReason::PodRemoved)
}

fn new_container(name: &str, image: &str) -> api::Container {
    api::Container { name: name.into(), image: Some(image.into()), ..Default::default() }
}
