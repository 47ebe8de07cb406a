//! The `httpGet` handler: from a request to the last answer of its redirects.

use super::{
    HookDone, HookError, HttpGet, Outcome,
    connect::{self, ConnectError},
    request::{Client, REDIRECTS, Redirect, Request, RequestError},
};
use crate::report;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::{http1, http2},
    header::{self, HeaderValue},
    rt::{Read, Write},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{net::IpAddr, time::Duration};
use tokio::task::JoinHandle;

/// So much of a body is kept, and no more of it is read.
pub const BODY_LIMIT: usize = 10 * 1024;

/// Why an exchange gave no answer.
#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("HTTP")]
    Http(#[from] hyper::Error),
    #[error("a header can not be sent")]
    Request(#[from] hyper::http::Error),
    #[error("stopped after {REDIRECTS} redirects")]
    TooManyRedirects,
    #[error("redirected to {0:?}, which is not a URL")]
    BadRedirect(String),
    /// The head came, its body did not.
    #[error("reading the body: {0}")]
    Body(#[source] hyper::Error),
}

/// The last answer.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

/// Asks once.
pub(super) async fn ask(get: &HttpGet, address: Option<IpAddr>, timeout: Duration) -> Outcome {
    let request = match Request::new(get, address, Client::Probe) {
        Ok(request) => request,
        Err(error) => return Outcome::Error(error.to_string()),
    };
    let url = request.url.to_string();
    let answer = match tokio::time::timeout(timeout, exchange(request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error @ HttpError::Body(_))) => return Outcome::Error(format!("Get {url:?}: {}", report(&error))),
        Ok(Err(error)) => return Outcome::Failure(format!("Get {url:?}: {}", report(&error))),
        Err(_) => return Outcome::Failure(format!("Get {url:?}: no answer within {timeout:?}")),
    };
    judge(answer.status.as_u16(), &answer.body)
}

/// What the last answer means for a probe.
fn judge(status: u16, body: &[u8]) -> Outcome {
    let text = || String::from_utf8_lossy(body).into_owned();
    match status {
        200..=299 => Outcome::Success(text()),
        300..=399 => Outcome::Warning(format!("Probe terminated redirects, Response body: {}", text())),
        // Without the body, which may be confidential.
        _ => Outcome::Failure(format!("HTTP probe failed with statuscode: {status}")),
    }
}

/// Runs a lifecycle hook: any answer succeeds. Where HTTPS is answered in plain HTTP, it is repeated in
/// plain, without `Authorization`.
pub(super) async fn run_hook(get: &HttpGet, address: Option<IpAddr>) -> Result<HookDone, HookError> {
    let failed = |url: &str, error: &HttpError| HookError {
        message: format!("Get {url:?}: {}", report(error)),
        engine_away: false,
    };
    let bad = |error: RequestError| HookError { message: error.to_string(), engine_away: false };
    let request = Request::new(get, address, Client::Hook).map_err(bad)?;
    let url = request.url.to_string();
    let plain = request.in_plain();
    match (exchange(request).await, plain) {
        // What the body would have said is of no use to a hook.
        (Ok(_) | Err(HttpError::Body(_)), _) => Ok(HookDone { http_fallback: false }),
        (Err(HttpError::Connect(error)), Some(plain)) if error.is_plain_answer() => {
            let url = plain.url.to_string();
            match exchange(plain).await {
                Ok(_) | Err(HttpError::Body(_)) => Ok(HookDone { http_fallback: true }),
                Err(error) => Err(failed(&url, &error)),
            }
        }
        (Err(error), _) => Err(failed(&url, &error)),
    }
}

/// Asks and follows redirects on the same host.
async fn exchange(mut request: Request) -> Result<Answer, HttpError> {
    let mut followed = 0;
    loop {
        let (response, _connection) = send(&request).await?;
        let status = response.status();
        let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        match request.redirected(status.as_u16(), location) {
            Redirect::Follow(_) if followed == REDIRECTS => return Err(HttpError::TooManyRedirects),
            Redirect::Follow(next) => {
                followed += 1;
                request = *next;
            }
            Redirect::Unreadable(location) => return Err(HttpError::BadRedirect(location)),
            Redirect::None | Redirect::Elsewhere => {
                return Ok(Answer { status, body: read(response.into_body()).await? });
            }
        }
    }
}

/// The beginning of a body.
async fn read(mut body: Incoming) -> Result<Vec<u8>, HttpError> {
    let mut kept = Vec::new();
    while kept.len() < BODY_LIMIT
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame.map_err(HttpError::Body)?.into_data() {
            let room = BODY_LIMIT - kept.len();
            kept.extend_from_slice(data.get(..room).unwrap_or(&data));
        }
    }
    Ok(kept)
}

/// A connection at work; it ends with this.
pub(super) struct Connection(JoinHandle<()>);

impl Connection {
    pub fn drive(work: impl Future<Output = hyper::Result<()>> + Send + 'static) -> Self {
        Self(tokio::spawn(async move {
            // Whatever befalls it is told to who waits for the answer.
            let _ = work.await;
        }))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One request over a fresh connection.
async fn send(request: &Request) -> Result<(Response<Incoming>, Connection), HttpError> {
    let host = request.dial_host();
    let stream = connect::tcp(host, request.port()).await?;
    if !request.is_https() {
        return over_http1(request, TokioIo::new(stream)).await;
    }
    let stream = connect::tls(stream, host).await?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        return over_http2(request, TokioIo::new(stream)).await;
    }
    over_http1(request, TokioIo::new(stream)).await
}

async fn over_http1<T>(request: &Request, io: T) -> Result<(Response<Incoming>, Connection), HttpError>
where
    T: Read + Write + Unpin + Send + 'static,
{
    // Some servers know header names in this spelling only.
    let (mut sender, connection) = http1::Builder::new().title_case_headers(true).handshake(io).await?;
    let connection = Connection::drive(connection);
    let mut message = hyper::Request::get(request.target()).body(Empty::<Bytes>::new())?;
    let host = HeaderValue::from_str(&request.host).map_err(hyper::http::Error::from)?;
    message.headers_mut().insert(header::HOST, host);
    message.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    message.headers_mut().extend(request.headers.clone());
    Ok((sender.send_request(message).await?, connection))
}

async fn over_http2<T>(request: &Request, io: T) -> Result<(Response<Incoming>, Connection), HttpError>
where
    T: Read + Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
    let connection = Connection::drive(connection);
    let uri = format!("https://{}{}", request.host, request.target());
    let mut message = hyper::Request::get(uri).body(Empty::<Bytes>::new())?;
    let own = request.headers.iter().filter(|(name, _)| **name != header::CONNECTION);
    message.headers_mut().extend(own.map(|(name, value)| (name.clone(), value.clone())));
    Ok((sender.send_request(message).await?, connection))
}

#[cfg(test)]
mod tests;
