//! The way to the engine's Unix socket: a fresh HTTP/1 connection for each request.
//!
//! bollard's own Unix transport needs the socket to exist when the client is made and does not tell
//! when an answer's head has come. This one connects at each request, so a daemon may start before
//! its engine, and reports the head, so that a subscription is known to stand.

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker, errors::Error};
use hyper::{Response, Uri, body::Incoming, client::conn::http1, header, header::HeaderValue};
use hyper_util::rt::TokioIo;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{net::UnixStream, sync::oneshot};

/// bollard's own limit is put out of the way: it ends at an answer's head, and ours cover the whole call.
const NO_LIMIT: u64 = 10 * 365 * 24 * 3600;

/// A bollard client over `socket`. It connects with its first request.
pub(super) fn client(socket: &Path) -> Result<Docker, Error> {
    build(socket, None)
}

/// A client for one request, and word of when the head of its answer has come.
pub(super) fn client_with_head(socket: &Path) -> Result<(Docker, oneshot::Receiver<()>), Error> {
    let (sender, head) = oneshot::channel();
    Ok((build(socket, Some(sender))?, head))
}

fn build(socket: &Path, head: Option<oneshot::Sender<()>>) -> Result<Docker, Error> {
    let socket: Arc<PathBuf> = Arc::new(socket.to_owned());
    let head = Arc::new(Mutex::new(head));
    let transport = move |request: BollardRequest| {
        let (socket, head) = (Arc::clone(&socket), Arc::clone(&head));
        async move {
            let response = send(&socket, request).await?;
            if let Some(head) = head.lock().unwrap_or_else(PoisonError::into_inner).take() {
                // Whoever asked may have gone away.
                let _ = head.send(());
            }
            Ok(response)
        }
    };
    Docker::connect_with_custom_transport(transport, Some("http://docker"), NO_LIMIT, API_DEFAULT_VERSION)
}

async fn send(socket: &Path, mut request: BollardRequest) -> Result<Response<Incoming>, Error> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends by itself: with the answer's body, or when its reader goes away.
    tokio::spawn(connection);
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    *request.uri_mut() = path.parse::<Uri>()?;
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("docker"));
    Ok(sender.send_request(request).await?)
}
