//! Whether what the engine says of a container may hold a value that is the container's alone. Pure.
//!
//! The engine names the program that it does not find and the path that it can not mount, and variables may be in
//! both. It is told from the spec, since nobody keeps the values that a container was made with.

use super::expand;
use k8s_openapi::api::core::v1 as api;
use std::{cell::Cell, collections::BTreeSet};

/// What stands for the engine's words that are kept back.
pub const KEPT_BACK: &str =
    "the engine's words are kept back: a Secret's value may be in them, as a variable is in its program or in a path";

/// Whether the engine's words about the making or the start of such a container are to be kept back.
pub fn keeps_back(container: &api::Container) -> bool {
    // Without a command the first argument is the program, unless the image has one.
    let program = container.command.iter().chain(&container.args).flatten().next();
    let paths = container.volume_mounts.iter().flatten().filter_map(|mount| mount.sub_path_expr.as_ref());
    let mut texts = program.into_iter().chain(paths).peekable();
    if texts.peek().is_none() {
        return false;
    }
    let confidential = confidential_variables(container);
    texts.any(|text| refers_to(text, |name| is_of_secret(container, name) || confidential.contains(name)))
}

/// Names of the variables that hold something of a Secret, or of a file of variables. One that a later entry of its
/// name replaces is among them.
fn confidential_variables(container: &api::Container) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for entry in container.env.iter().flatten() {
        let is_confidential = match &entry.value_from {
            Some(source) => source.secret_key_ref.is_some() || source.file_key_ref.is_some(),
            None => entry
                .value
                .as_ref()
                .is_some_and(|text| refers_to(text, |name| is_of_secret(container, name) || found.contains(name))),
        };
        if is_confidential {
            found.insert(entry.name.as_str());
        }
    }
    found
}

/// Whether a variable of this name may come from a whole Secret.
fn is_of_secret(container: &api::Container, name: &str) -> bool {
    let secrets = container.env_from.iter().flatten().filter(|source| source.secret_ref.is_some());
    secrets.map(|source| source.prefix.as_deref().unwrap_or_default()).any(|prefix| name.starts_with(prefix))
}

fn refers_to(text: &str, is_wanted: impl Fn(&str) -> bool) -> bool {
    let found = Cell::new(false);
    expand(text, |name| {
        found.set(found.get() || is_wanted(name));
        None
    });
    found.get()
}

#[cfg(test)]
mod tests {
    use super::keeps_back;

    #[test]
    fn words_that_may_hold_a_secret() {
        let env = "env: [{name: P, valueFrom: {secretKeyRef: {name: s, key: p}}}, {name: URL, value: 'x://$(P)@h'},
                         {name: PLAIN, value: plain}, {name: CFG, valueFrom: {configMapKeyRef: {name: c, key: k}}},
                         {name: F, valueFrom: {fileKeyRef: {volumeName: v, path: p, key: k}}}]";
        let from = "envFrom: [{prefix: S_, secretRef: {name: s}}, {prefix: C_, configMapRef: {name: c}}]";
        for (what, expected) in [
            ("command: [/bin/$(P)]", true),
            ("command: [$(URL)]", true),
            ("command: [$(F)]", true),
            ("command: [$(S_KEY)]", true),
            ("args: [$(P)]", true),
            ("command: [], args: [$(P)]", true),
            ("volumeMounts: [{name: v, mountPath: /v, subPathExpr: $(P)}]", true),
            ("command: [/bin/sh, $(P)]", false),
            ("command: [/bin/sh], args: [$(P)]", false),
            ("command: [$(PLAIN)]", false),
            ("command: [$(CFG)]", false),
            ("command: [$(C_KEY)]", false),
            ("command: [$(NONE)]", false),
            ("command: [$$(P)]", false),
            ("volumeMounts: [{name: v, mountPath: /v, subPath: $(P)}]", false),
            ("image: i", false),
        ] {
            let container = serde_yaml::from_str(&format!("{{name: c, {what}, {env}, {from}}}")).unwrap();
            assert_eq!(keeps_back(&container), expected, "{what}");
        }
    }
}
