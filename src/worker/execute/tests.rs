//! Volumes of images, with the engine in memory.

use super::*;
use crate::{
    convert::NodeFacts,
    engine::fake::{Effect, FakeEngine, Fault, Verb},
    event::Recorder,
    plan::{NodePolicy, Target, backoff::Pace},
    pod::{ManifestSource, Node},
    probe::HostHandlers,
    report,
    time::Clock,
    volume::AppliedStore,
    worker::{
        BLOCKING_THREADS, Facts, PARALLEL_DISK_WORK, PARALLEL_STARTS, PARALLEL_UNPACKS, SandboxImage, StartQueue,
    },
};
use futures_util::{FutureExt, future::join_all};
use std::{
    fs,
    path::Path,
    pin::pin,
    sync::{Mutex, mpsc},
};
use tempfile::TempDir;
use tokio::sync::watch;

/// A pod that mounts an image, on a node whose engine does not have it yet.
fn task(home: &Path, clock: &Clock) -> Task<FakeEngine> {
    let written: k8s_openapi::api::core::v1::Pod = serde_yaml::from_str(
        "{metadata: {name: web, uid: u1}, spec: {volumes: [{name: v, image: {reference: 'files:1'}}], \
         containers: [{name: app, image: 'app:1', volumeMounts: [{name: v, mountPath: /v}]}]}}",
    )
    .unwrap();
    let (source, node) = (ManifestSource { path: "/m/web.yaml".into(), document: 0 }, Node { name: "n1".into() });
    let pod = Arc::new(Pod::from_manifest(written, source, &node).unwrap());
    let engine = FakeEngine::new(clock);
    let shared = Arc::new(Shared {
        handlers: Arc::new(HostHandlers::new(engine.clone())),
        engine,
        facts: Facts::new(NodeFacts::new(home.to_owned(), node, String::new())),
        oom: watch::Sender::new(OomSupport::default()),
        volumes: VolumeManager::new(home),
        applied: AppliedStore::new(home),
        events: Recorder::new(clock.clone()),
        clock: clock.clone(),
        policy: NodePolicy::default(),
        starts: StartQueue::new(PARALLEL_STARTS),
        unpacks: StartQueue::new(PARALLEL_UNPACKS),
        disk: StartQueue::new(PARALLEL_DISK_WORK),
        sandbox_image: SandboxImage::Named("pause:1".into()),
        log_links: None,
    });
    let (key, uid) = (pod.key.clone(), pod.uid.clone());
    let history = History::default();
    let action = PodAction::CreateContainer { uid: uid.clone(), sandbox: "s1".into(), name: "app".into(), history };
    Task {
        shared,
        key,
        uid,
        pod: Some(pod),
        sandbox: None,
        image: None,
        pod_started_at: None,
        hook: None,
        files: Arc::default(),
        given_up: CancellationToken::new(),
        action,
    }
}

async fn fill(task: &Task<FakeEngine>) -> Result<(), SyncError> {
    let pod = task.pod.as_ref().unwrap();
    task.fill(pod, &pod.containers[0].image_volumes[0]).await
}

/// What is there: the volume, and what is beside it by its suffix.
fn made(home: &TempDir) -> Vec<String> {
    let volumes = home.path().join("pods/u1/volumes/kubernetes.io~image");
    let names = fs::read_dir(volumes).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| name.split_once('~').map_or("the volume", |(_, what)| what).to_owned()).collect()
}

#[tokio::test]
async fn nothing_stays_of_an_image_that_is_no_volume_and_the_next_try_is_late() {
    let home = tempfile::tempdir().unwrap();
    let task = task(home.path(), &Clock::simulated("2027-01-15T08:00:00Z".parse().unwrap()));
    let target = Target::Container(task.uid.clone(), "app".into());
    // It can not be saved; then not unpacked.
    for reason in ["CreateContainerError", "FailedMount"] {
        let failed = fill(&task).await.unwrap_err();
        assert_eq!((failed.reason(&task.action), failed.pace(&target)), (reason, Pace::Pull), "{}", report(&failed));
        assert_eq!(made(&home), [""; 0], "{reason}");
        task.shared.engine.add_image("files:1");
        task.shared.engine.add_image_file("files:1", "../x", b"no engine unpacks this");
    }
    let other = SyncError::ImageNeverPull("app:1".to_owned());
    assert_eq!(other.pace(&target), Pace::Action);
}

#[tokio::test]
async fn few_images_are_unpacked_at_once() {
    let home = tempfile::tempdir().unwrap();
    let task = task(home.path(), &Clock::system());
    task.shared.engine.add_image("files:1");
    let mut others = Vec::new();
    for _ in 0..PARALLEL_UNPACKS {
        others.push(task.shared.unpacks.turn(0).await);
    }
    let waits = tokio::time::timeout(Duration::from_millis(300), fill(&task)).await;
    assert!(waits.is_err(), "it waits for its turn: {waits:?}");
    assert_eq!(made(&home), ["archive"]);
    others.pop();
    fill(&task).await.unwrap();
    assert_eq!(made(&home), ["the volume"]);
}

#[tokio::test]
async fn what_nobody_wants_any_more_is_given_up_and_nothing_stays() {
    for stage in ["the engine saves it", "it waits for its turn"] {
        let home = tempfile::tempdir().unwrap();
        let task = task(home.path(), &Clock::simulated("2027-01-15T08:00:00Z".parse().unwrap()));
        task.shared.engine.add_image("files:1");
        let mut others = Vec::new();
        if stage == "the engine saves it" {
            task.shared.engine.on_call(|call| match call.verb {
                Verb::ImageSave => vec![Fault::Hang(Effect::NotDone)],
                _ => vec![],
            });
        } else {
            for _ in 0..PARALLEL_UNPACKS {
                others.push(task.shared.unpacks.turn(0).await);
            }
        }
        let mut filling = pin!(fill(&task));
        assert!(filling.as_mut().now_or_never().is_none(), "{stage}");
        assert_eq!(made(&home), ["archive"], "{stage}");
        task.given_up.cancel();
        let given_up = filling.as_mut().now_or_never();
        assert!(matches!(given_up, Some(Err(SyncError::GivenUp))), "{stage}: {given_up:?}");
        assert_eq!(made(&home), [""; 0], "{stage}");
    }
}

#[test]
fn pods_leave_threads_to_others() {
    let home = tempfile::tempdir().unwrap();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build();
    runtime.unwrap().block_on(async {
        let task = task(home.path(), &Clock::system());
        // As in directories of a server that does not answer.
        let (answer, silence) = mpsc::channel::<()>();
        let silence = Arc::new(Mutex::new(silence));
        let hung = (0..2 * BLOCKING_THREADS).map(|_| {
            let silence = silence.clone();
            task.on_disk(move |_| {
                let _ = silence.lock().map(|silence| silence.recv());
                Ok(())
            })
        });
        let mut hung = pin!(join_all(hung));
        assert!(hung.as_mut().now_or_never().is_none());
        let others = tokio::task::spawn_blocking(|| "read");
        let others = tokio::time::timeout(Duration::from_secs(20), others).await;
        drop(answer);
        assert_eq!(others.expect("a thread for others").unwrap(), "read");
        assert!(hung.await.iter().all(Result::is_ok));
    });
}
