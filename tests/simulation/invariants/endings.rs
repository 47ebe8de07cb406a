//! How and when something that runs may be ended.

use super::ledger::{Instance, LAG, Ledger, Reason};
use crate::answers::Asked;
use crate::chronicle::{Deed, Kind, Note, Step, Story, Who, seconds};
use kubelet_lite::{
    engine::fake::{HistoryEntry, What},
    pod::{Container, ContainerKind, Pod, PodKey},
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// The least grace there is: 0 counts as this.
const LEAST: Duration = Duration::from_secs(1);
/// The least between a stop signal and SIGKILL.
const MINIMUM: Duration = Duration::from_secs(2);

/// Goes through a story; `judge` sees each step of our containers before the ledger takes it in.
fn judge<'a>(
    story: &'a Story,
    mut judge: impl FnMut(&Ledger<'a>, &'a HistoryEntry, &'a Who) -> Option<String>,
) -> Vec<String> {
    let mut broken = Vec::new();
    let mut ledger = Ledger::default();
    for step in story.steps() {
        if let Step::Container(entry, who) = step
            && who.ours
        {
            ledger.now = entry.at;
            if let Some(what) = judge(&ledger, entry, who) {
                broken.push(format!("{} at {}: {what}", entry.name, seconds(entry.at)));
            }
        }
        ledger.take(step);
    }
    broken
}

/// (b) A healthy container that nobody has touched keeps running: every stop has a reason outside of the
/// daemon, and nothing is removed while it runs.
pub fn no_stop_without_a_reason(story: &Story) -> Vec<String> {
    judge(story, |ledger, entry, who| {
        let instance = ledger.instances.get(entry.id.as_str())?;
        match &entry.what {
            What::StopAsked(_) => {
                let mut reasons = ledger.reasons(&entry.id);
                if who.kind == Kind::Sandbox && reasons.is_empty() {
                    reasons.extend(of_sandbox(ledger, who));
                }
                reasons.is_empty().then(|| "stopped for nothing".to_owned())
            }
            // What is removed while it runs dies in the same moment, and nobody asked it to stop.
            What::Died { code: 137, oom: false } => {
                let next = story.history.iter().skip_while(|e| !std::ptr::eq(*e, entry)).nth(1);
                let same_call = |e: &HistoryEntry| (&e.id, e.call, e.at) == (&entry.id, entry.call, entry.at);
                let removed = next.is_some_and(|e| same_call(e) && e.what == What::Removed);
                // What the operator does in this very moment is noted behind it.
                let is_his = |note: &Note| matches!(&note.deed, Deed::ByHand { id, .. } if *id == entry.id);
                let by_hand = story.notes.iter().any(|note| note.at == entry.at && is_his(note))
                    || ledger.reasons(&entry.id).contains(&Reason::ByHand);
                (removed && !by_hand && instance.live).then(|| "removed while it runs".to_owned())
            }
            What::Signalled(signal) => Some(format!("sent {signal}")),
            _ => None,
        }
    })
}

/// A sandbox also ends when the one after it is there.
fn of_sandbox(ledger: &Ledger<'_>, who: &Who) -> Option<Reason> {
    let newer = |i: &&Instance<'_>| i.who.kind == Kind::Sandbox && i.who.attempt > who.attempt;
    ledger.instances.values().filter(|i| i.who.uid == who.uid).find(newer).map(|_| Reason::Undeclared)
}

/// (d) No sandbox is stopped while anything runs in it, and the last one of a pod is removed when
/// nothing else of the pod is left: it carries what is known of the pod.
pub fn sandbox_last(story: &Story) -> Vec<String> {
    judge(story, |ledger, entry, who| {
        if who.kind != Kind::Sandbox || ledger.instances.get(entry.id.as_str())?.lasting(Reason::ByHand) {
            return None;
        }
        let of_pod = || ledger.instances.values().filter(|i| i.who.uid == who.uid);
        let member = of_pod().find(|i| i.live && i.who.kind != Kind::Sandbox && i.who.sandbox == entry.id);
        match &entry.what {
            What::StopAsked(_) => member.map(|i| format!("stopped while {} runs in it", i.who.name)),
            What::Removed => {
                let is_last = of_pod().filter(|i| i.who.kind == Kind::Sandbox).count() == 1;
                let left = of_pod().find(|i| i.who.kind != Kind::Sandbox).filter(|_| is_last);
                member.or(left).map(|i| format!("removed while {} is left", i.who.name))
            }
            _ => None,
        }
    })
}

/// (e) Every stop of a container gives it the whole grace of the spec that runs, and two seconds at least.
/// Less is for one whose grace has begun before: in its `preStop`, for a sidecar that had to wait for the
/// others, a container that was asked already, and any whose end a daemon has begun that is no more.
pub fn applied_grace(story: &Story) -> Vec<String> {
    judge(story, |ledger, entry, who| {
        let What::StopAsked(grace) = entry.what else { return None };
        if who.kind == Kind::Sandbox {
            return None;
        }
        let instance = ledger.instances.get(entry.id.as_str())?;
        let passed = ledger.now.since(begun(ledger, instance).unwrap_or(ledger.now));
        let applied = ledger.graces(&entry.id);
        let fits = |whole: &Duration| {
            let whole = (*whole).max(LEAST);
            (whole.saturating_sub(passed).max(MINIMUM)..=whole.max(MINIMUM)).contains(&grace)
        };
        (!applied.iter().any(fits)).then(|| format!("{grace:?}, applied {applied:?}, begun {passed:?} ago at most"))
    })
}

/// When the grace of a container that is now asked to stop has begun at the earliest; `None` is now.
fn begun(ledger: &Ledger<'_>, instance: &Instance<'_>) -> Option<Timestamp> {
    let due = instance.due_since?;
    if instance.asked || instance.who.kind == Kind::Sidecar || due < ledger.daemon_up {
        return Some(due);
    }
    instance.pre_stop_begun
}

/// A container that has a `preStop` is asked to stop when that has ended, one way or another, or when its
/// grace is over: a hook that a dying daemon took along is begun again.
pub fn pre_stop_first(story: &Story) -> Vec<String> {
    judge(story, |ledger, entry, who| {
        if !matches!(entry.what, What::StopAsked(_)) || who.kind == Kind::Sandbox {
            return None;
        }
        let instance = ledger.instances.get(entry.id.as_str()).filter(|i| i.live && !i.lasting(Reason::ByHand))?;
        let mut declared = ledger.declared(who).peekable();
        declared.peek()?;
        if instance.pre_stop_ended || instance.asked || declared.any(|c| c.pre_stop().is_none()) {
            return None;
        }
        let passed = instance.due_since.map_or(Duration::ZERO, |since| ledger.now.since(since));
        let over = ledger.graces(&entry.id).iter().any(|grace| passed >= (*grace).max(LEAST));
        (!over).then(|| format!("stopped before its preStop has ended, begun {:?}", instance.pre_stop_begun))
    })
}

/// A container ends within its grace and the two seconds that each has after its stop signal; the death of
/// the daemon in between adds no more than the two seconds in which the next one is there.
pub fn no_grace_is_lengthened(story: &Story) -> Vec<String> {
    if story.history.iter().any(|entry| entry.what == What::EngineDown) {
        return Vec::new();
    }
    let mut asked: BTreeMap<&str, Timestamp> = BTreeMap::new();
    judge(story, |ledger, entry, who| {
        let instance = ledger.instances.get(entry.id.as_str()).filter(|_| who.kind != Kind::Sandbox)?;
        match entry.what {
            What::Started => {
                asked.remove(entry.id.as_str());
            }
            What::StopAsked(_) => {
                asked.entry(&entry.id).or_insert(entry.at);
            }
            What::Died { .. } => {
                let asked = *asked.get(entry.id.as_str())?;
                let begun = instance.pre_stop_begun.map_or(asked, |begun| begun.min(asked));
                let longest = ledger.graces(&entry.id).into_iter().max()?.max(LEAST) + 2 * MINIMUM;
                let took = entry.at.since(begun);
                return (took > longest).then(|| format!("ended {took:?} after its end began"));
            }
            _ => {}
        }
        None
    })
}

/// (e) When a pod ends, a sidecar is stopped after everything else and after the sidecars behind it, or
/// when the whole grace is over.
pub fn sidecars_last(story: &Story) -> Vec<String> {
    judge(story, |ledger, entry, who| {
        if who.kind != Kind::Sidecar || !matches!(entry.what, What::StopAsked(_)) {
            return None;
        }
        let pod = ledger.versions.get(&who.uid)?;
        // Without the sandbox's label their order is not known.
        ledger.instances.values().find(|i| i.who.kind == Kind::Sandbox && i.who.uid == who.uid)?;
        let reasons = ledger.reasons(&entry.id);
        use Reason::{ByHand, Edited, FailedPostStart, FailedProbe, Undeclared};
        let alone = [Edited, Undeclared, ByHand, FailedProbe, FailedPostStart];
        if reasons.iter().any(|reason| alone.contains(reason)) {
            return None;
        }
        let index = |name: &str| pod.containers.iter().position(|c| c.name.as_str() == name);
        let before =
            ledger.live_of(&who.uid).find(|i| i.who.kind != Kind::Sidecar || index(&i.who.name) > index(&who.name))?;
        let since = ledger.instances.get(entry.id.as_str())?.due_since?;
        let passed = ledger.now.since(since);
        let over = ledger.graces(&entry.id).iter().any(|grace| passed >= (*grace).max(LEAST));
        (!over).then(|| format!("stopped while {} runs, {passed:?} after there was a reason", before.who.name))
    })
}

/// Nothing old is stopped for something new before the images of what is new are on the node, at some
/// moment since it is wanted. A stop that was long on its way is judged by what was wanted when it was asked for.
pub fn images_first(story: &Story) -> Vec<String> {
    let mut broken = Vec::new();
    let mut ledger = Ledger::default();
    let mut present: BTreeSet<&str> = BTreeSet::new();
    let mut wanted: BTreeMap<&PodKey, Vec<Wanted<'_>>> = BTreeMap::new();
    // Those of another incarnation end for good once one of them was asked for its `preStop`.
    let mut begun: BTreeSet<&str> = BTreeSet::new();
    for step in story.steps() {
        let added = match step {
            Step::Deed(Note { deed: Deed::ImageAdded(image), .. }) => Some(image.as_str()),
            Step::Engine(entry) if entry.what == What::ImageAdded => Some(entry.name.as_str()),
            _ => None,
        };
        if let Some(image) = added {
            present.insert(image);
            for standing in wanted.values_mut().flatten().filter(|wanted| wanted.until.is_none()) {
                standing.seen.insert(image);
            }
        }
        if let Step::Engine(HistoryEntry { what: What::ImageSaved, name, .. }) = step {
            wanted.values_mut().flatten().for_each(|wanted| wanted.saved.extend([name.as_str()]));
        }
        match step {
            Step::Deed(note) => match &note.deed {
                Deed::ImageRemoved(image) => drop(present.remove(image.as_str())),
                Deed::Asked { id, asked: Asked::PreStop, .. } => {
                    let who = ledger.instances.get(id.as_str()).map(|instance| instance.who);
                    let wanted = who.and_then(|who| ledger.wished?.get(&who.key));
                    if let Some(who) = who.filter(|who| wanted.is_none_or(|pod| pod.uid.as_str() != who.uid)) {
                        begun.insert(&who.uid);
                    }
                }
                Deed::Wish(wished) => {
                    for (key, all) in &mut wanted {
                        let is_other = |standing: &&mut Wanted<'_>| wished.get(*key) != Some(standing.pod);
                        all.iter_mut().filter(is_other).for_each(|old| old.until = old.until.or(Some(note.at)));
                    }
                    for (key, pod) in wished.iter() {
                        let all = wanted.entry(key).or_default();
                        if all.last().is_none_or(|last| last.until.is_some()) {
                            let same = all.iter().filter(|before| before.pod.uid == pod.uid);
                            let saved = same.flat_map(|before| before.saved.iter().copied()).collect();
                            all.push(Wanted { pod, seen: present.clone(), saved, until: None });
                        }
                    }
                }
                _ => {}
            },
            Step::Container(entry, who) if who.ours && matches!(entry.what, What::StopAsked(_)) => {
                ledger.now = entry.at;
                if begun.contains(who.uid.as_str()) {
                    ledger.take(step);
                    continue;
                }
                let all = wanted.get(&who.key).map(Vec::as_slice).unwrap_or_default();
                let is_late = || all.iter().any(|wanted| wanted.gave_reason(&ledger, who));
                let missing = all.last().and_then(|last| last.missing(&ledger, who, &ledger.reasons(&entry.id)));
                if let Some(missing) = missing.filter(|_| !is_late()) {
                    broken.push(format!("{} at {}: {missing} is missing", entry.name, seconds(entry.at)));
                }
            }
            Step::Container(..) | Step::Engine(_) => {}
        }
        ledger.take(step);
    }
    broken
}

/// What was wanted of a pod for a while.
struct Wanted<'a> {
    pod: &'a Arc<Pod>,
    /// The images that were there at some moment of it.
    seen: BTreeSet<&'a str>,
    /// The images that were saved since its uid was first wanted: a volume of one may be complete.
    saved: BTreeSet<&'a str>,
    until: Option<Timestamp>,
}

