use super::*;
use crate::{
    engine::{
        ContainerCreateBody,
        fake::{ExecBehaviour, FakeEngine, Fault, Verb, internal_error, unavailable},
    },
    time::Clock,
};

const S: Duration = Duration::from_secs(1);

fn not_found() -> EngineError {
    EngineError::NotFound { operation: "exec".to_owned(), message: "No such exec instance".to_owned() }
}

/// An engine with a running container, whose commands do as told.
async fn stage(behaviour: ExecBehaviour) -> (FakeEngine, ContainerId) {
    let engine = FakeEngine::new(&Clock::simulated(jiff::Timestamp::UNIX_EPOCH));
    engine.add_image("i");
    engine.behave_exec(move |_, _| behaviour.clone());
    let body = ContainerCreateBody { image: Some("i".to_owned()), ..ContainerCreateBody::default() };
    let id = engine.create("c", body).await.unwrap();
    engine.start(&id).await.unwrap();
    (engine, ContainerId::new(id))
}

async fn asked(engine: &FakeEngine, container: &ContainerId) -> Outcome {
    ask(engine, container, &["probe".to_owned(), "it".to_owned()], S, &mut Leftover::default()).await
}

#[tokio::test(start_paused = true)]
async fn the_exit_code_decides() {
    let failure = |text: &str| Outcome::Failure(text.to_owned());
    for (behaviour, outcome) in [
        (ExecBehaviour::exits(0, S / 10).saying("fine"), Outcome::Success("fine".to_owned())),
        (ExecBehaviour::exits(1, S / 10).saying("not fine"), failure("not fine")),
        (ExecBehaviour::exits(7, S / 10).saying("\n"), failure("exit code 7")),
        (ExecBehaviour::missing(), failure("OCI runtime exec failed: exec failed: no such file or directory")),
    ] {
        let (engine, container) = stage(behaviour).await;
        assert_eq!(asked(&engine, &container).await, outcome);
        assert_eq!(engine.running_execs(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_over_its_time_fails_and_is_killed() {
    for behaviour in [ExecBehaviour::hangs().saying("thinking"), ExecBehaviour::exits(0, 2 * S).saying("thinking")] {
        let (engine, container) = stage(behaviour).await;
        let began = Instant::now();
        let outcome = asked(&engine, &container).await;
        assert_eq!(outcome, Outcome::Failure("command \"probe it\" timed out after 1s: thinking".to_owned()));
        assert!(began.elapsed() < 2 * S);
        assert_eq!(engine.running_execs(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_command_counts_from_its_beginning() {
    let late = |seconds: u64, behaviour: ExecBehaviour| behaviour.begun_after(S * u32::try_from(seconds).unwrap());
    let timed_out = || Outcome::Failure("command \"probe it\" timed out after 1s".to_owned());
    let quick = || ExecBehaviour::exits(0, S * 9 / 10);
    for (what, behaviour, outcome, at_most) in [
        ("begun within the timeout", quick().begun_after(S / 2), Outcome::Success(String::new()), 2 * S),
        ("begun after it", late(5, quick()), Outcome::Success(String::new()), 7 * S),
        ("failing", late(5, ExecBehaviour::exits(2, S / 2)), Outcome::Failure("exit code 2".to_owned()), 7 * S),
        ("hanging", ExecBehaviour::hangs().begun_after(S / 2), timed_out(), 2 * S),
        ("begun late and hanging", late(5, ExecBehaviour::hangs()), timed_out(), 7 * S),
        ("begun late and slow", late(14, ExecBehaviour::exits(0, 2 * S)), timed_out(), 16 * S),
    ] {
        let (engine, container) = stage(behaviour).await;
        let began = Instant::now();
        assert_eq!(asked(&engine, &container).await, outcome, "{what}");
        assert!(began.elapsed() <= at_most, "{what}: {:?}", began.elapsed());
        assert_eq!(engine.running_execs(), 0, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_the_engine_does_not_begin_is_an_error_and_kept_in_sight() {
    let (engine, container) = stage(ExecBehaviour::exits(0, S / 10).begun_after(40 * S)).await;
    let (command, mut leftover) = (["probe".to_owned()], Leftover::default());
    let began = Instant::now();
    let outcome = ask(&engine, &container, &command, S, &mut leftover).await;
    assert_eq!(outcome, Outcome::Error("the engine did not begin the command within 15s".to_owned()));
    assert!(began.elapsed() < 17 * S, "the wait is bounded");
    // It is not asked again beside the first, which is killed should it ever begin.
    let outcome = ask(&engine, &container, &command, S, &mut leftover).await;
    assert!(matches!(&outcome, Outcome::Error(text) if text.contains("not begun")), "{outcome:?}");
    assert_eq!(engine.running_execs(), 1);
    tokio::time::sleep(60 * S).await;
    assert_eq!(engine.running_execs(), 0);
    engine.behave_exec(|_, _| ExecBehaviour::exits(0, Duration::ZERO));
    let outcome = ask(&engine, &container, &command, S, &mut leftover).await;
    assert_eq!((outcome, leftover), (Outcome::Success(String::new()), Leftover(None)));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_goes_away_is_no_failure() {
    let (engine, container) = stage(ExecBehaviour::hangs()).await;
    let (command, mut leftover) = (["probe".to_owned()], Leftover::default());
    let operator = async {
        tokio::time::sleep(S / 2).await;
        engine.restart(true, 30 * S);
    };
    let (outcome, ()) = tokio::join!(ask(&engine, &container, &command, S, &mut leftover), operator);
    assert!(matches!(outcome, Outcome::Error(_)), "{outcome:?}");
    // Nor while it is still away.
    let outcome = ask(&engine, &container, &command, S, &mut leftover).await;
    assert!(matches!(outcome, Outcome::Error(_)), "{outcome:?}");
    // A hung command is over its time before the engine goes: nobody can end it, and nobody knows.
    let (engine, container) = stage(ExecBehaviour::hangs()).await;
    engine.on_call(|call| match call.verb {
        Verb::ExecInspect | Verb::ExecKill => vec![Fault::Before(unavailable())],
        _ => Vec::new(),
    });
    let outcome = ask(&engine, &container, &command, S, &mut leftover).await;
    assert!(matches!(outcome, Outcome::Error(_)), "{outcome:?}");
    engine.clear_faults();
    // It was started anew meanwhile.
    let (fresh, container_of_fresh) = stage(ExecBehaviour::hangs()).await;
    fresh.on_call(|call| match call.verb {
        Verb::ExecInspect | Verb::ExecKill => vec![Fault::Before(not_found())],
        _ => Vec::new(),
    });
    assert_eq!(
        asked(&fresh, &container_of_fresh).await,
        Outcome::Error("the engine has forgotten command \"probe it\"".to_owned())
    );
    // The engine is back: the old one is ended before the next begins.
    engine.behave_exec(|_, _| ExecBehaviour::exits(0, Duration::ZERO));
    let outcome = ask(&engine, &container, &command, S, &mut leftover).await;
    assert_eq!((outcome, engine.running_execs()), (Outcome::Success(String::new()), 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_left_behind_is_ended_and_what_others_run_is_not() {
    let (engine, container) = stage(ExecBehaviour::hangs()).await;
    let mut execs = Vec::new();
    for mark in [PROBE_MARK, HOOK_MARK, "", "ctrl-p"] {
        let exec = engine.exec_create(container.as_str(), vec!["x".to_owned()], mark).await.unwrap();
        drop(engine.exec_start(&exec).await.unwrap());
        execs.push(exec);
    }
    // Set up and never started.
    execs.push(engine.exec_create(container.as_str(), vec!["x".to_owned()], PROBE_MARK).await.unwrap());
    let mut listed = engine.inspect(container.as_str()).await.unwrap().execs;
    listed.sort_unstable();
    assert_eq!(listed, execs);
    let running = async || {
        let mut running = Vec::new();
        for exec in &execs {
            running.push(engine.exec_inspect(exec).await.unwrap().running);
        }
        running
    };
    end_left_behind(&engine, &execs, false).await;
    assert_eq!(running().await, [false, true, true, true, false]);
    end_left_behind(&engine, &execs, true).await;
    assert_eq!(running().await, [false, false, true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn output_is_capped() {
    let (engine, container) = stage(ExecBehaviour::exits(0, S / 10).saying(&"x".repeat(3 * OUTPUT_LIMIT))).await;
    let Outcome::Success(said) = asked(&engine, &container).await else { panic!("it succeeds") };
    assert_eq!(said.len(), OUTPUT_LIMIT);
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_can_not_do_is_an_error() {
    let (engine, container) = stage(ExecBehaviour::exits(0, Duration::ZERO)).await;
    engine.pause_by_hand(container.as_str());
    assert!(matches!(asked(&engine, &container).await, Outcome::Error(_)));
    engine.kill_by_hand(container.as_str());
    assert!(matches!(asked(&engine, &container).await, Outcome::Error(_)));
    engine.remove_by_hand(container.as_str());
    assert!(matches!(asked(&engine, &container).await, Outcome::Error(_)));
    // Each call in turn answers with an error, or does not answer in the time the engine has to begin.
    for verb in [Verb::ExecCreate, Verb::ExecStart] {
        for fault in [Fault::Before(internal_error()), Fault::After(unavailable()), Fault::DelayReply(20 * S)] {
            let (engine, container) = stage(ExecBehaviour::exits(0, Duration::ZERO)).await;
            let mut once = Some(fault.clone());
            engine.on_call(move |call| if call.verb == verb { once.take().into_iter().collect() } else { Vec::new() });
            let outcome = asked(&engine, &container).await;
            assert!(matches!(outcome, Outcome::Error(_)), "{verb} {fault:?}: {outcome:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_takes_its_command_along() {
    let (engine, container) = stage(ExecBehaviour::hangs()).await;
    let by_hand = async {
        tokio::time::sleep(S / 2).await;
        engine.kill_by_hand(container.as_str());
    };
    let (outcome, ()) = tokio::join!(asked(&engine, &container), by_hand);
    assert_eq!(outcome, Outcome::Failure("exit code 137".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_asking_that_is_dropped_kills_its_command() {
    let (engine, container) = stage(ExecBehaviour::hangs()).await;
    let command = ["probe".to_owned()];
    let mut leftover = Leftover::default();
    let asking = ask(&engine, &container, &command, 60 * S, &mut leftover);
    assert!(tokio::time::timeout(S, asking).await.is_err());
    tokio::time::sleep(S).await;
    assert_eq!(engine.running_execs(), 0);
}

#[tokio::test(start_paused = true)]
async fn there_is_no_second_flight_beside_one_that_can_not_be_ended() {
    let (engine, container) = stage(ExecBehaviour::hangs()).await;
    engine.on_call(|call| if call.verb == Verb::ExecKill { vec![Fault::Before(internal_error())] } else { Vec::new() });
    let command = ["probe".to_owned()];
    let mut leftover = Leftover::default();
    for _ in 0..3 {
        let outcome = ask(&engine, &container, &command, S, &mut leftover).await;
        assert!(matches!(&outcome, Outcome::Failure(text) if text.contains("broke")), "{outcome:?}");
        assert_eq!(engine.running_execs(), 1);
    }
    engine.clear_faults();
    engine.behave_exec(|_, _| ExecBehaviour::exits(0, Duration::ZERO));
    let outcome = ask(&engine, &container, &command, S, &mut leftover).await;
    assert_eq!((outcome, leftover, engine.running_execs()), (Outcome::Success(String::new()), Leftover(None), 0));
}

#[tokio::test(start_paused = true)]
async fn a_hook_has_all_the_time_it_needs() {
    let (engine, container) = stage(ExecBehaviour::exits(3, 600 * S).saying("bye")).await;
    let ended = run(&engine, &container, &["hook".to_owned()]).await;
    assert_eq!(ended, Ok((3, "bye".to_owned())));
    let (engine, container) = stage(ExecBehaviour::hangs()).await;
    let command = ["hook".to_owned()];
    assert!(tokio::time::timeout(30 * S, run(&engine, &container, &command)).await.is_err());
    tokio::time::sleep(S).await;
    assert_eq!(engine.running_execs(), 0);
}
