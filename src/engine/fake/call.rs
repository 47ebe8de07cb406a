//! One call on its way through its faults, and the [`Engine`] trait on top.

use super::{
    FakeEngine, Verb, What,
    container::Stopping,
    fault::CallFaults,
    world::{Due, World},
};
use crate::engine::{
    Bytes, ContainerCreateBody, ContainerDetails, ContainerSummary, Engine, EngineError, EngineEvent, EngineVersion,
    ExecDetails, ImageDetails, RegistryAuth, VolumeDetails,
};
use futures_util::stream::{self, BoxStream, StreamExt};
use std::{
    collections::BTreeMap,
    future::{Future, pending},
    io::Write,
    time::Duration,
};
use tokio::sync::oneshot;

type Result<T> = std::result::Result<T, EngineError>;

impl FakeEngine {
    /// Takes a call through its faults and, if it gets that far, through `effect`.
    async fn call<T: Send + 'static>(
        &self,
        verb: Verb,
        subject: &str,
        effect: impl FnOnce(&mut World) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.crashed.is_cancelled() {
            return pending().await;
        }
        let operation = format!("{verb} {subject}");
        let (reply, faults) = self.send(verb, subject, effect);
        if faults.crash.is_some() || faults.hang.is_some() {
            return self.never_answer().await;
        }
        if let Some(error) = faults.before {
            return Err(error);
        }
        let lost = || EngineError::Unavailable { operation, message: "connection closed".to_owned() };
        let result = match reply {
            Some(Reply::Now(result)) => result,
            Some(Reply::Later(receiver)) => self.unless_crashed(receiver).await.unwrap_or_else(|_| Err(lost())),
            None => Err(lost()),
        };
        if !faults.delay_reply.is_zero() {
            self.unless_crashed(tokio::time::sleep(faults.delay_reply)).await;
        }
        match faults.after {
            Some(error) => Err(error),
            None => result,
        }
    }

    fn send<T: Send + 'static>(
        &self,
        verb: Verb,
        subject: &str,
        effect: impl FnOnce(&mut World) -> Result<T> + Send + 'static,
    ) -> (Option<Reply<T>>, CallFaults) {
        let mut guard = self.engine.world();
        let world = &mut *guard;
        let arrived = world.arrive(verb, subject);
        let faults = CallFaults::sort(arrived, world);
        let mut reply = None;
        if world.up && faults.reaches_engine() {
            if faults.delay.is_zero() {
                reply = Some(Reply::Now(effect(world)));
                // What ends at once has ended before the answer.
                world.advance();
            } else {
                let (sender, receiver) = oneshot::channel();
                let delayed = move |world: &mut World| {
                    // The effect does not need its caller.
                    let _ = sender.send(effect(world));
                };
                world.after(faults.delay, Due::Call(Box::new(delayed)));
                reply = Some(Reply::Later(receiver));
            }
        }
        if let Some((live_restore, down, _)) = faults.restart {
            world.go_down(live_restore, down);
            reply = None;
        }
        drop(guard);
        if faults.crash.is_some() {
            self.crash();
        }
        (reply, faults)
    }

    async fn never_answer<T>(&self) -> T {
        pending().await
    }

    /// Waits for `future`, for ever if this client crashes meanwhile.
    async fn unless_crashed<F: Future>(&self, future: F) -> F::Output {
        tokio::select! {
            biased;
            () = self.crashed.cancelled() => self.never_answer().await,
            output = future => output,
        }
    }
}

enum Reply<T> {
    Now(Result<T>),
    Later(oneshot::Receiver<Result<T>>),
}

impl Engine for FakeEngine {
    async fn version(&self) -> Result<EngineVersion> {
        self.call(Verb::Version, "", |world| Ok(world.version.clone())).await
    }

