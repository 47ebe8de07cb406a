//! The kubelet's words for what happens (`pkg/kubelet/events/event.go`).

/// An image is being pulled.
pub const PULLING: &str = "Pulling";
/// An image was pulled, or is there already.
pub const PULLED: &str = "Pulled";
/// The engine does not tell of an image.
pub const INSPECT_FAILED: &str = "InspectFailed";
/// An image is missing and must not be pulled.
pub const ERR_IMAGE_NEVER_PULL: &str = "ErrImageNeverPull";
/// An image could not be pulled, a container not be made or started.
pub const FAILED: &str = "Failed";
/// A Secret of `imagePullSecrets` is not declared.
pub const FAILED_TO_RETRIEVE_IMAGE_PULL_SECRET: &str = "FailedToRetrieveImagePullSecret";
/// A restart or a pull waits.
pub const BACK_OFF: &str = "BackOff";
/// A container was made.
pub const CREATED: &str = "Created";
/// A container was started.
pub const STARTED: &str = "Started";
/// A container is being ended.
pub const KILLING: &str = "Killing";
/// A pod or its sandbox could not be ended.
pub const FAILED_KILL_POD: &str = "FailedKillPod";
/// A sandbox could not be made or started.
pub const FAILED_CREATE_POD_SANDBOX: &str = "FailedCreatePodSandBox";
/// The resolver of a pod is not all that it asks for.
pub const DNS_CONFIG_FORMING: &str = "DNSConfigForming";
/// The sandbox ended, or is not as declared any more.
pub const SANDBOX_CHANGED: &str = "SandboxChanged";
/// A volume could not be provided.
pub const FAILED_MOUNT: &str = "FailedMount";
/// Something else failed and is tried again.
pub const FAILED_SYNC: &str = "FailedSync";
/// A manifest was refused.
pub const FAILED_VALIDATION: &str = "FailedValidation";
/// A probe failed.
pub const UNHEALTHY: &str = "Unhealthy";
/// A pod was not done when `activeDeadlineSeconds` had passed.
pub const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";
/// A probe could not be made.
pub const PROBE_WARNING: &str = "ProbeWarning";
/// The postStart hook failed.
pub const FAILED_POST_START_HOOK: &str = "FailedPostStartHook";
/// The preStop hook failed.
pub const FAILED_PRE_STOP_HOOK: &str = "FailedPreStopHook";
/// A container runs with an environment from before something it took it from changed. Not the kubelet's: it
/// says nothing of that.
pub const ENVIRONMENT_STALE: &str = "EnvironmentStale";
/// An HTTPS hook was answered in plain HTTP.
pub const LIFECYCLE_HTTP_FALLBACK: &str = "LifecycleHTTPFallback";
/// The node shuts down, or does not after all.
pub const NODE_SHUTDOWN: &str = "Shutdown";
/// This daemon started.
pub const STARTING: &str = "Starting";

/// The event of a failed action, given the word that the container's status has for it.
pub fn of_failure(word: &str) -> &'static str {
    match word {
        "ErrImageNeverPull" => ERR_IMAGE_NEVER_PULL,
        "ImageInspectError" => INSPECT_FAILED,
        "FailedCreatePodSandBox" => FAILED_CREATE_POD_SANDBOX,
        "FailedMount" => FAILED_MOUNT,
        "KillPodSandboxError" | "KillContainerError" => FAILED_KILL_POD,
        "ErrImagePull" | "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => FAILED,
        _ => FAILED_SYNC,
    }
}
