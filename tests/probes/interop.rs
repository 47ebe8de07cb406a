//! Servers written by others.

use crate::{
    stage::{PATIENT, failure, grpc},
    support::{eventually, images, say},
};
use kubelet_lite::{
    engine::fake::FakeEngine,
    pod::ContainerId,
    probe::{Handler, HandlerTarget, Handlers, HostHandlers, HttpGet, Leftover, Outcome, Scheme},
    time::Clock,
};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Serves the standard health service on the port it prints: `good` and the server as a whole serve,
/// `bad` does not. A second port has a gRPC server without it.
const PYTHON: &str = "
import sys
from concurrent import futures
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
def serve(add):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    add(server)
    port = server.add_insecure_port('127.0.0.1:0')
    server.start()
    return server, port
servicer = health.HealthServicer()
servicer.set('', health_pb2.HealthCheckResponse.SERVING)
servicer.set('good', health_pb2.HealthCheckResponse.SERVING)
servicer.set('bad', health_pb2.HealthCheckResponse.NOT_SERVING)
one = serve(lambda server: health_pb2_grpc.add_HealthServicer_to_server(servicer, server))
two = serve(lambda server: None)
print(one[1], two[1], flush=True)
one[0].wait_for_termination()
";

/// Ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn ask(handler: &Handler) -> Outcome {
    // Network handlers have nothing to do with the engine.
    let handlers = HostHandlers::new(FakeEngine::new(&Clock::system()));
    let target = HandlerTarget { container: ContainerId::new("none"), address: "127.0.0.1".parse().ok() };
    handlers.ask(handler, &target, PATIENT, &mut Leftover::default()).await
}

/// A Python with grpcio's health service, made once below the build directory. `None` where there is no
/// Python or no package index.
fn python() -> Option<PathBuf> {
    let directory = images::server_program().ancestors().nth(3)?.join("grpcio");
    let python = directory.join("bin/python");
    let has_it = |python: &Path| {
        let check = Command::new(python).args(["-c", "import grpc_health.v1.health"]).stderr(Stdio::null()).status();
        check.is_ok_and(|status| status.success())
    };
    if !has_it(&python) {
        let ran = |command: &mut Command| command.stdout(Stdio::null()).status().is_ok_and(|s| s.success());
        let made = ran(Command::new("python3").args(["-m", "venv"]).arg(&directory))
            && ran(Command::new(&python).args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--timeout",
                "20",
                "grpcio-health-checking",
            ]));
        if !made || !has_it(&python) {
            return None;
        }
    }
    Some(python)
}

#[tokio::test]
async fn the_health_service_of_grpcio() {
    let Some(python) = python() else {
        say(
            "NOT RUN, because grpcio-health-checking can not be installed here (python3 -m venv, pip): the_health_service_of_grpcio",
        );
        return;
    };
    let mut server = Running(Command::new(python).args(["-c", PYTHON]).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    let mut output = std::io::BufReader::new(server.0.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    let ports: Vec<u16> = line.split_whitespace().map(|port| port.parse().unwrap()).collect();
    let healthy = Outcome::Success("service healthy".to_owned());
    assert_eq!(ask(&grpc(ports[0], "")).await, healthy);
    assert_eq!(ask(&grpc(ports[0], "good")).await, healthy);
    let text = failure(ask(&grpc(ports[0], "bad")).await);
    assert_eq!(text, "service unhealthy (responded with \"NOT_SERVING\")");
    let text = failure(ask(&grpc(ports[0], "stranger")).await);
    assert!(text.starts_with("error: health rpc probe failed: grpc status 5"), "{text}");
    let text = failure(ask(&grpc(ports[1], "")).await);
    assert!(text.contains("does not implement the grpc health protocol"), "{text}");
}

#[tokio::test]
async fn the_tls_of_openssl() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=nobody"])
        .args(["-keyout".as_ref(), at("key").as_os_str(), "-out".as_ref(), at("cert").as_os_str()])
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        say("NOT RUN, because there is no program openssl here: the_tls_of_openssl");
        return;
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let _server = Running(
            Command::new("openssl")
                .args(["s_server", "-www", "-quiet", version, "-accept", &format!("127.0.0.1:{port}")])
                .args(["-key".as_ref(), at("key").as_os_str(), "-cert".as_ref(), at("cert").as_os_str()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        let get = HttpGet { scheme: Scheme::Https, host: None, port, path: "/".to_owned(), headers: Vec::new() };
        let handler = Handler::HttpGet(get);
        let passes = || async { matches!(ask(&handler).await, Outcome::Success(_)).then_some(()) };
        eventually("openssl answers", passes).await;
    }
}
