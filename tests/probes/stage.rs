//! A private engine, containers, and the handlers at work on them.

use crate::support::{PrivateDockerd, eventually, images};
use kubelet_lite::{
    engine::{ContainerCreateBody, Engine, docker::DockerEngine},
    pod::ContainerId,
    probe::{
        Handler, HandlerTarget, Handlers, Hook, HookDone, HookError, HostHandlers, HttpGet, Leftover, Outcome, Scheme,
    },
};
use std::{path::Path, time::Duration};

/// Long enough for a busy machine.
pub const PATIENT: Duration = Duration::from_secs(30);
/// For what never answers.
pub const IMPATIENT: Duration = Duration::from_millis(500);

pub struct Stage {
    pub engine: DockerEngine,
    pub handlers: HostHandlers<DockerEngine>,
    // Last, so that it goes last.
    pub dockerd: PrivateDockerd,
}

impl Stage {
    pub async fn begin() -> Option<Self> {
        let dockerd = PrivateDockerd::start().await?;
        dockerd.load_images().await;
        let engine = dockerd.engine("probes");
        Some(Self { handlers: HostHandlers::new(engine.clone()), engine, dockerd })
    }

    /// A running container, and where its handlers run.
    pub async fn run(&self, name: &str, body: ContainerCreateBody) -> HandlerTarget {
        let id = self.engine.create(name, body).await.expect("create");
        self.engine.start(&id).await.expect("start");
        let address = self.engine.inspect(&id).await.expect("inspect").ips.first().copied();
        HandlerTarget { container: ContainerId::new(id), address }
    }

    /// The test server, once it answers. There is nothing else in its image, no shell either.
    pub async fn serve(&self, name: &str, args: &[&str]) -> HandlerTarget {
        let target = self.run(name, body(images::SERVER, args)).await;
        let get = http(8080, "/healthz");
        let passes = || async { matches!(self.ask(&get, &target, PATIENT).await, Outcome::Success(_)).then_some(()) };
        eventually("the server answers", passes).await;
        target
    }

    /// A container with a shell that sleeps.
    pub async fn sleep(&self, name: &str) -> HandlerTarget {
        self.run(name, body(images::BUSYBOX, &["sleep", "100000"])).await
    }

    pub async fn ask(&self, handler: &Handler, target: &HandlerTarget, timeout: Duration) -> Outcome {
        self.handlers.ask(handler, target, timeout, &mut Leftover::default()).await
    }

    pub async fn hook(&self, hook: &Hook, target: &HandlerTarget) -> Result<HookDone, HookError> {
        self.handlers.run(hook, target).await
    }

    /// Tells the test server what to answer.
    pub async fn tell(&self, target: &HandlerTarget, what: &str) {
        let told = self.ask(&http(8080, &format!("/set?{what}")), target, PATIENT).await;
        assert_eq!(told, Outcome::Success(String::new()));
    }
}

pub fn body(image: &str, command: &[&str]) -> ContainerCreateBody {
    let cmd = Some(command.iter().map(|word| (*word).to_owned()).collect());
    ContainerCreateBody { image: Some(image.to_owned()), cmd, ..ContainerCreateBody::default() }
}

pub fn http(port: u16, path: &str) -> Handler {
    Handler::HttpGet(get(port, path))
}

pub fn get(port: u16, path: &str) -> HttpGet {
    HttpGet { scheme: Scheme::Http, host: None, port, path: path.to_owned(), headers: Vec::new() }
}

pub fn tcp(port: u16) -> Handler {
    Handler::TcpSocket { host: None, port }
}

pub fn grpc(port: u16, service: &str) -> Handler {
    Handler::Grpc { port, service: service.to_owned() }
}

pub fn exec(words: &[&str]) -> Handler {
    Handler::Exec { command: words.iter().map(|word| (*word).to_owned()).collect() }
}

/// The text of a failure.
pub fn failure(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failure(text) => text,
        other => panic!("not a failure: {other:?}"),
    }
}

/// How many processes of this machine were started with these words.
pub fn processes(words: &[&str]) -> usize {
    let wanted: Vec<u8> = words.iter().flat_map(|word| word.bytes().chain([0])).collect();
    let all = std::fs::read_dir("/proc").expect("/proc").flatten();
    let is_it = |pid: &Path| std::fs::read(pid.join("cmdline")).is_ok_and(|line| line == wanted);
    all.filter(|entry| is_it(&entry.path())).count()
}
