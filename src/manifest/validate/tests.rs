//! Rules of more than one field, as tables: what is refused or warned of, and where.

use crate::manifest::parse::{ParseOptions, parse_file};
use std::path::Path;

/// The code and field of each finding with one of these codes.
fn found(manifest: &str, codes: &[&str]) -> Vec<String> {
    let parsed = parse_file(Path::new("m.yaml"), manifest.as_bytes(), &ParseOptions::default());
    let told = parsed.diagnostics.iter().filter(|found| codes.contains(&found.code));
    told.map(|found| format!("{} {}", found.code, found.field)).collect()
}

#[test]
fn root_is_forbidden_by_what_is_nearest_to_each_container() {
    let manifest = |pod: &str, init: &str, app: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  securityContext: {{{pod}}}\n  \
             initContainers: [{{name: i, image: 'i:1', securityContext: {{{init}}}}}]\n  \
             containers:\n  - {{name: c, image: 'i:1', securityContext: {{{app}}}}}\n"
        )
    };
    const POD: &str = "spec.securityContext.runAsUser";
    const INIT: &str = "spec.initContainers[0].securityContext.runAsUser";
    const APP: &str = "spec.containers[0].securityContext.runAsUser";
    let both = "runAsNonRoot: true, runAsUser: 0";
    let cases: &[(&str, &str, &str, &[&str])] = &[
        (both, "runAsUser: 1", "runAsUser: 1", &[]),
        (both, "runAsNonRoot: false", "runAsUser: 1", &[]),
        (both, "", "runAsUser: 1", &[POD]),
        (both, "", "", &[POD]),
        ("runAsUser: 0", "", "runAsNonRoot: true", &[POD]),
        ("runAsNonRoot: true", "runAsUser: 0", "", &[INIT]),
        ("runAsNonRoot: true", "runAsNonRoot: false, runAsUser: 0", "runAsUser: 0", &[APP]),
        ("runAsNonRoot: false, runAsUser: 1", both, both, &[INIT, APP]),
    ];
    for (pod, init, app, fields) in cases {
        let expected: Vec<String> = fields.iter().map(|field| format!("invalid {field}")).collect();
        assert_eq!(found(&manifest(pod, init, app), &["invalid"]), expected, "{pod}; {init}; {app}");
    }
}

#[test]
fn an_app_armor_annotation_says_what_the_field_says() {
    let manifest = |annotation: &str, pod: &str, app: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  \
             annotations: {{container.apparmor.security.beta.kubernetes.io/c: {annotation}}}\nspec:\n  \
             securityContext: {{{pod}}}\n  \
             containers: [{{name: other, image: 'i:1'}}, {{name: c, image: 'i:1', securityContext: {{{app}}}}}]\n"
        )
    };
    const POD: &str = "spec.securityContext.appArmorProfile";
    const APP: &str = "spec.containers[1].securityContext.appArmorProfile";
    let local = "appArmorProfile: {type: Localhost, localhostProfile: web}";
    let unconfined = "appArmorProfile: {type: Unconfined}";
    for (annotation, pod, app, expected) in [
        ("localhost/web", "", "", None),
        ("localhost/web", "", local, None),
        ("localhost/web", local, "", None),
        ("unconfined", local, unconfined, None),
        ("runtime/default", "appArmorProfile: {type: RuntimeDefault}", "", None),
        ("localhost/other", local, "", Some((POD, "localhostProfile"))),
        ("runtime/default", "", local, Some((APP, "type"))),
        ("localhost/web", local, unconfined, Some((APP, "type"))),
        ("''", unconfined, "", Some((POD, "type"))),
    ] {
        let expected: Vec<String> = expected.iter().map(|(at, field)| format!("forbidden {at}.{field}")).collect();
        assert_eq!(found(&manifest(annotation, pod, app), &["forbidden"]), expected, "{annotation}; {pod}; {app}");
    }
}
