//! Flags of the commands that ask: kubectl's where it has them.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Which daemon is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct Connection {
    /// The daemon's --root-dir, if it is not the default.
    #[arg(long, value_name = "DIR")]
    pub root_dir: Option<PathBuf>,
    /// The daemon's --api-socket, if it was given one.
    #[arg(long, value_name = "PATH")]
    pub api_socket: Option<PathBuf>,
}

/// Which namespaces are looked at.
#[derive(Clone, Debug, Args)]
pub struct Scope {
    /// Namespace.
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    pub namespace: String,
    /// All namespaces.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

/// What can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resource {
    /// Pods.
    #[value(alias = "pod", alias = "po")]
    Pods,
    /// What happened lately.
    #[value(alias = "event", alias = "ev")]
    Events,
    /// The files of the manifest directory, and why some are refused.
    #[value(alias = "manifest")]
    Manifests,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// A table with more columns.
    Wide,
    /// API objects as JSON.
    Json,
    /// API objects as YAML.
    Yaml,
    /// Names alone.
    Name,
}

/// Flags of `get`.
#[derive(Clone, Debug, Args)]
pub struct GetArgs {
    /// What to show.
    pub resource: Resource,
    /// Names of pods, with or without the node's suffix; all if none is given.
    pub names: Vec<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc would become help text of each flag")]
    pub scope: Scope,
    /// Form of the output; a table if not given.
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<OutputFormat>,
    /// Label selector, as in `app=web,tier!=front`.
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// Show what is there, then each change as it happens, until interrupted. For pods.
    #[arg(short, long)]
    pub watch: bool,
    /// Show each change as it happens, and not what is there already. For pods.
    #[arg(long)]
    pub watch_only: bool,
    /// With --watch, say of each object whether it was ADDED, MODIFIED or DELETED.
    #[arg(long)]
    pub output_watch_events: bool,
    /// The table has no header.
    #[arg(long)]
    pub no_headers: bool,
    /// The table shows all labels.
    #[arg(long)]
    pub show_labels: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc would become help text of each flag")]
    pub connection: Connection,
}

/// What can be described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Described {
    /// A pod.
    #[value(alias = "pods", alias = "po")]
    Pod,
}

/// Flags of `describe`.
#[derive(Clone, Debug, Args)]
pub struct DescribeArgs {
    /// What to describe.
    pub resource: Described,
    /// Names of pods, with or without the node's suffix; all if none is given.
    pub names: Vec<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc would become help text of each flag")]
    pub scope: Scope,
    /// Label selector, as in `app=web,tier!=front`.
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc would become help text of each flag")]
    pub connection: Connection,
}

/// Flags of `events`.
#[derive(Clone, Debug, Args)]
pub struct EventsArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc would become help text of each flag")]
    pub scope: Scope,
    /// Only events about this pod, as in `pod/web`.
    #[arg(long = "for", value_name = "pod/NAME")]
    pub subject: Option<String>,
    /// Only events of this type: Normal or Warning.
    #[arg(long, value_name = "TYPE", value_parser = ["Normal", "Warning"], value_delimiter = ',')]
    pub types: Vec<String>,
    /// The table has no header.
    #[arg(long)]
    pub no_headers: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc would become help text of each flag")]
    pub connection: Connection,
}
