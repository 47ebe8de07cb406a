use super::*;
use crate::probe::Scheme;
use http_body_util::Full;
use hyper::{Request as Incoming1, server::conn, service::service_fn};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer};
use std::{convert::Infallible, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

const PATIENCE: Duration = Duration::from_secs(30);

fn get(port: u16, path: &str) -> HttpGet {
    HttpGet { scheme: Scheme::Http, host: None, port, path: path.to_owned(), headers: Vec::new() }
}

fn loopback() -> Option<IpAddr> {
    "127.0.0.1".parse().ok()
}

async fn asked(port: u16, path: &str) -> Outcome {
    ask(&get(port, path), loopback(), PATIENCE).await
}

/// Reads a request's head and returns it.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        head.extend_from_slice(&byte);
    }
    String::from_utf8(head).unwrap()
}

/// A server that answers each request with what `answer` makes of its head, and hangs up.
async fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer(&head(&mut stream).await);
            let _ = stream.write_all(&answer).await;
        }
    });
    port
}

fn plain(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} .\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn statuses() {
    for (status, outcome) in [
        (199, Outcome::Failure("HTTP probe failed with statuscode: 199".to_owned())),
        (200, Outcome::Success("b".to_owned())),
        (299, Outcome::Success("b".to_owned())),
        (302, Outcome::Warning("Probe terminated redirects, Response body: b".to_owned())),
        (399, Outcome::Warning("Probe terminated redirects, Response body: b".to_owned())),
        (400, Outcome::Failure("HTTP probe failed with statuscode: 400".to_owned())),
        (503, Outcome::Failure("HTTP probe failed with statuscode: 503".to_owned())),
    ] {
        assert_eq!(judge(status, b"b"), outcome, "{status}");
    }
}

