//! The claims: what the daemon counts on, whichever engine it has.

pub use crate::commands::{
    a_command_ends_with_its_container, a_command_has_an_exit_code_and_output, a_command_needs_a_running_container,
    a_command_runs_on_when_its_caller_goes_away, a_container_tells_which_commands_run_in_it,
    a_killed_command_ends_with_137, a_missing_program_is_an_exit_code, all_of_a_commands_output_comes,
};
use crate::{
    stage::{IMAGE, Program, Stage, joined, with_host_port, with_memory},
    support::eventually,
};
use bollard::models::{HostConfig, Mount, MountType, MountVolumeOptions};
use kubelet_lite::engine::{
    Engine, EngineAction, EngineError, EngineState, MANAGED_BY_LABEL, RegistryAuth,
    archive::{LayerEntry, image_archive},
    pause,
};
use std::{
    collections::{BTreeMap, HashMap},
    io::{Read, Seek},
    time::Duration,
};
use tokio::time::{Instant, timeout};

const S: Duration = Duration::from_secs(1);
/// Added to a limit where a busy machine may be late.
const LATE: Duration = Duration::from_secs(20);

pub async fn the_engine_says_what_it_is<E: Engine + Clone>(stage: Stage<E>) {
    let version = stage.engine.version().await.unwrap();
    assert!(!version.version.is_empty() && version.api_version.contains('.'), "{version:?}");
    assert!(["1", "2"].contains(&version.cgroup_version.as_str()), "{version:?}");
    assert!(["cgroupfs", "systemd", "none"].contains(&version.cgroup_driver.as_str()), "{version:?}");
    assert!(version.memory_total > 0 && !version.log_driver.is_empty() && !version.architecture.is_empty());
}

pub async fn a_created_container_is_listed_and_inspected<E: Engine + Clone>(stage: Stage<E>) {
    let first = stage.create("a", Program::Polite).await;
    let second = stage.create("b", Program::Polite).await;
    assert_eq!(stage.listed().await, [second.clone(), first.clone()]);
    assert_eq!(stage.engine.list("test.claim", "no such value").await.unwrap(), []);
    let by_id = stage.inspect(&first).await;
    assert_eq!(by_id, stage.inspect(&stage.name("a")).await);
    assert_eq!((by_id.id.as_str(), by_id.name), (first.as_str(), stage.name("a")));
    assert_eq!((by_id.state, by_id.exit_code, by_id.pid), (EngineState::Created, 0, 0));
    assert_eq!((by_id.started_at, by_id.finished_at), (None, None));
    assert!(by_id.created_at.is_some() && by_id.ips.is_empty() && by_id.error.is_empty());
    assert!(by_id.resolv_conf_path.is_empty() && by_id.log_path.is_empty());
    assert_eq!(by_id.labels.into_iter().collect::<HashMap<_, _>>(), stage.body(Program::Polite).labels.unwrap());
    assert_eq!(by_id.image_id, stage.engine.image_inspect(IMAGE).await.unwrap().id);
    assert_eq!(first.len(), 64);
}

pub async fn a_name_in_use_is_a_conflict<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.create("a", Program::Polite).await;
    let again = stage.engine.create(&stage.name("a"), stage.body(Program::Polite)).await;
    assert!(matches!(again, Err(EngineError::Conflict { .. })), "{again:?}");
    assert_eq!(stage.listed().await, [id]);
}

pub async fn of_two_creates_of_one_name_one_wins<E: Engine + Clone>(stage: Stage<E>) {
    let name = stage.name("a");
    let (one, two) = tokio::join!(
        stage.engine.create(&name, stage.body(Program::Polite)),
        stage.engine.create(&name, stage.body(Program::Polite))
    );
    let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    assert!(matches!(lost, Err(EngineError::Conflict { .. })), "{lost:?}");
    assert_eq!(stage.listed().await, [won.unwrap()]);
}

pub async fn an_unknown_image_is_not_found<E: Engine + Clone>(stage: Stage<E>) {
    let mut body = stage.body(Program::Polite);
    body.image = Some("kl-test/nowhere:1".to_owned());
    let created = stage.engine.create(&stage.name("a"), body).await;
    assert!(created.as_ref().is_err_and(EngineError::is_not_found), "{created:?}");
    assert!(stage.engine.image_inspect("kl-test/nowhere:1").await.unwrap_err().is_not_found());
}

