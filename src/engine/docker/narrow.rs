//! Docker's answers and errors, narrowed to the types of this room. Pure.

use crate::engine::{
    ContainerDetails, ContainerSummary, EngineAction, EngineError, EngineEvent, EngineState, EngineVersion,
    ExecDetails, ImageDetails, VolumeDetails,
};
use bollard::{
    errors::Error,
    models::{self, Volume},
};
use k8s_openapi::ByteString;
use serde::Deserialize;
use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

/// What an answer can not be without.
fn required<T>(value: Option<T>, what: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("no {what} in the answer"))
}

fn state(word: &str) -> EngineState {
    match word {
        "created" => EngineState::Created,
        // A container that is being stopped still runs.
        "running" | "stopping" => EngineState::Running,
        "paused" => EngineState::Paused,
        "restarting" => EngineState::Restarting,
        "removing" => EngineState::Removing,
        "exited" => EngineState::Exited,
        "dead" => EngineState::Dead,
        _ => EngineState::Other,
    }
}

/// Docker writes "never" as a moment of the year 1.
fn time(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok().filter(|time| *time > jiff::Timestamp::UNIX_EPOCH)
}

/// One row of a list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    id: String,
    names: Vec<String>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    state: String,
    #[serde(default)]
    host_config: RowHost,
    #[serde(default)]
    network_settings: NetworkSettings,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RowHost {
    #[serde(default)]
    network_mode: String,
}

pub(super) fn summaries(answer: &[u8]) -> Result<Vec<ContainerSummary>, String> {
    let rows: Vec<Row> = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    rows.into_iter().map(summary).collect()
}

fn summary(row: Row) -> Result<ContainerSummary, String> {
    // The other names are link aliases, `/other/alias`.
    let own = row.names.into_iter().find(|name| !name.trim_start_matches('/').contains('/'));
    let name = required(own, "name")?.trim_start_matches('/').to_owned();
    let (labels, state) = (row.labels.unwrap_or_default(), state(&row.state));
    let (network_mode, ips) = (row.host_config.network_mode, addresses(row.network_settings));
    Ok(ContainerSummary { id: row.id, name, labels, state, network_mode, ips })
}

