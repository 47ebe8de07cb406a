use super::*;
use crate::engine::{EngineAction, EngineState};
use serde_json::json;
use std::io::{Read, Seek};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
    task::JoinHandle,
};

/// A socket that answers one request with `reply` and hands over what was asked.
fn answer_once(reply: &str) -> (tempfile::TempDir, DockerEngine, JoinHandle<String>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    let listener = UnixListener::bind(&path).unwrap();
    let engine = DockerEngine::connect(&format!("unix://{}", path.display()), "me").unwrap();
    let reply = reply.to_owned();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
        while !request.windows(4).any(|w| w == b"\r\n\r\n") {
            let n = stream.read(&mut chunk).await.unwrap();
            request.extend_from_slice(&chunk[..n]);
        }
        stream.write_all(reply.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap().lines().next().unwrap().to_owned()
    });
    (dir, engine, asked)
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn only_absolute_unix_sockets_are_endpoints() {
    assert!(DockerEngine::connect("unix:///var/run/docker.sock", "me").is_ok());
    for endpoint in ["tcp://127.0.0.1:2375", "/var/run/docker.sock", "unix://docker.sock", "unix://", ""] {
        let error = DockerEngine::connect(endpoint, "me").map(drop).unwrap_err();
        assert!(error.to_string().contains("unix:///path/to/socket"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_socket_is_an_engine_that_does_not_answer() {
    let engine = DockerEngine::connect("unix:///nonexistent/docker.sock", "me").unwrap();
    assert!(engine.version().await.unwrap_err().is_unavailable());
    assert!(engine.events().await.map(drop).unwrap_err().is_unavailable());
}

#[tokio::test]
async fn statuses_become_the_kinds_of_error() {
    let cases = [
        ("404 Not Found", "not found"),
        ("409 Conflict", "conflict"),
        ("400 Bad Request", "refused"),
        ("500 Internal Server Error", "refused"),
    ];
    for (status, kind) in cases {
        let (_dir, engine, asked) = answer_once(&http(status, r#"{"message":"the engine's words"}"#));
        let error = engine.start("web").await.unwrap_err();
        assert_eq!(error.to_string(), format!("start web: {kind}: the engine's words"));
        assert_eq!(asked.await.unwrap(), "POST /containers/web/start HTTP/1.1");
    }
}

#[tokio::test]
async fn what_is_read_all_the_time_is_asked_for_as_docker_wants_it() {
    let (_dir, engine, asked) = answer_once(&http("200 OK", "[]"));
    assert_eq!(engine.list("io.x/a b", "\"é&").await, Ok(Vec::new()));
    let encoded = "%7B%22label%22%3A%5B%22io.x%2Fa%20b%3D%5C%22%C3%A9%26%22%5D%7D";
    assert_eq!(asked.await.unwrap(), format!("GET /containers/json?all=true&filters={encoded} HTTP/1.1"));
    let (_dir, engine, asked) = answer_once(&http("404 Not Found", r#"{"message":"No such container: web"}"#));
    let error = engine.inspect("web").await.unwrap_err();
    assert_eq!(error.to_string(), "inspect web: not found: No such container: web");
    assert_eq!(asked.await.unwrap(), "GET /containers/web/json HTTP/1.1");
    let (_dir, engine, _asked) = answer_once(&http("502 Bad Gateway", "<html>"));
    assert_eq!(engine.inspect("web").await.unwrap_err().to_string(), "inspect web: refused: <html>");
}

#[tokio::test]
async fn what_is_so_already_is_success() {
    let (_dir, engine, _asked) = answer_once("HTTP/1.1 304 Not Modified\r\n\r\n");
    engine.start("web").await.unwrap();
    let (_dir, engine, _asked) = answer_once("HTTP/1.1 304 Not Modified\r\n\r\n");
    engine.stop("web", Duration::from_secs(1)).await.unwrap();
    let (_dir, engine, _asked) = answer_once(&http("409 Conflict", r#"{"message":"web is not running"}"#));
    engine.kill("web", "SIGKILL").await.unwrap();
    let (_dir, engine, asked) = answer_once(&http("404 Not Found", r#"{"message":"No such container: web"}"#));
    engine.remove("web").await.unwrap();
    assert_eq!(asked.await.unwrap(), "DELETE /containers/web?v=true&force=true&link=false HTTP/1.1");
}

#[tokio::test]
async fn a_grace_is_sent_in_whole_seconds_rounded_up() {
    for (millis, seconds) in [(0, 0), (1, 1), (1000, 1), (1001, 2)] {
        let (_dir, engine, asked) = answer_once("HTTP/1.1 204 No Content\r\n\r\n");
        engine.stop("web", Duration::from_millis(millis)).await.unwrap();
        assert_eq!(asked.await.unwrap(), format!("POST /containers/web/stop?t={seconds} HTTP/1.1"));
    }
}

#[tokio::test]
async fn a_cut_or_senseless_answer_is_told_apart() {
    let (_dir, engine, _asked) = answer_once("");
    assert!(engine.start("web").await.unwrap_err().is_unavailable());
    let (_dir, engine, _asked) = answer_once("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[");
    assert!(engine.list("a", "b").await.unwrap_err().is_unavailable());
    let (_dir, engine, _asked) = answer_once("220 mail ready\r\n\r\n");
    assert!(matches!(engine.start("web").await, Err(EngineError::Protocol { .. })));
    let (_dir, engine, _asked) = answer_once(&http("200 OK", r#"[{"Id":5}]"#));
    assert!(matches!(engine.list("a", "b").await, Err(EngineError::Protocol { .. })));
    let (_dir, engine, _asked) = answer_once(&http("200 OK", r#"[{"Id":"5","Names":["/x"]}]"#));
    let error = engine.list("a", "b").await.unwrap_err();
    assert_eq!(error.to_string(), "list a=b: unexpected answer: missing field `State` at line 1 column 26");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_says_nothing_times_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let engine = DockerEngine::connect(&format!("unix://{}", path.display()), "me").unwrap();
    let timeout = |operation: &str, after: u64| EngineError::Timeout {
        operation: operation.to_owned(),
        after: Duration::from_secs(after),
    };
    assert_eq!(engine.inspect("web").await, Err(timeout("inspect web", 30)));
    assert_eq!(engine.start("web").await, Err(timeout("start web", 120)));
    assert_eq!(engine.stop("web", Duration::from_secs(600)).await, Err(timeout("stop web", 660)));
    assert_eq!(engine.image_pull("web", None).await, Err(timeout("image pull web", 60)));
    assert_eq!(engine.events().await.map(drop), Err(timeout("events", 30)));
}

#[tokio::test(start_paused = true)]
async fn a_pull_may_take_any_time_while_it_gets_on() {
    let pull = async |silence: &'static [u64]| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        let listener = UnixListener::bind(&path).unwrap();
        let engine = DockerEngine::connect(&format!("unix://{}", path.display()), "me").unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await.unwrap();
            for seconds in silence {
                tokio::time::sleep(Duration::from_secs(*seconds)).await;
                // Whoever gave up does not listen any more.
                let _ = stream.write_all(b"{\"status\":\"Downloading\"}\r\n").await;
            }
        });
        engine.image_pull("web", None).await
    };
    assert_eq!(pull(&[59, 59, 59]).await, Ok(()));
    let stalled = EngineError::Timeout { operation: "image pull web".into(), after: Duration::from_secs(60) };
    assert_eq!(pull(&[59, 61]).await, Err(stalled));
}

#[tokio::test]
async fn errors_inside_a_good_stream_are_found() {
    let body =
        "{\"status\":\"Pulling\"}\r\n{\"errorDetail\":{\"message\":\"no space left\"},\"error\":\"no space left\"}\r\n";
    let (_dir, engine, asked) = answer_once(&http("200 OK", body));
    let error = engine.image_pull("docker.io/library/web", None).await.unwrap_err();
    assert_eq!(error.to_string(), "image pull docker.io/library/web: refused: no space left");
    let asked = asked.await.unwrap();
    assert!(asked.contains("fromImage=docker.io%2Flibrary%2Fweb%3Alatest"), "{asked}");
    let (_dir, engine, _asked) = answer_once(&http("200 OK", body));
    assert!(matches!(engine.image_load(vec![0; 10]).await, Err(EngineError::Refused { status: 500, .. })));
}

#[tokio::test]
async fn names_that_would_change_the_request_are_not_sent() {
    let engine = DockerEngine::connect("unix:///nonexistent/docker.sock", "me").unwrap();
    for name in ["", "../info", "x?y", "a/b", "a%2e", "-a", "a b", "ä"] {
        let refused = engine.inspect(name).await.unwrap_err();
        assert!(matches!(refused, EngineError::Refused { status: 400, .. }), "{name}: {refused}");
    }
    for reference in ["", "..", "a/../b", "a?b", "/a", "a//b", "a#b"] {
        let refused = engine.image_inspect(reference).await.unwrap_err();
        assert!(matches!(refused, EngineError::Refused { status: 400, .. }), "{reference}: {refused}");
    }
}

#[test]
fn ordinary_names_and_references_are_asked_for() {
    for name in ["k8s_web_web-n1_default_u_0", "a.b", "7f3b"] {
        assert!(narrow::is_container_name(name), "{name}");
    }
    for reference in ["busybox", "r.example:5000/a/b:1.0", "a@sha256:00ff", "sha256:00ff", "a..b/c", "_x/y__z"] {
        assert!(narrow::is_image_reference(reference), "{reference}");
    }
    assert_eq!(narrow::with_tag("localhost:5000/web"), "localhost:5000/web:latest");
    assert_eq!(narrow::with_tag("web:1"), "web:1");
    assert_eq!(narrow::with_tag("web@sha256:00ff"), "web@sha256:00ff");
}

#[tokio::test]
async fn one_tag_is_saved_and_not_all_of_a_repository() {
    for (reference, asked_for) in [
        ("web", "web:latest"),
        ("r.example:5000/a/web", "r.example:5000/a/web:latest"),
        ("web:1", "web:1"),
        ("sha256:00ff", "sha256:00ff"),
    ] {
        let (_dir, engine, asked) = answer_once(&http("200 OK", "archive"));
        let mut file = tempfile::tempfile().unwrap();
        engine.image_save(reference, file.try_clone().unwrap()).await.unwrap();
        let asked = asked.await.unwrap().replace("%3A", ":").replace("%2F", "/");
        assert_eq!(asked, format!("GET /images/{asked_for}/get HTTP/1.1"));
        let mut saved = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut saved).unwrap();
        assert_eq!(saved, "archive");
    }
    let (_dir, engine, _asked) = answer_once(&http("404 Not Found", r#"{"message":"No such image"}"#));
    assert!(engine.image_save("web", tempfile::tempfile().unwrap()).await.unwrap_err().is_not_found());
    // What may be an id is asked for as it is, too.
    let (_dir, engine, asked) = answer_once(&http("404 Not Found", r#"{"message":"No such image"}"#));
    let second = engine.image_save("00ff", tempfile::tempfile().unwrap()).await.unwrap_err();
    assert!(!second.is_not_found(), "nobody answers twice here: {second}");
    assert_eq!(asked.await.unwrap().replace("%3A", ":"), "GET /images/00ff:latest/get HTTP/1.1");
    assert!(!narrow::may_be_id("web") && !narrow::may_be_id("cafe:1"));
}

#[tokio::test]
async fn events_are_asked_for_with_their_filter_and_end_at_the_first_error() {
    let good = json!({"Type": "container", "Action": "die", "Actor": {"ID": "7f", "Attributes":
        {"io.kubelet-lite.managed-by": "me", "exitCode": "1", "image": "web", "name": "x"}}});
    let exec = json!({"Type": "container", "Action": "exec_create: sh -c", "Actor": {"ID": "7f", "Attributes": {}}});
    let strange = json!({"Type": "martian", "Action": "die", "Actor": {"ID": "7f", "Attributes": {}}});
    let (_dir, engine, asked) = answer_once(&http("200 OK", &format!("{good}\n{exec}\n{strange}\n{good}\n")));
    let items: Vec<_> = engine.events().await.unwrap().collect().await;
    let labels = [("io.kubelet-lite.managed-by".to_owned(), "me".to_owned())].into();
    assert_eq!(items[0], Ok(EngineEvent { action: EngineAction::Die, id: "7f".to_owned(), labels }));
    assert_eq!(items[1].as_ref().unwrap().action, EngineAction::Other);
    assert!(matches!(items[2], Err(EngineError::Protocol { .. })));
    assert_eq!(items.len(), 3);
    let asked = asked.await.unwrap();
    assert!(asked.contains("since=") && asked.contains("io.kubelet-lite.managed-by%3Dme"), "{asked}");
    assert!(asked.contains("destroy") && !asked.contains("exec"), "{asked}");
}

#[test]
fn an_inspected_container_is_narrowed() {
    let answer = json!({
        "Id": "d164", "Name": "/k8s_web", "Created": "2026-11-21T09:40:07.611717982Z", "Image": "sha256:a020",
        "ResolvConfPath": "/var/lib/docker/containers/d164/resolv.conf",
        "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": true, "Error": "", "Pid": 0,
            "StartedAt": "2026-11-21T09:40:07.902931507Z", "FinishedAt": "0001-01-01T00:00:00Z"},
        "Config": {"Labels": {"a": "b"}}, "HostConfig": {"NetworkMode": "host", "OomScoreAdj": -998, "New": "word"},
        "NetworkSettings": {"Networks": {
            "z": {"IPAddress": "10.0.0.2", "GlobalIPv6Address": ""},
            "b": {"IPAddress": "", "GlobalIPv6Address": "fd00::2"}}}});
    let details = narrow::details(answer.to_string().as_bytes()).unwrap();
    assert_eq!((details.name.as_str(), details.state, details.exit_code), ("k8s_web", EngineState::Exited, 137));
    assert!(details.oom_killed && details.started_at.is_some() && details.finished_at.is_none());
    assert_eq!(details.ips.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.2", "fd00::2"]);
    assert_eq!((details.network_mode.as_str(), details.oom_score_adj), ("host", -998));
    assert_eq!(details.labels, [("a".to_owned(), "b".to_owned())].into());
}

#[test]
fn a_command_keeps_its_mark_where_keys_to_detach_would_stand() {
    let mark = |keys: serde_json::Value| {
        let answer = json!({"ContainerID": "d164", "Running": true, "ExitCode": null, "Pid": 9, "DetachKeys": keys});
        narrow::exec(answer.to_string().as_bytes()).unwrap().mark
    };
    assert_eq!(narrow::mark_as_keys("a-b"), "a,-,b");
    assert_eq!(narrow::mark_as_keys(""), "");
    for (keys, expected) in [
        // Engines show bytes; one that showed what it was given would do as well.
        (json!("YS1i"), "a-b"),
        (json!("a,-,b"), "a-b"),
        // Those that `docker exec` sends by default, and none.
        (json!("EBE="), "\u{10}\u{11}"),
        (json!(""), ""),
        (json!(null), ""),
        (json!(7), ""),
    ] {
        assert_eq!(mark(keys.clone()), expected, "{keys}");
    }
}

#[test]
fn version_and_info_are_merged() {
    let version = json!({"Version": "20.10.24+dfsg1", "ApiVersion": "1.41"});
    let info = json!({"CgroupDriver": "cgroupfs", "LoggingDriver": "json-file", "MemTotal": 8, "Architecture": "x86_64",
            "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "odd"]});
    let merged = narrow::version(serde_json::from_value(version).unwrap(), serde_json::from_value(info).unwrap());
    insta::assert_debug_snapshot!(merged.unwrap(), @r#"
    EngineVersion {
        version: "20.10.24+dfsg1",
        api_version: "1.41",
        cgroup_driver: "cgroupfs",
        cgroup_version: "1",
        log_driver: "json-file",
        memory_total: 8,
        architecture: "x86_64",
        security: [
            "apparmor",
            "seccomp",
        ],
    }
    "#);
}

#[test]
fn a_summary_takes_its_own_name_among_link_aliases() {
    let rows = json!([{"Id": "1", "Names": ["/other/alias", "/web"], "State": "stopping", "Labels": null},
        {"Id": "2", "Names": ["/new"], "State": "pondering", "HostConfig": {"NetworkMode": "container:1"}}]);
    let rows = narrow::summaries(rows.to_string().as_bytes()).unwrap();
    assert_eq!((rows[0].name.as_str(), rows[0].state), ("web", EngineState::Running));
    // A word of a newer engine is not the end of the list.
    assert_eq!(rows[1].state, EngineState::Other);
    assert_eq!((rows[0].network_mode.as_str(), rows[1].network_mode.as_str()), ("", "container:1"));
}