pub async fn what_is_not_there_is_not_found<E: Engine + Clone>(stage: Stage<E>) {
    let name = stage.name("nothing");
    assert!(stage.engine.inspect(&name).await.unwrap_err().is_not_found());
    assert!(stage.engine.start(&name).await.unwrap_err().is_not_found());
    assert!(stage.engine.stop(&name, S).await.unwrap_err().is_not_found());
    assert!(stage.engine.kill(&name, "SIGKILL").await.unwrap_err().is_not_found());
    stage.engine.remove(&name).await.unwrap();
}

pub async fn a_started_container_runs<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Polite).await;
    let seen = stage.inspect(&id).await;
    assert_eq!((seen.state, seen.finished_at), (EngineState::Running, None));
    assert!(seen.pid > 0 && seen.started_at >= seen.created_at && seen.started_at.is_some());
    assert_eq!(seen.ips.len(), 1);
    assert!(seen.resolv_conf_path.ends_with("/resolv.conf"));
    assert!(seen.log_path.ends_with(&format!("/{0}/{0}-json.log", seen.id)), "{}", seen.log_path);
    stage.engine.start(&id).await.unwrap();
    assert_eq!(stage.inspect(&id).await, seen);
}

pub async fn a_failed_start_stays_created_with_its_error<E: Engine + Clone>(stage: Stage<E>) {
    let mut events = stage.events().await;
    let id = stage.create("a", Program::Missing).await;
    let started = stage.engine.start(&id).await;
    assert!(matches!(started, Err(EngineError::Refused { status: 400, .. })), "{started:?}");
    let seen = stage.inspect(&id).await;
    assert_eq!((seen.state, seen.exit_code, seen.pid), (EngineState::Created, 127, 0));
    assert!(seen.error.contains("no such file or directory"), "{}", seen.error);
    assert_eq!((seen.started_at, seen.finished_at), (None, None));
    stage.engine.remove(&id).await.unwrap();
    // Nothing between: a failed start makes no event.
    assert_eq!(events.next().await.action, EngineAction::Create);
    assert_eq!(events.next().await.action, EngineAction::Destroy);
}

pub async fn a_fast_exit_is_seen<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Brief).await;
    let seen = stage.ended(&id).await;
    assert_eq!((seen.exit_code, seen.oom_killed, seen.pid), (3, false, 0));
    // A fast end may even be dated before the start: Docker dates the start when it has succeeded.
    assert!(seen.started_at.is_some() && seen.finished_at.is_some() && seen.ips.is_empty());
}

pub async fn a_stop_lets_the_program_end<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Polite).await;
    let began = Instant::now();
    stage.engine.stop(&id, 600 * S).await.unwrap();
    assert!(began.elapsed() < 300 * S);
    let seen = stage.inspect(&id).await;
    assert_eq!((seen.state, seen.exit_code), (EngineState::Exited, 7));
}

pub async fn a_stop_kills_when_the_grace_is_over<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Stubborn).await;
    let began = Instant::now();
    stage.engine.stop(&id, Duration::from_millis(1500)).await.unwrap();
    // Rounded up.
    assert!((2 * S..2 * S + LATE).contains(&began.elapsed()), "{:?}", began.elapsed());
    let seen = stage.inspect(&id).await;
    assert_eq!((seen.state, seen.exit_code, seen.oom_killed), (EngineState::Exited, 137, false));
}

pub async fn a_stop_without_grace_kills_at_once<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Stubborn).await;
    let began = Instant::now();
    stage.engine.stop(&id, Duration::ZERO).await.unwrap();
    assert!(began.elapsed() < LATE);
    assert_eq!(stage.inspect(&id).await.exit_code, 137);
}

pub async fn a_stop_of_what_does_not_run_is_success<E: Engine + Clone>(stage: Stage<E>) {
    let ended = stage.run("a", Program::Brief).await;
    stage.ended(&ended).await;
    let created = stage.create("b", Program::Polite).await;
    for id in [ended, created] {
        let before = stage.inspect(&id).await;
        stage.engine.stop(&id, 60 * S).await.unwrap();
        stage.engine.kill(&id, "SIGKILL").await.unwrap();
        assert_eq!(stage.inspect(&id).await, before);
    }
}

