//! The other end of the socket: what the commands ask the daemon.

use super::socket;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::HOST,
};
use hyper_util::rt::TokioIo;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::net::UnixStream;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "kubelet-lite does not run here: nobody answers at {}; start it (`systemctl start kubelet-lite`), or say \
         where it is with --root-dir or --api-socket",
        list(places)
    )]
    NotRunning {
        /// Where it was looked for.
        places: Vec<PathBuf>,
    },
    /// The socket is root's.
    #[error("permission denied at {}: only root may ask; try again with sudo", path.display())]
    Denied {
        /// The socket.
        path: PathBuf,
    },
    /// The daemon answered with an error.
    #[error("Error from server ({reason}): {message}")]
    Refused {
        /// As in `NotFound`.
        reason: String,
        /// For people.
        message: String,
    },
    /// The answer did not come, or can not be understood.
    #[error("the daemon at {} can not be asked: {problem}", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What happened.
        problem: String,
    },
}

fn list(places: &[PathBuf]) -> String {
    places.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
}

/// The body of the answer to a GET at the first of `places` where a daemon listens.
pub async fn get(places: &[PathBuf], path_and_query: &str) -> Result<Vec<u8>, ClientError> {
    let (path, stream) = connect(places).await?;
    let all = async {
        let body = ask(&path, stream, path_and_query).await?;
        let body = body.collect().await.map_err(|error| broken(&path)(crate::report(&error)))?;
        Ok(body.to_bytes().to_vec())
    };
    let asked = tokio::time::timeout(LIMIT, all).await;
    asked.unwrap_or_else(|_| Err(broken(&path)(format!("no answer within {LIMIT:?}"))))
}

/// The lines of the answer to a GET that lasts, a watch.
pub struct Lines {
    path: PathBuf,
    body: Incoming,
    read: Vec<u8>,
}

/// Begins a watch at the first of `places` where a daemon listens.
pub async fn watch(places: &[PathBuf], path_and_query: &str) -> Result<Lines, ClientError> {
    let (path, stream) = connect(places).await?;
    let asked = tokio::time::timeout(LIMIT, ask(&path, stream, path_and_query)).await;
    let body = asked.unwrap_or_else(|_| Err(broken(&path)(format!("no answer within {LIMIT:?}"))))?;
    Ok(Lines { path, body, read: Vec::new() })
}

impl Lines {
    /// The next line, whenever it comes; `None` when the daemon has ended the watch.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let rest = self.read.split_off(end + 1);
                return Ok(Some(std::mem::replace(&mut self.read, rest)));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => self.read.extend(frame.into_data().unwrap_or_default()),
                Some(Err(error)) => return Err(broken(&self.path)(crate::report(&error))),
            }
        }
    }
}

async fn connect(places: &[PathBuf]) -> Result<(PathBuf, UnixStream), ClientError> {
    for path in places {
        match socket::connect(path).await {
            Ok(stream) => return Ok((path.clone(), stream)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(ClientError::Denied { path: path.clone() });
            }
            Err(_) => {}
        }
    }
    Err(ClientError::NotRunning { places: places.to_vec() })
}

fn broken(path: &Path) -> impl Fn(String) -> ClientError {
    move |problem| ClientError::Broken { path: path.to_owned(), problem }
}

async fn ask(path: &Path, stream: UnixStream, path_and_query: &str) -> Result<Incoming, ClientError> {
    let broken = broken(path);
    let failed = |error: hyper::Error| broken(crate::report(&error));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // Ends by itself, with the answer.
    tokio::spawn(connection);
    let request = Request::get(path_and_query).header(HOST, "localhost").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| broken(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(failed)?;
    let code = response.status();
    if code == StatusCode::OK {
        return Ok(response.into_body());
    }
    let body = response.into_body().collect().await.map_err(failed)?.to_bytes();
    let status: Status = serde_json::from_slice(&body).map_err(|_| broken(format!("it answered {code}")))?;
    Err(ClientError::Refused {
        reason: status.reason.unwrap_or_else(|| code.to_string()),
        message: status.message.unwrap_or_default(),
    })
}
