//! Makes `image` volumes: saved by the engine, unpacked here. That may take long, so it is given up as soon as
//! nobody wants it any more.

use super::Task;
use crate::{
    engine::Engine,
    pod::{ImageVolume, Pod},
    report,
    worker::SyncError,
};
use std::{future::Future, sync::Arc};

impl<E: Engine> Task<E> {
    /// Makes an `image` volume, unless it is there. Nothing stays of one that can not be made, or is given up.
    pub(super) async fn fill(&self, pod: &Arc<Pod>, volume: &ImageVolume) -> Result<(), SyncError> {
        let Err(failed) = self.save_and_unpack(pod, volume).await else { return Ok(()) };
        let (of, wanted) = (pod.clone(), volume.clone());
        if let Err(error) = self.on_disk(move |volumes| volumes.abandon_image(&of, &wanted)).await {
            tracing::warn!(pod = %self.key, uid = %self.uid, volume = volume.name, "{}", report(&error));
        }
        if self.given_up.is_cancelled() {
            return Err(SyncError::GivenUp);
        }
        Err(SyncError::ImageVolume(Box::new(failed)))
    }

    async fn save_and_unpack(&self, pod: &Arc<Pod>, volume: &ImageVolume) -> Result<(), SyncError> {
        let (of, wanted) = (pod.clone(), volume.clone());
        let Some(archive) = self.on_disk(move |volumes| volumes.begin_image(&of, &wanted)).await? else {
            return Ok(());
        };
        let save = self.shared.engine.image_save(volume.image.as_str(), archive);
        self.unless_given_up(save).await?.map_err(self.failed())?;
        let (of, wanted, given_up) = (pod.clone(), volume.clone(), self.given_up.clone());
        let permit = self.unless_given_up(self.shared.unpacks.turn(self.priority())).await?;
        // A thread can not be dropped: it is told, and waited for.
        self.on_disk(move |volumes| {
            // As long as the thread is busy, whoever waits for it.
            let _permit = permit;
            volumes.finish_image(&of, &wanted, &|| given_up.is_cancelled())
        })
        .await
    }

    /// Waits for something that may be dropped at any moment, as long as what it is for is wanted.
    pub(super) async fn unless_given_up<T>(&self, work: impl Future<Output = T>) -> Result<T, SyncError> {
        tokio::select! {
            biased;
            () = self.given_up.cancelled() => Err(SyncError::GivenUp),
            done = work => Ok(done),
        }
    }
}