pub async fn a_stop_sends_the_containers_own_signal<E: Engine + Clone>(stage: Stage<E>) {
    let mut body = stage.body(Program::Polite);
    body.stop_signal = Some("SIGUSR1".to_owned());
    let id = stage.engine.create(&stage.name("a"), body).await.unwrap();
    stage.engine.start(&id).await.unwrap();
    stage.settle(&id, Program::Polite).await;
    stage.engine.stop(&id, 600 * S).await.unwrap();
    assert_eq!(stage.inspect(&id).await.exit_code, 7);
}

pub async fn a_stop_whose_caller_went_away_still_kills_at_its_deadline<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Stubborn).await;
    let began = Instant::now();
    // Long enough for a busy engine to have read it.
    assert!(timeout(2 * S, stage.engine.stop(&id, 5 * S)).await.is_err());
    assert_eq!(stage.ended(&id).await.exit_code, 137);
    assert!((Duration::from_millis(4900)..5 * S + LATE).contains(&began.elapsed()), "{:?}", began.elapsed());
}

pub async fn a_later_stop_with_less_grace_wins<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Stubborn).await;
    let first = tokio::spawn({
        let stage = stage.clone();
        let id = id.clone();
        async move { stage.engine.stop(&id, 300 * S).await }
    });
    tokio::time::sleep(S).await;
    let began = Instant::now();
    stage.engine.stop(&id, S).await.unwrap();
    first.await.unwrap().unwrap();
    assert!((S..S + LATE).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(stage.inspect(&id).await.exit_code, 137);
}

pub async fn a_later_stop_with_more_grace_prolongs_nothing<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Stubborn).await;
    let began = Instant::now();
    assert!(timeout(2 * S, stage.engine.stop(&id, 5 * S)).await.is_err());
    stage.engine.stop(&id, 300 * S).await.unwrap();
    assert!((Duration::from_millis(4900)..5 * S + LATE).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(stage.inspect(&id).await.exit_code, 137);
}

pub async fn a_kill_sends_its_signal<E: Engine + Clone>(stage: Stage<E>) {
    let polite = stage.run("a", Program::Polite).await;
    let stubborn = stage.run("b", Program::Stubborn).await;
    let refused = stage.engine.kill(&polite, "SIGNONSENSE").await;
    assert!(matches!(refused, Err(EngineError::Refused { status: 400, .. })), "{refused:?}");
    for id in [&polite, &stubborn] {
        stage.engine.kill(id, "SIGTERM").await.unwrap();
    }
    assert_eq!(stage.ended(&polite).await.exit_code, 7);
    assert_eq!(stage.inspect(&stubborn).await.state, EngineState::Running);
    stage.engine.kill(&stubborn, "SIGKILL").await.unwrap();
    assert_eq!(stage.ended(&stubborn).await.exit_code, 137);
}

pub async fn a_remove_takes_a_running_container_and_frees_its_name<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Stubborn).await;
    stage.engine.remove(&id).await.unwrap();
    assert!(stage.engine.inspect(&id).await.unwrap_err().is_not_found());
    assert!(stage.engine.start(&id).await.unwrap_err().is_not_found());
    assert!(stage.listed().await.is_empty());
    stage.engine.remove(&id).await.unwrap();
    let again = stage.create("a", Program::Polite).await;
    assert_ne!(again, id);
}

pub async fn a_remove_ends_a_stop_under_way<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Stubborn).await;
    let stop = tokio::spawn({
        let stage = stage.clone();
        let id = id.clone();
        async move { stage.engine.stop(&id, 300 * S).await }
    });
    tokio::time::sleep(S).await;
    stage.engine.remove(&id).await.unwrap();
    timeout(LATE, stop).await.expect("the stop returns").unwrap().unwrap();
    assert!(stage.engine.inspect(&id).await.unwrap_err().is_not_found());
}

