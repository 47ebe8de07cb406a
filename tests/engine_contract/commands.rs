//! Claims about commands run in containers.

use crate::{
    stage::{Program, Stage},
    support::eventually,
};
use futures_util::{StreamExt, stream::BoxStream};
use kubelet_lite::engine::{Bytes, Engine, EngineError, EngineState, ExecDetails, fake::ExecBehaviour};
use std::time::Duration;
use tokio::time::timeout;

const S: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_secs(20);
/// What our commands are marked with.
pub const MARK: &str = "kubelet-lite-test";

/// What a command does.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// Ends at once with 0 and says nothing.
    Quiet,
    /// Says `out` and `err` and ends with 3.
    Talkative,
    /// Says `begun` and runs on.
    Lasting,
    /// The program does not exist.
    Missing,
    /// Says 300 000 bytes.
    Loud,
}

const LOUD: usize = 300_000;

impl Command {
    const ALL: [Self; 5] = [Self::Quiet, Self::Talkative, Self::Lasting, Self::Missing, Self::Loud];

    /// For the real engine.
    fn words(self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Quiet => &["true"],
            Self::Talkative => &["sh", "-c", "echo out; echo err >&2; exit 3"],
            Self::Lasting => &["sh", "-c", "echo begun; sleep 100000"],
            Self::Missing => &["/no/such/program"],
            Self::Loud => &["sh", "-c", "head -c 300000 /dev/zero"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// The fake's rule.
    pub fn behaviour(words: &[String]) -> ExecBehaviour {
        let ends = |code| ExecBehaviour::exits(code, Duration::from_millis(30));
        match Self::ALL.into_iter().find(|command| command.words() == words) {
            Some(Self::Talkative) => ends(3).saying("out\nerr\n"),
            Some(Self::Lasting) => ExecBehaviour::hangs().saying("begun\n"),
            Some(Self::Missing) => ExecBehaviour::missing(),
            Some(Self::Loud) => ends(0).saying(&"\0".repeat(LOUD)),
            Some(Self::Quiet) | None => ends(0),
        }
    }
}

type Output = BoxStream<'static, Result<Bytes, EngineError>>;

impl<E: Engine + Clone> Stage<E> {
    async fn begin(&self, container: &str, command: Command) -> (String, Output) {
        let exec = self.engine.exec_create(container, command.words(), MARK).await.expect("exec create");
        let output = self.engine.exec_start(&exec).await.expect("exec start");
        (exec, output)
    }

    async fn exec_inspect(&self, exec: &str) -> ExecDetails {
        self.engine.exec_inspect(exec).await.expect("exec inspect")
    }

    /// Until the engine says that it has ended.
    async fn exec_ended(&self, exec: &str) -> ExecDetails {
        let look = || async { Some(self.exec_inspect(exec).await).filter(|e| !e.running) };
        eventually("the command ends", look).await
    }
}

/// The rest of the output.
async fn rest(mut output: Output) -> Vec<u8> {
    let mut all = Vec::new();
    let drained = timeout(LATE, async {
        while let Some(item) = output.next().await {
            all.extend_from_slice(&item.expect("output"));
        }
    });
    drained.await.expect("the output ends");
    all
}

pub async fn a_command_has_an_exit_code_and_output<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Polite).await;
    for (command, code, output) in [(Command::Quiet, 0, vec![]), (Command::Talkative, 3, vec!["err", "out"])] {
        let exec = stage.engine.exec_create(&id, command.words(), MARK).await.unwrap();
        let before = stage.exec_inspect(&exec).await;
        assert_eq!((before.running, before.exit_code, before.pid, before.age), (false, None, 0, None));
        assert_eq!(before.mark, MARK);
        let said = rest(stage.engine.exec_start(&exec).await.unwrap()).await;
        // stdout and stderr come in no certain order.
        let mut lines: Vec<_> = std::str::from_utf8(&said).unwrap().lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, output, "{command:?}");
        let after = stage.exec_ended(&exec).await;
        assert_eq!((after.container.as_str(), after.exit_code), (id.as_str(), Some(code)), "{command:?}");
    }
    assert_eq!(stage.inspect(&id).await.state, EngineState::Running);
}

pub async fn all_of_a_commands_output_comes<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Polite).await;
    let (_, output) = stage.begin(&id, Command::Loud).await;
    assert_eq!(rest(output).await.len(), LOUD);
}

pub async fn a_missing_program_is_an_exit_code<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Polite).await;
    let (exec, output) = stage.begin(&id, Command::Missing).await;
    let said = rest(output).await;
    assert!(String::from_utf8_lossy(&said).contains("no such file or directory"), "{said:?}");
    let code = stage.exec_ended(&exec).await.exit_code;
    assert!([Some(126), Some(127)].contains(&code), "{code:?}");
}

