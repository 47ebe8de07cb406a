//! What may run beside what, and what is none of our business.

use crate::chronicle::{Deed, Kind, Step, Story, Who, is_end, seconds};
use kubelet_lite::{
    engine::fake::What,
    pod::{ContainerKind, Pod, PodKey},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// (a) At any moment at most one container of a name runs in a pod, sandboxes included; also across two
/// incarnations, as a new one begins when the old one has ended.
pub fn one_live_container(story: &Story) -> Vec<String> {
    let mut broken = Vec::new();
    let mut live: BTreeMap<(&PodKey, &str), &str> = BTreeMap::new();
    for (entry, who) in story.ours() {
        let name = (&who.key, who.name.as_str());
        match &entry.what {
            What::Started => {
                if let Some(other) = live.insert(name, &entry.id) {
                    broken.push(format!("{} starts at {} beside {other}", entry.name, seconds(entry.at)));
                }
            }
            end if is_end(end) && live.get(&name) == Some(&entry.id.as_str()) => {
                live.remove(&name);
            }
            _ => {}
        }
    }
    broken
}

/// (c) In each sandbox: an init container is made when those before it ended well, an app when all did and
/// the sidecars were started; and once an app was made, no init container is made again, unless the
/// operator removed every trace of the apps.
pub fn init_before_apps(story: &Story) -> Vec<String> {
    let mut broken = Vec::new();
    // What was wanted of the pod of a sandbox until then: a daemon that is started when the file is broken may know
    // an older version only.
    let mut declared: BTreeMap<&str, Vec<Arc<Pod>>> = BTreeMap::new();
    let mut done: BTreeSet<(&str, &str)> = BTreeSet::new();
    // Sandboxes in which an app was made, and the apps that are there, with their sandbox.
    let mut initialized: BTreeSet<&str> = BTreeSet::new();
    let mut apps: BTreeMap<&str, &str> = BTreeMap::new();
    let mut wished: BTreeMap<String, Vec<Arc<Pod>>> = BTreeMap::new();
    for step in story.steps() {
        let (entry, who) = match step {
            Step::Deed(note) => {
                match &note.deed {
                    Deed::Wish(pods) => {
                        for pod in pods.values() {
                            wished.entry(pod.uid.to_string()).or_default().push(pod.clone());
                        }
                    }
                    Deed::ByHand { id, what: "remove" } => {
                        if let Some(sandbox) = apps.remove(id.as_str())
                            && !apps.values().any(|other| *other == sandbox)
                        {
                            initialized.remove(sandbox);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            Step::Container(entry, who) if who.ours => (entry, who),
            Step::Container(..) | Step::Engine(_) => continue,
        };
        let sandbox = who.sandbox.as_str();
        let mut complain = |what: String| broken.push(format!("{} at {}: {what}", entry.name, seconds(entry.at)));
        match (&entry.what, who.kind) {
            (What::Created, Kind::Sandbox) => {
                if let Some(pod) = wished.get(&who.uid) {
                    declared.insert(sandbox, pod.clone());
                }
            }
            (What::Created, _) => {
                let Some(versions) = declared.get(sandbox) else { continue };
                let missing = |pod| before(pod, who).find(|name| !done.contains(&(sandbox, *name)));
                if let Some(Some(missing)) = versions.iter().map(|pod| missing(pod)).min() {
                    complain(format!("made before {missing} was done"));
                }
                if who.kind == Kind::Init && initialized.contains(sandbox) {
                    complain("made after an app".into());
                }
                if who.kind == Kind::App {
                    initialized.insert(sandbox);
                    apps.insert(&entry.id, sandbox);
                }
            }
            (What::Removed, Kind::App) => drop(apps.remove(entry.id.as_str())),
            (What::Started, Kind::Sidecar) | (What::Died { code: 0, oom: false }, Kind::Init) => {
                done.insert((sandbox, &who.name));
            }
            _ => {}
        }
    }
    broken
}

/// The init containers and sidecars that must be done before this one is made.
fn before<'a>(pod: &'a Pod, who: &'a Who) -> impl Iterator<Item = &'a str> {
    let first = pod.containers.iter().filter(|c| c.kind != ContainerKind::App);
    first.map(|c| c.name.as_str()).take_while(|name| *name != who.name)
}

/// Containers that do not carry our mark are never stopped, killed or removed, but by their owner.
pub fn foreign_untouched(story: &Story) -> Vec<String> {
    let mut broken = Vec::new();
    let mut owned: BTreeSet<&str> = BTreeSet::new();
    for step in story.steps() {
        match step {
            Step::Deed(note) => {
                if let Deed::ByHand { id, .. } = &note.deed {
                    owned.insert(id);
                }
            }
            Step::Container(entry, who) if !who.ours && !owned.contains(entry.id.as_str()) => {
                if matches!(entry.what, What::StopAsked(_) | What::Signalled(_) | What::Removed) {
                    broken.push(format!("{} at {}: {:?}", entry.name, seconds(entry.at), entry.what));
                }
            }
            Step::Container(..) | Step::Engine(_) => {}
        }
    }
    broken
}
