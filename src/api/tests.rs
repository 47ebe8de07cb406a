//! The API over a real socket, with the manager, its workers and the engine in memory behind it.

use super::{
    client::{self, ClientError},
    messages,
    route::{Route, route},
    *,
};
use crate::{
    convert::NodeFacts,
    engine::fake::{Behaviour, FakeEngine},
    event::Recorder,
    manifest::{
        DirectoryState, ManifestFile, Snapshot,
        parse::{ParseOptions, parse_file},
    },
    plan::NodePolicy,
    pod::Node,
    time::Clock,
    volume::{AppliedStore, VolumeManager},
    worker::{
        Facts, ManagerOptions, NodeSummary, OomSupport, PARALLEL_DISK_WORK, PARALLEL_STARTS, PARALLEL_UNPACKS,
        PodManager, SandboxImage, Shared, StartQueue,
    },
};
use hyper::Method;
use k8s_openapi::{
    List,
    api::core::v1::{Event, Pod},
};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A daemon without its process: the manager over these manifests, and the API.
pub(crate) struct Daemon {
    place: PathBuf,
    detach: CancellationToken,
    summary: watch::Receiver<NodeSummary>,
    clock: Clock,
    snapshots: watch::Sender<Arc<Snapshot>>,
    _home: TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.detach.cancel();
    }
}

pub(crate) const WEB: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}}\nspec:\n  containers:\n  - \
                   {name: web, image: 'web:1', imagePullPolicy: Never}\n";
pub(crate) const JOB: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: job, namespace: batch}\nspec:\n  restartPolicy: Never\n  \
                   containers:\n  - {name: job, image: 'web:1', terminationMessagePolicy: FallbackToLogsOnError}\n";

/// What is found when the directory is looked at.
fn look(generation: u64, manifests: &[(&str, &str)]) -> Snapshot {
    let mut snapshot = Snapshot { generation, state: DirectoryState::Read, ..Snapshot::default() };
    for (name, text) in manifests {
        let path = Path::new("/m").join(name);
        let parsed = parse_file(&path, text.as_bytes(), &ParseOptions::default());
        let good = parsed.diagnostics.iter().all(|d| !d.is_error());
        let objects = good.then(|| Arc::new(parsed.objects));
        let file = ManifestFile { last_good: objects.clone(), objects, diagnostics: parsed.diagnostics };
        snapshot.files.insert(path, file);
    }
    snapshot.ignored.insert("/m/web.yaml.bak".into(), "not a name that is read".into());
    snapshot
}

impl Daemon {
    pub(crate) async fn start(manifests: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        // Everything happens at one moment, or soon after it.
        let clock = Clock::simulated("2027-01-15T08:00:00Z".parse().unwrap());
        let engine = FakeEngine::new(&clock).for_instance(home.path().to_str().unwrap());
        for image in ["pause:1", "web:1"] {
            engine.add_image(image);
        }
        let job = Behaviour::exits(3, Duration::ZERO).printing("first\nno such table\n");
        engine.behave_by_table(vec![("job", 0..=99, job)]);
        let facts = NodeFacts::new(home.path().to_owned(), Node { name: "n1".into() }, String::new());
        let shared = Arc::new(Shared {
            handlers: Arc::new(crate::probe::HostHandlers::new(engine.clone())),
            engine,
            facts: Facts::new(facts),
            oom: watch::Sender::new(OomSupport::default()),
            volumes: VolumeManager::new(home.path()),
            applied: AppliedStore::new(home.path()),
            events: Recorder::new(clock.clone()),
            clock: clock.clone(),
            policy: NodePolicy::default(),
            starts: StartQueue::new(PARALLEL_STARTS),
            unpacks: StartQueue::new(PARALLEL_UNPACKS),
            disk: StartQueue::new(PARALLEL_DISK_WORK),
            sandbox_image: SandboxImage::Named("pause:1".into()),
            log_links: None,
        });
        let (snapshots, snapshot) = watch::channel(Arc::new(look(1, manifests)));
        let (summary_tx, summary) = watch::channel(NodeSummary::default());
        let detach = CancellationToken::new();
        let options = ManagerOptions { sync_frequency: Duration::from_secs(60), max_pods: 110, addresses: None };
        let state = ApiState { shared: shared.clone(), summary: summary.clone(), snapshots: snapshot.clone() };
        tokio::spawn(PodManager::new(shared, options, snapshot, summary_tx, detach.clone()).run());
        let place = places(None, home.path()).remove(0);
        let server = ApiServer::bind(std::slice::from_ref(&place)).await.unwrap();
        tokio::spawn(server.run(state, detach.clone()));
        Self { place, detach, summary, clock, snapshots, _home: home }
    }

