use super::*;

fn get(path: &str, headers: &[(&str, &str)]) -> HttpGet {
    let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    HttpGet { scheme: Scheme::Http, host: None, port: 8080, path: path.to_owned(), headers }
}

fn request(get: &HttpGet) -> Request {
    Request::new(get, "10.0.0.7".parse().ok(), Client::Probe).unwrap()
}

#[test]
fn urls() {
    for (host, port, path, url) in [
        (None, 8080, "/healthz", "http://10.0.0.7:8080/healthz"),
        (None, 80, "/healthz", "http://10.0.0.7/healthz"),
        (None, 8080, "", "http://10.0.0.7:8080/"),
        (None, 8080, "healthz", "http://10.0.0.7:8080/healthz"),
        (None, 8080, "/a?b=c&d", "http://10.0.0.7:8080/a?b=c&d"),
        (None, 8080, "/a?b?c#d", "http://10.0.0.7:8080/a?b?c"),
        (None, 8080, "/a b/ü", "http://10.0.0.7:8080/a%20b/%C3%BC"),
        (None, 8080, "/a%20b", "http://10.0.0.7:8080/a%20b"),
        (Some("example"), 8080, "/", "http://example:8080/"),
        (Some("fd00::7"), 8080, "/", "http://[fd00::7]:8080/"),
        (Some("[fd00::7]"), 8080, "/", "http://[fd00::7]:8080/"),
    ] {
        let get = HttpGet { host: host.map(str::to_owned), port, ..get(path, &[]) };
        assert_eq!(request(&get).url.as_str(), url, "{host:?} {path}");
    }
    let v6 = Request::new(&get("/", &[]), "fd00::9".parse().ok(), Client::Probe).unwrap();
    assert_eq!((v6.dial_host(), v6.port(), v6.host.as_str()), ("fd00::9", 8080, "[fd00::9]:8080"));
    let tls = request(&HttpGet { scheme: Scheme::Https, port: 443, ..get("/", &[]) });
    assert_eq!((tls.is_https(), tls.port(), tls.host.as_str()), (true, 443, "10.0.0.7:443"));
    assert_eq!(Request::new(&get("/", &[]), None, Client::Probe), Err(RequestError::NoAddress));
    let bad = HttpGet { host: Some("a b".to_owned()), ..get("/", &[]) };
    assert!(matches!(Request::new(&bad, None, Client::Probe), Err(RequestError::Url { .. })));
}

#[test]
fn headers() {
    let sent = |headers: &[(&str, &str)]| {
        let request = request(&get("/", headers));
        let mut lines: Vec<_> = request.headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        lines.sort();
        (request.host, lines.join(", "))
    };
    let own = "10.0.0.7:8080".to_owned();
    for (given, host, lines) in [
        (&[][..], own.clone(), "accept: */*, user-agent: kube-probe/1.36"),
        (&[("User-Agent", "me")], own.clone(), "accept: */*, user-agent: me"),
        (&[("user-agent", "")], own.clone(), "accept: */*"),
        (&[("Accept", "")], own.clone(), "user-agent: kube-probe/1.36"),
        (&[("ACCEPT", "text/html")], own.clone(), "accept: text/html, user-agent: kube-probe/1.36"),
        (&[("Host", "virtual")], "virtual".to_owned(), "accept: */*, user-agent: kube-probe/1.36"),
        (&[("X", "1"), ("x", "2"), ("Y", "")], own, "accept: */*, user-agent: kube-probe/1.36, x: 1, x: 2, y: "),
    ] {
        assert_eq!(sent(given), (host, lines.to_owned()), "{given:?}");
    }
    let refused =
        |name: &str, value: &str| Request::new(&get("/", &[(name, value)]), "::1".parse().ok(), Client::Probe);
    assert!(matches!(refused("a b", "c"), Err(RequestError::Header(_))));
    assert!(matches!(refused("a", "b\r\nc: d"), Err(RequestError::Header(_))));
    let hook = Request::new(&get("/", &[]), "::1".parse().ok(), Client::Hook).unwrap();
    assert_eq!(hook.headers["user-agent"], "kube-lifecycle/1.36");
}

#[test]
fn redirects() {
    let first = request(&get("/a/b", &[("Host", "virtual")]));
    let follow = |status: u16, location: &str| match first.redirected(status, Some(location)) {
        Redirect::Follow(next) => format!("{} as {}", next.url, next.host),
        other => format!("{other:?}"),
    };
    for (location, next) in [
        ("/c", "http://10.0.0.7:8080/c as virtual"),
        ("c?d", "http://10.0.0.7:8080/a/c?d as virtual"),
        ("http://10.0.0.7:9090/c", "http://10.0.0.7:9090/c as 10.0.0.7:9090"),
        ("https://10.0.0.7/c", "https://10.0.0.7/c as 10.0.0.7"),
        ("//10.0.0.7/c", "http://10.0.0.7/c as 10.0.0.7"),
        ("http://10.0.0.8:8080/c", "Elsewhere"),
        ("http://virtual/c", "Elsewhere"),
        ("ftp://10.0.0.7/c", "Unreadable(\"ftp://10.0.0.7/c\")"),
        ("http://[", "Unreadable(\"http://[\")"),
        ("", "None"),
    ] {
        assert_eq!(follow(302, location), next, "{location}");
    }
    for status in [301, 302, 303, 307, 308] {
        assert!(matches!(first.redirected(status, Some("/c")), Redirect::Follow(_)), "{status}");
    }
    for status in [200, 300, 304, 305, 404] {
        assert_eq!(first.redirected(status, Some("/c")), Redirect::None, "{status}");
    }
    assert_eq!(first.redirected(302, None), Redirect::None);
}

#[test]
fn the_plain_repetition_of_a_hook() {
    let tls =
        HttpGet { scheme: Scheme::Https, port: 8443, ..get("/stop?now", &[("Authorization", "secret"), ("X", "1")]) };
    let plain = request(&tls).in_plain().unwrap();
    assert_eq!(plain.url.as_str(), "http://10.0.0.7:8443/stop?now");
    assert!(!plain.headers.contains_key("authorization") && plain.headers.contains_key("x"));
    let default_port = request(&HttpGet { port: 443, ..tls }).in_plain().unwrap();
    assert_eq!((default_port.port(), default_port.is_https()), (443, false));
}
