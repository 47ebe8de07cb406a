use super::*;
use crate::engine::{
    ContainerCreateBody, Engine, EngineAction, EngineState, MANAGED_BY_LABEL,
    fake::{internal_error, timeout},
};
use bollard::models::{HostConfig, PortBinding};
use futures_util::{FutureExt, StreamExt};
use std::collections::HashMap;

const S: Duration = Duration::from_secs(1);

fn engine() -> FakeEngine {
    let engine = FakeEngine::new(&Clock::simulated("2026-01-01T00:00:00Z".parse().unwrap()));
    engine.add_image("app");
    engine
}

fn body() -> ContainerCreateBody {
    let labels = HashMap::from([(MANAGED_BY_LABEL.to_owned(), "me".to_owned())]);
    ContainerCreateBody { image: Some("app:latest".to_owned()), labels: Some(labels), ..Default::default() }
}

async fn running(engine: &FakeEngine, name: &str) -> String {
    let id = engine.create(name, body()).await.unwrap();
    engine.start(&id).await.unwrap();
    id
}

fn state(engine: &FakeEngine, id: &str) -> EngineState {
    engine.container(id).unwrap().state
}

#[tokio::test(start_paused = true)]
async fn ids_are_64_hex_digits_and_deterministic() {
    let (a, b) = (engine(), engine());
    let id = a.create("x", body()).await.unwrap();
    assert_eq!(id, b.create("x", body()).await.unwrap());
    assert_eq!(id.len(), 64);
    assert!(id.chars().all(|c| c.is_ascii_hexdigit()));
    assert_ne!(id[..12], a.create("y", body()).await.unwrap()[..12]);
}

#[tokio::test(start_paused = true)]
async fn programs_follow_the_table_by_name_and_attempt() {
    let e = engine();
    e.behave_by_table(vec![
        ("k8s_a_p_n_u_0", 0..=0, Behaviour::exits(3, S)),
        ("k8s_a_p_n_u_1", 1..=1, Behaviour::out_of_memory(S)),
        ("bad", 0..=9, Behaviour::fails_to_start("no such file")),
        ("runc", 0..=9, Behaviour::fails_to_start_with(500, 128, "runc create failed")),
    ]);
    let first = running(&e, "k8s_a_p_n_u_0").await;
    let second = running(&e, "k8s_a_p_n_u_1").await;
    let bad = e.create("bad", body()).await.unwrap();
    assert!(matches!(e.start(&bad).await, Err(EngineError::Refused { status: 400, .. })));
    let runc = e.create("runc", body()).await.unwrap();
    assert!(matches!(e.start(&runc).await, Err(EngineError::Refused { status: 500, .. })));
    assert_eq!(e.container(&runc).unwrap().exit_code, 128);
    tokio::time::sleep(S).await;
    let (first, second, bad) = (e.container(&first), e.container(&second), e.container(&bad));
    assert_eq!(first.map(|c| (c.exit_code, c.oom_killed)), Some((3, false)));
    assert_eq!(second.map(|c| (c.exit_code, c.oom_killed)), Some((137, true)));
    let bad = bad.unwrap();
    assert_eq!((bad.state, bad.exit_code, bad.error.as_str()), (EngineState::Created, 127, "no such file"));
}

