//! Actions on the engine: one short arm each, no decision of its own but "it is done already".

mod image_volumes;

use super::{
    OomSupport, Shared, SyncError, journal,
    oom::{self, Start},
};
use crate::{
    convert::{self, ClaimDirectories, ClaimVolume, ContainerFacts, DiskFacts, FileVolumes, ResolvConf},
    engine::{ContainerCreateBody, Engine, EngineError, ImageDetails, RegistryAuth},
    plan::{PodAction, Volumes},
    pod::{Attempt, ContainerId, ContainerName, History, ImageRef, Pod, PodKey, PodUid, PullPolicy, Sandbox},
    probe::{HandlerTarget, Hook, InvalidHandler},
    volume::{Held, VolumeError, VolumeManager},
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// An action with all it needs.
pub(super) struct Task<E> {
    pub(super) shared: Arc<Shared<E>>,
    pub(super) key: PodKey,
    pub(super) uid: PodUid,
    /// The spec things are made from; absent when only ending is possible.
    pub(super) pod: Option<Arc<Pod>>,
    pub(super) sandbox: Option<Sandbox>,
    pub(super) image: Option<Arc<ImageDetails>>,
    /// When the pod's first sandbox was made, if there is one.
    pub(super) pod_started_at: Option<jiff::Timestamp>,
    /// The lifecycle hook to be run, and where.
    pub(super) hook: Option<(Result<Hook, InvalidHandler>, HandlerTarget)>,
    /// Its volumes that are written here.
    pub(super) files: Arc<FileVolumes>,
    /// Told when what is made is not wanted any more.
    pub(super) given_up: CancellationToken,
    pub(super) action: PodAction,
}

/// What an action has changed.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Containers to look at.
    pub(super) touched: Vec<ContainerId>,
    /// An image that is there.
    pub(super) image: Option<(ImageRef, Arc<ImageDetails>)>,
    /// What volumes of files hold.
    pub(super) held: Option<Held>,
    /// The container was taken away again, to be made otherwise.
    undone: bool,
}

/// Grace of a pause container, which ends at once on SIGTERM.
const SANDBOX_GRACE: Duration = Duration::from_secs(10);

impl<E: Engine> Task<E> {
    /// Does it. An effect that is there already is success.
    pub(super) async fn run(&self) -> Result<Done, SyncError> {
        let done = match &self.action {
            PodAction::EnsureImage { image, policy } => self.ensure_image(image, *policy).await?,
            PodAction::CreateSandbox { attempt, .. } => self.create_sandbox(*attempt).await?,
            PodAction::StartSandbox { id, .. } => self.start(id).await?,
            PodAction::StartContainer { name, id, .. } => {
                self.refuse_root(name, id).await?;
                self.start(id).await?
            }
            PodAction::CreateContainer { name, history, .. } => self.create_container(name, history).await?,
            PodAction::RunPostStart { .. } | PodAction::RunPreStop { .. } => self.run_hook().await?,
            PodAction::StopSandbox { id } => self.stop(id, SANDBOX_GRACE).await?,
            PodAction::StopContainer { id, grace, .. } => self.stop(id, *grace).await?,
            PodAction::RemoveContainer { id, .. } => self.remove(id).await?,
            PodAction::UpdateVolumes { .. } => self.update_volumes().await?,
            PodAction::RemoveVolumes { .. } => {
                self.remove_volumes().await?;
                Done::default()
            }
            PodAction::RemoveSandbox { id, volumes, .. } => {
                if *volumes == Volumes::Remove {
                    self.remove_volumes().await?;
                }
                self.remove(id).await?
            }
        };
        if !done.undone {
            self.journal().done(&self.action, done.touched.first().map(ContainerId::as_str));
        }
        Ok(done)
    }

