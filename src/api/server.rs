//! The shell: accepts connections of root, and answers.

use super::{ApiState, socket};
use crate::engine::Engine;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Connections at a time; more wait.
const CONNECTIONS: usize = 8;
/// How long the head of a request may take to come.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection may last.
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);
/// Pause after a connection that could not be accepted, for want of descriptors for instance.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Nowhere could be listened.
#[derive(Debug, thiserror::Error)]
#[error("no socket can be had at {}", path.display())]
pub struct BindError {
    /// The last place that was tried.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// A server that listens.
pub struct ApiServer {
    listener: UnixListener,
    path: PathBuf,
}

impl ApiServer {
    /// Listens at the first of `places` that can be had, for the owner of this process alone.
    pub async fn bind(places: &[PathBuf]) -> Result<Self, BindError> {
        let mut last = None;
        for path in places {
            match socket::bind(path).await {
                Ok(listener) => return Ok(Self { listener, path: path.clone() }),
                Err(source) => {
                    debug!("no socket at {}: {source}", path.display());
                    last = Some(BindError { path: path.clone(), source });
                }
            }
        }
        Err(last
            .unwrap_or_else(|| BindError { path: PathBuf::new(), source: io::Error::from(io::ErrorKind::NotFound) }))
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Answers until detached, and takes the socket away.
    pub async fn run<E: Engine>(self, state: ApiState<E>, detach: CancellationToken) {
        let state = Arc::new(state);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                biased;
                () = detach.cancelled() => break,
                // Cancel-safe: what is not accepted waits in the kernel.
                accepted = self.accept(&places) => accepted,
            };
            match accepted {
                Ok((stream, place)) => {
                    let (state, detach) = (state.clone(), detach.clone());
                    tokio::spawn(async move {
                        tokio::select! {
                            () = detach.cancelled() => {}
                            () = serve(stream, state) => {}
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!("a status request can not be taken: {error}");
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
        // Best effort: the next daemon replaces what is left.
        let _ = fs::remove_file(&self.path);
    }

    async fn accept(&self, places: &Arc<Semaphore>) -> io::Result<(UnixStream, tokio::sync::OwnedSemaphorePermit)> {
        let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (stream, _) = self.listener.accept().await?;
        Ok((stream, place))
    }
}

async fn serve<E: Engine>(stream: UnixStream, state: Arc<ApiState<E>>) {
    // The socket's mode lets nobody else in; this holds even where somebody changed it.
    let known = stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == nix::unistd::geteuid().as_raw());
    if !known {
        debug!("a status request of another user is not answered");
        return;
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let state = state.clone();
        async move {
            let uri = request.uri();
            let answer = state.answer(request.method(), uri.path(), uri.query()).await;
            let mut response = Response::new(Full::new(Bytes::from(answer.body)));
            *response.status_mut() = answer.code;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    let connection = builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_LIMIT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("a status request ended early: {error}"),
        Err(_) => debug!("a status request took too long"),
    }
}
