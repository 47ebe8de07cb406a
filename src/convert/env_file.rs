//! Files of variables (`fileKeyRef`): a part of the shell's grammar, `NAME='value'`.
//!
//! The kubelet's rules (`pkg/kubelet/util/env`): values stand in single quotes, may have several lines and
//! are taken as they are; a comment may follow; blank lines and comments between them count for nothing. A
//! file is read up to the name that is asked for. What it holds is in no error.

use crate::pod::Container;
use std::collections::BTreeMap;

/// What was read of each file: by volume and path, its text, nothing if there is none, or why it can not be
/// read.
pub type EnvFiles = BTreeMap<(String, String), Result<Option<String>, String>>;

/// The files that variables of a container are taken from: volume and path.
pub fn env_files(container: &Container) -> Vec<(String, String)> {
    let sources = container.api.env.iter().flatten().filter_map(|entry| entry.value_from.as_ref());
    let files = sources.filter_map(|source| source.file_key_ref.as_ref());
    files.map(|file| (file.volume_name.clone(), file.path.clone())).collect()
}

/// The value of a variable, if the file has it; else what is wrong with the file, and in which line.
pub(super) fn value(text: &str, key: &str) -> Result<Option<String>, String> {
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let wrong = |what: &str| Err(format!("line {}: {what}", index + 1));
        let line = line.trim_start_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, rest)) = line.split_once('=') else { return wrong("a '=' is missing") };
        if name.is_empty() {
            return wrong("the name before '=' is missing");
        }
        if name.ends_with([' ', '\t']) {
            return wrong("no blank may stand before '='");
        }
        if rest.starts_with([' ', '\t']) {
            // To a shell the variable is empty, and a command follows.
            if name == key {
                return Ok(None);
            }
            continue;
        }
        let Some(mut rest) = rest.strip_prefix('\'') else {
            return wrong("the value must stand in single quotes");
        };
        let mut value = String::new();
        let after = loop {
            if let Some((last, after)) = rest.split_once('\'') {
                value.push_str(last);
                break after;
            }
            value.push_str(rest);
            value.push('\n');
            let Some((_, next)) = lines.next() else { return wrong("the single quote is never closed") };
            rest = next;
        };
        let after = after.trim_start_matches([' ', '\t']);
        if !after.is_empty() && !after.starts_with('#') {
            return wrong("only a comment may follow the value");
        }
        if name == key {
            // An empty one counts as none, as on a kubelet.
            return Ok(Some(value).filter(|value| !value.is_empty()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_a_kubelet_does() {
        let text =
            "# first\n\n \tA='a b'\nB='b' # more\nC='one\n  two\n#three'\nD='$A \\n \"'\nE= 'e'\nF=''\nA='again'\n";
        for (key, expected) in [
            ("A", Some("a b")),
            ("B", Some("b")),
            ("C", Some("one\n  two\n#three")),
            ("D", Some("$A \\n \"")),
            ("E", None),
            ("F", None),
            ("two", None),
            ("Z", None),
        ] {
            assert_eq!(value(text, key), Ok(expected.map(str::to_owned)), "{key}");
        }
        assert_eq!(value("", "A"), Ok(None));
        assert_eq!(value("A='a'\r\nB='b'\r\n", "B"), Ok(Some("b".into())));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_not_with_its_words() {
        for (text, expected) in [
            ("A='a'\nhunter2", "line 2: a '=' is missing"),
            ("='hunter2'", "line 1: the name before '=' is missing"),
            ("A ='hunter2'", "line 1: no blank may stand before '='"),
            ("A=hunter2", "line 1: the value must stand in single quotes"),
            ("A=\"hunter2\"", "line 1: the value must stand in single quotes"),
            ("B='b'\nA='hunter2\n\n", "line 2: the single quote is never closed"),
            ("A='hunter2'x", "line 1: only a comment may follow the value"),
        ] {
            assert_eq!(value(text, "K"), Err(expected.into()), "{text:?}");
        }
        // What stands behind the name that is asked for is not read.
        assert_eq!(value("A='a'\nbroken", "A"), Ok(Some("a".into())));
    }
}