#[tokio::test(start_paused = true)]
async fn before_and_after_differ_in_the_effect() {
    let e = engine();
    e.inject(1, Fault::Before(internal_error()));
    e.inject(2, Fault::After(timeout()));
    assert_eq!(e.create("x", body()).await, Err(internal_error()));
    assert!(e.containers().is_empty());
    assert_eq!(e.create("x", body()).await, Err(timeout()));
    assert_eq!(e.containers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_effect_needs_no_caller() {
    let e = engine();
    e.inject(1, Fault::Delay(5 * S));
    let call = tokio::time::timeout(S, e.create("x", body())).await;
    assert!(call.is_err() && e.containers().is_empty());
    tokio::time::sleep(5 * S).await;
    assert_eq!(e.containers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_reply_comes_after_the_effect() {
    let e = engine();
    e.inject(1, Fault::DelayReply(5 * S));
    assert!(tokio::time::timeout(S, e.create("x", body())).await.is_err());
    assert_eq!(e.containers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_call_is_done_or_not_as_asked() {
    for (effect, made) in [(Effect::Done, 1), (Effect::NotDone, 0)] {
        let e = engine();
        e.inject(1, Fault::Hang(effect));
        assert!(tokio::time::timeout(1000 * S, e.create("x", body())).await.is_err());
        assert_eq!(e.containers().len(), made);
    }
}

#[tokio::test(start_paused = true)]
async fn a_crashed_client_does_nothing_more_but_the_engine_goes_on() {
    let e = engine();
    let daemon = e.client();
    daemon.inject(3, Fault::Crash(Effect::Done));
    daemon.behave(|_| Behaviour::runs().ignoring_sigterm());
    let id = running(&daemon, "x").await;
    assert!(daemon.stop(&id, 10 * S).now_or_never().is_none());
    daemon.crashed().await;
    assert!(tokio::time::timeout(S, daemon.create("y", body())).await.is_err());
    assert_eq!(state(&e, &id), EngineState::Running);
    tokio::time::sleep(9 * S).await;
    assert_eq!(state(&e, &id), EngineState::Exited);
    let next = e.client();
    assert_eq!(next.inspect(&id).await.unwrap().exit_code, 137);
    assert_eq!(e.containers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_never_answers_a_client_that_crashes() {
    let e = engine();
    let daemon = e.client();
    let id = running(&daemon, "x").await;
    e.behave(|_| Behaviour::runs());
    e.inject(3, Fault::Delay(S));
    let call = tokio::spawn({
        let daemon = daemon.clone();
        async move { daemon.stop(&id, S).await }
    });
    tokio::task::yield_now().await;
    daemon.crash();
    assert!(tokio::time::timeout(10 * S, call).await.is_err());
    assert!(e.live().is_empty());
}

#[tokio::test(start_paused = true)]
async fn events_are_dropped_doubled_delayed_and_cut() {
    let e = engine().for_instance("me");
    let mut events = e.events().await.unwrap();
    e.add_foreign_container("foreign").unwrap();
    e.inject(2, Fault::DropEvents(1));
    e.inject(3, Fault::DuplicateEvent);
    e.inject(4, Fault::LateEvent(5 * S));
    e.inject(6, Fault::CutEvents);
    let id = running(&e, "x").await;
    e.kill(&id, "SIGKILL").await.unwrap();
    e.remove(&id).await.unwrap();
    tokio::time::sleep(6 * S).await;
    assert!(e.inspect(&id).await.unwrap_err().is_not_found());
    let mut seen = Vec::new();
    while let Some(item) = events.next().await {
        seen.push(item.map(|event| event.action).map_err(|error| error.is_unavailable()));
    }
    use EngineAction::{Destroy, Die, Start};
    assert_eq!(seen, [Ok(Start), Ok(Start), Ok(Destroy), Ok(Die), Err(true)]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_without_live_restore_kills_and_with_it_only_forgets_stops() {
    for live_restore in [false, true] {
        let e = engine();
        e.behave(|_| Behaviour::runs().ignoring_sigterm());
        let id = running(&e, "x").await;
        let mut events = e.events().await.unwrap();
        let stop = tokio::spawn({
            let (e, id) = (e.clone(), id.clone());
            async move { e.stop(&id, 10 * S).await }
        });
        tokio::time::sleep(S).await;
        e.restart(live_restore, 3 * S);
        assert!(stop.await.unwrap().unwrap_err().is_unavailable());
        assert!(e.inspect(&id).await.unwrap_err().is_unavailable());
        assert!(events.next().await.unwrap().is_err() && events.next().await.is_none());
        tokio::time::sleep(30 * S).await;
        let seen = e.inspect(&id).await.unwrap();
        let expected = if live_restore { (EngineState::Running, 0) } else { (EngineState::Exited, 137) };
        assert_eq!((seen.state, seen.exit_code), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_restart_at_a_call_loses_or_does_it() {
    for (effect, made) in [(Effect::Done, 1), (Effect::NotDone, 0)] {
        let e = engine();
        e.inject(1, Fault::EngineRestart { live_restore: true, down: S, effect });
        assert!(e.create("x", body()).await.unwrap_err().is_unavailable());
        tokio::time::sleep(S).await;
        assert!(e.version().await.is_ok());
        assert_eq!(e.containers().len(), made);
    }
}

fn with_port(port: &str) -> ContainerCreateBody {
    let binding = PortBinding { host_ip: None, host_port: Some(port.to_owned()) };
    let ports = HashMap::from([("80/tcp".to_owned(), Some(vec![binding]))]);
    ContainerCreateBody { host_config: Some(HostConfig { port_bindings: Some(ports), ..Default::default() }), ..body() }
}

#[tokio::test(start_paused = true)]
async fn a_host_port_is_free_again_when_its_holder_ends() {
    let e = engine();
    let holder = e.create("a", with_port("8080")).await.unwrap();
    let other = e.create("b", with_port("8080")).await.unwrap();
    e.start(&holder).await.unwrap();
    assert!(matches!(e.start(&other).await, Err(EngineError::Refused { status: 500, .. })));
    e.kill_by_hand(&holder);
    e.start(&other).await.unwrap();
    e.occupy_host_port("tcp", 9090);
    let third = e.create("c", with_port("9090")).await.unwrap();
    assert!(e.start(&third).await.is_err());
    e.free_host_port("tcp", 9090);
    e.start(&third).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn pulls_take_their_time_and_end_with_their_caller() {
    let e = engine();
    e.publish_image("web:1", 30 * S);
    e.fail_pulls("broken", S, internal_error());
    assert!(e.image_pull("nowhere", None).await.unwrap_err().is_not_found());
    assert_eq!(e.image_pull("broken", None).await, Err(internal_error()));
    assert!(tokio::time::timeout(S, e.image_pull("web:1", None)).await.is_err());
    tokio::time::sleep(60 * S).await;
    assert!(e.image_inspect("web:1").await.unwrap_err().is_not_found());
    e.image_pull("web:1", None).await.unwrap();
    assert_eq!(e.image_inspect("docker.io/library/web:1").await, e.image_inspect("web:1").await);
}

#[tokio::test(start_paused = true)]
async fn calls_and_history_are_kept_in_order() {
    let e = engine();
    e.behave(|_| Behaviour::runs().on_sigterm(0, 2 * S));
    let id = running(&e, "x").await;
    e.stop(&id, Duration::from_millis(3500)).await.unwrap();
    let calls: Vec<_> = e.calls().into_iter().map(|c| (c.n, c.verb, c.subject)).collect();
    let x = "x".to_owned();
    assert_eq!(calls, [(1, Verb::Create, x.clone()), (2, Verb::Start, x.clone()), (3, Verb::Stop, x)]);
    let history: Vec<_> = e.history().into_iter().map(|h| (h.at.since(e.calls()[0].at), h.what)).collect();
    assert_eq!(
        history,
        [
            (Duration::ZERO, What::Created),
            (Duration::ZERO, What::Started),
            (Duration::ZERO, What::StopAsked(Duration::from_millis(3500))),
            (2 * S, What::Died { code: 0, oom: false }),
        ]
    );
    assert_eq!(e.trace().lines().count(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_hook_sees_every_call() {
    let e = engine();
    e.on_call(|call| if call.verb == Verb::Start { vec![Fault::Before(timeout())] } else { Vec::new() });
    let id = e.create("x", body()).await.unwrap();
    assert_eq!(e.start(&id).await, Err(timeout()));
    e.clear_faults();
    e.start(&id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_engine_nobody_holds_leaves_no_task_behind() {
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let e = engine();
    running(&e, "x").await;
    drop(e);
    tokio::task::yield_now().await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), before);
}

/// A little of everything, at several tasks.
async fn busy_hour() -> String {
    let e = engine();
    e.behave(|launch| match launch.name {
        "a" => Behaviour::exits(1, 7 * S),
        "b" => Behaviour::runs().ignoring_sigterm(),
        _ => Behaviour::runs().on_sigterm(0, 2 * S),
    });
    e.on_call(|call| if call.n.is_multiple_of(5) { vec![Fault::Delay(S)] } else { Vec::new() });
    let tasks: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .map(|name| {
            let e = e.clone();
            tokio::spawn(async move {
                for round in 0..10 {
                    let id = running(&e, name).await;
                    tokio::time::sleep(round * S).await;
                    e.stop(&id, 3 * S).await.unwrap();
                    e.remove(&id).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    e.trace()
}

#[test]
fn the_same_scenario_has_the_same_history() {
    let play = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(busy_hour())
    };
    let first = play();
    assert!(first.lines().count() > 300, "{first}");
    for _ in 0..3 {
        assert_eq!(play(), first);
    }
}