impl<'a> Wanted<'a> {
    /// An image that had to come before a stop that is only for an edit.
    fn missing(&self, ledger: &Ledger<'_>, who: &Who, reasons: &BTreeSet<Reason>) -> Option<&'a str> {
        let changed = |name: &str, hash: &str| {
            let newest = ledger.instances.values().filter(|i| i.who.uid == who.uid && i.who.name == name);
            newest.max_by_key(|i| i.who.attempt).is_none_or(|i| i.who.hash != hash)
        };
        let is_new = |c: &&Container| changed(c.name.as_str(), c.hash.as_str()) && c.kind != ContainerKind::Init;
        let all = reasons == &BTreeSet::from([Reason::OtherIncarnation]);
        let new = reasons == &BTreeSet::from([Reason::Edited]) && who.kind != Kind::Sandbox;
        let made = self.pod.containers.iter().filter(|c| all || new && is_new(c));
        let needed = made.flat_map(|c| c.images_without(|volume| self.saved.contains(volume.image.as_str())));
        needed.map(|(image, _)| image.as_str()).find(|image| !self.seen.contains(image))
    }

    /// Whether this was wanted shortly before, and the stop was right for it.
    fn gave_reason(&self, ledger: &Ledger<'_>, who: &Who) -> bool {
        let is_recent = self.until.is_some_and(|until| ledger.now.since(until) < LAG);
        let reason = ledger.ended_by(Some(self.pod), who).filter(|_| is_recent);
        reason.is_some_and(|reason| self.missing(ledger, who, &BTreeSet::from([reason])).is_none())
    }
}
