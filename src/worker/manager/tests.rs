use super::*;
use crate::pod::Pod;
use std::path::PathBuf;

#[test]
fn an_engine_that_is_too_old_is_named() {
    let of = |api: &str| {
        check_version(&EngineVersion { version: "x".into(), api_version: api.into(), ..Default::default() })
    };
    assert_eq!(of("1.41"), Ok(()));
    assert_eq!(of("2.0"), Ok(()));
    assert_eq!(of("?"), Ok(()));
    let error = of("1.40").unwrap_err();
    assert_eq!(
        error.to_string(),
        "version: unexpected answer: Docker Engine x is too old: upgrade it to 20.10 or later"
    );
}

#[test]
fn a_pod_that_is_not_declared_ends_only_if_its_file_says_so() {
    let key = PodKey::new("default", "web-n");
    let source = ManifestSource { path: PathBuf::from("/m/web.yaml"), document: 0 };
    let held = |held| ManifestSet { held, ..ManifestSet::default() };
    let files = |names: &[&str]| Held::Files(names.iter().map(PathBuf::from).collect());
    for (set, runs_from, expected) in [
        (held(Held::Everything), Some(&source), Wish::Keep),
        (held(Held::Everything), None, Wish::Keep),
        (held(files(&["/m/web.yaml"])), Some(&source), Wish::Keep),
        (held(files(&["/m/other.yaml"])), Some(&source), Wish::Terminate(StopReason::PodRemoved)),
        (held(files(&["/m/web.yaml"])), None, Wish::Terminate(StopReason::PodRemoved)),
        (held(files(&[])), Some(&source), Wish::Terminate(StopReason::PodRemoved)),
    ] {
        assert_eq!(wish(&set, &key, runs_from), expected, "{set:?} {runs_from:?}");
    }
    let manifest =
        serde_json::json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let written: k8s_openapi::api::core::v1::Pod = serde_json::from_value(manifest).unwrap();
    let pod = Arc::new(Pod::from_manifest(written, source, &crate::pod::Node { name: "n".into() }).unwrap());
    let set = ManifestSet { pods: BTreeMap::from([(key.clone(), pod.clone())]), ..ManifestSet::default() };
    assert_eq!(wish(&set, &key, None), Wish::Run(pod));
}