pub async fn big_labels_come_back_whole<E: Engine + Clone>(stage: Stage<E>) {
    let mut events = stage.events().await;
    let big: String = (0..256 * 1024).map(|i| char::from(b' ' + (i % 95) as u8)).collect();
    let mut body = stage.body(Program::Brief);
    body.labels.as_mut().unwrap().insert("big".to_owned(), big.clone());
    let id = stage.engine.create(&stage.name("a"), body).await.unwrap();
    assert_eq!(stage.inspect(&id).await.labels["big"], big);
    let rows = stage.engine.list(MANAGED_BY_LABEL, crate::stage::INSTANCE).await.unwrap();
    assert_eq!(rows.iter().find(|row| row.id == id).unwrap().labels["big"], big);
    assert_eq!(events.next().await.labels["big"], big);
    stage.engine.start(&id).await.unwrap();
    assert_eq!(events.next().await.labels["big"], big);
}

pub async fn a_dead_sandbox_can_not_be_joined<E: Engine + Clone>(stage: Stage<E>) {
    let sandbox = stage.run("sandbox", Program::Polite).await;
    let app = |n: &str| {
        let (stage, body, name) = (stage.clone(), joined(stage.body(Program::Polite), &sandbox), stage.name(n));
        async move { stage.engine.create(&name, body).await.unwrap() }
    };
    let (early, late) = (app("early").await, app("late").await);
    let rows = stage.engine.list(crate::stage::CLAIM, &stage.claim).await.unwrap();
    let whose = |id: &str| rows.iter().find(|row| row.id == id).unwrap().network_mode.clone();
    let mode = format!("container:{sandbox}");
    assert_eq!((whose(&early), whose(&late)), (mode.clone(), mode));
    stage.engine.start(&early).await.unwrap();
    assert!(stage.inspect(&early).await.ips.is_empty());
    stage.engine.kill(&sandbox, "SIGKILL").await.unwrap();
    stage.ended(&sandbox).await;
    let started = stage.engine.start(&late).await;
    assert!(matches!(started, Err(EngineError::Conflict { .. })), "{started:?}");
    let seen = stage.inspect(&late).await;
    assert_eq!((seen.state, seen.started_at), (EngineState::Created, None));
    assert!(seen.error.contains("non running container") && seen.exit_code == 128, "{seen:?}");
    // The one that runs goes on without a network of its own.
    assert_eq!(stage.inspect(&early).await.state, EngineState::Running);
}

pub async fn a_removed_sandbox_is_what_is_not_found<E: Engine + Clone>(stage: Stage<E>) {
    let sandbox = stage.run("sandbox", Program::Stubborn).await;
    let body = || joined(stage.body(Program::Polite), &sandbox);
    let app = stage.engine.create(&stage.name("app"), body()).await.unwrap();
    stage.engine.remove(&sandbox).await.unwrap();
    // The app is there: "not found" from a start may mean the sandbox.
    assert!(stage.engine.start(&app).await.unwrap_err().is_not_found());
    assert_eq!(stage.inspect(&app).await.state, EngineState::Created);
    // A create looks for the container whose IPC namespace it joins, but not for the network's.
    stage.engine.create(&stage.name("late"), body()).await.unwrap();
    let mut body = body();
    body.host_config.as_mut().unwrap().ipc_mode = Some(format!("container:{sandbox}"));
    let refused = stage.engine.create(&stage.name("later"), body).await;
    assert!(matches!(refused, Err(EngineError::Refused { status: 400, .. })), "{refused:?}");
}

pub async fn a_host_port_is_one_containers_at_a_time<E: Engine + Clone>(stage: Stage<E>) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let body = || with_host_port(stage.body(Program::Polite), free);
    let holder = stage.engine.create(&stage.name("a"), body()).await.unwrap();
    let other = stage.engine.create(&stage.name("b"), body()).await.unwrap();
    stage.engine.start(&holder).await.unwrap();
    let started = stage.engine.start(&other).await;
    let Err(EngineError::Refused { status: 500, message, .. }) = started else { panic!("{started:?}") };
    assert!(message.contains("port is already allocated"), "{message}");
    let seen = stage.inspect(&other).await;
    assert_eq!((seen.state, seen.exit_code, seen.started_at), (EngineState::Created, 128, None));
    stage.engine.remove(&holder).await.unwrap();
    stage.engine.start(&other).await.unwrap();
    assert_eq!(stage.inspect(&other).await.error, "");
}

