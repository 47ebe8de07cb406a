use super::*;
use crate::time::Clock;
use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::sync::{Mutex, mpsc};

/// A logind that says what a test tells it to; `None` ends the connection.
struct Fake {
    signals: Arc<Mutex<mpsc::Receiver<Option<bool>>>>,
    preparing: Arc<AtomicBool>,
    locks: Arc<AtomicUsize>,
}

impl Login for Fake {
    async fn inhibit(&mut self) -> Result<OwnedFd, LoginError> {
        self.locks.fetch_add(1, Ordering::Relaxed);
        Ok(std::io::stderr().as_fd().try_clone_to_owned().unwrap())
    }

    async fn inhibit_delay_max(&mut self) -> Result<Duration, LoginError> {
        Ok(Duration::from_secs(60))
    }

    async fn preparing_for_shutdown(&mut self) -> Result<bool, LoginError> {
        Ok(self.preparing.load(Ordering::Relaxed))
    }

    async fn next_prepare_for_shutdown(&mut self) -> Result<bool, LoginError> {
        self.signals.lock().await.recv().await.flatten().ok_or(LoginError::Gone)
    }
}

struct Stage {
    logind: mpsc::Sender<Option<bool>>,
    preparing: Arc<AtomicBool>,
    locks: Arc<AtomicUsize>,
    told: watch::Receiver<Shutdown>,
    manager: watch::Sender<NodeSummary>,
    detach: CancellationToken,
    guard: tokio::task::JoinHandle<()>,
}

fn stage() -> Stage {
    stage_where(false)
}

/// `preparing`: a shutdown is being held back.
fn stage_where(preparing: bool) -> Stage {
    let preparing = Arc::new(AtomicBool::new(preparing));
    let (logind, signals) = mpsc::channel(8);
    let signals = Arc::new(Mutex::new(signals));
    let locks = Arc::new(AtomicUsize::new(0));
    let (tx, told) = watch::channel(Shutdown::No);
    let (manager, summary) = watch::channel(NodeSummary::default());
    let detach = CancellationToken::new();
    let policy = ShutdownPolicy::from_periods(Duration::from_secs(30), Duration::from_secs(10));
    let (counted, held) = (locks.clone(), preparing.clone());
    let connect = async move || Ok(Fake { signals: signals.clone(), preparing: held.clone(), locks: counted.clone() });
    let guard = tokio::spawn(guard(policy, connect, tx, summary, detach.clone()));
    Stage { logind, preparing, locks, told, manager, detach, guard }
}

#[tokio::test(start_paused = true)]
async fn pods_end_on_a_shutdown_and_return_when_it_is_cancelled() {
    let mut stage = stage();
    stage.logind.send(Some(true)).await.unwrap();
    stage.told.wait_for(|told| *told == Shutdown::Begun).await.unwrap();
    assert_eq!(stage.locks.load(Ordering::Relaxed), 1);
    stage.manager.send_modify(|node| node.shutdown = ShutdownPhase::Over);
    stage.logind.send(Some(false)).await.unwrap();
    stage.told.wait_for(|told| *told == Shutdown::No).await.unwrap();
    stage.manager.send_modify(|node| node.shutdown = ShutdownPhase::None);
    // A second shutdown finds another lock.
    stage.logind.send(Some(true)).await.unwrap();
    stage.told.wait_for(|told| *told == Shutdown::Begun).await.unwrap();
    assert_eq!(stage.locks.load(Ordering::Relaxed), 2);
    stage.detach.cancel();
    stage.guard.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_can_not_end_pods_holds_the_shutdown_up_for_the_whole_period_only() {
    let mut stage = stage();
    let clock = Clock::system();
    let began = clock.now();
    stage.logind.send(Some(true)).await.unwrap();
    stage.told.wait_for(|told| *told == Shutdown::Begun).await.unwrap();
    // What comes next is heard after the lock was let go.
    stage.logind.send(Some(false)).await.unwrap();
    stage.told.wait_for(|told| *told == Shutdown::No).await.unwrap();
    assert_eq!(clock.now().since(began).as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_lost_logind_is_asked_again() {
    let mut stage = stage();
    stage.logind.send(None).await.unwrap();
    stage.logind.send(Some(true)).await.unwrap();
    stage.told.wait_for(|told| *told == Shutdown::Begun).await.unwrap();
    assert_eq!(stage.locks.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_was_under_way_before_us_is_known_of() {
    let mut stage = stage_where(true);
    stage.told.wait_for(|told| *told == Shutdown::Begun).await.unwrap();
    assert_eq!(stage.locks.load(Ordering::Relaxed), 0, "logind gives none now");
    stage.manager.send_modify(|node| node.shutdown = ShutdownPhase::Over);
    stage.preparing.store(false, Ordering::Relaxed);
    stage.logind.send(Some(false)).await.unwrap();
    stage.told.wait_for(|told| *told == Shutdown::No).await.unwrap();
    // From now on it is held back.
    stage.logind.send(Some(true)).await.unwrap();
    stage.told.wait_for(|told| *told == Shutdown::Begun).await.unwrap();
    assert_eq!(stage.locks.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_cancelled_while_logind_can_not_be_heard_is_over() {
    let mut stage = stage();
    stage.logind.send(Some(true)).await.unwrap();
    stage.told.wait_for(|told| *told == Shutdown::Begun).await.unwrap();
    stage.manager.send_modify(|node| node.shutdown = ShutdownPhase::Over);
    stage.logind.send(None).await.unwrap();
    stage.told.wait_for(|told| *told == Shutdown::No).await.unwrap();
}

#[test]
fn a_limit_that_is_too_short_is_named_with_its_remedy() {
    let (five, minute) = (Duration::from_secs(5), Duration::from_secs(60));
    assert_eq!(too_short(minute, minute), None);
    assert_eq!(
        too_short(five, minute).unwrap(),
        "systemd-logind lets a shutdown wait for 5s only, but pods may take 1m (shutdownGracePeriod): write \
         InhibitDelayMaxSec=60 below [Login] into /etc/systemd/logind.conf.d/zz-kubelet-lite.conf, then run systemctl \
         kill -s HUP systemd-logind"
    );
}
