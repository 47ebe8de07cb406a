//! Who may make or start something in the engine next, unpack an image, or work on directories: a few at once, the
//! most important pods first.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// A queue for the engine's attention or that of the disk, by priority and then by arrival.
#[derive(Clone, Debug)]
pub struct StartQueue(Arc<Mutex<Queue>>);

#[derive(Debug)]
struct Queue {
    free: usize,
    arrivals: u64,
    waiting: BTreeMap<(Reverse<i32>, u64), oneshot::Sender<StartPermit>>,
}

/// The right to do one thing; it goes to the next when dropped.
#[derive(Debug)]
pub struct StartPermit(StartQueue);

impl StartQueue {
    /// A queue that serves so many at once.
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Mutex::new(Queue { free: at_once, arrivals: 0, waiting: BTreeMap::new() })))
    }

    /// Waits for a turn. Whoever stops waiting gives it up.
    pub async fn turn(&self, priority: i32) -> StartPermit {
        let turn = {
            let mut queue = self.lock();
            if queue.free > 0 {
                queue.free -= 1;
                return StartPermit(self.clone());
            }
            let (sender, turn) = oneshot::channel();
            queue.arrivals += 1;
            let place = (Reverse(priority), queue.arrivals);
            queue.waiting.insert(place, sender);
            turn
        };
        // The queue keeps the sender until it is served, so this can not fail while `self` is there.
        turn.await.unwrap_or_else(|_| StartPermit(self.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes who is next out of the queue, or notes a free place.
    fn next(&self) -> Option<oneshot::Sender<StartPermit>> {
        let mut queue = self.lock();
        while let Some((_, waiting)) = queue.waiting.pop_first() {
            if !waiting.is_closed() {
                return Some(waiting);
            }
        }
        queue.free += 1;
        None
    }
}

impl Drop for StartPermit {
    fn drop(&mut self) {
        if let Some(next) = self.0.next() {
            // One that has stopped waiting meanwhile drops the permit, which passes it on again.
            let _ = next.send(StartPermit(self.0.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, future::BoxFuture};

    fn turn(queue: &StartQueue, priority: i32) -> BoxFuture<'static, StartPermit> {
        let queue = queue.clone();
        async move { queue.turn(priority).await }.boxed()
    }

    #[test]
    fn by_priority_and_then_by_arrival() {
        let queue = StartQueue::new(1);
        let first = turn(&queue, 0).now_or_never().expect("a free place");
        let mut waiting: Vec<_> = [0, 5, -1, 5].into_iter().map(|priority| turn(&queue, priority)).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        let (mut permit, mut order) = (Some(first), Vec::new());
        while let Some(held) = permit.take() {
            drop(held);
            for (index, turn) in waiting.iter_mut().enumerate() {
                if !order.contains(&index)
                    && let Some(next) = turn.now_or_never()
                {
                    order.push(index);
                    permit = Some(next);
                }
            }
        }
        assert_eq!(order, [1, 3, 0, 2]);
    }

    #[test]
    fn who_stops_waiting_holds_up_nobody() {
        let queue = StartQueue::new(1);
        let first = turn(&queue, 0).now_or_never().expect("a free place");
        let mut gone = turn(&queue, 9);
        assert!((&mut gone).now_or_never().is_none());
        let mut other = turn(&queue, 0);
        assert!((&mut other).now_or_never().is_none());
        // Its turn has come, and it is dropped before it looks.
        drop(first);
        drop(gone);
        drop(other.now_or_never().expect("the turn passed on"));
        assert!(turn(&queue, 0).now_or_never().is_some(), "the place is free again");
    }
}
