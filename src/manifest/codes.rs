//! Every code a diagnostic can have. They are stable: configuration and CI refer to them.

use super::schema;

/// A code and what it stands for.
#[derive(Debug)]
pub struct Code {
    /// The code.
    pub name: &'static str,
    /// Whether findings of this kind are warnings, which can be silenced.
    pub warning: bool,
    /// What it means, and why it is worth saying.
    pub reason: &'static str,
}

const fn error(name: &'static str, reason: &'static str) -> Code {
    Code { name, warning: false, reason }
}

const fn warning(name: &'static str, reason: &'static str) -> Code {
    Code { name, warning: true, reason }
}

/// All codes, by subject.
pub const CODES: &[Code] = &[
    // The file.
    error("unreadable-file", "The file could not be read, or it changed while it was."),
    error("unusable-file", "The name belongs to a directory, a FIFO, a socket or a device, which is never opened."),
    error("too-large", "The file has more than 10 MiB, or more keys and values than a file may have."),
    error("too-deep", "Lists and mappings nest deeper than any object of the API."),
    error("not-utf8", "Manifests are UTF-8."),
    error("nul-byte", "The file holds a NUL byte: it is not text, or a write was cut off by a crash."),
    error("empty-file", "The file holds no object. It may be half written; what it declared before keeps running."),
    error("internal-error", "kubelet-lite failed on the file, which is a bug of its own."),
    warning("restless-file", "The file is written to without a pause; what it held before counts until it is quiet."),
    error("too-many-findings", "More findings than are worth reading; the rest is only counted."),
    // YAML and JSON.
    error("yaml-syntax", "The text is not YAML."),
    error(
        "yaml-ambiguous",
        "Two readers of YAML see different structures, so it can not be known what Kubernetes would see.",
    ),
    error("yaml-alias", "An alias stands for a value that contains the alias itself."),
    error("yaml-tag", "A YAML tag that Kubernetes gives no meaning, or that contradicts its value."),
    error("yaml-key", "A key that is not text, number or boolean."),
    error("yaml-value", "A number that JSON can not carry: infinity, or no number at all."),
    error("yaml-merge", "A merge key whose value is not a mapping or a list of mappings."),
    error("json-syntax", "The text begins with `{`, so it is read as JSON, and it is not JSON."),
    warning(
        "yaml-boolean-key",
        "A key such as `on` or `y` is a boolean in YAML 1.1, and arrives as `true` or `false`.",
    ),
    warning(
        "merge-order",
        "Kubernetes applies merge keys in order, so one that comes late replaces what stands before it.",
    ),
    // Objects and fields.
    error("not-an-object", "A document, or an item of a list, is not a mapping."),
    error("unknown-kind", "Neither kubelet-lite nor Kubernetes has this kind in this version."),
    error(
        "kind-not-supported",
        "The kind is known, but kubelet-lite does not run it; passing over it would hide that.",
    ),
    error("unknown-field", "The struct has no field of this name. A kubelet drops it without a word."),
    error("duplicate-key", "The same key twice in one mapping. A kubelet takes the last without a word."),
    error("wrong-type", "The value has another type than the field."),
    error("invalid-quantity", "The text is not an amount."),
    error("undecodable", "The object can not be decoded for a reason found by no other check."),
    warning("kind-skipped", "The kind means nothing without a cluster; the rest of the file is used."),
    warning("one-replica", "The workload asks for several pods; a node runs one of each workload."),
    warning("empty-list", "A list without items declares nothing."),
    warning("deprecated-api", "The API version was removed from Kubernetes; the object is read as its successor."),
    // The API's rules, in the API's own words.
    error("required", "A field that must be given is missing or empty."),
    error("invalid", "The value breaks a rule of the API."),
    error("not-supported", "The value is none of those the API knows."),
    error("duplicate", "A value that must be unique is given twice."),
    error("forbidden", "The field must not be given here."),
    error("not-found", "The name refers to something that is not declared."),
    error("too-long", "The value is longer than the API allows."),
    error("too-many", "More items than are allowed."),
    // What needs a cluster.
    error("needs-cluster", "The pod can not work without an API server or a plug-in of a cluster."),
    warning("no-effect", "The field is valid, and means nothing on a node without a cluster."),
    // What this version can not do.
    error(
        "field-not-supported",
        "The field is valid, but kubelet-lite can not honour it; running the pod without it would be wrong.",
    ),
    warning("field-not-honoured", "The field is valid and has no effect in this version; the pod runs all the same."),
    warning(
        "field-approximated",
        "The field has nearly the effect it has in Kubernetes; the message says what differs.",
    ),
    // Advice.
    warning("deprecated", "The field is deprecated in the API, or has been replaced."),
    warning(
        "latest-not-pulled",
        "Tag `latest` with pull policy IfNotPresent: which image runs depends on when the node first pulled it.",
    ),
    warning("limit-without-request", "A limit without a request: the request becomes the limit."),
    warning("probe-longer-than-period", "A probe may take longer than its period, so it runs later than asked."),
    warning("docker-socket", "Whoever may use the Docker socket is root on the node."),
    warning("secret-in-env", "Environment variables leak into child processes and crash reports; a file is safer."),
    warning("duplicate-env", "The same variable twice in one container; the last wins."),
    warning("unknown-code", "The annotation or flag that silences warnings names a code that does not exist."),
    warning(
        "annotation-ignored",
        "An annotation `kubelet-lite.io/…` does not exist, says what it can not, or stands where it is not read.",
    ),
    // Several files.
    error(
        "duplicate-pod",
        "Two files declare a pod of the same name. The one that runs stays, the other file is refused.",
    ),
    error("impossible-pod", "The pod can not be resolved, for a reason found by no other check."),
    error("too-many-pods", "More pods than the node may run (--max-pods)."),
    warning(
        "kept-pod",
        "A pod runs from a file that is gone, while another file is refused that may be this one under another name.",
    ),
    error("duplicate-object", "Two files declare a ConfigMap, Secret or claim of the same name."),
    error("start-cycle", "Pods wait for each other in a circle, by their start-after annotations; none can start."),
    error("host-port-clash", "Two pods want the same port of the node; only one can have it."),
    warning("ignored-name", "Only *.yaml, *.yml and *.json are read, and no dot files."),
    warning(
        "missing-reference",
        "The pod needs a ConfigMap, Secret, claim, or a key of one, that no file declares; it waits until there is one.",
    ),
];