pub async fn events_tell_of_our_containers_only<E: Engine + Clone>(stage: Stage<E>) {
    let mut events = stage.events().await;
    let mut foreign = stage.body(Program::Brief);
    foreign.labels.as_mut().unwrap().insert(MANAGED_BY_LABEL.to_owned(), "another".to_owned());
    let foreign = stage.engine.create(&stage.name("foreign"), foreign).await.unwrap();
    stage.engine.remove(&foreign).await.unwrap();
    let id = stage.run("a", Program::Brief).await;
    stage.ended(&id).await;
    stage.engine.remove(&id).await.unwrap();
    for action in [EngineAction::Create, EngineAction::Start, EngineAction::Die, EngineAction::Destroy] {
        let event = events.next().await;
        assert_eq!((event.action, &event.id), (action, &id));
        let labels = event.labels.into_iter().collect::<HashMap<_, _>>();
        assert_eq!(labels, stage.body(Program::Brief).labels.unwrap());
    }
}

pub async fn every_subscriber_gets_the_events<E: Engine + Clone>(stage: Stage<E>) {
    let (mut one, mut two) = (stage.events().await, stage.events().await);
    let id = stage.run("a", Program::Stubborn).await;
    stage.engine.stop(&id, Duration::ZERO).await.unwrap();
    for action in [EngineAction::Create, EngineAction::Start, EngineAction::Die] {
        assert_eq!((one.next().await.action, two.next().await.action), (action, action));
    }
}

pub async fn a_container_out_of_memory_says_so<E: Engine + Clone>(stage: Stage<E>) {
    let mut events = stage.events().await;
    // Where the kernel's word comes later than the exit, Docker shows a plain 137 for ever. So the
    // flag is looked for in several.
    for n in 0..10 {
        let body = with_memory(stage.body(Program::Greedy), 16 << 20);
        let id = stage.engine.create(&stage.name(&n.to_string()), body).await.unwrap();
        stage.engine.start(&id).await.unwrap();
        let seen = stage.ended(&id).await;
        assert_eq!(seen.exit_code, 137);
        let mut actions = Vec::new();
        while actions.last() != Some(&EngineAction::Die) {
            let event = events.next().await;
            let is_end = matches!(event.action, EngineAction::Oom | EngineAction::Die);
            if is_end && event.id == id {
                actions.push(event.action);
            }
        }
        if seen.oom_killed {
            assert_eq!(actions, [EngineAction::Oom, EngineAction::Die]);
            return;
        }
    }
    panic!("ten times no container out of memory said so");
}

pub async fn an_ended_container_starts_again<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Polite).await;
    stage.engine.stop(&id, 60 * S).await.unwrap();
    let first = stage.inspect(&id).await;
    stage.engine.start(&id).await.unwrap();
    let second = stage.inspect(&id).await;
    assert_eq!((second.state, second.exit_code), (EngineState::Running, 0));
    assert!(second.started_at >= first.finished_at);
}

pub async fn a_file_of_a_created_container_can_be_copied<E: Engine + Clone>(stage: Stage<E>) {
    let layer = [
        LayerEntry::Directory("etc", 0o755),
        LayerEntry::Directory("real", 0o755),
        LayerEntry::File("real/passwd", 0o644, b"root:x:0:0:root:/:/bin/sh\n"),
        LayerEntry::Symlink("etc/passwd", "../real/passwd"),
    ];
    let image = image_archive("kl-test/files:1", &serde_json::json!({ "Cmd": ["/none"] }), &layer);
    stage.engine.image_load(image.bytes).await.unwrap();
    let mut body = stage.body(Program::Polite);
    body.image = Some(image.id);
    body.user = Some("nobody".to_owned());
    let id = stage.engine.create(&stage.name("a"), body).await.unwrap();
    assert_eq!(stage.inspect(&id).await.user, "nobody");
    let copy = |path: &'static str| stage.engine.copy_file(&id, path);
    for path in ["/real/passwd", "/etc/passwd"] {
        assert_eq!(copy(path).await.unwrap(), b"root:x:0:0:root:/:/bin/sh\n", "{path}");
    }
    assert!(copy("/etc/shadow").await.unwrap_err().is_not_found());
    assert!(matches!(copy("/real").await, Err(EngineError::Refused { .. })));
    assert!(stage.engine.copy_file("nobody-made-it", "/etc/passwd").await.unwrap_err().is_not_found());
}

