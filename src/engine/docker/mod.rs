//! The real engine, through bollard.
//!
//! Owns what a call may take and what its failure means. Knows nothing of pods. Every time limit
//! covers a whole call with its body; what the engine was asked, it goes on doing after the limit.

mod archive;
mod narrow;
mod session;
mod transport;

use super::{
    COPY_LIMIT, ContainerCreateBody, ContainerDetails, ContainerSummary, Engine, EngineError, EngineEvent,
    EngineVersion, ExecDetails, ImageDetails, MANAGED_BY_LABEL, RegistryAuth, VolumeDetails, archive::follow,
};
use crate::time::Clock;
use bollard::{
    Docker, body_full,
    errors::Error,
    exec::{StartExecOptions, StartExecResults},
    models::{ExecConfig, VolumeCreateRequest},
    query_parameters as query,
};
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use hyper::body::Bytes;
use serde_json::json;
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{io::AsyncWriteExt, sync::Semaphore};

type Result<T> = std::result::Result<T, EngineError>;

/// Limit of a call that only reads. A hung engine must show soon.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// Limit of a call that changes something; dockershim's figure.
const CHANGE_LIMIT: Duration = Duration::from_secs(120);
/// What a stop may take beyond its grace: SIGKILL, the end of the process, the release of its network.
const STOP_MARGIN: Duration = Duration::from_secs(60);
/// A pull without any progress for so long has stalled.
const PULL_PROGRESS_LIMIT: Duration = Duration::from_secs(60);
/// A save without any progress for so long has stalled. The first bytes may take a while: older engines write the
/// whole archive to their own disk first.
const SAVE_PROGRESS_LIMIT: Duration = Duration::from_secs(600);
/// How often, and how far apart, a command that is to be killed is looked at before it counts as never
/// started.
const BEGINNING_LOOKS: u32 = 40;
const BEGINNING_PAUSE: Duration = Duration::from_millis(50);
/// What is read at once of a command's output.
const OUTPUT_BUFFER: usize = 1024;
/// Connections at a time for short calls. bollard opens one for each request and sets no limit.
const CONNECTIONS: usize = 64;
/// What `events` delivers; everything else, exec above all, would only wake us.
const EVENTS: [&str; 8] = ["create", "start", "die", "oom", "destroy", "pause", "unpause", "rename"];

/// An endpoint this build can not connect to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Docker endpoint {0:?}: only unix:///path/to/socket is supported")]
pub struct EndpointError(String);

/// A client of a Docker Engine on a Unix socket. Clones share their connections' limit.
#[derive(Clone)]
pub struct DockerEngine {
    docker: Docker,
    socket: PathBuf,
    instance: String,
    connections: Arc<Semaphore>,
    clock: Clock,
}

impl DockerEngine {
    /// A client of the engine at `endpoint` (`unix:///path`), to which the events of containers
    /// labelled [`MANAGED_BY_LABEL`]`=instance` are delivered. Nothing is sent yet: the socket need
    /// not exist.
    pub fn connect(endpoint: &str, instance: &str) -> std::result::Result<Self, EndpointError> {
        let refused = || EndpointError(endpoint.to_owned());
        let path = endpoint.strip_prefix("unix://").map(Path::new).ok_or_else(refused)?;
        if !path.is_absolute() {
            return Err(refused());
        }
        Ok(Self {
            docker: transport::client(path).map_err(|_| refused())?,
            socket: path.to_owned(),
            instance: instance.to_owned(),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            clock: Clock::system(),
        })
    }

    /// The beginning of what `docker cp` delivers: a tar whose first entry is what is asked for.
    async fn archive(&self, operation: &str, id: &str, path: &str) -> Result<Vec<u8>> {
        let options = query::DownloadFromContainerOptionsBuilder::default().path(path).build();
        let call = async {
            let mut stream = self.docker.download_from_container(id, Some(options));
            let mut archive = Vec::new();
            while let Some(bytes) = stream.next().await.transpose()? {
                archive.extend_from_slice(&bytes);
                if archive.len() > archive::LONGEST {
                    break;
                }
            }
            Ok(archive)
        };
        self.short(operation, READ_LIMIT, call).await
    }

