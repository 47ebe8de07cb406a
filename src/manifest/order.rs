//! Which pods start before which: pods that wait for each other in a circle never start.

use super::diagnostic::Diagnostic;
use crate::pod::{Pod, PodKey};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A finding for each pod that is in a circle.
pub(super) fn cycles(pods: &BTreeMap<PodKey, Arc<Pod>>) -> Vec<Diagnostic> {
    // Those that could start one after the other, whatever else there is, are in no circle.
    let mut blocked: BTreeSet<&PodKey> = pods.keys().collect();
    loop {
        let free: Vec<&PodKey> = blocked
            .iter()
            .filter(|key| {
                let after = pods.get(**key).map(|pod| &pod.standing.start_after);
                !after.into_iter().flatten().any(|other| blocked.contains(other))
            })
            .copied()
            .collect();
        if free.is_empty() {
            break;
        }
        for key in free {
            blocked.remove(key);
        }
    }
    let in_circle = blocked.iter().filter_map(|key| Some((circle(pods, key)?, pods.get(*key)?)));
    let found = in_circle.map(|(circle, pod)| {
        let names: Vec<String> = circle.iter().map(ToString::to_string).collect();
        let message = format!("pods wait for each other in a circle: {}", names.join(" after "));
        let diagnostic = Diagnostic::error("start-cycle", &pod.source.path, message).document(pod.source.document);
        let diagnostic = diagnostic.field("metadata.annotations").object(format!("Pod {}", pod.key));
        diagnostic.suggest("take one of them out of its start-after annotation")
    });
    found.collect()
}

/// The shortest way from a pod back to itself.
fn circle<'p>(pods: &'p BTreeMap<PodKey, Arc<Pod>>, from: &'p PodKey) -> Option<Vec<&'p PodKey>> {
    let mut ways: Vec<Vec<&PodKey>> = vec![vec![from]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let last = way.last()?;
            for next in pods.get(*last).into_iter().flat_map(|pod| &pod.standing.start_after) {
                let mut way = way.clone();
                way.push(next);
                if next == from {
                    return Some(way);
                }
                if seen.insert(next) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}