    /// Where no daemon listens.
    pub(crate) fn nowhere() -> Self {
        let summary = watch::channel(NodeSummary::default()).1;
        Self {
            place: "/nowhere/kubelet-lite.sock".into(),
            detach: CancellationToken::new(),
            summary,
            clock: Clock::system(),
            snapshots: watch::channel(Arc::default()).0,
            _home: tempfile::tempdir().unwrap(),
        }
    }

    /// Other manifests are there now.
    pub(crate) fn declare(&self, manifests: &[(&str, &str)]) {
        let generation = self.snapshots.borrow().generation + 1;
        self.snapshots.send_replace(Arc::new(look(generation, manifests)));
    }

    /// Waits until there are no more than so many pods, and ends.
    pub(crate) async fn ends_with(&self, pods: usize) {
        let waited = self.summary.clone();
        let waited = tokio::time::timeout(Duration::from_secs(60), async move {
            let mut waited = waited;
            waited.wait_for(|s| s.pods.len() == pods).await.is_ok()
        });
        assert!(waited.await.unwrap_or(false), "{:#?}", self.summary.borrow());
    }

    /// The daemon leaves.
    pub(crate) fn leave(&self) {
        self.detach.cancel();
    }

    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// Hours after its start, so that no age is on the edge.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        let start = "2027-01-15T08:00:00Z".parse::<jiff::Timestamp>().unwrap();
        assert!(self.clock.wall().duration_since(start) < jiff::SignedDuration::from_secs(59), "the machine is stuck");
        // The end of a minute: a pod that began seconds after the start is as old.
        start + jiff::SignedDuration::from_secs(3 * 3600 + 1800 + 59)
    }

    /// Waits until all workers have nothing to do.
    pub(crate) async fn settled(mut self, pods: usize) -> Self {
        let done =
            |s: &NodeSummary| s.pods.len() == pods && s.pods.values().all(|p| p.quiet && (p.ready || p.finished));
        let waited = tokio::time::timeout(Duration::from_secs(60), self.summary.wait_for(done)).await.is_ok();
        assert!(waited, "{:#?}", self.summary.borrow());
        self
    }

    async fn get(&self, target: &str) -> Result<Value, ClientError> {
        let body = client::get(std::slice::from_ref(&self.place), target).await?;
        Ok(serde_json::from_slice(&body).unwrap())
    }

    /// The names in a list.
    async fn names(&self, target: &str) -> Vec<String> {
        let list = self.get(target).await.unwrap();
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    async fn error(&self, target: &str) -> String {
        self.get(target).await.unwrap_err().to_string()
    }
}

#[tokio::test]
async fn who_watches_is_told_of_each_change() {
    let manifests = [("job.yaml", JOB), ("web.yaml", WEB)];
    let daemon = Daemon::start(&manifests).await.settled(2).await;
    let watch = async |target: &str| client::watch(std::slice::from_ref(&daemon.place), target).await.unwrap();
    let next = async |lines: &mut client::Lines| {
        let line = tokio::time::timeout(Duration::from_secs(60), lines.next()).await.expect("a change is told");
        let line = line.unwrap()?;
        let event: Value = serde_json::from_slice(&line).unwrap();
        let pod: Pod = serde_json::from_value(event["object"].clone()).unwrap();
        let word = if pod.metadata.deletion_timestamp.is_some() { " ending" } else { "" };
        Some(format!("{} {}{word}", event["type"].as_str().unwrap(), pod.metadata.name.unwrap()))
    };
    let mut all = watch("/api/v1/pods?watch=true").await;
    assert_eq!(next(&mut all).await.as_deref(), Some("ADDED job-n1"));
    assert_eq!(next(&mut all).await.as_deref(), Some("ADDED web-n1"));
    let mut batch = watch("/api/v1/namespaces/batch/pods?watch=true").await;
    let mut labelled = watch("/api/v1/pods?watch=1&labelSelector=app%3Dweb").await;
    let mut failed = watch("/api/v1/pods?watch=true&fieldSelector=status.phase%3DFailed").await;
    for (lines, name) in [(&mut batch, "job-n1"), (&mut labelled, "web-n1"), (&mut failed, "job-n1")] {
        assert_eq!(next(lines).await, Some(format!("ADDED {name}")));
    }

    daemon.declare(&manifests[..1]);
    for lines in [&mut all, &mut labelled] {
        let mut told = Vec::new();
        while told.last().is_none_or(|last: &String| !last.starts_with("DELETED")) {
            told.push(next(lines).await.unwrap());
        }
        let ending = told.iter().all(|event| event.ends_with(" web-n1 ending") || event == "MODIFIED web-n1");
        assert!(ending, "nothing else has changed: {told:?}");
    }
    daemon.declare(&manifests);
    assert_eq!(next(&mut all).await.as_deref(), Some("ADDED web-n1"));

    // There is an end to how many watch, and room for those who only ask.
    let mut more = Vec::new();
    while more.len() < answer::WATCHES - 4 {
        more.push(watch("/api/v1/pods?watch=true").await);
    }
    let error = client::watch(std::slice::from_ref(&daemon.place), "/api/v1/pods?watch=true").await.err().unwrap();
    assert_eq!(error.to_string(), "Error from server (TooManyRequests): there are too many watches already");
    assert_eq!(daemon.names("/api/v1/namespaces/batch/pods").await, ["job-n1"]);
    drop(more);
    daemon.leave();
    // Some may still be on the way.
    while let Ok(Some(_)) = tokio::time::timeout(Duration::from_secs(60), batch.next()).await.expect("the watch ends") {
    }
}

