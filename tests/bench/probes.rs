//! `make bench-probes`: what probes cost and how late they are. Not a test: it prints, it does not judge.
//!
//! 110 pods with one probe each, period 10 s: first by the daemon, whose CPU and memory are watched; then
//! by the same probe workers in this process, which tell how late each answer was; then bare, without
//! anything of ours but the engine's client, as the floor of the same minute on the same machine.

// A benchmark reports; where it can not go on, it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod daemon;
#[path = "../support/mod.rs"]
mod support;

use daemon::Daemon;
use futures_util::StreamExt;
use kubelet_lite::{
    convert::MANAGED_BY,
    engine::{Engine, EngineState, docker::DockerEngine},
    pod::{ContainerId, ProbeKind},
    probe::{
        Handler, HandlerTarget, Handlers, HostHandlers, HttpGet, Outcome, Probe, ProbeSubject, ProbeWorker, Scheme,
    },
    time::Clock,
};
use std::{fs, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::Instant,
};

const PODS: usize = 110;
const PERIOD: Duration = Duration::from_secs(10);
/// How long each way is watched.
const WATCHED: Duration = Duration::from_secs(60);
/// Ends at once with 0, in an image without anything else.
const COMMAND: [&str; 5] = ["/server", "--port", "0", "--exit-after", "0:0"];

#[tokio::main(worker_threads = 2)]
async fn main() {
    let Some(dockerd) = support::PrivateDockerd::start().await else { return };
    dockerd.load_images().await;
    let mut daemon = Daemon::new(&dockerd);
    daemon.pause_image().await;
    println!("{PODS} pods, one probe each, every {PERIOD:?}, watched for {WATCHED:?}\n");
    for (name, handler) in [("httpGet", http()), ("exec", exec())] {
        daemon.start().await;
        daemon.declare(name, PODS).await;
        tokio::time::sleep(PERIOD).await;
        let (resident, cpu) = daemon.idle(WATCHED).await;
        println!("{name}: the daemon has {resident:.1} MiB and takes {:.2} % of one core", cpu / 0.6);
        daemon.stop().await;

        let targets = targets(&daemon).await;
        header();
        row("by probe workers", by_workers(daemon.engine(), &handler, &targets).await);
        row("bare (the floor)", bare(daemon.engine(), &handler, &targets).await);
        println!();

        daemon.start().await;
        daemon.withdraw_all().await;
        daemon.stop().await;
    }
    println!("aims: httpGet below 1 % of one core in the daemon; p99 less than 100 ms above the floor's");
}

/// The manifest of one pod with a probe, by its name.
pub fn manifest(name: &str) -> String {
    let (port, probe) = if name.starts_with("exec") {
        ("0", format!("exec: {{command: {COMMAND:?}}}"))
    } else {
        ("8080", "httpGet: {port: 8080, path: /healthz}".to_owned())
    };
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {}\nspec:\n  containers:\n  - name: server\n    \
         image: kl-test/server:1\n    args: ['--port', '{port}']\n    livenessProbe:\n      {probe}\n      \
         periodSeconds: {}\n      failureThreshold: 100\n",
        name.to_lowercase(),
        PERIOD.as_secs()
    )
}

fn http() -> Handler {
    Handler::HttpGet(HttpGet {
        scheme: Scheme::Http,
        host: None,
        port: 8080,
        path: "/healthz".to_owned(),
        headers: Vec::new(),
    })
}

fn exec() -> Handler {
    Handler::Exec { command: COMMAND.map(str::to_owned).to_vec() }
}

/// Where the handlers of all running pods go.
async fn targets(daemon: &Daemon) -> Vec<HandlerTarget> {
    let engine = daemon.engine();
    let rows = engine.list(MANAGED_BY, daemon.instance()).await.unwrap();
    let mut targets = Vec::new();
    for row in rows.iter().filter(|r| r.state == EngineState::Running) {
        let Some(sandbox) = row.labels.get("io.kubernetes.sandbox.id") else { continue };
        let address = engine.inspect(sandbox).await.unwrap().ips.first().copied();
        targets.push(HandlerTarget { container: ContainerId::new(row.id.clone()), address });
    }
    assert_eq!(targets.len(), PODS);
    targets
}

/// What was seen of one way to probe.
struct Seen {
    /// From the moment an asking was due to its answer.
    answers: Vec<Duration>,
    failures: usize,
    /// Of this process, in seconds.
    cpu: f64,
}

