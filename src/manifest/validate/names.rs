//! What names, keys and values may look like (`apimachinery/pkg/util/validation`).

/// A rule for a text: what is wrong with it, as in "must …".
pub type Rule = fn(&str) -> Result<(), &'static str>;

type Verdict = Result<(), &'static str>;

fn lower_or_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn check(ok: bool, rule: &'static str) -> Verdict {
    if ok { Ok(()) } else { Err(rule) }
}

fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().all(|&b| lower_or_digit(b) || b == b'-')
        && bytes.first().is_some_and(|&b| lower_or_digit(b))
        && bytes.last().is_some_and(|&b| lower_or_digit(b))
}

/// RFC 1123 label.
pub fn dns_label(text: &str) -> Verdict {
    check(
        is_label(text) && text.len() <= 63,
        "must have at most 63 lower case letters, digits and `-`, and begin and end with a letter or digit",
    )
}

/// RFC 1123 subdomain: a name of most objects.
pub fn dns_subdomain(text: &str) -> Verdict {
    check(
        text.len() <= 253 && text.split('.').all(is_label),
        "must have at most 253 lower case letters, digits, `-` and `.`, and begin and end with a letter or digit",
    )
}

/// As [`dns_subdomain`], but underscores too: domains that are searched.
pub fn dns_search(text: &str) -> Verdict {
    let name = text.strip_suffix('.').unwrap_or(text);
    check(
        text == "." || name.len() <= 253 && name.split('.').all(|part| is_label(&part.replace('_', "a"))),
        "must be a domain name",
    )
}

fn is_name_part(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.len() <= 63
        && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
}

/// A name with an optional domain: keys of labels and annotations, resources, conditions.
pub fn qualified_name(text: &str) -> Verdict {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    check(
        is_name_part(name) && prefix.is_none_or(|prefix| dns_subdomain(prefix).is_ok()),
        "must be a name of at most 63 letters, digits, `-`, `_` and `.` that begins and ends with a letter or digit, \
         with an optional domain and `/` before it",
    )
}

/// The key of an annotation: as [`qualified_name`], but upper case domains too.
pub fn annotation_key(text: &str) -> Verdict {
    qualified_name(&text.to_ascii_lowercase())
}

/// The value of a label.
pub fn label_value(text: &str) -> Verdict {
    check(
        text.is_empty() || is_name_part(text),
        "must be empty, or have at most 63 letters, digits, `-`, `_` and `.`, and begin and end with a letter or digit",
    )
}

/// The name of a port (IANA service name).
pub fn port_name(text: &str) -> Verdict {
    let bytes = text.as_bytes();
    let ends = |b: Option<&u8>| b.is_some_and(|&b| lower_or_digit(b));
    check(
        text.len() <= 15
            && bytes.iter().all(|&b| lower_or_digit(b) || b == b'-')
            && bytes.iter().any(u8::is_ascii_lowercase)
            && !text.contains("--")
            && ends(bytes.first())
            && ends(bytes.last()),
        "must have at most 15 lower case letters, digits and single `-`, at least one letter, and no `-` at its ends",
    )
}

/// The name of an environment variable.
pub fn env_name(text: &str) -> Verdict {
    check(
        text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'='),
        "must be printable ASCII characters without `=`",
    )
}

/// A key in a ConfigMap or Secret.
pub fn config_key(text: &str) -> Verdict {
    check(
        text.len() <= 253
            && !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            && text != "."
            && !text.starts_with(".."),
        "must have at most 253 letters, digits, `-`, `_` and `.`, and not begin with `..`",
    )
}

/// The name of an HTTP header.
pub fn header_name(text: &str) -> Verdict {
    check(
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
        "must have only letters, digits and `-`",
    )
}

/// An IP address.
pub fn ip(text: &str) -> Verdict {
    check(text.parse::<std::net::IpAddr>().is_ok(), "must be an IP address, as in 192.0.2.1 or 2001:db8::1")
}

/// The name of a sysctl, with dots or slashes.
pub fn sysctl(text: &str) -> Verdict {
    let segment = |part: &str| {
        let bytes = part.as_bytes();
        bytes.iter().all(|&b| lower_or_digit(b) || b == b'-' || b == b'_')
            && bytes.first().is_some_and(|&b| lower_or_digit(b))
            && bytes.last().is_some_and(|&b| lower_or_digit(b))
    };
    check(
        text.len() <= 253 && text.split(['.', '/']).all(segment),
        "must be the name of a sysctl, as in net.core.somaxconn",
    )
}

/// A path below another: relative, without `..`.
pub fn descending_path(text: &str) -> Verdict {
    check(!text.starts_with('/'), "must be a relative path").and_then(|()| no_backsteps(text))
}

/// As [`descending_path`]; names that begin with `..` are the system's.
pub fn projected_path(text: &str) -> Verdict {
    descending_path(text).and_then(|()| check(!text.starts_with(".."), "must not begin with `..`"))
}

/// A path without `..`.
pub fn no_backsteps(text: &str) -> Verdict {
    check(text.split('/').all(|part| part != ".."), "must not contain `..`")
}

