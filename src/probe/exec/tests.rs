use super::*;
use crate::{
    engine::{
        ContainerCreateBody,
        fake::{ExecBehaviour, FakeEngine, Fault, Verb, internal_error, unavailable},
    },
    time::Clock,
};

const S: Duration = Duration::from_secs(1);

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
    // Each call in turn answers with an error, or does not answer in time.
    for verb in [Verb::ExecCreate, Verb::ExecStart] {
        for fault in [Fault::Before(internal_error()), Fault::After(unavailable()), Fault::DelayReply(3 * S)] {
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
