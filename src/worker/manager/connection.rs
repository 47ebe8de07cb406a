//! Finding the engine, and finding it again when it was away.

use super::{Events, PodManager, RECONNECT, Relist};
use crate::{
    engine::{Engine, EngineError, EngineVersion},
    report,
    worker::EngineHealth,
};
use std::sync::Arc;
use tracing::{info, warn};

impl<E: Engine> PodManager<E> {
    /// Serves, and looks for the engine when it is away.
    pub(super) async fn keep(&mut self) {
        let mut pause = RECONNECT.0;
        loop {
            let (mut snapshot, adopted) = (self.snapshot.clone(), self.listed.is_some());
            let connected = tokio::select! {
                biased;
                // Workers find the engine again by themselves, and then act on the newest wish.
                Ok(()) = snapshot.changed(), if adopted => {
                    self.reconcile();
                    continue;
                }
                connected = self.connect() => connected,
            };
            match connected {
                Ok(events) => {
                    pause = RECONNECT.0;
                    let Some(error) = self.serve(events).await else { return };
                    self.lost(&error);
                }
                Err(error) => {
                    self.lost(&error);
                    tokio::select! {
                        biased;
                        Ok(()) = snapshot.changed(), if adopted => self.reconcile(),
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(RECONNECT.1);
                }
            }
        }
    }

    fn lost(&mut self, error: &EngineError) {
        let text = report(error);
        let news = self.summary.borrow().engine != EngineHealth::Waiting(text.clone());
        if news {
            warn!("waiting for the Docker Engine: {text}");
            self.summary.send_modify(|s| s.engine = EngineHealth::Waiting(text));
        }
    }

    /// Reaches the engine and takes stock. Events are subscribed to before the list is made, so that
    /// nothing falls between the two.
    async fn connect(&mut self) -> Result<Events, EngineError> {
        let version = self.shared.engine.version().await?;
        check_version(&version)?;
        let events = self.shared.engine.events().await?;
        self.shared.facts.change(|facts| {
            let facts = Arc::make_mut(facts);
            facts.memory_total = version.memory_total;
            facts.bound_logs = version.log_driver == "json-file";
            facts.engine_api = version.api().unwrap_or_default();
            facts.app_armor = version.has("apparmor");
            true
        });
        if let Err(error) = self.shared.ensure_sandbox_image().await {
            if error.is_unavailable() {
                return Err(error);
            }
            // Pods that run need none, and those that start try again.
            warn!("the sandbox image can not be had: {}", report(&error));
        }
        self.list(Relist::EngineReturned).await?;
        info!(version = version.version, api_version = version.api_version, "connected to the Docker Engine");
        self.summary.send_modify(|s| s.engine = EngineHealth::Connected(version.version));
        Ok(events)
    }
}

/// Oldest Engine API that was seen to work, and the release that speaks it.
const OLDEST_API: ((u32, u32), &str) = ((1, 41), "20.10");

/// An engine that is too old is waited for: somebody may upgrade it.
fn check_version(version: &EngineVersion) -> Result<(), EngineError> {
    let ((oldest, release), found) = (OLDEST_API, &version.version);
    match version.api() {
        Some(api) if api < oldest => Err(EngineError::Protocol {
            operation: "version".into(),
            message: format!("Docker Engine {found} is too old: upgrade it to {release} or later"),
        }),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_is_too_old_is_named() {
        let of = |api: &str| {
            check_version(&EngineVersion { version: "x".into(), api_version: api.into(), ..Default::default() })
        };
        assert_eq!(of("1.41"), Ok(()));
        assert_eq!(of("2.0"), Ok(()));
        assert_eq!(of("?"), Ok(()));
        let error = of("1.40").unwrap_err();
        assert_eq!(
            error.to_string(),
            "version: unexpected answer: Docker Engine x is too old: upgrade it to 20.10 or later"
        );
    }
}
