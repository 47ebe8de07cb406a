//! What a claim is made on: an engine, real or fake, and programs that behave alike on both.

use crate::support::{PATIENCE, eventually};
use bollard::models::{HostConfig, PortBinding};
use futures_util::{StreamExt, stream::BoxStream};
use kubelet_lite::engine::{
    ContainerCreateBody, ContainerDetails, Engine, EngineEvent, EngineState, MANAGED_BY_LABEL, fake::Behaviour,
};
use std::{collections::HashMap, time::Duration};

/// The image all programs of the suite come from.
pub const IMAGE: &str = crate::support::images::BUSYBOX;
/// The instance the engine under test is a client for.
pub const INSTANCE: &str = "contract";

const PROGRAM: &str = "test.program";
pub const CLAIM: &str = "test.claim";

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Runs until SIGTERM or SIGUSR1, then ends with 7.
    Polite,
    /// Ends at SIGKILL only.
    Stubborn,
    /// Ends at once with 3.
    Brief,
    /// Can not be started.
    Missing,
    /// Takes more memory than it may.
    Greedy,
    /// Prints a hundred lines, then ends with 3.
    Talkative,
}

impl Program {
    const ALL: [Self; 6] = [Self::Polite, Self::Stubborn, Self::Brief, Self::Missing, Self::Greedy, Self::Talkative];

    /// For the real engine.
    fn command(self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Polite => &["sh", "-c", "trap 'exit 7' TERM USR1; sleep 100000 & wait"],
            // PID 1 without a handler.
            Self::Stubborn => &["sleep", "100000"],
            Self::Brief => &["sh", "-c", "exit 3"],
            Self::Missing => &["/no/such/program"],
            Self::Greedy => &["sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"],
            Self::Talkative => &["sh", "-c", "for i in $(seq 100); do echo line $i; done; exit 3"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// For the fake.
    fn behaviour(self) -> Behaviour {
        match self {
            Self::Polite => Behaviour::runs().on_sigterm(7, Duration::ZERO),
            Self::Stubborn => Behaviour::runs().ignoring_sigterm(),
            Self::Brief => Behaviour::exits(3, Duration::ZERO),
            Self::Missing => Behaviour::fails_to_start("exec: \"/no/such/program\": no such file or directory"),
            Self::Greedy => Behaviour::out_of_memory(Duration::from_millis(100)),
            Self::Talkative => {
                let lines: String = (1..=100).map(|i| format!("line {i}\n")).collect();
                Behaviour::exits(3, Duration::ZERO).printing(&lines)
            }
        }
    }

    /// The fake's rule: what the label says.
    pub fn labelled(labels: &std::collections::BTreeMap<String, String>) -> Behaviour {
        let label = labels.get(PROGRAM).cloned().unwrap_or_default();
        Self::ALL.into_iter().find(|p| format!("{p:?}") == label).map_or_else(Behaviour::runs, Self::behaviour)
    }
}

/// One claim's engine and names.
#[derive(Clone)]
pub struct Stage<E> {
    pub engine: E,
    /// Different for each claim, since they share one real engine.
    pub claim: String,
    /// Whether programs are processes of this machine.
    pub real: bool,
}

impl<E: Engine + Clone> Stage<E> {
    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.claim)
    }

    /// What a program is made from.
    pub fn body(&self, program: Program) -> ContainerCreateBody {
        let labels =
            [(PROGRAM, format!("{program:?}")), (CLAIM, self.claim.clone()), (MANAGED_BY_LABEL, INSTANCE.into())];
        ContainerCreateBody {
            image: Some(IMAGE.to_owned()),
            cmd: Some(program.command()),
            labels: Some(labels.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
            ..ContainerCreateBody::default()
        }
    }

    pub async fn create(&self, name: &str, program: Program) -> String {
        self.engine.create(&self.name(name), self.body(program)).await.expect("create")
    }

    /// A program that is past its start: it has its signal handlers.
    pub async fn run(&self, name: &str, program: Program) -> String {
        let id = self.create(name, program).await;
        self.engine.start(&id).await.expect("start");
        self.settle(&id, program).await;
        id
    }

    /// Waits until a program that goes on does with SIGTERM what it is there for.
    pub async fn settle(&self, id: &str, program: Program) {
        match program {
            Program::Polite => self.settle_as(id, "sh").await,
            Program::Stubborn => self.settle_as(id, "sleep").await,
            Program::Brief | Program::Missing | Program::Greedy | Program::Talkative => {}
        }
    }

    /// Waits until a container's process is this program and has nothing to do but to wait for signals. Before
    /// that it is `runc init`, which SIGTERM ends with exit code 2.
    pub async fn settle_as(&self, id: &str, program: &str) {
        if !self.real {
            return;
        }
        let pid = self.engine.inspect(id).await.expect("inspect").pid;
        let name = format!("{program}\0");
        eventually("the program waits", || async {
            let is_program = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?.starts_with(name.as_bytes());
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let sleeps = status.lines().any(|line| line.starts_with("State:\tS"));
            (is_program && sleeps).then_some(())
        })
        .await;
    }

    pub async fn inspect(&self, id: &str) -> ContainerDetails {
        self.engine.inspect(id).await.expect("inspect")
    }

    /// The container once it has ended.
    pub async fn ended(&self, id: &str) -> ContainerDetails {
        let look = || async { Some(self.inspect(id).await).filter(|c| c.state == EngineState::Exited) };
        eventually("the container ends", look).await
    }

    /// Ids of the claim's containers, newest first.
    pub async fn listed(&self) -> Vec<String> {
        let rows = self.engine.list(CLAIM, &self.claim).await.expect("list");
        rows.into_iter().map(|row| row.id).collect()
    }

    /// The claim's events from now on.
    pub async fn events(&self) -> Events {
        let claim = self.claim.clone();
        let stream = self.engine.events().await.expect("events");
        let own = stream.filter(move |item| {
            let is_own = item.as_ref().is_ok_and(|e| e.labels.get(CLAIM) == Some(&claim));
            async move { is_own }
        });
        Events(own.map(|item| item.expect("an event")).boxed())
    }
}

/// Events of one claim's containers.
pub struct Events(BoxStream<'static, EngineEvent>);

impl Events {
    /// The next event, or a panic if none comes.
    pub async fn next(&mut self) -> EngineEvent {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
        next.expect("an event in time").expect("the stream goes on")
    }
}

/// `body` in the network of another container.
pub fn joined(body: ContainerCreateBody, to: &str) -> ContainerCreateBody {
    let host = HostConfig { network_mode: Some(format!("container:{to}")), ..HostConfig::default() };
    ContainerCreateBody { host_config: Some(host), ..body }
}

/// `body` with container port 80 on a port of the host's loopback.
pub fn with_host_port(body: ContainerCreateBody, port: u16) -> ContainerCreateBody {
    let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(port.to_string()) };
    let ports = HashMap::from([("80/tcp".to_owned(), Some(vec![binding]))]);
    let host = HostConfig { port_bindings: Some(ports), ..HostConfig::default() };
    ContainerCreateBody { host_config: Some(host), exposed_ports: Some(vec!["80/tcp".to_owned()]), ..body }
}

/// `body` with a memory limit that counts swap.
pub fn with_memory(body: ContainerCreateBody, bytes: i64) -> ContainerCreateBody {
    let host = HostConfig { memory: Some(bytes), memory_swap: Some(bytes), ..HostConfig::default() };
    ContainerCreateBody { host_config: Some(host), ..body }
}
