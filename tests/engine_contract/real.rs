//! The claims on a real dockerd, and what only it can show: processes, and its own death.

use crate::{
    stage::{INSTANCE, Program, Stage, with_host_port},
    support::{
        DockerdOptions, PATIENCE, PrivateDockerd, eventually, images,
        registry::{self, Registry},
    },
};
use bollard::models::HostConfig;
use futures_util::{Stream, StreamExt, stream};
use kubelet_lite::engine::{
    ContainerCreateBody, Engine, EngineAction, EngineError, EngineState, docker::DockerEngine, pause,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const S: Duration = Duration::from_secs(1);
/// How many claims are made at a time: with all of them at once, the engine would be late for most.
const AT_A_TIME: usize = 4;

async fn stage(dockerd: &PrivateDockerd) -> Stage<DockerEngine> {
    let engine = dockerd.engine(INSTANCE);
    images::load(&engine, images::busybox()).await;
    Stage { engine, claim: "real".to_owned(), real: true }
}

/// Whether a process exists and has not ended.
fn is_alive(pid: i64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dockerd_keeps_every_claim() {
    let Some(dockerd) = PrivateDockerd::start().await else { return };
    let engine = stage(&dockerd).await.engine;
    let claims = stream::iter(crate::on_real_engine(&engine)).map(|(claim, made)| async move {
        // A call that never returns breaks its claim, too.
        let kept = tokio::time::timeout(2 * PATIENCE, tokio::spawn(made)).await;
        (!matches!(kept, Ok(Ok(())))).then_some(claim)
    });
    let broken: Vec<&str> = claims.buffer_unordered(AT_A_TIME).filter_map(std::future::ready).collect().await;
    assert!(broken.is_empty(), "dockerd breaks these claims, see above: {broken:#?}");
}

/// A container that ends at SIGKILL only, and whose stop, when it is the engine's own, has one second.
async fn run_stubborn(stage: &Stage<DockerEngine>) -> String {
    let program = Program::Stubborn;
    let mut body = stage.body(program);
    body.stop_timeout = Some(1);
    let id = stage.engine.create(&stage.name("stubborn"), body).await.unwrap();
    stage.engine.start(&id).await.unwrap();
    stage.settle(&id, program).await;
    id
}

/// What a stream gives next, or a panic if it neither gives anything nor ends.
async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> Option<T> {
    tokio::time::timeout(PATIENCE, stream.next()).await.expect("the stream goes on or ends")
}

#[tokio::test]
async fn after_a_kill_dockerd_stops_its_containers_when_it_comes_back() {
    let Some(dockerd) = PrivateDockerd::start().await else { return };
    let stage = stage(&dockerd).await;
    let polite = stage.run("polite", Program::Polite).await;
    let stubborn = run_stubborn(&stage).await;
    let pid = stage.inspect(&stubborn).await.pid;
    let mut events = stage.engine.events().await.unwrap();
    dockerd.kill().await;
    assert!(next(&mut events).await.unwrap().unwrap_err().is_unavailable());
    assert!(next(&mut events).await.is_none());
    assert!(stage.engine.inspect(&polite).await.unwrap_err().is_unavailable());
    assert!(is_alive(pid), "a container outlives dockerd's death");
    dockerd.start_again().await;
    // The same client goes on. The stop signal came first, and each had its StopTimeout, ten seconds or one.
    assert_eq!(stage.ended(&polite).await.exit_code, 7);
    assert_eq!(stage.ended(&stubborn).await.exit_code, 137);
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_dockerd_that_is_stopped_stops_its_containers_first() {
    let Some(dockerd) = PrivateDockerd::start().await else { return };
    let stage = stage(&dockerd).await;
    let polite = stage.run("polite", Program::Polite).await;
    let stubborn = run_stubborn(&stage).await;
    let mut events = stage.engine.events().await.unwrap();
    let stop = tokio::spawn({
        let (engine, id) = (stage.engine.clone(), stubborn.clone());
        async move { engine.stop(&id, 300 * S).await }
    });
    tokio::time::sleep(S).await;
    dockerd.stop().await;
    // Its own StopTimeout is the earlier deadline. Whether the answer and the events are still told before the
    // connections break is a matter of moments.
    let answer = stop.await.unwrap();
    assert!(answer.as_ref().err().is_none_or(EngineError::is_unavailable), "{answer:?}");
    let mut told = Vec::new();
    let broken = loop {
        match next(&mut events).await.expect("the stream breaks with an error") {
            Ok(event) => told.push((event.action, event.id)),
            Err(error) => break error,
        }
    };
    assert!(broken.is_unavailable(), "{broken}");
    let ended = [&polite, &stubborn].map(|id| (EngineAction::Die, id.clone()));
    assert!(told.iter().all(|event| ended.contains(event)), "{told:?}");
    dockerd.start_again().await;
    assert_eq!(stage.inspect(&polite).await.exit_code, 7);
    assert_eq!(stage.inspect(&stubborn).await.exit_code, 137);
}

#[tokio::test]
async fn with_live_restore_containers_go_on_but_stops_are_forgotten() {
    let options = DockerdOptions { live_restore: true, ..DockerdOptions::default() };
    let Some(dockerd) = PrivateDockerd::start_with(options).await else { return };
    let stage = stage(&dockerd).await;
    let calm = stage.run("calm", Program::Polite).await;
    let stopped = stage.run("stopped", Program::Stubborn).await;
    let ends = stage.run("ends", Program::Polite).await;
    let (before, pid) = (stage.inspect(&calm).await, stage.inspect(&ends).await.pid);
    let stop = tokio::spawn({
        let (engine, id) = (stage.engine.clone(), stopped.clone());
        async move { engine.stop(&id, 10 * S).await }
    });
    eventually("the stop has begun", || dockerd.signalled(&stopped, Signal::SIGTERM)).await;
    let deadline = tokio::time::Instant::now() + 10 * S;
    dockerd.kill().await;
    assert!(stop.await.unwrap().unwrap_err().is_unavailable());
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGTERM).unwrap();
    eventually("the program ends", || async { (!is_alive(pid)).then_some(()) }).await;
    tokio::time::sleep_until(deadline + S).await;
    dockerd.start_again().await;
    assert_eq!(stage.inspect(&calm).await, before);
    let missed = stage.inspect(&ends).await;
    assert_eq!((missed.state, missed.exit_code), (EngineState::Exited, 7));
    // Its SIGKILL never came: whoever wants it stopped has to ask again.
    assert_eq!(stage.inspect(&stopped).await.state, EngineState::Running);
    stage.engine.stop(&stopped, S).await.unwrap();
    assert_eq!(stage.inspect(&stopped).await.exit_code, 137);
    dockerd.stop().await;
    dockerd.start_again().await;
    assert_eq!(stage.inspect(&calm).await, before);
}

#[tokio::test]
async fn the_pause_program_reaps_what_the_pod_leaves() {
    let Some(dockerd) = PrivateDockerd::start().await else { return };
    let stage = stage(&dockerd).await;
    let image = Some(pause::ensure(&stage.engine).await.unwrap());
    let body = ContainerCreateBody { image, cmd: None, ..stage.body(Program::Polite) };
    let sandbox = stage.engine.create("sandbox", body).await.unwrap();
    stage.engine.start(&sandbox).await.unwrap();
    let pid = stage.inspect(&sandbox).await.pid;
    let mut body = stage.body(Program::Polite);
    let script = "(sleep 100000 & exec true); (sleep 100000 & exec true); sleep 100000";
    body.cmd = Some(["sh", "-c", script].map(str::to_owned).to_vec());
    body.host_config = Some(HostConfig { pid_mode: Some(format!("container:{sandbox}")), ..HostConfig::default() });
    let app = stage.engine.create("app", body).await.unwrap();
    stage.engine.start(&app).await.unwrap();
    let children = || -> Vec<i32> {
        let line = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        line.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    };
    let both = || async { Some(children()).filter(|orphans| orphans.len() == 2) };
    for orphan in eventually("orphans come to the pause program", both).await {
        kill(Pid::from_raw(orphan), Signal::SIGKILL).unwrap();
    }
    eventually("and go", || async { children().is_empty().then_some(()) }).await;
    // Its own memory is next to nothing.
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let rss: u64 =
        status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok()).unwrap();
    assert!(rss < 64, "{rss} kB");
    stage.engine.stop(&sandbox, 600 * S).await.unwrap();
    assert_eq!(stage.inspect(&sandbox).await.exit_code, 0);
}

#[tokio::test]
async fn private_images_are_pulled_by_who_may() {
    let Some(dockerd) = PrivateDockerd::start().await else { return };
    let stage = stage(&dockerd).await;
    let registry = Registry::start(&dockerd.scratch()).await;
    let image = registry.image("private:1");
    dockerd.publish(images::BUSYBOX, &image, registry::USER).await;
    crate::claims::a_private_image_is_pulled_by_who_may(&stage.engine, &image, registry::USER).await;
}

#[tokio::test]
async fn the_test_server_does_as_it_is_told() {
    let Some(dockerd) = PrivateDockerd::start().await else { return };
    dockerd.load_images().await;
    let stage = stage(&dockerd).await;
    let log = dockerd.scratch().join("log");
    let mut body = stage.body(Program::Polite);
    body.image = Some(images::SERVER.to_owned());
    body.cmd = Some(["--log", "/log/log", "--on-term", "slow:200:9"].map(str::to_owned).to_vec());
    let binds = Some(vec![format!("{}:/log", dockerd.scratch().display())]);
    let body = with_host_port(body, 0);
    let host = HostConfig { binds, ..body.host_config.unwrap_or_default() };
    let id = stage.engine.create("server", ContainerCreateBody { host_config: Some(host), ..body }).await.unwrap();
    stage.engine.start(&id).await.unwrap();
    let address = format!("{}:8080", stage.inspect(&id).await.ips[0]);
    let ok = eventually("the server answers", || async { get(&address, "/healthz").await }).await;
    assert!(ok.starts_with("HTTP/1.1 200"), "{ok}");
    get(&address, "/set?healthz=503").await.unwrap();
    assert!(get(&address, "/healthz").await.unwrap().starts_with("HTTP/1.1 503"));
    assert!(get(&address, "/echo?hello").await.unwrap().ends_with("hello"));
    stage.engine.stop(&id, 60 * S).await.unwrap();
    assert_eq!(stage.inspect(&id).await.exit_code, 9);
    let log = std::fs::read_to_string(log).unwrap();
    let words: Vec<_> = log.lines().map(|l| l.split(' ').skip(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(words[1..], ["listen 8080", "signal SIGTERM", "exit 9"]);
    // The engine may write its log a moment after the end.
    eventually("the engine has the same", || async { (dockerd.logs(&id).await == log).then_some(()) }).await;
}

async fn get(address: &str, path: &str) -> Option<String> {
    let talk = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    };
    tokio::time::timeout(PATIENCE / 2, talk).await.ok()?
}

#[tokio::test]
async fn two_private_engines_know_nothing_of_each_other_and_leave_nothing() {
    let Some(one) = PrivateDockerd::start().await else { return };
    let Some(two) = PrivateDockerd::start().await else { return };
    let (first, second) = (stage(&one).await, stage(&two).await);
    assert_ne!(one.gateway(), two.gateway());
    let id = first.run("a", Program::Stubborn).await;
    let other = second.run("a", Program::Stubborn).await;
    let (mine, other) = (first.inspect(&id).await, second.inspect(&other).await);
    assert_eq!(first.listed().await, [id]);
    let bridge = std::path::Path::new("/sys/class/net").join(one.bridge());
    let traces = || (bridge.exists(), is_alive(mine.pid), is_alive(other.pid));
    assert_eq!(traces(), (true, true, true));
    let dir = one.scratch();
    one.kill().await;
    drop(one);
    assert_eq!(traces(), (false, false, true));
    assert!(!dir.exists());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(dir.parent().unwrap().to_str().unwrap()));
    assert!(second.engine.version().await.is_ok());
}

#[tokio::test]
async fn a_command_whose_start_was_dropped_is_killed_all_the_same() {
    let Some(dockerd) = PrivateDockerd::start().await else { return };
    let stage = stage(&dockerd).await;
    let id = stage.run("a", Program::Stubborn).await;
    for micros in [0, 200, 1000, 5000, 20_000] {
        let command = ["sleep", "86399"].map(str::to_owned).to_vec();
        let exec = stage.engine.exec_create(&id, command, crate::commands::MARK).await.unwrap();
        let start = stage.engine.exec_start(&exec);
        let _ = tokio::time::timeout(Duration::from_micros(micros), start).await;
        let killed = || async {
            match stage.engine.exec_kill(&exec).await {
                // Its start is under way.
                Err(EngineError::Conflict { .. }) => None,
                killed => Some(killed),
            }
        };
        eventually("the command can be killed", killed).await.unwrap();
        // If it was started at all, it ends as a killed one does.
        let look = || async { Some(stage.engine.exec_inspect(&exec).await.unwrap()).filter(|e| !e.running) };
        let code = eventually("the command does not run", look).await.exit_code;
        assert!([None, Some(137)].contains(&code), "{code:?}");
    }
}
