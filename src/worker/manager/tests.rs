use super::*;
use crate::pod::Pod;
use std::path::PathBuf;

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
