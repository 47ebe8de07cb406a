//! The shell: accepts connections of root, and answers.

use super::{
    ApiState,
    answer::{Body, WATCHES},
    socket,
};
use crate::engine::Engine;
use futures_util::StreamExt;
use http_body_util::{Either, Full, StreamBody};
use hyper::{
    Request, Response,
    body::{Bytes, Frame, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Connections at a time; more wait. Some may be watches, which last.
const CONNECTIONS: usize = 8 + WATCHES;
/// How long the head of a request may take to come.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection may last, unless it is a watch.
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
        let watches = Arc::new(Semaphore::new(WATCHES));
        loop {
            let accepted = tokio::select! {
                biased;
                () = detach.cancelled() => break,
                // Cancel-safe: what is not accepted waits in the kernel.
                accepted = self.accept(&places) => accepted,
            };
            match accepted {
                Ok((stream, place)) => {
                    let (state, detach, watches) = (state.clone(), detach.clone(), watches.clone());
                    tokio::spawn(async move {
                        tokio::select! {
                            () = detach.cancelled() => {}
                            () = serve(stream, state, watches) => {}
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

async fn serve<E: Engine>(stream: UnixStream, state: Arc<ApiState<E>>, watches: Arc<Semaphore>) {
    // The socket's mode lets nobody else in; this holds even where somebody changed it.
    let known = stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == nix::unistd::geteuid().as_raw());
    if !known {
        debug!("a status request of another user is not answered");
        return;
    }
    let is_watch = Arc::new(AtomicBool::new(false));
    let lasts = is_watch.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (state, watches, is_watch) = (state.clone(), watches.clone(), is_watch.clone());
        async move {
            let uri = request.uri();
            let answer = state.answer(request.method(), uri.path(), uri.query(), &watches).await;
            is_watch.store(matches!(answer.body, Body::Watch(_)), Ordering::Relaxed);
            let mut response = Response::new(match answer.body {
                Body::Whole(body) => Either::Left(Full::new(Bytes::from(body))),
                Body::Watch(lines) => {
                    Either::Right(StreamBody::new(lines.map(|line| Ok::<_, Infallible>(Frame::data(line)))))
                }
            });
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
    tokio::pin!(connection);
    let mut ended = tokio::time::timeout(CONNECTION_LIMIT, &mut connection).await;
    if ended.is_err() && lasts.load(Ordering::Relaxed) {
        // Its other end is a program of root's, whose end is seen.
        ended = Ok(connection.await);
    }
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("a status request ended early: {error}"),
        Err(_) => debug!("a status request took too long"),
    }
}