pub async fn images_are_known_by_tag_and_id<E: Engine + Clone>(stage: Stage<E>) {
    let archive = kubelet_lite::engine::archive::image_archive(
        &format!("kl-test/{}:1", stage.claim.replace('_', "-")),
        &serde_json::json!({ "User": "7:8", "Volumes": { "/b": {}, "/a": {} }, "StopSignal": "SIGQUIT" }),
        &[],
    );
    stage.engine.image_load(archive.bytes.clone()).await.unwrap();
    let by_id = stage.engine.image_inspect(&archive.id).await.unwrap();
    assert_eq!((by_id.id.as_str(), by_id.user.as_str()), (archive.id.as_str(), "7:8"));
    assert_eq!(
        (by_id.volumes.as_slice(), by_id.stop_signal.as_deref()),
        (["/a", "/b"].map(str::to_owned).as_slice(), Some("SIGQUIT"))
    );
    stage.engine.image_load(archive.bytes).await.unwrap();
    let tag = format!("kl-test/{}:1", stage.claim.replace('_', "-"));
    assert_eq!(stage.engine.image_inspect(&tag).await.unwrap(), by_id);
    assert_eq!(stage.engine.image_inspect(&format!("docker.io/{tag}")).await.unwrap(), by_id);
}

pub async fn an_image_is_saved_with_its_files<E: Engine + Clone>(stage: Stage<E>) {
    let tag = format!("kl-test/{}:1", stage.claim.replace('_', "-"));
    let layer = [LayerEntry::Directory("etc", 0o755), LayerEntry::File("etc/motd", 0o640, b"welcome")];
    let image = image_archive(&tag, &serde_json::json!({}), &layer);
    stage.engine.image_load(image.bytes).await.unwrap();
    for reference in [tag, image.id] {
        let mut file = tempfile::tempfile().unwrap();
        stage.engine.image_save(&reference, file.try_clone().unwrap()).await.unwrap();
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        let parts = files_of(&bytes);
        let manifest: serde_json::Value = serde_json::from_slice(&parts["manifest.json"]).unwrap();
        let layers: Vec<&str> = manifest[0]["Layers"].as_array().unwrap().iter().filter_map(|l| l.as_str()).collect();
        let [layer] = layers.as_slice() else { panic!("{manifest}") };
        assert_eq!(files_of(&parts[*layer])["etc/motd"], b"welcome");
    }
    let file = tempfile::tempfile().unwrap();
    assert!(stage.engine.image_save("kl-test/nobody-made-it:1", file).await.unwrap_err().is_not_found());
}

/// The regular files of an archive.
fn files_of(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if entry.header().entry_type().is_file() {
            files.insert(entry.path().unwrap().display().to_string(), content);
        }
    }
    files
}

pub async fn a_bad_archive_is_refused<E: Engine + Clone>(stage: Stage<E>) {
    for archive in [vec![7; 4096], vec![0; 1024], Vec::new()] {
        let size = archive.len();
        let loaded = stage.engine.image_load(archive).await;
        assert!(matches!(loaded, Err(EngineError::Refused { .. })), "{size} bytes: {loaded:?}");
    }
}

pub async fn an_image_that_can_not_be_had_is_an_error<E: Engine + Clone>(stage: Stage<E>) {
    // Nothing listens on port 1 of the loopback.
    let pulled = stage.engine.image_pull("127.0.0.1:1/nothing:1", None).await;
    assert!(matches!(pulled, Err(EngineError::Refused { .. } | EngineError::NotFound { .. })), "{pulled:?}");
}

