//! The links of a pod's logs: made when a container with a log is seen first, removed when it is gone.

use crate::{
    pod::{ContainerId, ObservedPod, PodKey},
    volume::{LogLink, LogLinks},
};
use std::collections::BTreeMap;
use tracing::{debug, warn};

/// The links that a worker has made.
#[derive(Default)]
pub(super) struct Logs {
    made: BTreeMap<ContainerId, LogLink>,
    /// A failure was told: it is seldom one container's alone.
    told: bool,
}

impl Logs {
    /// Brings the links to what is seen of the pod. No container waits for its links.
    pub(super) fn follow(&mut self, links: &LogLinks, key: &PodKey, observed: &ObservedPod) {
        let mut seen = BTreeMap::new();
        for incarnation in &observed.incarnations {
            for container in incarnation.containers.iter().filter(|c| !c.record.log_path.is_empty()) {
                let instance = (&container.name, container.attempt, &container.id);
                match links.link(key, &incarnation.uid, instance, &container.record.log_path) {
                    Ok(link) => drop(seen.insert(container.id.clone(), link)),
                    Err(error) => debug!(pod = %key, container = %container.name, "its log gets no link: {error}"),
                }
            }
        }
        self.made.retain(|id, link| {
            let stays = seen.contains_key(id);
            if !stays && let Err(error) = link.remove() {
                debug!(pod = %key, container_id = %id, "the link of its log can not be removed: {error}");
            }
            stays
        });
        for (id, link) in seen {
            if self.made.contains_key(&id) {
                continue;
            }
            match link.make() {
                Ok(()) => drop(self.made.insert(id, link)),
                Err(error) if !self.told => {
                    self.told = true;
                    warn!(
                        pod = %key, container_id = %id, "log collectors will not find its log: the link can not be made \
                         below --pod-logs-dir: {error}"
                    );
                }
                Err(_) => {}
            }
        }
    }
}