    /// Writes the archive of what is named, or nothing if there is no such image.
    async fn export(&self, operation: &str, reference: &str, into: &mut tokio::fs::File) -> Result<()> {
        let mut archive = Box::pin(self.docker.export_image(reference));
        while let Some(bytes) =
            within(operation, SAVE_PROGRESS_LIMIT, async { archive.next().await.transpose() }).await?
        {
            into.write_all(&bytes).await.map_err(EngineError::not_kept(operation))?;
        }
        into.flush().await.map_err(EngineError::not_kept(operation))
    }

    /// One short call: a place among the connections, then `limit` for all of it.
    async fn short<T>(
        &self,
        operation: &str,
        limit: Duration,
        call: impl Future<Output = std::result::Result<T, Error>>,
    ) -> Result<T> {
        let _place = self.connections.acquire().await;
        within(operation, limit, call).await
    }
}

/// `call`, if it ends within `limit`.
async fn within<T>(
    operation: &str,
    limit: Duration,
    call: impl Future<Output = std::result::Result<T, Error>>,
) -> Result<T> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result.map_err(|error| narrow::error(operation, error)),
        Err(_) => Err(EngineError::Timeout { operation: operation.to_owned(), after: limit }),
    }
}

/// Reads `stream` to its end, since errors come inside it, as long as something comes every `limit`.
async fn drain<T>(
    operation: &str,
    limit: Duration,
    mut stream: impl Stream<Item = std::result::Result<T, Error>> + Unpin,
) -> Result<()> {
    while let Some(item) = within(operation, limit, async { stream.next().await.transpose() }).await? {
        drop(item);
    }
    Ok(())
}

fn protocol(operation: &str) -> impl Fn(String) -> EngineError {
    move |message| EngineError::Protocol { operation: operation.to_owned(), message }
}

/// `docker <verb> <id>` for messages, if `id` can be asked for at all.
fn on_container(verb: &str, id: &str) -> Result<String> {
    let operation = format!("{verb} {id}");
    if narrow::is_container_name(id) {
        return Ok(operation);
    }
    let message = format!("{id:?} is not a container name: [a-zA-Z0-9][a-zA-Z0-9_.-]* is");
    Err(EngineError::Refused { operation, status: 400, message })
}

fn on_image(verb: &str, reference: &str) -> Result<String> {
    let operation = format!("{verb} {reference}");
    if narrow::is_image_reference(reference) {
        return Ok(operation);
    }
    let message = format!("{reference:?} is not an image reference");
    Err(EngineError::Refused { operation, status: 400, message })
}

impl Engine for DockerEngine {
    async fn version(&self) -> Result<EngineVersion> {
        let version = self.short("version", READ_LIMIT, self.docker.version()).await?;
        let info = self.short("info", READ_LIMIT, self.docker.info()).await?;
        narrow::version(version, info).map_err(protocol("version"))
    }

