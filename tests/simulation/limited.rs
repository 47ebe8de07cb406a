//! The fake engine behind the time limits that the real client has: a call that the engine never
//! answers ends in a `Timeout`, and what was asked goes on all the same.

use futures_util::stream::BoxStream;
use kubelet_lite::engine::{
    Bytes, ContainerCreateBody, ContainerDetails, ContainerSummary, Engine, EngineError, EngineEvent, EngineVersion,
    ExecDetails, ImageDetails, RegistryAuth, VolumeDetails, fake::FakeEngine,
};
use std::{collections::BTreeMap, future::Future, time::Duration};

type Result<T> = std::result::Result<T, EngineError>;

const READ: Duration = Duration::from_secs(30);
const CHANGE: Duration = Duration::from_secs(120);
const STOP_MARGIN: Duration = Duration::from_secs(60);
const PULL: Duration = Duration::from_secs(60);

/// A client of the fake, as the daemon sees it.
#[derive(Clone)]
pub struct Limited(pub FakeEngine);

async fn within<T>(operation: &str, after: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(after, call).await {
        Ok(result) => result,
        Err(_) => Err(EngineError::Timeout { operation: operation.to_owned(), after }),
    }
}

impl Engine for Limited {
    async fn version(&self) -> Result<EngineVersion> {
        within("version", READ, self.0.version()).await
    }

    async fn events(&self) -> Result<BoxStream<'static, Result<EngineEvent>>> {
        within("events", READ, self.0.events()).await
    }

    async fn list(&self, key: &str, value: &str) -> Result<Vec<ContainerSummary>> {
        within("list", READ, self.0.list(key, value)).await
    }

    async fn inspect(&self, id: &str) -> Result<ContainerDetails> {
        within("inspect", READ, self.0.inspect(id)).await
    }

    async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<String> {
        within("create", CHANGE, self.0.create(name, body)).await
    }

    async fn start(&self, id: &str) -> Result<()> {
        within("start", CHANGE, self.0.start(id)).await
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<()> {
        within("stop", grace + STOP_MARGIN, self.0.stop(id, grace)).await
    }

    async fn kill(&self, id: &str, signal: &str) -> Result<()> {
        within("kill", CHANGE, self.0.kill(id, signal)).await
    }

    async fn remove(&self, id: &str) -> Result<()> {
        within("remove", CHANGE, self.0.remove(id)).await
    }

    async fn exec_create(&self, id: &str, command: Vec<String>, mark: &str) -> Result<String> {
        within("exec create", CHANGE, self.0.exec_create(id, command, mark)).await
    }

    async fn exec_start(&self, exec: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        within("exec start", CHANGE, self.0.exec_start(exec)).await
    }

    async fn exec_inspect(&self, exec: &str) -> Result<ExecDetails> {
        within("exec inspect", READ, self.0.exec_inspect(exec)).await
    }

    async fn exec_kill(&self, exec: &str) -> Result<()> {
        within("exec kill", CHANGE, self.0.exec_kill(exec)).await
    }

    async fn logs_tail(&self, id: &str, lines: u32, limit: usize) -> Result<Vec<u8>> {
        within("logs", READ, self.0.logs_tail(id, lines, limit)).await
    }

    async fn copy_file(&self, id: &str, path: &str) -> Result<Vec<u8>> {
        within("copy from", READ, self.0.copy_file(id, path)).await
    }

    async fn image_inspect(&self, reference: &str) -> Result<ImageDetails> {
        within("image inspect", READ, self.0.image_inspect(reference)).await
    }

    async fn volume_create(&self, name: &str, labels: BTreeMap<String, String>) -> Result<VolumeDetails> {
        within("volume create", CHANGE, self.0.volume_create(name, labels)).await
    }

    async fn image_pull(&self, reference: &str, auth: Option<&RegistryAuth>) -> Result<()> {
        within("image pull", PULL, self.0.image_pull(reference, auth)).await
    }

    async fn image_save(&self, reference: &str, into: std::fs::File) -> Result<()> {
        within("image save", PULL, self.0.image_save(reference, into)).await
    }

    async fn image_load(&self, archive: Vec<u8>) -> Result<()> {
        within("image load", CHANGE, self.0.image_load(archive)).await
    }
}
