//! Tables of resolvers.

use super::*;
use crate::convert::testing::{node, pod, resolv_conf as found};

fn with(dns: &str) -> Pod {
    pod(&format!("{dns}\ncontainers: [{{name: c, image: i}}]"))
}

fn of(pod: &Pod) -> Option<Resolver> {
    resolver(pod, &found(), &node()).map(|(resolver, _)| resolver)
}

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

#[test]
fn resolv_conf() {
    let text = "# nameserver 9.9.9.9\nnameserver 192.0.2.1 # first\n\tnameserver\t2001:db8::1\nnameserver\n\
        domain old.example\nsearch a.example b.example ; c\noptions ndots:2 edns0\nsortlist 1.2.3.4\noptions rotate\n";
    let resolver = Resolver::parse(text);
    assert_eq!(resolver.nameservers, list(&["192.0.2.1", "2001:db8::1"]));
    assert_eq!(resolver.searches, list(&["a.example", "b.example"]));
    assert_eq!(resolver.options, list(&["rotate"]));
    assert_eq!(Resolver::parse("search .\n"), Resolver::default());
}

#[test]
fn policies() {
    for policy in ["Default", "ClusterFirst", "ClusterFirstWithHostNet"] {
        assert_eq!(of(&with(&format!("dnsPolicy: {policy}"))), None, "{policy}");
    }
    assert_eq!(of(&with("")), None);
    assert_eq!(of(&with("dnsPolicy: None")), Some(Resolver::default()));
    let config = "dnsConfig: {nameservers: [192.0.2.9, 192.0.2.53], searches: [x.example], \
        options: [{name: ndots, value: '3'}, {name: edns0, value: ''}, {name: rotate}]}";
    assert_eq!(
        of(&with(config)),
        Some(Resolver {
            nameservers: list(&["192.0.2.53", "192.0.2.9"]),
            searches: list(&["example.org", "x.example"]),
            options: list(&["ndots:3", "edns0", "rotate"]),
        })
    );
    let alone = of(&with(&format!("dnsPolicy: None\n{config}"))).expect("a resolver");
    assert_eq!(alone.nameservers, list(&["192.0.2.9", "192.0.2.53"]));
}

#[test]
fn a_server_that_only_the_node_reaches_is_not_given_to_a_pod() {
    let options = "dnsConfig: {options: [{name: ndots, value: '1'}]}";
    let (plain, on_host) = (options.to_owned(), format!("hostNetwork: true\n{options}"));
    let added = "dnsConfig: {nameservers: [192.0.2.9]}".to_owned();
    let (stub, behind) = ("nameserver 127.0.0.53\nsearch stub.example\n", "nameserver 192.0.2.1\nsearch lan.example\n");
    let local = "nameserver 127.0.0.1\nnameserver ::1\n";
    let google = ["8.8.8.8", "8.8.4.4"].as_slice();
    for (case, pod, text, behind, servers, searches, remarks) in [
        ("the stub", &plain, stub, Some(behind), ["192.0.2.1"].as_slice(), ["lan.example"].as_slice(), 0),
        ("the stub, on the node's network", &on_host, stub, Some(behind), &["127.0.0.53"], &["stub.example"], 0),
        ("a stub without more", &plain, stub, None, google, &["stub.example"], 1),
        ("servers of the node", &plain, local, Some(behind), google, &[], 1),
        ("servers of the node, and the pod's", &added, local, None, &["192.0.2.9"], &[], 0),
        ("some of the node", &plain, "nameserver 127.0.0.1\nnameserver 192.0.2.2\n", None, &["192.0.2.2"], &[], 0),
        ("nothing", &plain, "", None, google, &[], 1),
    ] {
        let found = ResolvConf { text: text.into(), behind_stub: behind.map(str::to_owned) };
        let (resolver, said) = resolver(&with(pod), &found, &node()).expect("a resolver");
        assert_eq!((resolver.nameservers, resolver.searches), (list(servers), list(searches)), "{case}");
        assert_eq!(said.len(), remarks, "{case}: {said:?}");
        assert!(said.iter().all(|said| said.starts_with("the node's /etc/resolv.conf names no server")), "{said:?}");
    }
}

#[test]
fn another_file_counts_for_all_pods_as_it_is() {
    let named = NodeFacts { resolv_conf: "/etc/pods.conf".into(), ..node() };
    let found = ResolvConf { text: "nameserver 127.0.0.1\nsearch a.example\n".into(), behind_stub: Some("x".into()) };
    let expected =
        Resolver { nameservers: list(&["127.0.0.1"]), searches: list(&["a.example"]), ..Resolver::default() };
    assert!(reads_resolv_conf(&with(""), &named));
    assert_eq!(resolver(&with(""), &found, &named), Some((expected, Vec::new())));
    assert!(!reads_resolv_conf(&with("dnsPolicy: None\ndnsConfig: {nameservers: [192.0.2.9]}"), &named));
    assert!(!reads_resolv_conf(&with(""), &node()));
    // No file: the pod's own address, as a kubelet has it.
    let none = NodeFacts { resolv_conf: "".into(), ..node() };
    let mut host = HostConfig::default();
    apply(&mut host, &with(""), &ResolvConf::default(), &none);
    assert_eq!((host.dns, host.dns_search), (Some(list(&["127.0.0.1"])), Some(list(&["."]))));
}

#[test]
fn limits() {
    let of = |pod: &Pod| resolver(pod, &found(), &node()).expect("a resolver");
    let many: Vec<String> = (0..40).map(|n| format!("s{n}.example")).collect();
    let config =
        format!("dnsConfig: {{nameservers: ['1.1.1.1', '2.2.2.2', '3.3.3.3'], searches: [{}]}}", many.join(", "));
    let (resolver, remarks) = of(&with(&config));
    assert_eq!(resolver.nameservers, list(&["192.0.2.53", "1.1.1.1", "2.2.2.2"]));
    assert_eq!(resolver.searches.len(), 32);
    assert_eq!(remarks.len(), 2, "{remarks:?}");
    assert_eq!(
        remarks[0],
        "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: \
         192.0.2.53 1.1.1.1 2.2.2.2"
    );
    assert!(remarks[1].starts_with("Search Line limits were exceeded, ") && remarks[1].ends_with(" s30.example"));
    let long: Vec<String> = (0..20).map(|n| format!("{}{n}.example", "x".repeat(180))).collect();
    let (resolver, remarks) = of(&with(&format!("dnsConfig: {{searches: [{}]}}", long.join(", "))));
    assert_eq!((resolver.searches.len(), remarks.len()), (11, 1));
    assert!(resolver.searches.join(" ").len() <= 2048);
}

#[test]
fn nothing_is_left_for_the_engine_to_fill_in() {
    let mut host = HostConfig::default();
    apply(&mut host, &with("dnsPolicy: None\ndnsConfig: {nameservers: [192.0.2.9]}"), &found(), &node());
    assert_eq!(host.dns, Some(list(&["192.0.2.9"])));
    assert_eq!(host.dns_search, Some(list(&["."])));
    assert_eq!(host.dns_options, Some(list(&["ndots:1"])));
    let mut host = HostConfig::default();
    apply(&mut host, &with("dnsPolicy: Default"), &found(), &node());
    assert_eq!(host, HostConfig::default());
}