#[tokio::test]
async fn the_request_is_the_kubelets() {
    let (sender, mut seen) = tokio::sync::mpsc::channel(1);
    let port = serve(move |head| {
        sender.try_send(head.to_owned()).unwrap();
        plain("200", "", "ok")
    })
    .await;
    let mut get = get(port, "/a?b=c");
    get.headers = vec![("x-one".to_owned(), "1".to_owned()), ("X-One".to_owned(), "2".to_owned())];
    assert_eq!(ask(&get, loopback(), PATIENCE).await, Outcome::Success("ok".to_owned()));
    let head = seen.recv().await.unwrap();
    let mut lines: Vec<_> = head.trim_end().split("\r\n").collect();
    lines[1..].sort_unstable();
    let host = format!("Host: 127.0.0.1:{port}");
    let expected = [
        "GET /a?b=c HTTP/1.1",
        "Accept: */*",
        "Connection: close",
        &host,
        "User-Agent: kube-probe/1.36",
        "X-One: 1",
        "X-One: 2",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn redirects_are_followed_on_the_same_host_only() {
    let port = serve(|head| {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        match path.strip_prefix("/hops/").and_then(|n| n.parse::<u32>().ok()) {
            Some(0) => plain("200", "", "arrived"),
            Some(n) => plain("302", &format!("Location: /hops/{}\r\n", n - 1), ""),
            None if path == "/away" => plain("302", "Location: http://localhost/\r\n", "gone"),
            None if path == "/nowhere" => plain("302", "", "where?"),
            None => plain("302", "Location: http://[\r\n", ""),
        }
    })
    .await;
    assert_eq!(asked(port, "/hops/10").await, Outcome::Success("arrived".to_owned()));
    let Outcome::Failure(text) = asked(port, "/hops/11").await else { panic!("one too many") };
    assert!(text.ends_with("stopped after 10 redirects"), "{text}");
    let warning = |body: &str| Outcome::Warning(format!("Probe terminated redirects, Response body: {body}"));
    assert_eq!(asked(port, "/away").await, warning("gone"));
    assert_eq!(asked(port, "/nowhere").await, warning("where?"));
    let Outcome::Failure(text) = asked(port, "/garbage").await else { panic!("no URL") };
    assert!(text.contains("not a URL"), "{text}");
}

#[tokio::test]
async fn what_is_no_answer_fails() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let Outcome::Failure(text) = asked(free, "/").await else { panic!("nobody is there") };
    assert!(text.matches("Connection refused").count() == 1 && text.contains(&format!("127.0.0.1:{free}")), "{text}");
    let garbage = serve(|_| b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()).await;
    assert!(matches!(asked(garbage, "/").await, Outcome::Failure(_)));
    let hangs_up = serve(|_| Vec::new()).await;
    assert!(matches!(asked(hangs_up, "/").await, Outcome::Failure(_)));
    // The kernel takes the connection, nobody the request.
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = deaf.local_addr().unwrap().port();
    let outcome = ask(&get(port, "/"), loopback(), Duration::from_millis(100)).await;
    let text = format!("Get \"http://127.0.0.1:{port}/\": no answer within 100ms");
    assert_eq!(outcome, Outcome::Failure(text));
    // A body that breaks off says nothing about the container; one that is late is too late.
    let breaks = serve(|_| b"HTTP/1.1 200 .\r\nContent-Length: 10\r\n\r\nabc".to_vec()).await;
    assert!(matches!(asked(breaks, "/").await, Outcome::Error(_)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let _server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 .\r\nContent-Length: 10\r\n\r\nabc").await.unwrap();
        std::future::pending::<()>().await;
    });
    let outcome = ask(&get(port, "/"), loopback(), Duration::from_millis(100)).await;
    assert!(matches!(outcome, Outcome::Failure(_)), "{outcome:?}");
    let invalid = HttpGet { host: Some("a b".to_owned()), ..get(1, "/") };
    assert!(matches!(ask(&invalid, None, PATIENCE).await, Outcome::Error(_)));
    assert!(matches!(ask(&get(1, "/"), None, PATIENCE).await, Outcome::Error(_)));
}

#[tokio::test]
async fn so_much_of_a_body_is_kept() {
    let port = serve(|_| plain("200", "", &"x".repeat(3 * BODY_LIMIT))).await;
    let Outcome::Success(text) = asked(port, "/").await else { panic!("it is an answer") };
    assert_eq!(text.len(), BODY_LIMIT);
    // Without an end, too.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 .\r\n\r\n").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    });
    let Outcome::Success(text) = asked(port, "/").await else { panic!("it is an answer") };
    assert_eq!(text.len(), BODY_LIMIT);
}

/// An HTTPS server with a certificate nobody signed, which tells what it was asked with.
async fn serve_tls(protocols: &[&str]) -> u16 {
    let made = rcgen::generate_simple_self_signed(["elsewhere.example".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = builder.with_single_cert(vec![made.cert.der().clone()], key.into()).unwrap();
    config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let answer = service_fn(|request: Incoming1<Incoming>| async move {
                let host = request.uri().authority().map(ToString::to_string);
                let host = host.or(request.headers().get("host").map(|h| h.to_str().unwrap().to_owned()));
                let text = format!("{:?} {} {}", request.version(), request.uri().path(), host.unwrap_or_default());
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
            });
            let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let io = TokioIo::new(stream);
            tokio::spawn(async move {
                if is_h2 {
                    let _ = conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, answer).await;
                } else {
                    let _ = conn::http1::Builder::new().serve_connection(io, answer).await;
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn https_with_whatever_certificate_in_either_version() {
    for (protocols, version) in [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1"), (&[], "HTTP/1.1")]
    {
        let port = serve_tls(protocols).await;
        let headers = vec![("Host".to_owned(), "virtual.example".to_owned())];
        let secure = HttpGet { scheme: Scheme::Https, headers, ..get(port, "/z") };
        let outcome = ask(&secure, loopback(), PATIENCE).await;
        assert_eq!(outcome, Outcome::Success(format!("{version} /z virtual.example")));
        let named = HttpGet { host: Some("localhost".to_owned()), ..secure };
        assert!(matches!(ask(&named, None, PATIENCE).await, Outcome::Success(_)));
    }
    let not_tls = serve(|_| plain("200", "", "")).await;
    let outcome =
        ask(&HttpGet { scheme: Scheme::Https, ..get(not_tls, "/") }, loopback(), Duration::from_secs(2)).await;
    assert!(matches!(outcome, Outcome::Failure(_)), "{outcome:?}");
}

#[tokio::test]
async fn any_answer_will_do_for_a_hook() {
    let done = |http_fallback| Ok(HookDone { http_fallback });
    let angry = serve(|head| {
        assert!(head.contains("User-Agent: kube-lifecycle/1.36\r\n"), "{head}");
        plain("500", "", "no")
    })
    .await;
    assert_eq!(run_hook(&get(angry, "/"), loopback()).await, done(false));
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let refused = run_hook(&get(free, "/"), loopback()).await.unwrap_err();
    assert!(refused.message.contains("Connection refused"), "{refused}");
}

#[tokio::test]
async fn a_hook_over_https_that_is_answered_in_plain_is_repeated_in_plain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        // What most servers do with a TLS greeting.
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut greeting = [0; 3];
        stream.read_exact(&mut greeting).await.unwrap();
        stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").await.unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        let head = head(&mut second).await;
        second.write_all(&plain("200", "", "")).await.unwrap();
        head
    });
    let headers = vec![("Authorization".to_owned(), "secret".to_owned())];
    let hook = HttpGet { scheme: Scheme::Https, headers, ..get(port, "/bye") };
    assert_eq!(run_hook(&hook, loopback()).await, Ok(HookDone { http_fallback: true }));
    let head = server.await.unwrap();
    assert!(head.starts_with("GET /bye HTTP/1.1\r\n") && !head.contains("secret"), "{head}");
}
