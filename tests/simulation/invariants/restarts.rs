//! Restart counts and back-off, kept by a model of their own.

use crate::chronicle::{Deed, Kind, Note, Step, Story, Who, seconds};
use kubelet_lite::{engine::fake::What, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// One container of one incarnation, over all its attempts.
type Place<'a> = (&'a str, &'a str);

fn place(who: &Who) -> Place<'_> {
    (&who.uid, &who.name)
}

/// What the records in the engine can tell: with them goes the memory of attempts and back-off.
#[derive(Default)]
struct Records<'a> {
    present: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Pods that were once not wanted any more, while something of them was there.
    unwished: BTreeSet<&'a str>,
    /// Containers that were once not declared any more, while something of them was there.
    undeclared: BTreeSet<Place<'a>>,
    names: BTreeMap<&'a str, Place<'a>>,
}

/// Records that are lost.
enum Lost<'a> {
    /// All of an incarnation.
    Uid(&'a str),
    /// Some of a container, removed by the operator, or with an edit that was then taken back.
    Place(Place<'a>),
}

impl<'a> Records<'a> {
    fn take(&mut self, step: Step<'a>) -> Option<Lost<'a>> {
        match step {
            Step::Deed(note) => match &note.deed {
                Deed::ByHand { id, what: "remove" } => self.names.get(id.as_str()).copied().map(Lost::Place),
                Deed::Wish(wished) => {
                    let version = |uid: &str| wished.values().find(|pod| pod.uid.as_str() == uid);
                    self.unwished.extend(self.present.keys().filter(|uid| version(uid).is_none()));
                    let declares = |(uid, name): &Place<'_>| {
                        version(uid).is_some_and(|pod| pod.containers.iter().any(|c| c.name.as_str() == *name))
                    };
                    self.undeclared.extend(self.names.values().filter(|place| !declares(place)));
                    None
                }
                _ => None,
            },
            Step::Container(entry, who) if who.ours => match entry.what {
                What::Created => {
                    self.present.entry(&who.uid).or_default().insert(&entry.id);
                    self.names.insert(&entry.id, place(who));
                    None
                }
                What::Removed => {
                    let left = self.present.entry(&who.uid).or_default();
                    left.remove(entry.id.as_str());
                    if left.is_empty() {
                        self.present.remove(who.uid.as_str());
                        self.unwished.remove(who.uid.as_str());
                        return Some(Lost::Uid(&who.uid));
                    }
                    let forgotten = self.unwished.contains(who.uid.as_str()) || self.undeclared.contains(&place(who));
                    forgotten.then(|| Lost::Place(place(who)))
                }
                _ => None,
            },
            Step::Container(..) | Step::Engine(_) => None,
        }
    }
}

/// Each start of a container has a higher attempt than all before it, as long as its records are there. What a daemon
/// that died had asked for may come late: then one container starts twice.
pub fn counts_grow(story: &Story) -> Vec<String> {
    let mut broken = Vec::new();
    let mut records = Records::default();
    let mut highest: BTreeMap<Place<'_>, u32> = BTreeMap::new();
    // Those made that did not run yet, and those of them that the daemon's end has left so.
    let (mut made, mut left) = (BTreeSet::new(), BTreeSet::new());
    for step in story.steps() {
        if let Step::Deed(Note { deed: Deed::DaemonDown, .. }) = step {
            left.append(&mut made);
        }
        match records.take(step) {
            Some(Lost::Uid(uid)) => highest.retain(|(u, _), _| *u != uid),
            Some(Lost::Place(place)) => drop(highest.remove(&place)),
            None => {}
        }
        let Step::Container(entry, who) = step else { continue };
        if entry.what == What::Created {
            made.insert(entry.id.as_str());
        }
        if !who.ours || entry.what != What::Started {
            continue;
        }
        made.remove(entry.id.as_str());
        let before = highest.insert(place(who), who.attempt).filter(|before| *before >= who.attempt);
        if let Some(before) = before.filter(|before| *before > who.attempt || !left.remove(entry.id.as_str())) {
            broken.push(format!("{} starts at {} after attempt {before}", entry.name, seconds(entry.at)));
        }
    }
    broken
}

/// One container as far as its back-off goes.
#[derive(Clone, Copy)]
struct Attempt<'a> {
    id: &'a str,
    hash: &'a str,
    sandbox: &'a str,
    /// Delay before it.
    waited: Option<Duration>,
    started: Timestamp,
    ended: Option<Timestamp>,
    /// No jump of the clock has touched its times.
    exact: bool,
}

/// A container that ended by itself starts again after 0, 10, 20, 40 … 300 s and no sooner; anew after a
/// run of more than ten minutes. A new sandbox starts it at once and forgets nothing, but an init
/// container begins anew; so does an edited one.
pub fn back_off(story: &Story) -> Vec<String> {
    let mut broken = Vec::new();
    let mut records = Records::default();
    let mut last: BTreeMap<Place<'_>, Attempt<'_>> = BTreeMap::new();
    let mut created: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for step in story.steps() {
        match records.take(step) {
            Some(Lost::Uid(uid)) => last.retain(|(u, _), _| *u != uid),
            Some(Lost::Place(place)) => drop(last.remove(&place)),
            None => {}
        }
        let (entry, who) = match step {
            Step::Deed(note) => {
                if matches!(note.deed, Deed::ClockJump) {
                    last.values_mut().for_each(|attempt| attempt.exact = false);
                }
                continue;
            }
            Step::Container(entry, who) if who.ours && who.kind != Kind::Sandbox => (entry, who),
            Step::Container(..) | Step::Engine(_) => continue,
        };
        match entry.what {
            What::Created => drop(created.insert(&entry.id, entry.at)),
            What::Died { .. } => {
                if let Some(attempt) = last.get_mut(&place(who)).filter(|a| a.id == entry.id) {
                    attempt.ended = Some(entry.at);
                }
            }
            What::Started | What::StartFailed(_) => {
                let before = last.get(&place(who)).copied().filter(|a| a.hash == who.hash);
                let due = before.and_then(|before| due(&before, who));
                if before.is_some_and(|before| before.id == entry.id) {
                    continue;
                }
                if let Some((at, _)) = due.filter(|(at, _)| entry.at < *at) {
                    broken.push(format!("{} starts at {}, due {}", entry.name, seconds(entry.at), seconds(at)));
                }
                let failed = matches!(entry.what, What::StartFailed(_));
                let attempt = Attempt {
                    id: &entry.id,
                    hash: &who.hash,
                    sandbox: &who.sandbox,
                    waited: due.and_then(|(_, waited)| waited),
                    started: entry.at,
                    // The engine does not tell when a start failed.
                    ended: created.get(entry.id.as_str()).copied().filter(|_| failed),
                    exact: true,
                };
                last.insert(place(who), attempt);
            }
            _ => {}
        }
    }
    broken
}

/// When the attempt after this one may start at the earliest, and the delay that it is made with.
fn due(before: &Attempt<'_>, who: &Who) -> Option<(Timestamp, Option<Duration>)> {
    if !before.exact {
        return None;
    }
    let ended = before.ended?;
    if before.sandbox != who.sandbox {
        return Some((ended, before.waited.filter(|_| who.kind != Kind::Init)));
    }
    let delay = match before.waited {
        _ if ended.since(before.started) > Duration::from_secs(600) => Duration::ZERO,
        None => Duration::ZERO,
        Some(Duration::ZERO) => Duration::from_secs(10),
        Some(waited) => (waited * 2).min(Duration::from_secs(300)),
    };
    Some((ended + delay, Some(delay)))
}