/// An inspected container, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    name: String,
    #[serde(default)]
    created: String,
    state: Run,
    #[serde(default)]
    image: String,
    #[serde(default)]
    resolv_conf_path: String,
    #[serde(default)]
    log_path: String,
    #[serde(default)]
    config: Config,
    #[serde(default)]
    host_config: HostConfig,
    #[serde(default)]
    network_settings: NetworkSettings,
    #[serde(default, rename = "ExecIDs")]
    execs: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Run {
    status: String,
    #[serde(default)]
    exit_code: i64,
    #[serde(default, rename = "OOMKilled")]
    oom_killed: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    started_at: String,
    #[serde(default)]
    finished_at: String,
    #[serde(default)]
    pid: i64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    user: String,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    network_mode: String,
    oom_score_adj: i64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings {
    networks: Option<BTreeMap<String, Endpoint>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Endpoint {
    #[serde(rename = "IPAddress")]
    ipv4: String,
    #[serde(rename = "GlobalIPv6Address")]
    ipv6: String,
}

/// An inspected command, as far as it is read.
#[derive(Deserialize)]
struct InspectedExec {
    #[serde(rename = "ContainerID")]
    container: String,
    #[serde(rename = "Running")]
    running: bool,
    #[serde(rename = "ExitCode")]
    exit_code: Option<i64>,
    #[serde(rename = "Pid", default)]
    pid: i32,
    #[serde(rename = "DetachKeys", default)]
    detach_keys: serde_json::Value,
}

/// Docker keeps with a command the keys that would detach a terminal from it, shows them, and uses them for
/// nothing where there is no terminal: a mark may stand there.
pub(super) fn mark_as_keys(mark: &str) -> String {
    mark.chars().map(String::from).collect::<Vec<_>>().join(",")
}

/// The mark in what an engine shows of the keys: their bytes in base64, or as they were given.
fn mark_in_keys(shown: &serde_json::Value) -> String {
    match ByteString::deserialize(shown) {
        Ok(ByteString(bytes)) => String::from_utf8(bytes).unwrap_or_default(),
        Err(_) => shown.as_str().unwrap_or_default().replace(',', ""),
    }
}

pub(super) fn exec(answer: &[u8]) -> Result<ExecDetails, String> {
    let answer: InspectedExec = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    let InspectedExec { container, running, exit_code, pid, detach_keys } = answer;
    let mark = mark_in_keys(&detach_keys);
    // Engines are known that name a code while the command still runs.
    Ok(ExecDetails { container, running, exit_code: exit_code.filter(|_| !running), pid, age: None, mark })
}

/// The addresses of a container on its networks, IPv4 first.
fn addresses(settings: NetworkSettings) -> Vec<IpAddr> {
    let endpoints = settings.networks.into_iter().flatten();
    let texts = endpoints.flat_map(|(_, endpoint)| [endpoint.ipv4, endpoint.ipv6]);
    let mut ips: Vec<IpAddr> = texts.filter_map(|text| text.parse().ok()).collect();
    ips.sort_by_key(IpAddr::is_ipv6);
    ips
}

pub(super) fn details(answer: &[u8]) -> Result<ContainerDetails, String> {
    let answer: Inspected = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    let run = answer.state;
    let ips = addresses(answer.network_settings);
    Ok(ContainerDetails {
        id: answer.id,
        name: answer.name.trim_start_matches('/').to_owned(),
        labels: answer.config.labels.unwrap_or_default(),
        state: state(&run.status),
        exit_code: run.exit_code,
        oom_killed: run.oom_killed,
        error: run.error,
        created_at: time(&answer.created),
        started_at: time(&run.started_at),
        finished_at: time(&run.finished_at),
        ips,
        image_id: answer.image,
        pid: run.pid,
        network_mode: answer.host_config.network_mode,
        user: answer.config.user,
        oom_score_adj: answer.host_config.oom_score_adj,
        resolv_conf_path: answer.resolv_conf_path,
        log_path: answer.log_path,
        execs: answer.execs.unwrap_or_default(),
    })
}

/// Attributes Docker adds to the labels in an event.
const EVENT_ATTRIBUTES: [&str; 6] = ["image", "name", "exitCode", "signal", "execID", "execDuration"];

pub(super) fn event(message: models::EventMessage) -> Result<EngineEvent, String> {
    let action = required(message.action, "action")?;
    let actor = required(message.actor, "actor")?;
    let mut labels: BTreeMap<_, _> = actor.attributes.into_iter().flatten().collect();
    labels.retain(|key, _| !EVENT_ATTRIBUTES.contains(&key.as_str()));
    // Some actions carry text after a colon.
    let action = match action.split(':').next().unwrap_or_default() {
        "create" => EngineAction::Create,
        "start" => EngineAction::Start,
        "die" => EngineAction::Die,
        "oom" => EngineAction::Oom,
        "destroy" => EngineAction::Destroy,
        _ => EngineAction::Other,
    };
    Ok(EngineEvent { action, id: required(actor.id, "id")?, labels })
}

pub(super) fn image(answer: models::ImageInspect) -> Result<ImageDetails, String> {
    let config = answer.config.unwrap_or_default();
    let mut volumes = config.volumes.unwrap_or_default();
    volumes.sort();
    Ok(ImageDetails {
        id: required(answer.id, "id")?,
        size: answer.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        volumes,
        stop_signal: config.stop_signal.filter(|signal| !signal.is_empty()),
    })
}

/// The name in an option such as `name=seccomp,profile=default`.
fn security(option: &str) -> Option<String> {
    option.split(',').find_map(|part| part.strip_prefix("name=")).map(str::to_owned)
}

pub(super) fn version(version: models::SystemVersion, info: models::SystemInfo) -> Result<EngineVersion, String> {
    Ok(EngineVersion {
        version: required(version.version, "version")?,
        api_version: required(version.api_version, "API version")?,
        cgroup_driver: info.cgroup_driver.map(|d| d.to_string()).unwrap_or_default(),
        // Engines before cgroup v2 do not say.
        cgroup_version: info.cgroup_version.map_or_else(|| "1".to_owned(), |v| v.to_string()),
        log_driver: info.logging_driver.unwrap_or_default(),
        memory_total: info.mem_total.unwrap_or_default(),
        architecture: info.architecture.unwrap_or_default(),
        security: info.security_options.into_iter().flatten().filter_map(|option| security(&option)).collect(),
    })
}

/// What a failed call means for whoever asked.
pub(super) fn error(operation: &str, error: Error) -> EngineError {
    let operation = operation.to_owned();
    match error {
        Error::DockerResponseServerError { status_code: 404, message } => EngineError::NotFound { operation, message },
        Error::DockerResponseServerError { status_code: 409, message } => EngineError::Conflict { operation, message },
        Error::DockerResponseServerError { status_code, message } => {
            EngineError::Refused { operation, status: status_code, message }
        }
        // An error inside a stream whose head said 200.
        Error::DockerStreamError { error } => EngineError::Refused { operation, status: 500, message: error },
        Error::IOError { err } => EngineError::Unavailable { operation, message: err.to_string() },
        Error::HyperResponseError { err } if err.is_parse() => {
            EngineError::Protocol { operation, message: with_causes(&err) }
        }
        Error::HyperResponseError { err } => EngineError::Unavailable { operation, message: with_causes(&err) },
        other => EngineError::Protocol { operation, message: with_causes(&other) },
    }
}

/// The error and what is below it, since the result is kept as text.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(below) = cause {
        let below_text = below.to_string();
        // Transparent errors show their source's text as their own.
        if !text.ends_with(&below_text) {
            text = format!("{text}: {below_text}");
        }
        cause = below.source();
    }
    text
}

/// Whether `name` can stand in a request's path as a container. Names are not percent-encoded
/// there: `x?y` and `../info` would change what is asked.
pub(super) fn is_container_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// Whether `reference` can stand in a request's path as an image.
pub(super) fn is_image_reference(reference: &str) -> bool {
    reference.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:@".contains(c))
        && reference.split('/').all(|part| !part.trim_matches('.').is_empty())
}

/// Only what lies on the engine's own disk is there while nobody uses it.
pub(super) fn volume(volume: Volume) -> VolumeDetails {
    let is_plain = volume.driver == "local" && volume.options.is_empty();
    VolumeDetails {
        directory: is_plain.then(|| PathBuf::from(volume.mountpoint)),
        labels: volume.labels.into_iter().collect(),
    }
}

/// `reference` with the tag `latest` if it has neither tag nor digest: a pull without a tag would
/// fetch every tag of the repository, and a save give all of them.
pub(super) fn with_tag(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    if last.contains([':', '@']) { reference.to_owned() } else { format!("{reference}:latest") }
}

/// Whether `reference` may be the beginning of an image's id, which takes no tag.
pub(super) fn may_be_id(reference: &str) -> bool {
    reference.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}
