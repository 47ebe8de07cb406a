//! Tables of resolvers.

use super::*;
use crate::convert::testing::{node, pod};

fn with(dns: &str) -> Pod {
    pod(&format!("{dns}\ncontainers: [{{name: c, image: i}}]"))
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
    let node = node();
    for policy in ["Default", "ClusterFirst", "ClusterFirstWithHostNet"] {
        assert_eq!(resolver(&with(&format!("dnsPolicy: {policy}")), &node), None, "{policy}");
    }
    assert_eq!(resolver(&with(""), &node), None);
    assert_eq!(resolver(&with("dnsPolicy: None"), &node), Some(Resolver::default()));
    let config = "dnsConfig: {nameservers: [192.0.2.9, 192.0.2.53], searches: [x.example], \
        options: [{name: ndots, value: '3'}, {name: edns0, value: ''}, {name: rotate}]}";
    assert_eq!(
        resolver(&with(config), &node),
        Some(Resolver {
            nameservers: list(&["192.0.2.53", "192.0.2.9"]),
            searches: list(&["example.org", "x.example"]),
            options: list(&["ndots:3", "edns0", "rotate"]),
        })
    );
    let alone = resolver(&with(&format!("dnsPolicy: None\n{config}")), &node).expect("a resolver");
    assert_eq!(alone.nameservers, list(&["192.0.2.9", "192.0.2.53"]));
}

#[test]
fn limits() {
    let many: Vec<String> = (0..40).map(|n| format!("s{n}.example")).collect();
    let config =
        format!("dnsConfig: {{nameservers: ['1.1.1.1', '2.2.2.2', '3.3.3.3'], searches: [{}]}}", many.join(", "));
    let found = resolver(&with(&config), &node()).expect("a resolver");
    assert_eq!(found.nameservers, list(&["192.0.2.53", "1.1.1.1", "2.2.2.2"]));
    assert_eq!(found.searches.len(), 32);
    let long: Vec<String> = (0..20).map(|n| format!("{}{n}.example", "x".repeat(180))).collect();
    let found =
        resolver(&with(&format!("dnsConfig: {{searches: [{}]}}", long.join(", "))), &node()).expect("a resolver");
    assert_eq!(found.searches.len(), 11);
    assert!(found.searches.join(" ").len() <= 2048);
}

#[test]
fn nothing_is_left_for_the_engine_to_fill_in() {
    let mut host = HostConfig::default();
    apply(&mut host, &with("dnsPolicy: None\ndnsConfig: {nameservers: [192.0.2.9]}"), &node());
    assert_eq!(host.dns, Some(list(&["192.0.2.9"])));
    assert_eq!(host.dns_search, Some(list(&["."])));
    assert_eq!(host.dns_options, Some(list(&["ndots:1"])));
    let mut host = HostConfig::default();
    apply(&mut host, &with("dnsPolicy: Default"), &node());
    assert_eq!(host, HostConfig::default());
}