async fn by_workers(engine: &DockerEngine, handler: &Handler, targets: &[HandlerTarget]) -> Seen {
    let clock = Clock::system();
    let handlers: Arc<dyn Handlers> = Arc::new(HostHandlers::new(engine.clone()));
    let (sink, mut reports) = mpsc::channel(1024);
    let probe = Probe {
        kind: ProbeKind::Liveness,
        handler: Ok(handler.clone()),
        initial_delay: Duration::ZERO,
        period: PERIOD,
        timeout: Duration::from_secs(1),
        success_threshold: 1,
        failure_threshold: u32::MAX,
        grace: None,
    };
    let before = cpu();
    let start = |target: &HandlerTarget| {
        let subject = ProbeSubject {
            container: target.container.clone(),
            started_at: clock.now(),
            address: target.address,
            adopted: true,
        };
        ProbeWorker::spawn(handlers.clone(), clock.clone(), subject, probe.clone(), sink.clone(), None)
    };
    let workers: Vec<ProbeWorker> = targets.iter().map(start).collect();
    let mut seen = Seen { answers: Vec::new(), failures: 0, cpu: 0.0 };
    let end = Instant::now() + WATCHED;
    while let Ok(Some(report)) = tokio::time::timeout_at(end, reports.recv()).await {
        seen.answers.push(report.late + report.took);
        seen.failures += usize::from(!matches!(report.outcome, Outcome::Success(_)));
    }
    drop(workers);
    seen.cpu = cpu() - before;
    seen
}

/// A timer and a bare request for each, spread over the period.
async fn bare(engine: &DockerEngine, handler: &Handler, targets: &[HandlerTarget]) -> Seen {
    let is_exec = matches!(handler, Handler::Exec { .. });
    let (sink, mut answers) = mpsc::channel(1024);
    let before = cpu();
    let began = Instant::now();
    let count = u32::try_from(targets.len()).unwrap();
    let tasks: Vec<_> = (0..count)
        .zip(targets.to_vec())
        .map(|(n, target)| {
            let (engine, sink) = (engine.clone(), sink.clone());
            tokio::spawn(async move {
                let mut due = began + PERIOD * n / count;
                loop {
                    tokio::time::sleep_until(due).await;
                    let passed = if is_exec { bare_exec(&engine, &target).await } else { bare_http(&target).await };
                    let _ = sink.send((due.elapsed(), passed.is_some())).await;
                    due += PERIOD;
                }
            })
        })
        .collect();
    let mut seen = Seen { answers: Vec::new(), failures: 0, cpu: 0.0 };
    while let Ok(Some((took, passed))) = tokio::time::timeout_at(began + WATCHED, answers.recv()).await {
        seen.answers.push(took);
        seen.failures += usize::from(!passed);
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    seen.cpu = cpu() - before;
    seen
}

async fn bare_http(target: &HandlerTarget) -> Option<()> {
    let mut stream = TcpStream::connect((target.address?, 8080)).await.ok()?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n").await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    answer.starts_with(b"HTTP/1.1 200").then_some(())
}

async fn bare_exec(engine: &DockerEngine, target: &HandlerTarget) -> Option<()> {
    let exec = engine.exec_create(target.container.as_str(), COMMAND.map(str::to_owned).to_vec(), "").await.ok()?;
    let mut output = engine.exec_start(&exec).await.ok()?;
    while let Some(item) = output.next().await {
        item.ok()?;
    }
    (engine.exec_inspect(&exec).await.ok()?.exit_code == Some(0)).then_some(())
}

/// CPU seconds of this process; the kernel counts hundredths.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn header() {
    let columns = ["answers", "failures", "p50", "p99", "longest", "CPU"];
    let [a, b, c, d, e, f] = columns;
    println!("  {:<18} {a:>8} {b:>8} {c:>10} {d:>10} {e:>10} {f:>8}", "");
}

fn row(what: &str, mut seen: Seen) {
    seen.answers.sort_unstable();
    let at = |part: f64| {
        let place = (seen.answers.len() as f64 * part) as usize;
        seen.answers.get(place.min(seen.answers.len() - 1)).unwrap().as_secs_f64() * 1000.0
    };
    let percent = seen.cpu / WATCHED.as_secs_f64() * 100.0;
    println!(
        "  {what:<18} {:>8} {:>8} {:>7.1} ms {:>7.1} ms {:>7.1} ms {percent:>6.2} %",
        seen.answers.len(),
        seen.failures,
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
