//! Watches: who asks with `watch=true` is told of each change of a pod as it happens, one JSON object a
//! line. As with the API server without a resource version, a watch begins with all that is there.

use super::{
    ApiState,
    answer::pod_field,
    selector::{FieldSelector, LabelSelector},
};
use crate::{engine::Engine, pod::PodKey, status::Published, worker::NodeSummary};
use futures_util::stream::{self, BoxStream, StreamExt};
use hyper::body::Bytes;
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::WatchEvent};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Which pods are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    /// Of one namespace, or of all.
    pub(super) namespace: Option<String>,
    pub(super) labels: LabelSelector,
    pub(super) fields: FieldSelector,
}

/// One watch under way.
struct Watcher<E: Engine> {
    state: Arc<ApiState<E>>,
    watched: Watched,
    summary: watch::Receiver<NodeSummary>,
    /// Each pod as it was last looked at, and as it was last told of, if it is among those that are watched.
    told: BTreeMap<PodKey, (Published, Option<Pod>)>,
    lines: VecDeque<Bytes>,
    _place: OwnedSemaphorePermit,
}

/// What is told to one who watches; it ends with the daemon.
pub(super) fn events<E: Engine>(
    state: Arc<ApiState<E>>,
    watched: Watched,
    place: OwnedSemaphorePermit,
) -> BoxStream<'static, Bytes> {
    let mut summary = state.summary.clone();
    // What is there already is news here.
    summary.mark_changed();
    let watcher = Watcher { state, watched, summary, told: BTreeMap::new(), lines: VecDeque::new(), _place: place };
    stream::unfold(watcher, |mut watcher| async { Some((watcher.next().await?, watcher)) }).boxed()
}

impl<E: Engine> Watcher<E> {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            self.summary.changed().await.ok()?;
            self.look().await;
        }
    }

    /// Finds out what has changed since the last look.
    async fn look(&mut self) {
        let facts = self.state.shared.facts();
        let pictures: BTreeMap<PodKey, Published> = {
            let summary = self.summary.borrow_and_update();
            let here =
                |key: &PodKey| self.watched.namespace.as_ref().is_none_or(|namespace| key.namespace == *namespace);
            let pods = summary.pods.iter().filter(|(key, _)| here(key));
            pods.filter_map(|(key, pod)| Some((key.clone(), pod.picture.clone()?))).collect()
        };
        let gone: Vec<PodKey> = self.told.keys().filter(|key| !pictures.contains_key(key)).cloned().collect();
        for key in gone {
            if let Some((_, Some(pod))) = self.told.remove(&key) {
                self.tell(&WatchEvent::Deleted(pod));
            }
        }
        for (key, picture) in pictures {
            if self.told.get(&key).is_some_and(|(seen, _)| *seen == picture) {
                continue;
            }
            let before = self.told.remove(&key);
            let labels = picture.0.pod.as_ref().map(|pod| pod.labels());
            let mut now = None;
            if self.watched.labels.matches(labels.as_ref()) {
                let pod = self.state.object(&picture.0, &facts).await;
                now = Some(pod).filter(|pod| self.watched.fields.matches(|name| pod_field(pod, name)));
            }
            match (before.and_then(|(_, pod)| pod), &now) {
                (None, Some(pod)) => self.tell(&WatchEvent::Added(pod.clone())),
                // Another pod of that name.
                (Some(old), Some(pod)) if old.metadata.uid != pod.metadata.uid => {
                    self.tell(&WatchEvent::Deleted(old));
                    self.tell(&WatchEvent::Added(pod.clone()));
                }
                (Some(old), Some(pod)) if old != *pod => self.tell(&WatchEvent::Modified(pod.clone())),
                (Some(old), None) => self.tell(&WatchEvent::Deleted(old)),
                (Some(_), Some(_)) | (None, None) => {}
            }
            self.told.insert(key, (picture, now));
        }
    }

    fn tell(&mut self, event: &WatchEvent<Pod>) {
        match serde_json::to_vec(event) {
            Ok(mut line) => {
                line.push(b'\n');
                self.lines.push_back(line.into());
            }
            Err(error) => tracing::warn!("a change can not be told: {error}"),
        }
    }
}
