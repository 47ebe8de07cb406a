//! The `$(VAR)` grammar of commands, arguments and env values.

/// Replaces each `$(NAME)` that `lookup` knows; one it does not know stays as it is, and so does
/// every other `$`. `$$` is a literal `$`, so that `$$(NAME)` is not a reference. A name goes up to
/// the first `)`. What was put in is not looked at again.
pub fn expand<'a>(text: &str, lookup: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some((name, tail)) = after.strip_prefix('(').and_then(|reference| reference.split_once(')')) {
            match lookup(name) {
                Some(value) => out.push_str(value),
                None => {
                    out.push_str("$(");
                    out.push_str(name);
                    out.push(')');
                }
            }
            rest = tail;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::expand;
    use proptest::prelude::{Strategy, proptest};

    fn lookup(name: &str) -> Option<&'static str> {
        match name {
            "A" => Some("a"),
            "B" => Some("$(A)"),
            "EMPTY" => Some(""),
            "A-B.C" => Some("dashed"),
            "$(A" => Some("odd"),
            _ => None,
        }
    }

    #[test]
    fn grammar() {
        for (text, expanded) in [
            ("", ""),
            ("plain", "plain"),
            ("$(A)", "a"),
            ("x$(A)y$(A)z", "xayaz"),
            ("$(B)", "$(A)"),
            ("$(EMPTY)", ""),
            ("$(A-B.C)", "dashed"),
            ("$(NONE)", "$(NONE)"),
            ("$(NONE)$(A)", "$(NONE)a"),
            ("$$", "$"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$a"),
            ("$$$$(A)", "$$(A)"),
            ("$(A", "$(A"),
            ("$(", "$("),
            ("$()", "$()"),
            ("$A", "$A"),
            ("${A}", "${A}"),
            ("a$", "a$"),
            ("$", "$"),
            ("$ (A)", "$ (A)"),
            ("$(A))", "a)"),
            ("((A))", "((A))"),
            ("$($(A))", "odd)"),
            ("$(NONE$(A))", "$(NONE$(A))"),
            ("ü$(A)ß", "üaß"),
            ("$é", "$é"),
        ] {
            assert_eq!(expand(text, lookup), expanded, "{text}");
        }
    }

    proptest! {
        #[test]
        fn without_a_dollar_nothing_changes(text in "[^$]*") {
            assert_eq!(expand(&text, lookup), text);
        }

        #[test]
        fn doubling_every_dollar_quotes_any_text(text in ".*".prop_map(|t| t.replace("()", "$(A)"))) {
            assert_eq!(expand(&text.replace('$', "$$"), lookup), text);
        }
    }
}
