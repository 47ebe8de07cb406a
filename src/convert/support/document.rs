//! `docs/fields.md`, written from the table: it must not say anything else.

use super::{SupportRow, Verdict, rows};
use std::{fmt::Write, fs, path::Path};

/// Set to write the document instead of comparing it.
const UPDATE: &str = "KUBELET_LITE_UPDATE_DOCS";

const HEAD: &str = "\
# Fields of a Pod

What kubelet-lite does with each field of the Pod API. This page is written from the table by which manifests
are judged (`make docs`), so that it says what the program does.

| | |
|---|---|
| honoured | it has the effect Kubernetes gives it, or has none there either |
| approximated | it has nearly that effect; the note says what differs. A warning says so, too |
| warned | it has no effect, the pod runs all the same, and a warning says so |
| refused | the file is refused: the pod must not run without its effect |
| depends | on what is written; the note says how |

What is said of a field holds for all that is inside it. A field that is not here is refused by name.
";

/// Chapters, and the paths that belong to each; of several that fit the longest counts.
const CHAPTERS: &[(&str, &str)] = &[
    ("The object", ""),
    ("Metadata", "metadata."),
    ("The pod", "spec."),
    ("Security context of the pod", "spec.securityContext."),
    ("Containers", "spec.containers[]."),
    ("Security context of a container", "spec.containers[].securityContext."),
    ("Init containers, where they differ", "spec.initContainers[]."),
    ("Volumes", "spec.volumes[]."),
];

fn chapter(path: &str) -> usize {
    let fits = CHAPTERS.iter().enumerate().filter(|(_, (_, prefix))| path.starts_with(prefix));
    fits.max_by_key(|(_, (_, prefix))| prefix.len()).map_or(0, |(index, _)| index)
}

fn word(row: &SupportRow) -> &'static str {
    match row.verdict {
        Some(Verdict::Honoured) => "honoured",
        Some(Verdict::Approximated) => "approximated",
        Some(Verdict::Warned) => "warned",
        Some(Verdict::Refused) => "refused",
        None => "depends",
    }
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    for (index, (title, prefix)) in CHAPTERS.iter().enumerate() {
        let _ = write!(text, "\n## {title}\n\n| field | | |\n|---|---|---|\n");
        for row in rows().filter(|row| chapter(row.path) == index) {
            let field = row.path.strip_prefix(prefix).unwrap_or(row.path);
            let _ = writeln!(text, "| `{field}` | {} | {} |", word(&row), row.note.replace('|', "\\|"));
        }
    }
    text
}

#[test]
fn the_document_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fields.md");
    let document = document();
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, &document).expect("docs/fields.md");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == document, "docs/fields.md is not what the table says: `make docs` writes it anew");
}
