//! The facts of the node as they stand, and who waits for another one. Owns how they change; what they mean is
//! `convert`'s.

use crate::convert::NodeFacts;
use std::{net::IpAddr, sync::Arc};
use tokio::sync::{Notify, watch};

/// What translation needs to know of the node; it changes when the engine turns out to be another, or to
/// refuse something, and with every object.
#[derive(Debug)]
pub struct Facts {
    current: watch::Sender<Arc<NodeFacts>>,
    /// Wakes those who wait in the order in which they began to: a watch alone wakes them in a random one, and
    /// then one history of causes would have many courses.
    news: Arc<Notify>,
}

/// One who wants to know of changes.
#[derive(Debug)]
pub(super) struct Reader {
    seen: watch::Receiver<Arc<NodeFacts>>,
    news: Arc<Notify>,
}

impl Facts {
    /// These facts, until they change.
    pub fn new(facts: NodeFacts) -> Self {
        Self { current: watch::Sender::new(Arc::new(facts)), news: Arc::new(Notify::new()) }
    }

    /// The facts of the moment.
    pub fn get(&self) -> Arc<NodeFacts> {
        self.current.borrow().clone()
    }

    /// Changes them; `change` says whether it has, and only then anybody is told.
    pub(super) fn change(&self, change: impl FnOnce(&mut Arc<NodeFacts>) -> bool) {
        if self.current.send_if_modified(change) {
            self.news.notify_waiters();
        }
    }

    /// Lets everybody know the node's addresses. The last ones known stay while it has none: a link that is down
    /// for a moment changes no pod.
    pub(super) fn note_addresses(&self, addresses: Vec<IpAddr>) {
        self.change(|facts| {
            let changed = !addresses.is_empty() && facts.node_ips != addresses;
            if changed {
                tracing::info!("the node's addresses are {addresses:?}");
                Arc::make_mut(facts).node_ips = addresses;
            }
            changed
        });
    }

    pub(super) fn reader(&self) -> Reader {
        Reader { seen: self.current.subscribe(), news: self.news.clone() }
    }
}

impl Reader {
    /// The facts of the moment, which are seen by that.
    pub(super) fn read(&mut self) -> Arc<NodeFacts> {
        self.seen.borrow_and_update().clone()
    }

    /// Returns when there is a change that was not read; never, when nobody can make one any more.
    /// Cancel-safe: a change that is missed is found by the next call.
    pub(super) async fn changed(&self) {
        loop {
            let mut news = std::pin::pin!(self.news.notified());
            // From here on nothing is missed.
            news.as_mut().enable();
            if self.seen.has_changed().unwrap_or(false) {
                return;
            }
            news.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::Node;
    use std::{cell::RefCell, rc::Rc};

    fn node() -> NodeFacts {
        NodeFacts::new("/var/lib/kubelet-lite".into(), Node { name: "n".into() }, "pause".into())
    }

    fn another(facts: &mut Arc<NodeFacts>) -> bool {
        Arc::make_mut(facts).engine_api.1 += 1;
        true
    }

    #[tokio::test]
    async fn a_change_is_told_once_and_only_if_there_is_one() {
        let facts = Facts::new(node());
        let mut reader = facts.reader();
        let waits = |reader: &Reader| futures_util::FutureExt::now_or_never(reader.changed()).is_none();
        assert!(waits(&reader));
        facts.change(|_| false);
        assert!(waits(&reader));
        facts.change(another);
        assert!(!waits(&reader), "a change from before the call counts");
        assert_eq!(reader.read().engine_api, facts.get().engine_api);
        assert!(waits(&reader));
    }

    #[test]
    fn addresses_that_go_stay_known() {
        let facts = Facts::new(node());
        let mut reader = facts.reader();
        let (one, two): (IpAddr, IpAddr) = ("192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap());
        for (found, known, told) in [
            (vec![], vec![], false),
            (vec![one], vec![one], true),
            (vec![one], vec![one], false),
            (vec![], vec![one], false),
            (vec![one, two], vec![one, two], true),
            (vec![two], vec![two], true),
        ] {
            facts.note_addresses(found.clone());
            let is_told = futures_util::FutureExt::now_or_never(reader.changed()).is_some();
            assert_eq!((&reader.read().node_ips, is_told), (&known, told), "{found:?}");
        }
    }

    #[tokio::test]
    async fn those_who_wait_are_woken_in_their_order() {
        let (facts, woken) = (Facts::new(node()), Rc::new(RefCell::new(Vec::new())));
        let local = tokio::task::LocalSet::new();
        for number in 0..20 {
            let (reader, woken) = (facts.reader(), woken.clone());
            local.spawn_local(async move {
                reader.changed().await;
                woken.borrow_mut().push(number);
            });
        }
        local.run_until(tokio::task::yield_now()).await;
        facts.change(another);
        local.await;
        assert_eq!(*woken.borrow(), (0..20).collect::<Vec<_>>());
    }
}