/// The text made to pass a rule for names, if `-` and lower case do it.
pub fn mended(text: &str, rule: Rule) -> Option<String> {
    let kept = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '/';
    let dashed: String = text.trim().chars().map(|c| if kept(c) { c } else { '-' }).collect();
    let dashed = dashed.trim_matches('-').to_owned();
    let fits = |name: &String| name != text && !name.is_empty() && !name.starts_with("..") && rule(name).is_ok();
    Some(dashed.clone()).filter(fits).or_else(|| Some(dashed.to_ascii_lowercase()).filter(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let long = |n| "a".repeat(n);
        let table: &[(Rule, &[&str], &[&str])] = &[
            (dns_label, &["a", "a-1", "1", &long(63)], &["", "A", "a_b", "-a", "a-", "a.b", &long(64), "é"]),
            (dns_subdomain, &["a.b", "a-1.b2", &long(253)], &["", ".", "a..b", "a.", "A", "a_b", &long(254)]),
            (dns_search, &["a.b", "_tcp.a", ".", "a.b."], &["", "a..b", "-a"]),
            (qualified_name, &["a", "A.b_c", "x.y/Z"], &["", "/a", "a/", "a/b/c", "X/a", "-a", &long(64)]),
            (annotation_key, &["X.Y/z"], &["a b", ""]),
            (label_value, &["", "A_b.c"], &["a b", "-a", "a/b", &long(64)]),
            (port_name, &["http", "a-1", "1a"], &["", "HTTP", "80", "a--b", "-a", "a-", "abcdefghijklmnop"]),
            (env_name, &["A", "a b", "1", ".x", "-"], &["a=b", "é", "a\n"]),
            (config_key, &["a", ".a", "A_b-c.d"], &["", ".", "..", "..a", "a b", &long(254)]),
            (header_name, &["X-A"], &["", "X A", "X:"]),
            (ip, &["1.2.3.4", "::1"], &["", "1.2.3", "01.2.3.4", "host"]),
            (sysctl, &["net.core.somaxconn", "net/ipv4/ip_forward", "a"], &["", "a..b", "A", ".a", "a."]),
            (descending_path, &["a/b", "..a", ""], &["/a", "a/../b", ".."]),
            (projected_path, &["a/b", "a..b"], &["..a", "/a", "../a"]),
        ];
        for (rule, good, bad) in table {
            for text in *good {
                assert_eq!(rule(text), Ok(()), "{text:?}");
            }
            for text in *bad {
                assert!(rule(text).is_err(), "{text:?}");
            }
        }
    }

    #[test]
    fn mending() {
        assert_eq!(mended("Simple_App ", dns_label).as_deref(), Some("simple-app"));
        assert_eq!(mended("a", dns_label), None);
        assert_eq!(mended("___", dns_label), None);
        assert_eq!(mended("John Doe", label_value).as_deref(), Some("John-Doe"));
    }

    const LABEL: &str = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
    const PART: &str = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";

    proptest::proptest! {
        #[test]
        fn what_upstream_describes_is_taken(
            label in LABEL, other in LABEL, part in PART, env in "[ -<>-~]{1,80}", sysctl in "[a-z0-9]([-_a-z0-9]{0,9}[a-z0-9])?([./][a-z0-9]{1,9}){0,3}",
        ) {
            let subdomain = format!("{label}.{other}");
            proptest::prop_assert_eq!(dns_label(&label), Ok(()));
            proptest::prop_assert_eq!(dns_subdomain(&subdomain), Ok(()));
            proptest::prop_assert_eq!(dns_search(&subdomain), Ok(()));
            proptest::prop_assert_eq!(label_value(&part), Ok(()));
            proptest::prop_assert_eq!(qualified_name(&format!("{subdomain}/{part}")), Ok(()));
            proptest::prop_assert_eq!(env_name(&env), Ok(()));
            proptest::prop_assert_eq!(super::sysctl(&sysctl), Ok(()));
        }

        #[test]
        fn one_wrong_character_is_found(label in LABEL, wrong in "[^-a-z0-9]", at in 0usize..63) {
            let at = at.min(label.len());
            let text = format!("{}{wrong}{}", &label[..at], &label[at..]);
            proptest::prop_assert!(dns_label(&text).is_err(), "{text:?}");
            proptest::prop_assert!(port_name(&text).is_err(), "{text:?}");
        }

        #[test]
        fn narrower_rules_imply_wider_ones(text in "[-a-zA-Z0-9._/]{0,70}|\\PC{0,10}") {
            let implies = |narrow: Rule, wide: Rule| narrow(&text).is_err() || wide(&text).is_ok();
            proptest::prop_assert!(implies(dns_label, dns_subdomain), "{text:?}");
            proptest::prop_assert!(implies(dns_subdomain, dns_search), "{text:?}");
            proptest::prop_assert!(implies(dns_label, label_value), "{text:?}");
            proptest::prop_assert!(implies(qualified_name, annotation_key), "{text:?}");
            proptest::prop_assert!(implies(port_name, dns_label), "{text:?}");
            proptest::prop_assert!(implies(projected_path, descending_path), "{text:?}");
            for rule in [dns_label, dns_subdomain, label_value, qualified_name] as [Rule; 4] {
                let mended = mended(&text, rule);
                proptest::prop_assert!(mended.is_none_or(|mended| rule(&mended).is_ok()), "{text:?}");
            }
        }
    }
}