    async fn events(&self) -> Result<BoxStream<'static, Result<EngineEvent>>> {
        let operation = "events";
        let (docker, head) =
            transport::client_with_head(&self.socket).map_err(|error| narrow::error(operation, error))?;
        // 20.10 sends the head just before it subscribes. The engine replays what happened since.
        let since = self.clock.wall();
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("event", EVENTS.map(str::to_owned).to_vec()),
            ("label", vec![format!("{MANAGED_BY_LABEL}={}", self.instance)]),
        ]);
        let since = format!("{}.{:09}", since.as_second(), since.subsec_nanosecond());
        let options = query::EventsOptionsBuilder::default().since(&since).filters(&filters).build();
        let mut items = Box::pin(docker.events(Some(options)));
        let first = within(operation, READ_LIMIT, async {
            tokio::select! {
                item = items.next() => item.transpose().map(Some),
                Ok(()) = head => Ok(None),
            }
        });
        let first = first.await?.map(|item| item.map(Ok));
        let items = stream::iter(first.flatten()).chain(items);
        let narrowed = items.map(move |item| {
            let message = item.map_err(|error| narrow::error(operation, error))?;
            narrow::event(message).map_err(protocol(operation))
        });
        // An item that can not be read means lost events: the stream ends there.
        let until_error = narrowed.scan(false, |failed, item| {
            let go_on = !std::mem::replace(failed, item.is_err());
            async move { go_on.then_some(item) }
        });
        Ok(until_error.boxed())
    }

    async fn list(&self, key: &str, value: &str) -> Result<Vec<ContainerSummary>> {
        let operation = format!("list {key}={value}");
        let filters = json!({ "label": [format!("{key}={value}")] }).to_string();
        let path = format!("/containers/json?all=true&filters={}", transport::percent_encoded(&filters));
        let answer = self.short(&operation, READ_LIMIT, transport::get(&self.socket, &path)).await?;
        narrow::summaries(&answer).map_err(protocol(&operation))
    }

    async fn inspect(&self, id: &str) -> Result<ContainerDetails> {
        let operation = on_container("inspect", id)?;
        let path = format!("/containers/{id}/json");
        let answer = self.short(&operation, READ_LIMIT, transport::get(&self.socket, &path)).await?;
        narrow::details(&answer).map_err(protocol(&operation))
    }

    async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<String> {
        let operation = on_container("create", name)?;
        let options = query::CreateContainerOptionsBuilder::default().name(name).build();
        let call = self.docker.create_container(Some(options), body);
        Ok(self.short(&operation, CHANGE_LIMIT, call).await?.id)
    }

    async fn start(&self, id: &str) -> Result<()> {
        let operation = on_container("start", id)?;
        self.short(&operation, CHANGE_LIMIT, self.docker.start_container(id, None)).await
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<()> {
        let operation = on_container("stop", id)?;
        let whole = grace.as_secs().saturating_add(u64::from(grace.subsec_nanos() > 0));
        let seconds = i32::try_from(whole).unwrap_or(i32::MAX);
        let options = query::StopContainerOptionsBuilder::default().t(seconds).build();
        let limit = grace.saturating_add(STOP_MARGIN);
        // Not among the short calls: it waits for the program.
        within(&operation, limit, self.docker.stop_container(id, Some(options))).await
    }

    async fn kill(&self, id: &str, signal: &str) -> Result<()> {
        let operation = on_container("kill", id)?;
        let options = query::KillContainerOptionsBuilder::default().signal(signal).build();
        let call = self.docker.kill_container(id, Some(options));
        match self.short(&operation, CHANGE_LIMIT, call).await {
            // "Container … is not running".
            Err(EngineError::Conflict { .. }) => Ok(()),
            result => result,
        }
    }

    async fn remove(&self, id: &str) -> Result<()> {
        let operation = on_container("remove", id)?;
        let options = query::RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let call = self.docker.remove_container(id, Some(options));
        match self.short(&operation, CHANGE_LIMIT, call).await {
            Err(EngineError::NotFound { .. }) => Ok(()),
            result => result,
        }
    }

    async fn exec_create(&self, id: &str, command: Vec<String>, mark: &str) -> Result<String> {
        let operation = on_container("exec create", id)?;
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command),
            detach_keys: Some(narrow::mark_as_keys(mark)),
            ..ExecConfig::default()
        };
        Ok(self.short(&operation, CHANGE_LIMIT, self.docker.create_exec(id, config)).await?.id)
    }

    async fn exec_start(&self, exec: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        let operation = on_container("exec start", exec)?;
        let attached = StartExecOptions { output_capacity: Some(OUTPUT_BUFFER), ..StartExecOptions::default() };
        match self.short(&operation, CHANGE_LIMIT, self.docker.start_exec(exec, Some(attached))).await? {
            StartExecResults::Attached { output, .. } => Ok(output
                .map(move |item| match item {
                    Ok(output) => Ok(output.into_bytes()),
                    Err(error) => Err(narrow::error(&operation, error)),
                })
                .boxed()),
            StartExecResults::Detached => Ok(stream::empty().boxed()),
        }
    }

    async fn exec_inspect(&self, exec: &str) -> Result<ExecDetails> {
        let operation = on_container("exec inspect", exec)?;
        let path = format!("/exec/{exec}/json");
        let answer = self.short(&operation, READ_LIMIT, transport::get(&self.socket, &path)).await?;
        let seen = narrow::exec(&answer).map_err(protocol(&operation))?;
        let age = if seen.running { session::age(seen.pid) } else { None };
        Ok(ExecDetails { age, ..seen })
    }

    async fn exec_kill(&self, exec: &str) -> Result<()> {
        let operation = on_container("exec kill", exec)?;
        let mut seen = self.exec_inspect(exec).await?;
        for _ in 0..BEGINNING_LOOKS {
            if seen.exit_code.is_some() || seen.pid > 0 {
                break;
            }
            // Its start may be under way in a busy engine, though nobody waits for that any more.
            tokio::time::sleep(BEGINNING_PAUSE).await;
            seen = self.exec_inspect(exec).await?;
        }
        if !seen.running {
            return Ok(());
        }
        if seen.pid <= 0 {
            let message = "the engine has not begun it yet".to_owned();
            return Err(EngineError::Conflict { operation, message });
        }
        let session = session::Session { id: seen.pid, container: seen.container };
        let refused = |message: String| EngineError::Refused { operation, status: 500, message };
        session.kill().await.map_err(refused)
    }

    async fn logs_tail(&self, id: &str, lines: u32, limit: usize) -> Result<Vec<u8>> {
        let operation = on_container("logs", id)?;
        let options = query::LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&lines.to_string()).build();
        self.short(&operation, READ_LIMIT, async {
            let mut items = self.docker.logs(id, Some(options));
            let mut end = Vec::new();
            while let Some(item) = items.next().await {
                end.extend_from_slice(&item?.into_bytes());
                // A line may be as long as the program likes.
                end.drain(..end.len().saturating_sub(limit));
            }
            Ok(end)
        })
        .await
    }

    async fn copy_file(&self, id: &str, path: &str) -> Result<Vec<u8>> {
        let operation = on_container("copy from", id)?;
        let failed = |message: String| EngineError::Refused { operation: operation.clone(), status: 400, message };
        let mut path = path.to_owned();
        for _ in 0..archive::MAX_LINKS {
            let archive = self.archive(&operation, id, &path).await?;
            match archive::first_entry(&archive).map_err(protocol(&operation))? {
                archive::Copied::File(content) => return Ok(content),
                // The engine resolves all but the last part of a path.
                archive::Copied::Link(target) => path = follow(&path, &target),
                archive::Copied::Other => return Err(failed(format!("{path} is not a regular file"))),
                archive::Copied::TooLong => return Err(failed(format!("{path} has more than {COPY_LIMIT} bytes"))),
            }
        }
        Err(failed(format!("{path}: too many levels of symbolic links")))
    }

    async fn image_inspect(&self, reference: &str) -> Result<ImageDetails> {
        let operation = on_image("image inspect", reference)?;
        let answer = self.short(&operation, READ_LIMIT, self.docker.inspect_image(reference)).await?;
        narrow::image(answer).map_err(protocol(&operation))
    }

    async fn image_pull(&self, reference: &str, auth: Option<&RegistryAuth>) -> Result<()> {
        let operation = on_image("image pull", reference)?;
        let from = narrow::with_tag(reference);
        let options = query::CreateImageOptionsBuilder::default().from_image(&from).build();
        drain(&operation, PULL_PROGRESS_LIMIT, self.docker.create_image(Some(options), None, auth.map(Into::into)))
            .await
    }

    async fn image_save(&self, reference: &str, into: std::fs::File) -> Result<()> {
        let operation = on_image("image save", reference)?;
        let mut into = tokio::fs::File::from_std(into);
        match self.export(&operation, &narrow::with_tag(reference), &mut into).await {
            Err(EngineError::NotFound { .. }) if narrow::may_be_id(reference) => {
                self.export(&operation, reference, &mut into).await
            }
            done => done,
        }
    }

    async fn volume_create(&self, name: &str, labels: BTreeMap<String, String>) -> Result<VolumeDetails> {
        let operation = on_container("volume create", name)?;
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels.into_iter().collect()),
            ..VolumeCreateRequest::default()
        };
        let volume = self.short(&operation, CHANGE_LIMIT, self.docker.create_volume(request)).await?;
        Ok(narrow::volume(volume))
    }

    async fn image_load(&self, archive: Vec<u8>) -> Result<()> {
        let options = query::ImportImageOptionsBuilder::default().quiet(true).build();
        let body = body_full(Bytes::from(archive));
        let stream = self.docker.import_image(options, body, None);
        let _place = self.connections.acquire().await;
        drain("image load", CHANGE_LIMIT, Box::pin(stream)).await
    }
}

#[cfg(test)]
mod tests;
