//! systemd-logind over D-Bus: a delay lock, its limit, and the word that a shutdown is near.

use futures_util::{StreamExt, stream::BoxStream};
use std::{os::fd::OwnedFd, time::Duration};

/// logind can not be asked, or says no.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// It does not answer.
    #[error("systemd-logind does not answer on the system bus (packages systemd and dbus)")]
    Bus(#[from] zbus::Error),
    /// The connection is gone.
    #[error("systemd-logind went away")]
    Gone,
}

/// What is asked of logind.
pub trait Login {
    /// Takes a delay lock on shutdowns, held until the value is dropped.
    fn inhibit(&mut self) -> impl Future<Output = Result<OwnedFd, LoginError>> + Send;
    /// How long such a lock holds a shutdown back at most (`InhibitDelayMaxSec`).
    fn inhibit_delay_max(&mut self) -> impl Future<Output = Result<Duration, LoginError>> + Send;
    /// Whether a shutdown is being held back at the moment (`PreparingForShutdown`).
    fn preparing_for_shutdown(&mut self) -> impl Future<Output = Result<bool, LoginError>> + Send;
    /// The next `PrepareForShutdown`: true before a shutdown, false when it was cancelled.
    fn next_prepare_for_shutdown(&mut self) -> impl Future<Output = Result<bool, LoginError>> + Send;
}

#[zbus::proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1"
)]
trait Manager {
    fn inhibit(&self, what: &str, who: &str, why: &str, mode: &str) -> zbus::Result<zbus::OwnedFd>;

    // It changes when logind reads its configuration again, of which no signal tells.
    #[zbus(property(emits_changed_signal = "false"), name = "InhibitDelayMaxUSec")]
    fn inhibit_delay_max(&self) -> zbus::Result<u64>;

    #[zbus(property(emits_changed_signal = "false"))]
    fn preparing_for_shutdown(&self) -> zbus::Result<bool>;

    #[zbus(signal)]
    fn prepare_for_shutdown(&self, start: bool) -> zbus::Result<()>;
}

/// The real one.
pub struct Logind {
    manager: ManagerProxy<'static>,
    signals: BoxStream<'static, PrepareForShutdown>,
}

impl Logind {
    /// Connects to the system bus, and listens before anything is asked.
    pub async fn connect() -> Result<Self, LoginError> {
        let bus = zbus::Connection::system().await?;
        let manager = ManagerProxy::new(&bus).await?;
        let signals = manager.receive_prepare_for_shutdown().await?.boxed();
        Ok(Self { manager, signals })
    }
}

impl Login for Logind {
    async fn inhibit(&mut self) -> Result<OwnedFd, LoginError> {
        let why = "pods of this node need time to end";
        Ok(self.manager.inhibit("shutdown", "kubelet-lite", why, "delay").await?.into())
    }

    async fn inhibit_delay_max(&mut self) -> Result<Duration, LoginError> {
        Ok(Duration::from_micros(self.manager.inhibit_delay_max().await?))
    }

    async fn preparing_for_shutdown(&mut self) -> Result<bool, LoginError> {
        Ok(self.manager.preparing_for_shutdown().await?)
    }

    async fn next_prepare_for_shutdown(&mut self) -> Result<bool, LoginError> {
        let signal = self.signals.next().await.ok_or(LoginError::Gone)?;
        Ok(signal.args()?.start)
    }
}
