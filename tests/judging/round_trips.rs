//! Any good pod, written out and read again, is the same pod: over all that is left when parts of a pod
//! with nearly every field are taken away.

use crate::{
    alone, laws,
    mutate::{count, pick_node},
};
use kubelet_lite::manifest::parse::FieldValidation;
use proptest::prelude::*;
use serde_json::Value;

fn everything() -> Value {
    let parsed = laws::judge(include_bytes!("../manifests/good/everything.yaml"), FieldValidation::Strict);
    serde_json::to_value(parsed.objects[0].as_pod().unwrap().1).unwrap()
}

/// Takes a node's children away, or all of a list but one.
fn prune(value: &mut Value, at: usize, which: usize) {
    let nodes = count(value);
    match pick_node(value, at % nodes) {
        Some(Value::Object(map)) if !map.is_empty() => {
            let key = map.keys().nth(which % map.len()).cloned();
            key.and_then(|key| map.remove(&key));
        }
        Some(Value::Array(list)) if !list.is_empty() => drop(list.remove(which % list.len())),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn what_is_left_of_a_pod(cuts in prop::collection::vec((any::<usize>(), any::<usize>()), 0..12)) {
        let _alone = alone();
        let mut pod = everything();
        for (at, which) in cuts {
            let before = pod.clone();
            prune(&mut pod, at, which);
            // Only cuts that leave it good.
            let text = serde_json::to_string(&pod).unwrap();
            if laws::judge(text.as_bytes(), FieldValidation::Strict).is_refused() {
                pod = before;
            }
        }
        let verdicts: Vec<_> = laws::forms(&pod).unwrap().map(|(_, text)| laws::hold(text.as_bytes())).into();
        for verdict in &verdicts {
            prop_assert!(verdict.as_ref().is_ok_and(|parsed| !parsed.is_refused()), "{verdict:?}");
        }
        let objects = |verdict: &Result<kubelet_lite::manifest::parse::Parsed, String>| verdict.as_ref().map(|p| p.objects.clone()).ok();
        prop_assert_eq!(objects(&verdicts[0]), objects(&verdicts[1]));
    }
}
