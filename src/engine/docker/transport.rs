//! The way to the engine's Unix socket: a fresh HTTP/1 connection for each request.
//!
//! bollard's own Unix transport needs the socket to exist when the client is made and does not tell
//! when an answer's head has come. This one connects at each request, so a daemon may start before
//! its engine, and reports the head, so that a subscription is known to stand.
//!
//! [`get`] hands over an answer's bytes, for the two answers that are read all the time and that
//! bollard's models would make both dear and brittle: a word unknown to this build anywhere in the
//! thousand fields of an inspect would fail it.

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker, body_full, errors::Error};
use hyper::{
    Request, Response, Uri,
    body::{Body, Bytes, Incoming},
    client::conn::http1,
    header,
    header::HeaderValue,
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::{
    fmt::Write,
    future::poll_fn,
    path::{Path, PathBuf},
    pin::Pin,
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

/// The body of the answer to a GET, which an error of the engine's is not.
pub(super) async fn get(socket: &Path, path_and_query: &str) -> Result<Vec<u8>, Error> {
    let request = Request::get(path_and_query).body(body_full(Bytes::new()))?;
    let response = send(socket, request).await?;
    let status = response.status();
    let mut incoming = response.into_body();
    let mut body = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut incoming).poll_frame(context)).await {
        if let Ok(data) = frame?.into_data() {
            body.extend_from_slice(&data);
        }
    }
    if status.is_success() {
        return Ok(body);
    }
    let message = serde_json::from_slice(&body)
        .map_or_else(|_| String::from_utf8_lossy(&body).into_owned(), |ErrorAnswer { message }: ErrorAnswer| message);
    Err(Error::DockerResponseServerError { status_code: status.as_u16(), message })
}

#[derive(Deserialize)]
struct ErrorAnswer {
    message: String,
}

/// `text` as it may stand in a query.
pub(super) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string can not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

async fn send(socket: &Path, mut request: BollardRequest) -> Result<Response<Incoming>, Error> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends by itself: with the answer's body, or when its reader goes away. An exec's output comes
    // after an upgrade.
    tokio::spawn(connection.with_upgrades());
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    *request.uri_mut() = path.parse::<Uri>()?;
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("docker"));
    Ok(sender.send_request(request).await?)
}
