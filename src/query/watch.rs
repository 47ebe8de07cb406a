//! `get pods --watch`: what is there, then each change, until somebody has seen enough.

use super::{Daemon, GetArgs, OutputFormat, QueryError, find_pods, note_refusals, output, path_of};
use crate::print::{Columns, PodTable};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::WatchEvent};
use serde_json::json;
use std::{collections::BTreeMap, io::Write};
use tokio::time::Instant;

/// Shows changes of pods as they happen. Ends only with an error: the daemon has gone, or who reads has.
pub(super) async fn pods(
    args: &GetArgs,
    out: &mut impl Write,
    notes: &mut impl Write,
    now: jiff::Timestamp,
) -> Result<(), QueryError> {
    if args.names.len() > 1 {
        return Err(QueryError::Usage("--watch takes one pod by its name, or all that are selected"));
    }
    let daemon = Daemon::of(&args.connection)?;
    let (pods, missing) = find_pods(&daemon, &args.scope, &args.names, args.selector.as_deref()).await?;
    if !missing.is_empty() {
        return Err(QueryError::Missing(missing));
    }
    let mut query = vec![("watch", "true".to_owned())];
    query.extend(args.selector.clone().map(|labels| ("labelSelector", labels)));
    if let (false, Some(pod)) = (args.names.is_empty(), pods.first()) {
        // The name that was given may lack the node's suffix.
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        query.push(("fieldSelector", format!("metadata.name={name}")));
    }
    let query: Vec<(&str, &str)> = query.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let mut watch = daemon.watch(&path_of(&args.scope, "pods"), &query).await?;
    let mut shown = Shown::new(args, now);
    if args.watch_only {
        shown.known = pods.into_iter().map(|pod| (name_of(&pod), pod)).collect();
    } else {
        shown.first(pods, out)?;
        note_refusals(&daemon, notes).await?;
    }
    while let Some(line) = watch.next().await? {
        shown.event(serde_json::from_slice(&line)?, out)?;
    }
    Err(QueryError::WatchEnded)
}

/// Namespace and name.
type Name = (String, String);

fn name_of(pod: &Pod) -> Name {
    (pod.metadata.namespace.clone().unwrap_or_default(), pod.metadata.name.clone().unwrap_or_default())
}

/// What was shown so far.
struct Shown<'a> {
    args: &'a GetArgs,
    table: PodTable,
    /// Pods as they were listed: the watch begins with them.
    known: BTreeMap<Name, Pod>,
    /// Whether a document was written.
    any: bool,
    began: (jiff::Timestamp, Instant),
}

impl<'a> Shown<'a> {
    fn new(args: &'a GetArgs, now: jiff::Timestamp) -> Self {
        let columns = Columns {
            namespaces: args.scope.all_namespaces,
            wide: args.output == Some(OutputFormat::Wide),
            labels: args.show_labels,
            events: args.output_watch_events,
        };
        let table = PodTable::new(columns, !args.no_headers);
        Self { args, table, known: BTreeMap::new(), any: false, began: (now, Instant::now()) }
    }

    /// What is there at the beginning, in one table.
    fn first(&mut self, pods: Vec<Pod>, out: &mut impl Write) -> Result<(), QueryError> {
        self.show("ADDED", &pods, out)?;
        self.known = pods.into_iter().map(|pod| (name_of(&pod), pod)).collect();
        Ok(())
    }

    /// A change, unless it was shown at the beginning.
    fn event(&mut self, event: WatchEvent<Pod>, out: &mut impl Write) -> Result<(), QueryError> {
        let (word, pod) = match event {
            WatchEvent::Added(pod) => match self.known.remove(&name_of(&pod)) {
                Some(known) if known == pod => return Ok(()),
                Some(_) => ("MODIFIED", pod),
                None => ("ADDED", pod),
            },
            WatchEvent::Modified(pod) => ("MODIFIED", pod),
            WatchEvent::Deleted(pod) => ("DELETED", pod),
            // Of a daemon of another version.
            WatchEvent::Bookmark { .. } | WatchEvent::ErrorStatus(_) | WatchEvent::ErrorOther(_) => return Ok(()),
        };
        self.show(word, &[pod], out)
    }

    fn show(&mut self, word: &str, pods: &[Pod], out: &mut impl Write) -> Result<(), QueryError> {
        let now = jiff::SignedDuration::try_from(self.began.1.elapsed()).ok();
        let now = now.and_then(|passed| self.began.0.checked_add(passed).ok()).unwrap_or(self.began.0);
        match self.args.output {
            None | Some(OutputFormat::Wide) if pods.is_empty() => {}
            None | Some(OutputFormat::Wide) => {
                out.write_all(self.table.rows(pods.iter().map(|pod| (word, pod)), now).as_bytes())?;
            }
            Some(OutputFormat::Name) => {
                for pod in pods {
                    writeln!(out, "pod/{}", pod.metadata.name.as_deref().unwrap_or_default())?;
                }
            }
            Some(format) => {
                for pod in pods {
                    if std::mem::replace(&mut self.any, true) && format == OutputFormat::Yaml {
                        writeln!(out, "---")?;
                    }
                    let object = match self.args.output_watch_events {
                        true => json!({"type": word, "object": pod}),
                        false => serde_json::to_value(pod)?,
                    };
                    output::objects(vec![object], true, format, out)?;
                }
            }
        }
        Ok(out.flush()?)
    }
}
