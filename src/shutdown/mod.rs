//! The node's own shutdown: pods end by priority before the engine does, while systemd-logind waits.
//!
//! Owns which pods end together ([`policy`]), whose turn it is ([`progress`], both pure), the lock at
//! logind ([`logind`]) and the order of these things. Ending pods is the business of
//! [`crate::worker::PodManager`], which is told by [`Shutdown`] and answers by its summary.
//!
//! A process that is told to leave leaves its pods running, shutdown or not: only logind's word ends them.

pub mod logind;
pub mod policy;
pub mod progress;
#[cfg(test)]
mod tests;

pub use policy::{ShutdownGroup, ShutdownPolicy};
pub use progress::{ShutdownPod, ShutdownProgress};

use crate::worker::NodeSummary;
use logind::{Login, LoginError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// What the pod manager is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shutdown {
    /// The node stays up.
    #[default]
    No,
    /// The node is about to go down: end the pods.
    Begun,
}

/// How far the pod manager is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShutdownPhase {
    /// No shutdown is under way.
    #[default]
    None,
    /// Pods are being ended.
    Ending,
    /// Every pod had its time.
    Over,
}

/// First and longest pause between tries to reach logind.
const RECONNECT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Holds the lock at logind, and has the pods ended when the node shuts down. Runs until detached.
/// `connect` reaches logind.
pub async fn guard<L: Login>(
    policy: ShutdownPolicy,
    connect: impl AsyncFn() -> Result<L, LoginError>,
    shutdown: watch::Sender<Shutdown>,
    summary: watch::Receiver<NodeSummary>,
    detach: CancellationToken,
) {
    if !policy.is_enabled() {
        return;
    }
    let mut pause = RECONNECT.0;
    let mut said = String::new();
    loop {
        let session = async {
            let mut login = connect().await?;
            pause = RECONNECT.0;
            serve(&policy, &mut login, &shutdown, summary.clone()).await
        };
        let failed = tokio::select! {
            biased;
            () = detach.cancelled() => return,
            failed = session => failed,
        };
        let Err(error) = failed else { return };
        let text = crate::report(&error);
        if text != said {
            warn!("a shutdown of this node will not wait for its pods: {text}");
            said = text;
        }
        tokio::select! {
            biased;
            () = detach.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(RECONNECT.1);
    }
}

/// Serves until logind is lost (an error) or the pod manager is gone.
async fn serve<L: Login>(
    policy: &ShutdownPolicy,
    login: &mut L,
    shutdown: &watch::Sender<Shutdown>,
    mut summary: watch::Receiver<NodeSummary>,
) -> Result<(), LoginError> {
    let total = policy.total();
    loop {
        // A daemon before this one, or a connection before this one, may have been told of it and be gone. logind gives
        // no lock any more, but others' may hold it back.
        let lock = if login.preparing_for_shutdown().await? {
            None
        } else {
            shutdown.send_if_modified(|told| std::mem::replace(told, Shutdown::No) != Shutdown::No);
            let lock = login.inhibit().await?;
            if let Some(warning) = too_short(login.inhibit_delay_max().await?, total) {
                warn!("{warning}");
            }
            info!(grace_period = %humantime::format_duration(total), "a shutdown of this node waits for its pods");
            while !login.next_prepare_for_shutdown().await? {}
            Some(lock)
        };
        info!("the node shuts down: ending its pods, the least important first");
        shutdown.send_replace(Shutdown::Begun);
        let over = summary.wait_for(|node| node.shutdown == ShutdownPhase::Over);
        // The manager keeps to the periods itself, unless it can not reach the engine.
        match tokio::time::timeout(total, over).await {
            Ok(Ok(_)) => info!("the pods have ended; the shutdown goes on"),
            Ok(Err(_)) => return Ok(()),
            Err(_) => warn!("not all pods have ended in time; the shutdown goes on"),
        }
        drop(lock);
        while login.next_prepare_for_shutdown().await? {}
        info!("the shutdown was cancelled: starting the pods again");
        shutdown.send_replace(Shutdown::No);
    }
}

/// What to say if logind does not wait as long as the pods may take.
fn too_short(limit: Duration, total: Duration) -> Option<String> {
    (limit < total).then(|| {
        format!(
            "systemd-logind lets a shutdown wait for {} only, but pods may take {} (shutdownGracePeriod): write \
             InhibitDelayMaxSec={} below [Login] into /etc/systemd/logind.conf.d/zz-kubelet-lite.conf, then run \
             systemctl kill -s HUP systemd-logind",
            humantime::format_duration(limit),
            humantime::format_duration(total),
            total.as_secs_f64().ceil(),
        )
    })
}