pub async fn a_command_runs_on_when_its_caller_goes_away<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Polite).await;
    let (exec, mut output) = stage.begin(&id, Command::Lasting).await;
    assert_eq!(output.next().await.unwrap().unwrap(), "begun\n");
    drop(output);
    tokio::time::sleep(S).await;
    let seen = stage.exec_inspect(&exec).await;
    assert!(seen.running && seen.exit_code.is_none() && seen.pid > 0, "{seen:?}");
    assert_eq!(seen.mark, MARK);
    assert!(seen.age.is_some_and(|age| age >= S && age < LATE), "{seen:?}");
}

pub async fn a_container_tells_which_commands_run_in_it<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Polite).await;
    assert!(stage.inspect(&id).await.execs.is_empty());
    let (quiet, output) = stage.begin(&id, Command::Quiet).await;
    rest(output).await;
    stage.exec_ended(&quiet).await;
    let (lasting, mut output) = stage.begin(&id, Command::Lasting).await;
    assert_eq!(output.next().await.unwrap().unwrap(), "begun\n");
    assert_eq!(stage.inspect(&id).await.execs, std::slice::from_ref(&lasting), "one that has ended is not named");
    // Without a mark, as commands of others are.
    let foreign = stage.engine.exec_create(&id, Command::Lasting.words(), "").await.unwrap();
    assert_eq!(stage.exec_inspect(&foreign).await.mark, "");
    stage.engine.exec_kill(&lasting).await.unwrap();
    stage.exec_ended(&lasting).await;
    // The one that was set up and never started stays.
    let left = || async { (stage.inspect(&id).await.execs == std::slice::from_ref(&foreign)).then_some(()) };
    eventually("the killed command is not named any more", left).await;
}

pub async fn a_killed_command_ends_with_137<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Polite).await;
    let (exec, mut output) = stage.begin(&id, Command::Lasting).await;
    assert_eq!(output.next().await.unwrap().unwrap(), "begun\n");
    stage.engine.exec_kill(&exec).await.unwrap();
    assert!(rest(output).await.is_empty());
    assert_eq!(stage.exec_ended(&exec).await.exit_code, Some(137));
    // A second time there is nothing to do.
    stage.engine.exec_kill(&exec).await.unwrap();
    let (quiet, output) = stage.begin(&id, Command::Quiet).await;
    rest(output).await;
    assert_eq!(stage.exec_ended(&quiet).await.exit_code, Some(0));
    assert_eq!(stage.inspect(&id).await.state, EngineState::Running);
}

pub async fn a_command_ends_with_its_container<E: Engine + Clone>(stage: Stage<E>) {
    let id = stage.run("a", Program::Stubborn).await;
    let (exec, mut output) = stage.begin(&id, Command::Lasting).await;
    assert_eq!(output.next().await.unwrap().unwrap(), "begun\n");
    stage.engine.kill(&id, "SIGKILL").await.unwrap();
    rest(output).await;
    let look = || async {
        match stage.engine.exec_inspect(&exec).await {
            Ok(seen) if seen.running => None,
            Ok(seen) => Some(seen.exit_code),
            Err(error) if error.is_not_found() => Some(Some(137)),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(eventually("the command ends", look).await, Some(137));
}

pub async fn a_command_needs_a_running_container<E: Engine + Clone>(stage: Stage<E>) {
    let created = stage.create("created", Program::Polite).await;
    let ended = stage.run("ended", Program::Brief).await;
    stage.ended(&ended).await;
    for id in [&created, &ended] {
        let refused = stage.engine.exec_create(id, Command::Quiet.words(), MARK).await;
        assert!(matches!(refused, Err(EngineError::Conflict { .. })), "{refused:?}");
    }
    let nowhere = stage.engine.exec_create(&stage.name("nothing"), Command::Quiet.words(), MARK).await;
    assert!(nowhere.as_ref().is_err_and(EngineError::is_not_found), "{nowhere:?}");
    let running = stage.run("running", Program::Stubborn).await;
    let nothing = stage.engine.exec_create(&running, Vec::new(), MARK).await;
    assert!(matches!(nothing, Err(EngineError::Refused { status: 400, .. })), "{nothing:?}");
    let late = stage.engine.exec_create(&running, Command::Quiet.words(), MARK).await.unwrap();
    stage.engine.kill(&running, "SIGKILL").await.unwrap();
    stage.ended(&running).await;
    let started = stage.engine.exec_start(&late).await.err();
    assert!(matches!(started, Some(EngineError::Conflict { .. } | EngineError::NotFound { .. })), "{started:?}");
    let unknown = "0".repeat(64);
    assert!(stage.engine.exec_inspect(&unknown).await.is_err_and(|e| e.is_not_found()));
    assert!(stage.engine.exec_start(&unknown).await.is_err_and(|e| e.is_not_found()));
    assert!(stage.engine.exec_kill(&unknown).await.is_err_and(|e| e.is_not_found()));
}
