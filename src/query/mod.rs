//! The commands that ask the daemon that runs here: `get`, `describe`, `events`.
//!
//! Owns their flags, what they ask, and what goes to which stream. The daemon answers with objects of
//! the API ([`crate::api`]); how people see them is [`crate::print`]'s. Changes nothing.

mod args;
mod output;
mod watch;

pub use args::{Connection, DescribeArgs, EventsArgs, GetArgs, OutputFormat, Resource, Scope};

use crate::{
    api::{
        MANIFESTS,
        client::{self, ClientError},
        places,
    },
    exit::ExitStatus,
    print,
    settings::ROOT_DIR,
};
use k8s_openapi::{
    List,
    api::core::v1::{Event, Pod},
};
use output::Manifests;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

/// One of the commands.
#[derive(Clone, Debug)]
pub enum Query {
    /// `get`.
    Get(GetArgs),
    /// `describe`.
    Describe(DescribeArgs),
    /// `events`.
    Events(EventsArgs),
}

/// Why a command has failed.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The daemon was not reached, or refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Some of what was asked for is not there; each was told.
    #[error("{}", .0.join("\n"))]
    Missing(Vec<String>),
    /// The answer is of another version.
    #[error("the answer can not be understood; is the daemon of another version than this command?")]
    Answer(#[from] serde_json::Error),
    /// The output can not be written.
    #[error("the output can not be written")]
    Output(#[from] io::Error),
    /// YAML can not be written.
    #[error("the output can not be written as YAML")]
    Yaml(#[from] serde_yaml::Error),
    /// The daemon leaves, or was replaced.
    #[error("the daemon has ended the watch; it may have been restarted")]
    WatchEnded,
    /// Flags that do not go together.
    #[error("{0}")]
    Usage(&'static str),
}

impl QueryError {
    /// The exit code.
    pub fn status(&self) -> ExitStatus {
        match self {
            Self::Usage(_) => ExitStatus::Usage,
            Self::Client(_)
            | Self::Missing(_)
            | Self::Answer(_)
            | Self::Output(_)
            | Self::Yaml(_)
            | Self::WatchEnded => ExitStatus::Failure,
        }
    }
}

/// Runs a command: objects go to `out`, remarks to `notes`.
pub async fn run(
    query: &Query,
    out: &mut impl Write,
    notes: &mut impl Write,
    now: jiff::Timestamp,
) -> Result<(), QueryError> {
    match query {
        Query::Get(args) if args.watch || args.watch_only => match args.resource {
            Resource::Pods => watch::pods(args, out, notes, now).await,
            Resource::Events | Resource::Manifests => Err(QueryError::Usage("--watch is for pods")),
        },
        Query::Get(args) => match args.resource {
            Resource::Pods => get_pods(args, out, notes, now).await,
            Resource::Events => get_events(args, out, notes, now).await,
            Resource::Manifests => get_manifests(args, out).await,
        },
        Query::Describe(args) => describe(args, out, now).await,
        Query::Events(args) => events(args, out, notes, now).await,
    }
}

/// Where the daemon listens.
struct Daemon(Vec<PathBuf>);

impl Daemon {
    fn of(connection: &Connection) -> Result<Self, QueryError> {
        let root_dir = std::path::absolute(connection.root_dir.as_deref().unwrap_or(Path::new(ROOT_DIR)))?;
        Ok(Self(places(connection.api_socket.as_deref(), &root_dir)))
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, QueryError> {
        Ok(serde_json::from_slice(&client::get(&self.0, &target(path, query)).await?)?)
    }

    async fn watch(&self, path: &str, query: &[(&str, &str)]) -> Result<client::Lines, QueryError> {
        Ok(client::watch(&self.0, &target(path, query)).await?)
    }
}

fn target(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}

/// `/api/v1/namespaces/NS/pods`, or `/api/v1/pods` for all.
fn path_of(scope: &Scope, resource: &str) -> String {
    if scope.all_namespaces {
        format!("/api/v1/{resource}")
    } else {
        format!("/api/v1/namespaces/{}/{resource}", segment(&scope.namespace))
    }
}

/// A name as part of a path: one that can not be a name is asked for as it is, and not found.
fn segment(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes()).collect()
}

/// Pods by name, or all that are selected; and what is not there.
async fn find_pods(
    daemon: &Daemon,
    scope: &Scope,
    names: &[String],
    labels: Option<&str>,
) -> Result<(Vec<Pod>, Vec<String>), QueryError> {
    let path = path_of(scope, "pods");
    if names.is_empty() {
        let query: Vec<(&str, &str)> = labels.map(|labels| ("labelSelector", labels)).into_iter().collect();
        let list: List<Pod> = daemon.ask(&path, &query).await?;
        return Ok((list.items, Vec::new()));
    }
    if labels.is_some() {
        return Err(QueryError::Usage("name cannot be provided when a selector is specified"));
    }
    if scope.all_namespaces {
        return Err(QueryError::Usage("a resource cannot be retrieved by name across all namespaces"));
    }
    let (mut pods, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        let name = name.strip_prefix("pod/").or_else(|| name.strip_prefix("pods/")).unwrap_or(name);
        match daemon.ask::<Pod>(&format!("{path}/{}", segment(name)), &[]).await {
            Ok(pod) => pods.push(pod),
            Err(QueryError::Client(refused @ ClientError::Refused { .. })) => missing.push(refused.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok((pods, missing))
}

async fn get_pods(
    args: &GetArgs,
    out: &mut impl Write,
    notes: &mut impl Write,
    now: jiff::Timestamp,
) -> Result<(), QueryError> {
    let daemon = Daemon::of(&args.connection)?;
    let (pods, missing) = find_pods(&daemon, &args.scope, &args.names, args.selector.as_deref()).await?;
    match args.output {
        None | Some(OutputFormat::Wide) => {
            let wide = args.output == Some(OutputFormat::Wide);
            if !pods.is_empty() {
                let columns = print::Columns {
                    namespaces: args.scope.all_namespaces,
                    wide,
                    labels: args.show_labels,
                    events: false,
                };
                out.write_all(print::pods(&pods, now, columns, !args.no_headers).as_bytes())?;
            } else if missing.is_empty() {
                writeln!(notes, "{}", nothing_found(&args.scope))?;
            }
        }
        Some(OutputFormat::Name) => {
            for pod in &pods {
                writeln!(out, "pod/{}", pod.metadata.name.as_deref().unwrap_or_default())?;
            }
        }
        Some(format) => {
            let objects = pods.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>()?;
            output::objects(objects, args.names.len() == 1, format, out)?;
        }
    }
    note_refusals(&daemon, notes).await?;
    if missing.is_empty() { Ok(()) } else { Err(QueryError::Missing(missing)) }
}

fn nothing_found(scope: &Scope) -> String {
    if scope.all_namespaces {
        "No resources found".to_owned()
    } else {
        format!("No resources found in {} namespace.", scope.namespace)
    }
}

/// Who looks for a pod that is missing should learn why it is.
async fn note_refusals(daemon: &Daemon, notes: &mut impl Write) -> Result<(), QueryError> {
    let manifests: Manifests = daemon.ask(MANIFESTS, &[]).await?;
    for note in manifests.notes() {
        writeln!(notes, "{note}")?;
    }
    Ok(())
}

async fn get_events(
    args: &GetArgs,
    out: &mut impl Write,
    notes: &mut impl Write,
    now: jiff::Timestamp,
) -> Result<(), QueryError> {
    if !args.names.is_empty() || args.selector.is_some() {
        return Err(QueryError::Usage("events are selected with `kubelet-lite events --for pod/NAME`"));
    }
    let daemon = Daemon::of(&args.connection)?;
    let list: List<Event> = daemon.ask(&path_of(&args.scope, "events"), &[]).await?;
    let events = print::sorted(list.items);
    match args.output {
        None | Some(OutputFormat::Wide) if events.is_empty() => writeln!(notes, "{}", nothing_found(&args.scope))?,
        None | Some(OutputFormat::Wide) => {
            out.write_all(print::events(&events, now, args.scope.all_namespaces, !args.no_headers).as_bytes())?;
        }
        Some(OutputFormat::Name) => {
            for event in &events {
                writeln!(out, "event/{}", event.metadata.name.as_deref().unwrap_or_default())?;
            }
        }
        Some(format) => {
            let objects = events.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>()?;
            output::objects(objects, false, format, out)?;
        }
    }
    Ok(())
}

async fn get_manifests(args: &GetArgs, out: &mut impl Write) -> Result<(), QueryError> {
    if !args.names.is_empty() || args.selector.is_some() {
        return Err(QueryError::Usage("manifests are shown all together, without names and selectors"));
    }
    let daemon = Daemon::of(&args.connection)?;
    match args.output {
        None | Some(OutputFormat::Wide) => {
            let manifests: Manifests = daemon.ask(MANIFESTS, &[]).await?;
            out.write_all(manifests.table(!args.no_headers).as_bytes())?;
        }
        Some(OutputFormat::Name) => {
            let manifests: Manifests = daemon.ask(MANIFESTS, &[]).await?;
            for name in manifests.names() {
                writeln!(out, "manifest/{name}")?;
            }
        }
        Some(format) => {
            let manifests: Value = daemon.ask(MANIFESTS, &[]).await?;
            output::objects(vec![manifests], true, format, out)?;
        }
    }
    Ok(())
}

async fn describe(args: &DescribeArgs, out: &mut impl Write, now: jiff::Timestamp) -> Result<(), QueryError> {
    let daemon = Daemon::of(&args.connection)?;
    let (pods, missing) = find_pods(&daemon, &args.scope, &args.names, args.selector.as_deref()).await?;
    for (index, pod) in pods.iter().enumerate() {
        let metadata = &pod.metadata;
        let (name, uid) = (metadata.name.as_deref().unwrap_or_default(), metadata.uid.as_deref().unwrap_or_default());
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let about = format!("involvedObject.name={name},involvedObject.namespace={namespace},involvedObject.uid={uid}");
        let path = format!("/api/v1/namespaces/{}/events", segment(namespace));
        let events: List<Event> = daemon.ask(&path, &[("fieldSelector", &about)]).await?;
        if index > 0 {
            out.write_all(b"\n\n")?;
        }
        out.write_all(print::describe(pod, &events.items, now).as_bytes())?;
    }
    if missing.is_empty() { Ok(()) } else { Err(QueryError::Missing(missing)) }
}

async fn events(
    args: &EventsArgs,
    out: &mut impl Write,
    notes: &mut impl Write,
    now: jiff::Timestamp,
) -> Result<(), QueryError> {
    let daemon = Daemon::of(&args.connection)?;
    let mut terms = Vec::new();
    if let Some(subject) = &args.subject {
        let (kind, name) = subject.split_once('/').unwrap_or(("pod", subject));
        if !matches!(kind.to_lowercase().as_str(), "pod" | "pods" | "po") {
            return Err(QueryError::Usage("--for takes pod/NAME"));
        }
        // The name may lack the node's suffix, which the daemon knows.
        let (pods, missing) = find_pods(&daemon, &args.scope, &[name.to_owned()], None).await?;
        let found = pods.first().and_then(|pod| pod.metadata.name.clone());
        terms.push(format!("involvedObject.name={}", found.ok_or(QueryError::Missing(missing))?));
    }
    if let [kind] = args.types.as_slice() {
        terms.push(format!("type={kind}"));
    }
    let selector = terms.join(",");
    let query: Vec<(&str, &str)> = match selector.as_str() {
        "" => Vec::new(),
        selector => vec![("fieldSelector", selector)],
    };
    let list: List<Event> = daemon.ask(&path_of(&args.scope, "events"), &query).await?;
    let events = print::sorted(list.items);
    if events.is_empty() {
        writeln!(notes, "{}", nothing_found(&args.scope).replace("resources", "events"))?;
    } else {
        out.write_all(print::events(&events, now, args.scope.all_namespaces, !args.no_headers).as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