    async fn events(&self) -> Result<BoxStream<'static, Result<EngineEvent>>> {
        let instance = self.instance.clone();
        let receiver = self.call(Verb::Events, "", |world| Ok(world.stream.subscribe(instance))).await?;
        Ok(stream::unfold(receiver, |mut r| async move { r.recv().await.map(|item| (item, r)) }).boxed())
    }

    async fn list(&self, key: &str, value: &str) -> Result<Vec<ContainerSummary>> {
        let (k, v) = (key.to_owned(), value.to_owned());
        self.call(Verb::List, &format!("{key}={value}"), move |world| Ok(world.list(&k, &v))).await
    }

    async fn inspect(&self, id: &str) -> Result<ContainerDetails> {
        let wanted = id.to_owned();
        self.call(Verb::Inspect, id, move |world| world.inspect(&wanted)).await
    }

    async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<String> {
        let wanted = name.to_owned();
        self.call(Verb::Create, name, move |world| world.create(&wanted, body)).await
    }

    async fn start(&self, id: &str) -> Result<()> {
        let wanted = id.to_owned();
        self.call(Verb::Start, id, move |world| world.start(&wanted)).await
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<()> {
        let wanted = id.to_owned();
        match self.call(Verb::Stop, id, move |world| world.stop(&wanted, grace)).await? {
            Stopping::Ended => Ok(()),
            Stopping::Waits(ended) => self.unless_crashed(ended).await.map_err(|_| EngineError::Unavailable {
                operation: format!("{} {id}", Verb::Stop),
                message: "connection closed".to_owned(),
            }),
        }
    }

    async fn kill(&self, id: &str, signal: &str) -> Result<()> {
        let (wanted, signal) = (id.to_owned(), signal.to_owned());
        self.call(Verb::Kill, id, move |world| world.kill(&wanted, &signal)).await
    }

    async fn remove(&self, id: &str) -> Result<()> {
        let wanted = id.to_owned();
        let removed = self.call(Verb::Remove, id, move |world| {
            world.remove(&wanted);
            Ok(())
        });
        removed.await
    }

    async fn exec_create(&self, id: &str, command: Vec<String>, mark: &str) -> Result<String> {
        let wanted = id.to_owned();
        let mark = mark.to_owned();
        self.call(Verb::ExecCreate, id, move |world| world.exec_create(&wanted, command, mark)).await
    }

    async fn exec_start(&self, exec: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        let wanted = exec.to_owned();
        let output = self.call(Verb::ExecStart, exec, move |world| world.exec_start(&wanted)).await?;
        let client = self.clone();
        let items = stream::unfold((output, client), |(mut output, client)| async move {
            let item = client.unless_crashed(output.recv()).await;
            item.map(|item| (item, (output, client)))
        });
        Ok(items.boxed())
    }

    async fn exec_inspect(&self, exec: &str) -> Result<ExecDetails> {
        let wanted = exec.to_owned();
        self.call(Verb::ExecInspect, exec, move |world| world.exec_inspect(&wanted)).await
    }

    async fn exec_kill(&self, exec: &str) -> Result<()> {
        let wanted = exec.to_owned();
        self.call(Verb::ExecKill, exec, move |world| world.exec_kill(&wanted)).await
    }

    async fn logs_tail(&self, id: &str, lines: u32, limit: usize) -> Result<Vec<u8>> {
        let wanted = id.to_owned();
        self.call(Verb::LogsTail, id, move |world| world.logs_tail(&wanted, lines, limit)).await
    }

    async fn copy_file(&self, id: &str, path: &str) -> Result<Vec<u8>> {
        let (wanted, path) = (id.to_owned(), path.to_owned());
        self.call(Verb::CopyFile, id, move |world| world.copy_file(&wanted, &path)).await
    }

    async fn image_inspect(&self, reference: &str) -> Result<ImageDetails> {
        let wanted = reference.to_owned();
        self.call(Verb::ImageInspect, reference, move |world| world.images.inspect(&wanted)).await
    }

    async fn image_pull(&self, reference: &str, auth: Option<&RegistryAuth>) -> Result<()> {
        let (wanted, auth) = (reference.to_owned(), auth.cloned());
        let pull =
            self.call(Verb::ImagePull, reference, move |world| Ok(world.images.pull(&wanted, auth.as_ref()))).await?;
        // A pull ends with its caller, unlike everything else.
        self.unless_crashed(tokio::time::sleep(pull.takes)).await;
        let image = pull.result?;
        let mut world = self.engine.world();
        if !world.up {
            let message = "connection closed".to_owned();
            return Err(EngineError::Unavailable { operation: format!("image pull {reference}"), message });
        }
        world.images.add(reference, image);
        world.note_engine(reference, What::ImageAdded);
        Ok(())
    }

    async fn image_save(&self, reference: &str, mut into: std::fs::File) -> Result<()> {
        let wanted = reference.to_owned();
        let save = self.call(Verb::ImageSave, reference, move |world| {
            let archive = world.images.save(&wanted)?;
            world.note_engine(&wanted, What::ImageSaved);
            Ok(archive)
        });
        let archive = save.await?;
        into.write_all(&archive).map_err(EngineError::not_kept(&format!("{} {reference}", Verb::ImageSave)))
    }

    async fn volume_create(&self, name: &str, labels: BTreeMap<String, String>) -> Result<VolumeDetails> {
        let wanted = name.to_owned();
        self.call(Verb::VolumeCreate, name, move |world| Ok(world.volume(&wanted, labels))).await
    }

    async fn image_load(&self, archive: Vec<u8>) -> Result<()> {
        let loaded = self.call(Verb::ImageLoad, "archive", move |world| {
            for image in world.images.load(&archive)? {
                world.note_engine(&image, What::ImageAdded);
            }
            Ok(())
        });
        loaded.await
    }
}