pub async fn a_named_volume_is_kept_as_it_was_made<E: Engine + Clone>(stage: Stage<E>) {
    let name = stage.name("volume");
    let labels = |value: &str| BTreeMap::from([("l".to_owned(), value.to_owned())]);
    let made = stage.engine.volume_create(&name, labels("first")).await.unwrap();
    assert_eq!(made.labels, labels("first"));
    if stage.real {
        assert!(made.directory.as_ref().is_some_and(|directory| directory.is_dir()), "{made:?}");
    }
    // Asked for again, also with other labels, it is the same.
    assert_eq!(stage.engine.volume_create(&name, labels("second")).await.unwrap(), made);
    // Neither the end of a container that mounts it nor its removal with volumes takes it away.
    let mut body = stage.body(Program::Brief);
    let mount = Mount {
        target: Some("/data".to_owned()),
        source: Some(name.clone()),
        typ: Some(MountType::VOLUME),
        volume_options: Some(MountVolumeOptions { labels: Some([].into()), ..MountVolumeOptions::default() }),
        ..Mount::default()
    };
    body.host_config = Some(HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() });
    let id = stage.engine.create(&stage.name("user"), body).await.unwrap();
    stage.engine.start(&id).await.unwrap();
    stage.ended(&id).await;
    stage.engine.remove(&id).await.unwrap();
    assert_eq!(stage.engine.volume_create(&name, labels("third")).await.unwrap(), made);
}

/// A private image is pulled by who may, and by nobody else. The engine's words do not have the password.
pub async fn a_private_image_is_pulled_by_who_may<E: Engine>(engine: &E, image: &str, (user, password): (&str, &str)) {
    let auth = |password: &str| RegistryAuth {
        username: user.to_owned(),
        password: password.to_owned(),
        identity_token: None,
    };
    for who in [None, Some(auth("wrong-4711"))] {
        let refused = engine.image_pull(image, who.as_ref()).await.unwrap_err();
        assert!(matches!(refused, EngineError::Refused { .. } | EngineError::NotFound { .. }), "{refused:?}");
        assert!(!format!("{refused} {refused:?}").contains("4711"), "{refused:?}");
        assert!(engine.image_inspect(image).await.unwrap_err().is_not_found());
    }
    engine.image_pull(image, Some(&auth(password))).await.unwrap();
    engine.image_inspect(image).await.unwrap();
}

pub async fn the_pause_image_makes_a_sandbox<E: Engine + Clone>(stage: Stage<E>) {
    let image = pause::ensure(&stage.engine).await.unwrap();
    assert_eq!(image, pause::pause_image().id);
    let mut body = stage.body(Program::Polite);
    (body.image, body.cmd) = (Some(image.clone()), None);
    // The fake's sandboxes are told by this label.
    let labels = body.labels.as_mut().unwrap();
    labels.remove("test.program");
    labels.insert("io.kubernetes.container.name".to_owned(), "POD".to_owned());
    let id = stage.engine.create(&stage.name("sandbox"), body).await.unwrap();
    stage.engine.start(&id).await.unwrap();
    stage.settle_as(&id, "/pause").await;
    assert_eq!(stage.inspect(&id).await.image_id, image);
    assert_eq!(pause::ensure(&stage.engine).await.unwrap(), image);
    let began = Instant::now();
    stage.engine.stop(&id, 600 * S).await.unwrap();
    assert!(began.elapsed() < 300 * S);
    let seen = stage.inspect(&id).await;
    assert_eq!((seen.state, seen.exit_code), (EngineState::Exited, 0));
}

pub async fn the_end_of_a_log_can_be_read<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.create("a", Program::Talkative).await;
    assert_eq!(stage.engine.logs_tail(&id, 80, 2048).await.unwrap(), b"");
    stage.engine.start(&id).await.unwrap();
    stage.ended(&id).await;
    let last: String = (21..=100).map(|i| format!("line {i}\n")).collect();
    // The engine may write its log a moment after the end.
    let text = eventually("the log is written", || async {
        let end = stage.engine.logs_tail(&id, 80, 2048).await.unwrap();
        String::from_utf8(end).ok().filter(|text| text.ends_with("line 100\n"))
    })
    .await;
    assert_eq!(text, last);
    assert_eq!(stage.engine.logs_tail(&id, 80, 13).await.unwrap(), b" 99\nline 100\n");
    assert!(stage.engine.logs_tail(&stage.name("nothing"), 80, 2048).await.unwrap_err().is_not_found());
}
