//! httpGet, tcpSocket and grpc against a server in an image without anything else.

use crate::stage::{IMPATIENT, PATIENT, Stage, failure, get, grpc, http, tcp};
use kubelet_lite::{
    engine::Engine,
    probe::{Handler, Hook, HookDone, HttpGet, Outcome},
};

#[tokio::test]
async fn network_handlers_of_a_container_without_a_shell() {
    let Some(stage) = Stage::begin().await else { return };
    let server = stage.serve("server", &["--grpc", "9000", "--garbage", "9001", "--deaf", "9002"]).await;
    let ask = |handler: Handler, timeout| {
        let (stage, server) = (&stage, &server);
        async move { stage.ask(&handler, server, timeout).await }
    };
    let ok = |text: &str| Outcome::Success(text.to_owned());

    // Passing.
    assert_eq!(ask(http(8080, "/healthz"), PATIENT).await, ok("ok\n"));
    assert_eq!(ask(tcp(8080), PATIENT).await, ok(""));
    assert_eq!(ask(grpc(9000, ""), PATIENT).await, ok("service healthy"));
    assert_eq!(ask(grpc(9000, "known"), PATIENT).await, ok("service healthy"));
    // A connection is all that tcpSocket asks for.
    assert_eq!(ask(tcp(9001), PATIENT).await, ok(""));
    assert_eq!(ask(tcp(9002), PATIENT).await, ok(""));

    // Failing.
    stage.tell(&server, "healthz=503").await;
    assert_eq!(failure(ask(http(8080, "/healthz"), PATIENT).await), "HTTP probe failed with statuscode: 503");
    assert_eq!(failure(ask(http(8080, "/nowhere"), PATIENT).await), "HTTP probe failed with statuscode: 404");
    stage.tell(&server, "grpc=2").await;
    let text = failure(ask(grpc(9000, ""), PATIENT).await);
    assert_eq!(text, "service unhealthy (responded with \"NOT_SERVING\")");
    let text = failure(ask(grpc(9000, "stranger"), PATIENT).await);
    assert_eq!(text, "error: health rpc probe failed: grpc status 5: as told");
    stage.tell(&server, "grpc=code:12").await;
    let text = failure(ask(grpc(9000, ""), PATIENT).await);
    assert!(text.contains("does not implement the grpc health protocol"), "{text}");

    // Hanging.
    stage.tell(&server, "healthz=hang").await;
    assert!(failure(ask(http(8080, "/healthz"), IMPATIENT).await).ends_with("no answer within 500ms"));
    stage.tell(&server, "grpc=hang").await;
    assert!(failure(ask(grpc(9000, ""), IMPATIENT).await).starts_with("timeout: "));
    assert!(failure(ask(http(9002, "/"), IMPATIENT).await).ends_with("no answer within 500ms"));
    assert!(failure(ask(grpc(9002, ""), IMPATIENT).await).starts_with("timeout: "));

    // Refusing.
    for handler in [http(1, "/"), tcp(1), grpc(1, "")] {
        let text = failure(ask(handler, PATIENT).await);
        assert!(text.contains("Connection refused"), "{text}");
    }

    // Redirecting.
    assert_eq!(ask(http(8080, "/redirect?/echo?there"), PATIENT).await, ok("there"));
    let away = ask(http(8080, "/redirect?http://192.0.2.1/"), PATIENT).await;
    assert_eq!(away, Outcome::Warning("Probe terminated redirects, Response body: ".to_owned()));
    let text = failure(ask(http(8080, "/redirect?/redirect?/nowhere"), PATIENT).await);
    assert_eq!(text, "HTTP probe failed with statuscode: 404");

    // Speaking something else.
    failure(ask(http(9001, "/"), PATIENT).await);
    failure(ask(grpc(9001, ""), PATIENT).await);
    failure(ask(grpc(8080, ""), PATIENT).await);

    // What it was asked with.
    let headers = vec![("X-Probe".to_owned(), "yes".to_owned()), ("Host".to_owned(), "virtual".to_owned())];
    let Outcome::Success(seen) = ask(Handler::HttpGet(HttpGet { headers, ..get(8080, "/headers") }), PATIENT).await
    else {
        panic!("it answers");
    };
    for line in ["User-Agent: kube-probe/1.36", "Accept: */*", "Host: virtual", "X-Probe: yes"] {
        assert!(seen.lines().any(|l| l == line), "{seen}");
    }

    // A host instead of the pod's address.
    let elsewhere = HttpGet { host: Some("127.0.0.1".to_owned()), ..get(1, "/") };
    assert!(failure(ask(Handler::HttpGet(elsewhere), PATIENT).await).contains("127.0.0.1:1"));

    // Hooks are content with any answer.
    let hook = |path: &str| Hook::HttpGet(get(8080, path));
    assert_eq!(stage.hook(&hook("/nowhere"), &server).await, Ok(HookDone::default()));
    let refused = stage.hook(&Hook::HttpGet(get(1, "/")), &server).await.unwrap_err();
    assert!(refused.message.contains("Connection refused"), "{refused}");

    // Gone.
    stage.engine.kill(server.container.as_str(), "SIGKILL").await.unwrap();
    failure(ask(http(8080, "/healthz"), IMPATIENT).await);
    failure(ask(tcp(8080), IMPATIENT).await);
}
