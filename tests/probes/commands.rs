//! exec, with and without a shell in the image.

use crate::{
    stage::{PATIENT, Stage, body, exec, failure, processes},
    support::{eventually, images},
};
use kubelet_lite::{
    engine::{ContainerCreateBody, Engine},
    probe::{Handlers, Hook, HookDone, Leftover, Outcome},
};
use std::time::{Duration, SystemTime};

const S: Duration = Duration::from_secs(1);

#[tokio::test]
async fn commands_have_what_the_container_has_and_end_as_they_do() {
    let Some(stage) = Stage::begin().await else { return };
    let ours = ContainerCreateBody {
        user: Some("65534:65534".to_owned()),
        env: Some(vec!["COLOUR=green and blue".to_owned()]),
        working_dir: Some("/tmp".to_owned()),
        ..body(images::BUSYBOX, &["sleep", "100000"])
    };
    let target = stage.run("ours", ours).await;
    let said = |words: &'static [&'static str]| {
        let (stage, target) = (&stage, &target);
        async move { stage.ask(&exec(words), target, PATIENT).await }
    };
    let ok = |text: &str| Outcome::Success(text.to_owned());
    assert_eq!(said(&["true"]).await, ok(""));
    assert_eq!(said(&["id", "-u"]).await, ok("65534\n"));
    assert_eq!(said(&["sh", "-c", "echo $COLOUR in $PWD"]).await, ok("green and blue in /tmp\n"));
    // No shell of ours comes between.
    assert_eq!(said(&["echo", "$COLOUR", "a  b", "*", "'"]).await, ok("$COLOUR a  b * '\n"));
    assert_eq!(failure(said(&["false"]).await), "exit code 1");
    assert_eq!(failure(said(&["sh", "-c", "echo broken; exit 3"]).await), "broken\n");
    assert!(failure(said(&["/no/such/program"]).await).contains("no such file or directory"));
    assert_eq!(failure(said(&["sh", "-c", "kill -9 $$"]).await), "exit code 137");
    let Outcome::Success(much) = said(&["head", "-c", "300000", "/dev/zero"]).await else { panic!("it succeeds") };
    assert_eq!(much.len(), 10 * 1024);

    // An image without a shell, or anything else.
    let server = stage.serve("server", &[]).await;
    let text = failure(stage.ask(&exec(&["sh", "-c", "true"]), &server, PATIENT).await);
    assert!(text.contains("executable file not found"), "{text}");
    let Outcome::Success(text) =
        stage.ask(&exec(&["/server", "--port", "0", "--exit-after", "1:0"]), &server, PATIENT).await
    else {
        panic!("its own program runs");
    };
    assert!(text.contains(" exit 0\n"), "{text}");

    // What can not be asked is no failure.
    stage.engine.kill(target.container.as_str(), "SIGKILL").await.unwrap();
    eventually("it can not be asked", || async { matches!(said(&["true"]).await, Outcome::Error(_)).then_some(()) })
        .await;
}

#[tokio::test]
async fn a_command_over_its_time_is_killed_with_its_children() {
    let Some(stage) = Stage::begin().await else { return };
    let target = stage.sleep("target").await;
    // A number nobody else sleeps for.
    let marker = format!("{}", 70_000 + u64::from(std::process::id()));
    let sleeper = ["sleep", marker.as_str()];
    let script = format!("echo thinking; sleep {marker} & sleep {marker}; exit 0");
    let hangs = exec(&["sh", "-c", &script]);
    let mut leftover = Leftover::default();
    // Long enough for it to have begun in a busy engine.
    for _ in 0..3 {
        let outcome = stage.handlers.ask(&hangs, &target, 5 * S, &mut leftover).await;
        let text = failure(outcome);
        assert!(text.contains("timed out after 5s: thinking"), "{text}");
        assert_eq!(processes(&sleeper), 0);
        assert_eq!(leftover, Leftover::default());
    }
    // The container's own process is another session, and the next command is not disturbed.
    assert_eq!(stage.ask(&exec(&["true"]), &target, PATIENT).await, Outcome::Success(String::new()));

    // Dropped under way.
    tokio::select! {
        outcome = stage.ask(&hangs, &target, PATIENT) => panic!("it hangs: {outcome:?}"),
        () = eventually("it is under way", || async { (processes(&sleeper) == 2).then_some(()) }) => {}
    }
    eventually("the abandoned command is gone", || async { (processes(&sleeper) == 0).then_some(()) }).await;

    // It has ended in time and left something behind that holds its output: its exit code counts, and
    // what it left is not touched.
    // Less than the two seconds after which the engine tells the end of such a command.
    let soon = Duration::from_millis(1500);
    let leaves = exec(&["sh", "-c", &format!("sleep {marker} & exit 0")]);
    assert_eq!(stage.ask(&leaves, &target, soon).await, Outcome::Success(String::new()));
    assert_eq!(processes(&sleeper), 1);
    // The engine tells the ends of the next commands late; they pass all the same.
    assert_eq!(stage.ask(&exec(&["true"]), &target, soon).await, Outcome::Success(String::new()));
    assert_eq!(processes(&sleeper), 1);
}

#[tokio::test]
async fn hooks_run_to_their_end() {
    let Some(stage) = Stage::begin().await else { return };
    let target = stage.sleep("target").await;
    let hook = |script: &str| Hook::Exec { command: ["sh", "-c", script].map(str::to_owned).to_vec() };
    let began = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    assert_eq!(stage.hook(&hook("sleep 2; echo bye"), &target).await, Ok(HookDone::default()));
    assert!(SystemTime::UNIX_EPOCH.elapsed().unwrap() - began >= 2 * S);
    let failed = stage.hook(&hook("echo no; exit 4"), &target).await.unwrap_err();
    assert_eq!(failed.message, "command \"sh -c echo no; exit 4\" exited with 4: no");
    // Closing its output is not its end.
    assert!(stage.hook(&hook("exec >&- 2>&-; sleep 1; exit 5"), &target).await.unwrap_err().message.contains("with 5"));
}

#[tokio::test]
async fn what_the_engine_takes_to_begin_a_command_is_not_the_commands_time() {
    let Some(stage) = Stage::begin().await else { return };
    let target = stage.sleep("target").await;
    let marker = format!("{}", 80_000 + u64::from(std::process::id()));
    let frozen_for = async |time: Duration| {
        stage.dockerd.freeze_containerd();
        tokio::time::sleep(time).await;
        stage.dockerd.thaw_containerd();
    };
    // Busy for longer than the command may take.
    let quick = exec(&["sleep", "0.2"]);
    let (outcome, ()) = tokio::join!(stage.ask(&quick, &target, 2 * S), frozen_for(4 * S));
    assert_eq!(outcome, Outcome::Success(String::new()));
    let hangs = exec(&["sleep", &marker]);
    let (outcome, ()) = tokio::join!(stage.ask(&hangs, &target, 2 * S), frozen_for(4 * S));
    assert!(failure(outcome).contains("timed out after 2s"));
    assert_eq!(processes(&["sleep", &marker]), 0);
    // Too busy: nothing is known of the container, and what begins after all is ended.
    stage.dockerd.freeze_containerd();
    let outcome = stage.ask(&hangs, &target, S).await;
    stage.dockerd.thaw_containerd();
    assert_eq!(outcome, Outcome::Error("the engine did not begin the command within 15s".to_owned()));
    let begun_and_ended = || async {
        let execs = stage.engine.inspect(target.container.as_str()).await.ok()?.execs;
        (execs.is_empty() && processes(&["sleep", &marker]) == 0).then_some(())
    };
    eventually("the late command is ended", begun_and_ended).await;
}