    /// Whom what is done happens to.
    fn journal(&self) -> journal::Subject<'_> {
        journal::Subject { events: &self.shared.events, key: &self.key, uid: Some(&self.uid), pod: self.pod.as_deref() }
    }

    /// Work on directories, off the runtime's thread: a dead network mount may hang it.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&VolumeManager) -> Result<T, VolumeError> + Send + 'static,
    ) -> Result<T, SyncError> {
        let shared = self.shared.clone();
        if shared.clock.is_simulated() {
            // A thread would end at a moment that simulated time does not know.
            return work(&shared.volumes).map_err(|error| SyncError::Volume(Box::new(error)));
        }
        let permit = shared.disk.turn(self.priority()).await;
        let busy = tokio::task::spawn_blocking(move || {
            // As long as the thread is busy, whoever waits for it.
            let _permit = permit;
            work(&shared.volumes)
        });
        match busy.await {
            Ok(result) => result.map_err(|error| SyncError::Volume(Box::new(error))),
            Err(failed) => Err(SyncError::Aborted { verb: self.action.verb(), message: failed.to_string() }),
        }
    }

    async fn update_volumes(&self) -> Result<Done, SyncError> {
        let Some(pod) = self.pod.clone() else { return Ok(Done::default()) };
        let (files, now) = (self.files.clone(), self.shared.clock.wall());
        let written = self.on_disk(move |volumes| Ok(volumes.write_files(&pod, &files, now))).await?;
        for (_, message) in &self.files.failed {
            self.journal().not_mounted(message);
        }
        let held = written.held.clone();
        match written.complete() {
            Ok(held) => Ok(Done { held: Some(held), ..Done::default() }),
            Err(error) => Err(SyncError::Unwritten { held, source: Box::new(error) }),
        }
    }

    async fn remove_volumes(&self) -> Result<(), SyncError> {
        let uid = self.uid.clone();
        self.on_disk(move |volumes| volumes.remove(&uid)).await
    }

    /// The engine did not do it. Words of it that may hold a secret are kept back here, before anybody tells them.
    fn failed(&self) -> impl Fn(EngineError) -> SyncError {
        let verb = self.action.verb();
        let is_kept_back = match &self.action {
            PodAction::CreateContainer { name, .. } | PodAction::StartContainer { name, .. } => {
                self.pod.as_ref().and_then(|pod| pod.container(name)).is_some_and(|c| convert::keeps_back(&c.api))
            }
            _ => false,
        };
        move |source| {
            let source = if is_kept_back { source.with_words(convert::KEPT_BACK) } else { source };
            SyncError::Engine { verb, source }
        }
    }

    async fn ensure_image(&self, image: &ImageRef, policy: PullPolicy) -> Result<Done, SyncError> {
        let local = match self.shared.engine.image_inspect(image.as_str()).await {
            Ok(details) => Some(details),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(SyncError::ImageInspect { image: image.to_string(), source: error }),
        };
        let details = match (policy, local) {
            (PullPolicy::Never | PullPolicy::IfNotPresent, Some(local)) => {
                self.journal().image_present(image);
                local
            }
            (PullPolicy::Never, None) => return Err(SyncError::ImageNeverPull(image.to_string())),
            (PullPolicy::IfNotPresent, None) => self.pull(image).await?,
            (PullPolicy::Always, None) => self.pull(image).await?,
            (PullPolicy::Always, Some(local)) => match self.pull(image).await {
                Ok(pulled) => pulled,
                // A registry that is away must not keep a pod from starting.
                Err(error) => {
                    self.journal().pull_spared(image, &error);
                    local
                }
            },
        };
        Ok(Done { image: Some((image.clone(), Arc::new(details))), ..Done::default() })
    }

    async fn pull(&self, image: &ImageRef) -> Result<ImageDetails, SyncError> {
        self.journal().pulling(image);
        let began = self.shared.clock.now();
        let credentials = self.credentials(image).await?;
        self.pull_as(image, &credentials).await.map_err(self.failed())?;
        let details = self.shared.engine.image_inspect(image.as_str()).await.map_err(self.failed())?;
        self.journal().pulled(image, self.shared.clock.now().since(began), details.size);
        Ok(details)
    }

    /// As whom to pull, one after the other.
    async fn credentials(&self, image: &ImageRef) -> Result<Vec<RegistryAuth>, SyncError> {
        let Some(pod) = &self.pod else { return Ok(Vec::new()) };
        let node = self.on_disk(|volumes| Ok(volumes.registry_config())).await?;
        let node = node.map_err(|error| SyncError::Credentials(Box::new(error)))?;
        let found = convert::pull_secrets(pod, image, &self.shared.facts().objects, node.as_ref())
            .map_err(|error| SyncError::Credentials(Box::new(error)))?;
        if !found.missing.is_empty() {
            self.journal().no_pull_secret(image, &found.missing);
        }
        Ok(found.credentials)
    }

    /// Pulls as the first of these that the registry lets, or as anybody; the last error.
    async fn pull_as(&self, image: &ImageRef, credentials: &[RegistryAuth]) -> Result<(), EngineError> {
        let Some((last, others)) = credentials.split_last() else {
            return self.shared.engine.image_pull(image.as_str(), None).await;
        };
        for auth in others {
            match self.shared.engine.image_pull(image.as_str(), Some(auth)).await {
                // Another user may be let where this one is not; an engine that does not answer is everybody's.
                Err(error) if !error.is_doubtful() => {}
                done => return done,
            }
        }
        self.shared.engine.image_pull(image.as_str(), Some(last)).await
    }

    async fn create_sandbox(&self, attempt: Attempt) -> Result<Done, SyncError> {
        let Some(pod) = self.pod.clone() else { return Ok(Done::default()) };
        let (prepared, files, now) = (pod.clone(), self.files.clone(), self.shared.clock.wall());
        let known = self.shared.facts();
        let held = self.on_disk(move |volumes| volumes.prepare(&prepared, &files, now, &known)).await?;
        self.take_claims(&pod, convert::claims_of_sandbox(&pod, &self.shared.facts())).await?;
        if self.shared.facts().pause_image.is_empty() {
            self.shared.ensure_sandbox_image().await.map_err(self.failed())?;
        }
        let (resolv_conf, facts) = (self.resolv_conf(&pod).await?, self.shared.facts());
        for remark in convert::dns_remarks(&pod, &resolv_conf, &facts) {
            self.journal().dns_config_forming(remark);
        }
        let name = convert::sandbox_name(&pod.key, &pod.uid, attempt);
        let started_at = self.pod_started_at.unwrap_or_else(|| self.shared.clock.wall());
        let body = || {
            convert::sandbox_body(&pod, attempt, started_at, &resolv_conf, &self.shared.facts())
                .map_err(|error| SyncError::Config(Box::new(error)))
        };
        let _permit = self.shared.starts.turn(self.priority()).await;
        let done = match self.create(&name, body()?).await {
            // Pruned while we ran: bring it back.
            Err(SyncError::Engine { source, .. }) if source.is_not_found() => {
                self.shared.ensure_sandbox_image().await.map_err(self.failed())?;
                self.create(&name, body()?).await
            }
            other => other,
        };
        Ok(Done { held: Some(held), ..done? })
    }

    /// The node's resolver as it is now, where the pod's is made from it.
    async fn resolv_conf(&self, pod: &Pod) -> Result<ResolvConf, SyncError> {
        let facts = self.shared.facts();
        if !convert::reads_resolv_conf(pod, &facts) {
            return Ok(ResolvConf::default());
        }
        let read = self.on_disk(move |volumes| Ok(volumes.resolv_conf(&facts.resolv_conf))).await?;
        read.map_err(|error| SyncError::Resolver(Box::new(error)))
    }

    /// Makes the claims of these volumes the pod's.
    async fn take_claims(&self, pod: &Arc<Pod>, names: Vec<String>) -> Result<(), SyncError> {
        if names.is_empty() {
            return Ok(());
        }
        let of_group = convert::claims_of_group(pod, &self.shared.facts()).into_iter();
        let directories = self.claims(of_group.filter(|claim| names.contains(&claim.volume)).collect()).await?;
        let pod = pod.clone();
        self.on_disk(move |volumes| volumes.take_claims(&pod, &names, &directories)).await
    }

    /// Where the Docker volumes of claims lie, which are made if need be. One that is elsewhere is left out.
    async fn claims(&self, claims: Vec<ClaimVolume>) -> Result<ClaimDirectories, SyncError> {
        let mut found = ClaimDirectories::new();
        for ClaimVolume { volume, name, labels } in claims {
            let made = self.shared.engine.volume_create(&name, labels).await.map_err(self.failed())?;
            match made.directory {
                Some(directory) => drop(found.insert(volume, directory)),
                None => tracing::warn!(
                    pod = %self.key, uid = %self.uid, volume, "Docker volume {name} is no directory of the engine's own: \
                     fsGroup and subPath can not be kept there"
                ),
            }
        }
        Ok(found)
    }

    async fn create_container(&self, name: &ContainerName, history: &History) -> Result<Done, SyncError> {
        let attempt = history.attempt;
        let (Some(pod), Some(sandbox), Some(image)) = (&self.pod, &self.sandbox, &self.image) else {
            return Ok(Done::default());
        };
        let Some(container) = pod.container(name) else { return Ok(Done::default()) };
        for volume in &container.image_volumes {
            self.fill(pod, volume).await?;
        }
        let (of, uses, files) = (pod.clone(), container.clone(), self.files.clone());
        let look = move |volumes: &VolumeManager| {
            volumes.check_written(&of, &uses, &files.failed)?;
            volumes.new_claims(&of, &uses)
        };
        // An edit may mount what the sandbox was made without.
        self.take_claims(pod, self.on_disk(look).await?).await?;
        let facts = self.shared.facts();
        let (on_disk, whole, joined, known) = (container.clone(), pod.clone(), sandbox.clone(), facts.clone());
        let profile = convert::seccomp_profile(pod, container);
        let claims = self.claims(convert::claims_in_parts(pod, container, &facts)).await?;
        let (seccomp_profile, disk) = self
            .on_disk(move |volumes| {
                let disk = DiskFacts { claims, env_files: volumes.env_files(&whole, &on_disk) };
                volumes.prepare_container(&whole, &on_disk, &in_sandbox(&joined), attempt, &disk, &known)?;
                Ok((profile.map(|profile| volumes.seccomp_profile(&profile)), disk))
            })
            .await?;
        let found = ContainerFacts {
            sandbox: in_sandbox(sandbox),
            image,
            seccomp_profile: seccomp_profile.as_ref(),
            disk: &disk,
        };
        let body = convert::container_body(pod, container, &found, history, &facts)
            .map_err(|error| SyncError::Config(Box::new(error)))?;
        let _permit = self.unless_given_up(self.shared.starts.turn(self.priority())).await?;
        self.create(&convert::container_name(&pod.key, &pod.uid, name, attempt), body).await
    }

    /// Makes a container under a deterministic name; a name that is taken by the very container we
    /// want is success, which makes the call repeatable.
    async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<Done, SyncError> {
        let wanted = body.labels.clone().unwrap_or_default();
        let error = match self.shared.engine.create(name, body).await {
            Ok(id) => return Ok(Done { touched: vec![ContainerId::new(id)], ..Done::default() }),
            Err(error) => error,
        };
        if !matches!(error, EngineError::Conflict { .. }) && !error.is_doubtful() {
            return Err(self.failed()(error));
        }
        let Ok(owner) = self.shared.engine.inspect(name).await else { return Err(self.failed()(error)) };
        if is_ours(&wanted, &owner.labels) {
            return Ok(Done { touched: vec![ContainerId::new(owner.id)], ..Done::default() });
        }
        Err(SyncError::NameTaken { name: name.to_owned(), id: owner.id.chars().take(12).collect() })
    }

    fn priority(&self) -> i32 {
        self.pod.as_ref().map_or(0, |pod| pod.standing.priority)
    }

    async fn start(&self, id: &ContainerId) -> Result<Done, SyncError> {
        let _permit = self.shared.starts.turn(self.priority()).await;
        let touched = Done { touched: vec![id.clone()], ..Done::default() };
        let error = self.shared.engine.start(id.as_str()).await.err();
        let start = error.as_ref().map_or(Start::Succeeded, oom::classify);
        if start != Start::FailedOtherwise && *self.shared.oom.borrow() != OomSupport::Proven {
            // Only until it is known once; what the container was made with is the engine's to say.
            let made = self.shared.engine.inspect(id.as_str()).await.map_err(self.failed())?;
            let negative = made.oom_score_adj < 0;
            if self.shared.note_oom(negative, start).retry_without(negative, start) {
                self.shared.engine.remove(id.as_str()).await.map_err(self.failed())?;
                return Ok(Done { undone: true, ..touched });
            }
        }
        error.map_or(Ok(touched), |error| Err(self.failed()(error)))
    }

    /// Keeps `runAsNonRoot` where the image names its user: its number is in the image, which can be
    /// looked into only once there is a container of it. One that may not start is taken away, as the next
    /// may be of another image.
    async fn refuse_root(&self, name: &ContainerName, id: &ContainerId) -> Result<(), SyncError> {
        let Some((pod, container)) = self.pod.as_ref().and_then(|pod| Some((pod, pod.container(name)?))) else {
            return Ok(());
        };
        if convert::named_user(pod, container, "").is_none() {
            return Ok(());
        }
        let made = self.shared.engine.inspect(id.as_str()).await.map_err(self.failed())?;
        let Some(user) = convert::named_user(pod, container, &made.user) else { return Ok(()) };
        let passwd = match self.shared.engine.copy_file(id.as_str(), convert::PASSWD).await {
            Ok(passwd) => passwd,
            // No list of users, and no user of that name.
            Err(error) if error.is_not_found() => Vec::new(),
            Err(error) => return Err(self.failed()(error)),
        };
        let refused = match convert::check_named_user(pod, container, user, &String::from_utf8_lossy(&passwd)) {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        self.shared.engine.remove(id.as_str()).await.map_err(self.failed())?;
        Err(SyncError::Config(Box::new(refused)))
    }

    /// Runs a lifecycle hook for as long as it takes: the plan knows when it is to be given up.
    async fn run_hook(&self) -> Result<Done, SyncError> {
        let Some((hook, target)) = &self.hook else { return Ok(Done::default()) };
        let hook = hook.as_ref().map_err(|error| SyncError::Hook(Box::new(error.clone())))?;
        let done = self.shared.handlers.run(hook, target).await;
        let done = done.map_err(|error| match error.engine_away {
            true => SyncError::HookLost(error),
            false => SyncError::Hook(Box::new(error)),
        })?;
        if done.http_fallback {
            self.journal().http_fallback(&self.action);
        }
        Ok(Done::default())
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<Done, SyncError> {
        match self.shared.engine.stop(id.as_str(), grace).await {
            Ok(()) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(self.failed()(error)),
        }
        Ok(Done { touched: vec![id.clone()], ..Done::default() })
    }

    async fn remove(&self, id: &ContainerId) -> Result<Done, SyncError> {
        self.shared.engine.remove(id.as_str()).await.map_err(self.failed())?;
        Ok(Done { touched: vec![id.clone()], ..Done::default() })
    }
}

fn in_sandbox(sandbox: &Sandbox) -> convert::SandboxFacts<'_> {
    convert::SandboxFacts { id: &sandbox.id, ips: &sandbox.ips }
}

/// Whether a container that has our name is the one we wanted to make.
fn is_ours(
    wanted: &std::collections::HashMap<String, String>,
    found: &std::collections::BTreeMap<String, String>,
) -> bool {
    convert::IDENTITY_LABELS.iter().all(|label| wanted.get(*label).is_some() && wanted.get(*label) == found.get(*label))
}

#[cfg(test)]
mod tests;