/// The warning a misspelt code was meant to be, if one is near.
pub fn nearest(name: &str) -> Option<&'static str> {
    let names: Vec<&str> = CODES.iter().filter(|code| code.warning).map(|code| code.name).collect();
    schema::nearest_word(name, &names)
}

/// Whether a code exists and is a warning.
pub fn is_warning(name: &str) -> bool {
    CODES.iter().any(|code| code.warning && code.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    #[test]
    fn each_code_is_there_once() {
        let names: BTreeSet<_> = CODES.iter().map(|code| code.name).collect();
        assert_eq!(names.len(), CODES.len());
        assert!(is_warning("docker-socket") && !is_warning("required") && !is_warning("x"));
        assert_eq!(nearest("docker-soket"), Some("docker-socket"));
    }

    /// Reads the sources: a code that is used and not listed could not be silenced or looked up.
    #[test]
    fn each_code_in_use_is_listed() {
        let mut used = BTreeSet::new();
        for room in ["src/manifest", "src/validate"] {
            codes_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join(room), &mut used);
        }
        let listed: BTreeSet<_> = CODES.iter().map(|code| code.name.to_owned()).collect();
        let missing: Vec<_> = used.difference(&listed).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(used.len() > 40, "the search is broken: {used:?}");
    }

    fn codes_in(directory: &Path, used: &mut BTreeSet<String>) {
        const MAKERS: &[&str] = &[
            "Diagnostic::error(",
            "Diagnostic::warning(",
            ".error(",
            ".warn(",
            ".strict(",
            "ReadError::new(",
            "code: ",
        ];
        for entry in fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                codes_in(&entry, used);
            } else if entry.extension().is_some_and(|e| e == "rs") && !entry.ends_with("tests.rs") {
                let text = fs::read_to_string(&entry).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap();
                for maker in MAKERS {
                    for after in text.split(maker).skip(1) {
                        let literal = after.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                        used.extend(literal.filter(|code| !code.is_empty()).map(str::to_owned));
                    }
                }
            }
        }
    }
}