#[tokio::test]
async fn pods_events_and_manifests_over_the_socket() {
    let refused = WEB.replace("name: web, labels", "name: other, lables");
    let manifests = [("job.yaml", JOB), ("other.yaml", refused.as_str()), ("web.yaml", WEB)];
    let daemon = Daemon::start(&manifests).await.settled(2).await;
    let mode = fs::metadata(&daemon.place).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(client::get(std::slice::from_ref(&daemon.place), "/healthz").await.unwrap(), b"ok");

    assert_eq!(daemon.names("/api/v1/pods").await, ["job-n1", "web-n1"]);
    assert_eq!(daemon.names("/api/v1/namespaces/default/pods").await, ["web-n1"]);
    assert_eq!(daemon.names("/api/v1/namespaces/none/pods").await, [""; 0]);
    assert_eq!(daemon.names("/api/v1/pods?labelSelector=app+in+%28web%2Cx%29&limit=500").await, ["web-n1"]);
    assert_eq!(daemon.names("/api/v1/pods?fieldSelector=status.phase%21%3DRunning").await, ["job-n1"]);
    assert_eq!(
        daemon.error("/api/v1/namespaces/default/pods/nobody").await,
        "Error from server (NotFound): pods \"nobody\" not found"
    );

    // What is shown is what the API's own types read.
    let list: List<Pod> = serde_json::from_value(daemon.get("/api/v1/pods").await.unwrap()).unwrap();
    assert_eq!(list.items.len(), 2);
    for name in ["web", "web-n1"] {
        let shown = daemon.get(&format!("/api/v1/namespaces/default/pods/{name}")).await.unwrap();
        let pod: Pod = serde_json::from_value(shown.clone()).unwrap();
        assert_eq!(serde_json::to_value(&pod).unwrap(), shown);
        let status = pod.status.unwrap();
        assert_eq!(status.phase.as_deref(), Some("Running"));
        assert!(status.conditions.unwrap().iter().all(|c| c.status == "True"));
    }

    // The last words of what failed, from its log.
    let job = daemon.get("/api/v1/namespaces/batch/pods/job").await.unwrap();
    let ended = &job["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&ended["exitCode"], &ended["message"]), (&3.into(), &"first\nno such table\n".into()));
    assert_eq!(job["status"]["phase"], "Failed");

    let of_web = "fieldSelector=involvedObject.name%3Dweb-n1";
    let events = daemon.get(&format!("/api/v1/namespaces/default/events?{of_web}")).await.unwrap();
    let events: List<Event> = serde_json::from_value(events).unwrap();
    let reasons: Vec<_> = events.items.iter().map(|e| e.reason.clone().unwrap()).collect();
    assert_eq!(reasons, ["Pulled", "Created", "Started"]);
    let path = events.items[1].involved_object.field_path.clone();
    assert_eq!(path.as_deref(), Some("spec.containers{web}"));
    let refusals = daemon.get("/api/v1/events?fieldSelector=reason%3DFailedValidation").await.unwrap();
    let message = refusals["items"][0]["message"].as_str().unwrap();
    assert!(message.contains("/m/other.yaml") && message.contains("lables"), "{message}");

    let manifests = daemon.get(super::route::MANIFESTS).await.unwrap();
    assert_eq!(manifests["directory"]["state"], "Read");
    let states: Vec<_> = manifests["items"].as_array().unwrap().iter().map(|i| i["status"]["state"].clone()).collect();
    assert_eq!(states, ["Accepted", "Refused", "Accepted", "Ignored"]);
    assert_eq!(manifests["items"][2]["status"]["pods"], serde_json::json!(["default/web-n1"]));
}

#[tokio::test]
async fn a_daemon_that_left_takes_its_socket_along_and_a_dead_one_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    // Longer than a socket's address.
    let deep = home.path().join("d".repeat(120));
    fs::create_dir(&deep).unwrap();
    for directory in [home.path(), &deep] {
        let place = directory.join("kubelet-lite.sock");
        let nobody = client::get(std::slice::from_ref(&place), "/healthz").await.unwrap_err();
        assert!(matches!(nobody, ClientError::NotRunning { .. }), "{nobody}");
        // Left by one that was killed.
        drop(ApiServer::bind(std::slice::from_ref(&place)).await.unwrap());
        assert!(place.exists());
        let one = ApiServer::bind(std::slice::from_ref(&place)).await.unwrap();
        // A second daemon on the same place takes the next one, if it has one.
        let other = directory.join("other.sock");
        let second = ApiServer::bind(&[place.clone(), other.clone()]).await.unwrap();
        assert_eq!(second.path(), other);
        let refused = ApiServer::bind(std::slice::from_ref(&place)).await.err().unwrap();
        assert_eq!(crate::report(&refused).split(": ").last(), Some("another daemon listens there"));
        assert_eq!(one.path(), place);
        // No draft is left.
        assert!(fs::read_dir(directory).unwrap().all(|e| !e.unwrap().file_name().to_string_lossy().starts_with('.')));
    }
    let file = home.path().join("file");
    fs::write(&file, "precious").unwrap();
    assert!(ApiServer::bind(std::slice::from_ref(&file)).await.is_err());
    assert_eq!(fs::read_to_string(file).unwrap(), "precious");
    let daemon = Daemon::start(&[]).await;
    daemon.detach.cancel();
    let gone = async {
        while daemon.place.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}

#[test]
fn sockets_of_different_daemons_never_meet() {
    let text = |given: Option<&str>, root: &str| {
        let all = places(given.map(Path::new), Path::new(root));
        all.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        text(None, "/var/lib/kubelet-lite"),
        ["/run/kubelet-lite/kubelet-lite.sock", "/var/lib/kubelet-lite/kubelet-lite.sock"]
    );
    assert_eq!(text(None, "/srv/other"), ["/srv/other/kubelet-lite.sock"]);
    assert_eq!(text(Some("/run/x.sock"), "/srv/other"), ["/run/x.sock"]);
}

#[test]
fn what_is_asked_for() {
    let ask = |method: Method, target: &str| {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        route(&method, path, query).map_err(|refusal| (refusal.code.as_u16(), refusal.to_status().reason.unwrap()))
    };
    let get = |target: &str| ask(Method::GET, target);
    let pod = Route::Pod { namespace: "a".into(), name: "b".into() };
    assert_eq!(get("/api/v1/namespaces/a/pods/b"), Ok(pod));
    assert_eq!(get("/livez"), Ok(Route::Health));
    assert!(matches!(get("/api/v1/pods/?&limit=500"), Ok(Route::Pods { namespace: None, .. })));
    assert!(matches!(get("/api/v1/namespaces/a/events"), Ok(Route::Events { namespace: Some(_), .. })));
    for target in ["/", "/api/v1", "/api/v1/namespaces/a", "/api/v1/pods/b", "/api/v1/nodes", "/apis", "/x"] {
        assert_eq!(get(target), Err((404, "NotFound".into())), "{target}");
    }
    for target in
        ["/api/v1/pods?labelSelector=a+b", "/api/v1/pods?fieldSelector=spec.x%3D1", "/api/v1/events?watch=true"]
    {
        assert_eq!(get(target), Err((400, "BadRequest".into())), "{target}");
    }
    for method in [Method::POST, Method::DELETE, Method::PUT, Method::PATCH] {
        assert_eq!(ask(method, "/api/v1/namespaces/a/pods/b"), Err((405, "MethodNotAllowed".into())));
    }
}

#[test]
fn a_message_is_cut_from_the_front_at_a_character() {
    for (text, limit, expected) in
        [("", 4, ""), ("abc", 4, "abc"), ("abcdef", 4, "cdef"), ("aéb", 2, "b"), ("aéb", 3, "éb")]
    {
        assert_eq!(messages::tail(text.to_owned(), limit), expected);
    }
}
