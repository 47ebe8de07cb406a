//! The handlers for real: network ones from the host, commands through the engine.

use super::{
    Handler, HandlerTarget, Handlers, Hook, HookDone, HookError, Leftover, Outcome, connect, exec, http, request,
};
use crate::{engine::Engine, report};
use futures_util::future::BoxFuture;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How many commands are begun at a time. An engine begins some thirty a second, so more would only
/// take each other's time; whoever waits here is not on the clock yet.
const PARALLEL_COMMANDS: usize = 8;
/// For how long a command keeps others from beginning: one that hangs must not delay them.
const BEGINNING: Duration = Duration::from_millis(500);

/// Runs handlers on this machine. One for the whole daemon.
pub struct HostHandlers<E> {
    engine: E,
    beginnings: Semaphore,
}

impl<E: Engine + Clone> HostHandlers<E> {
    /// Handlers whose commands run through `engine`.
    pub fn new(engine: E) -> Self {
        Self { engine, beginnings: Semaphore::new(PARALLEL_COMMANDS) }
    }

    async fn exec(
        &self,
        command: &[String],
        target: &HandlerTarget,
        timeout: Duration,
        leftover: &mut Leftover,
    ) -> Outcome {
        let permit = self.beginnings.acquire().await;
        let asking = exec::ask(&self.engine, &target.container, command, timeout, leftover);
        tokio::pin!(asking);
        tokio::select! {
            biased;
            outcome = &mut asking => return outcome,
            () = tokio::time::sleep(BEGINNING) => drop(permit),
        }
        asking.await
    }
}

impl<E: Engine + Clone> Handlers for HostHandlers<E> {
    fn ask<'a>(
        &'a self,
        handler: &'a Handler,
        target: &'a HandlerTarget,
        timeout: Duration,
        leftover: &'a mut Leftover,
    ) -> BoxFuture<'a, Outcome> {
        // Each in a box of its own: the futures of most probes are small.
        match handler {
            Handler::Exec { command } => Box::pin(self.exec(command, target, timeout, leftover)),
            Handler::HttpGet(get) => Box::pin(http::ask(get, target.address, timeout)),
            Handler::TcpSocket { host, port } => Box::pin(tcp(host.as_deref(), *port, target, timeout)),
            Handler::Grpc { port, service } => Box::pin(super::grpc::ask(*port, service, target.address, timeout)),
        }
    }

    fn run<'a>(&'a self, hook: &'a Hook, target: &'a HandlerTarget) -> BoxFuture<'a, Result<HookDone, HookError>> {
        match hook {
            Hook::Exec { command } => Box::pin(async move {
                match exec::run(&self.engine, &target.container, command).await {
                    Ok((0, _)) => Ok(HookDone::default()),
                    Ok((code, said)) => Err(HookError {
                        message: format!("command {:?} exited with {code}: {}", command.join(" "), said.trim()),
                        engine_away: false,
                    }),
                    Err(error) => Err(HookError { message: report(&error), engine_away: error.is_unavailable() }),
                }
            }),
            Hook::HttpGet(get) => Box::pin(http::run_hook(get, target.address)),
            Hook::Sleep(time) => Box::pin(async move {
                tokio::time::sleep(*time).await;
                Ok(HookDone::default())
            }),
        }
    }
}

async fn tcp(host: Option<&str>, port: u16, target: &HandlerTarget, timeout: Duration) -> Outcome {
    let address = target.address.map(|address| address.to_string());
    let Some(host) = host.or(address.as_deref()) else { return Outcome::Error("the pod has no address".to_owned()) };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match tokio::time::timeout(timeout, connect::tcp(bare, port)).await {
        Ok(Ok(_)) => Outcome::Success(String::new()),
        Ok(Err(error)) => Outcome::Failure(report(&error)),
        Err(_) => {
            Outcome::Failure(format!("connect to {}: no answer within {timeout:?}", request::authority(bare, port)))
        }
    }
}
