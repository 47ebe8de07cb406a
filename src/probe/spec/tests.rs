use super::*;
use crate::pod::{ManifestSource, Node, Pod};

/// The only container of a pod with this container spec, in YAML's flow style.
fn container(yaml: &str) -> Container {
    let manifest = format!("{{metadata: {{name: p}}, spec: {{containers: [{{name: c, image: i, {yaml}}}]}}}}");
    let written: api::Pod = serde_yaml::from_str(&manifest).unwrap();
    let source = ManifestSource { path: "/p.yaml".into(), document: 0 };
    let pod = Pod::from_manifest(written, source, &Node { name: "n".to_owned() }).unwrap();
    pod.containers.into_iter().next().unwrap()
}

fn handler_of(yaml: &str) -> Result<Handler, InvalidHandler> {
    Probe::resolve(ProbeKind::Liveness, &container(yaml)).unwrap().handler
}

#[test]
fn figures_and_their_defaults() {
    let figures = |p: Probe| {
        (
            p.initial_delay.as_secs(),
            p.period.as_secs(),
            p.timeout.as_secs(),
            p.success_threshold,
            p.failure_threshold,
            p.grace,
        )
    };
    let plain = container("readinessProbe: {tcpSocket: {port: 1}}");
    assert_eq!(Probe::resolve(ProbeKind::Readiness, &plain).map(figures), Some((0, 10, 1, 1, 3, None)));
    assert_eq!(Probe::resolve(ProbeKind::Liveness, &plain), None);
    let all = container(
        "startupProbe: {tcpSocket: {port: 1}, initialDelaySeconds: 4, periodSeconds: 5, timeoutSeconds: 6, \
         failureThreshold: 7, terminationGracePeriodSeconds: 8}",
    );
    let grace = Some(Duration::from_secs(8));
    assert_eq!(Probe::resolve(ProbeKind::Startup, &all).map(figures), Some((4, 5, 6, 1, 7, grace)));
    let zeros =
        container("livenessProbe: {tcpSocket: {port: 1}, periodSeconds: 0, timeoutSeconds: 0, failureThreshold: 0}");
    assert_eq!(Probe::resolve(ProbeKind::Liveness, &zeros).map(figures), Some((0, 10, 1, 1, 3, None)));
}

#[test]
fn ports_by_number_name_and_numeric_text() {
    let of_port = |port: &str| {
        let probe =
            format!("ports: [{{name: web, containerPort: 8080}}], livenessProbe: {{tcpSocket: {{port: {port}}}}}");
        handler_of(&probe).map(|handler| match handler {
            Handler::TcpSocket { port, .. } => port,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(of_port("9090"), Ok(9090));
    assert_eq!(of_port("web"), Ok(8080));
    assert_eq!(of_port("'9091'"), Ok(9091));
    assert_eq!(of_port("nowhere"), Err(InvalidHandler::UnknownPort("nowhere".to_owned())));
    assert_eq!(of_port("0"), Err(InvalidHandler::PortOutOfRange(0)));
    assert_eq!(of_port("'65536'"), Err(InvalidHandler::PortOutOfRange(65536)));
    assert_eq!(of_port("-1"), Err(InvalidHandler::PortOutOfRange(-1)));
}

#[test]
fn exec_expands_literal_values_only() {
    let env = "env: [{name: A, value: old}, {name: A, value: a}, {name: N}, {name: B, value: $(A)}, \
               {name: F, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]";
    let command = "[run, $(A), $(B), $(F), $(NONE), $$(A), 'x$(N)y']";
    let Ok(Handler::Exec { command }) = handler_of(&format!("{env}, livenessProbe: {{exec: {{command: {command}}}}}"))
    else {
        panic!("no exec");
    };
    assert_eq!(command, ["run", "a", "$(A)", "$(F)", "$(NONE)", "$(A)", "xy"]);
}

#[test]
fn http_and_grpc() {
    let http = "livenessProbe: {httpGet: {port: 80, scheme: HTTPS, host: h, path: /a?b, \
                httpHeaders: [{name: X, value: '1'}, {name: X, value: '2'}]}}";
    let headers = [("X", "1"), ("X", "2")].map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec();
    let expected = HttpGet { scheme: Scheme::Https, host: Some("h".into()), port: 80, path: "/a?b".into(), headers };
    assert_eq!(handler_of(http), Ok(Handler::HttpGet(expected)));
    let expected = HttpGet { scheme: Scheme::Http, host: None, port: 80, path: "/".into(), headers: Vec::new() };
    assert_eq!(handler_of("livenessProbe: {httpGet: {port: 80, host: ''}}"), Ok(Handler::HttpGet(expected)));
    let expected = Handler::Grpc { port: 50051, service: "s".to_owned() };
    assert_eq!(handler_of("livenessProbe: {grpc: {port: 50051, service: s}}"), Ok(expected));
    let none = handler_of("livenessProbe: {periodSeconds: 1}");
    assert!(matches!(none, Err(InvalidHandler::Unsupported(_))), "{none:?}");
}

#[test]
fn hooks() {
    let hook = |yaml: &str| {
        let container = container(&format!(
            "ports: [{{name: web, containerPort: 8080}}], env: [{{name: A, value: a}}], lifecycle: {{preStop: {yaml}}}"
        ));
        let lifecycle = container.api.lifecycle.clone().unwrap();
        Hook::resolve(&lifecycle.pre_stop.unwrap(), &container)
    };
    let exec = Hook::Exec { command: vec!["x".to_owned(), "$(A)".to_owned()] };
    assert_eq!(hook("{exec: {command: [x, $(A)]}}"), Ok(exec));
    assert_eq!(hook("{sleep: {seconds: 3}}"), Ok(Hook::Sleep(Duration::from_secs(3))));
    let Ok(Hook::HttpGet(http)) = hook("{httpGet: {port: web}}") else { panic!("no httpGet") };
    assert_eq!((http.port, http.path.as_str()), (8080, "/"));
    let tcp = hook("{tcpSocket: {port: 1}}");
    assert!(matches!(tcp, Err(InvalidHandler::Unsupported(_))), "{tcp:?}");
}
