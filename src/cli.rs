//! What was typed on the command line, and nothing else: flags carry the kubelet's names.

use crate::{
    manifest::parse::FieldValidation,
    query::{DescribeArgs, EventsArgs, GetArgs},
    validate::ValidateArgs,
};
use clap::{Args, Parser, Subcommand};
use std::{net::IpAddr, path::PathBuf, time::Duration};

/// Runs the pods of a manifest directory on a Docker Engine, as the kubelet runs static pods.
#[derive(Debug, Parser)]
#[command(name = "kubelet-lite", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Another job than the daemon's.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The daemon's flags.
    #[command(flatten)]
    pub options: Options,
}

/// Jobs beside the daemon's.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge manifests as the daemon would, without daemon or engine. Exit code 0: all would be
    /// taken; 1: something would be refused; 2: wrong usage.
    Validate(ValidateArgs),
    /// Show pods, events or manifest files of the daemon that runs here, as `kubectl get` does.
    Get(GetArgs),
    /// Show a pod at length, with its events, as `kubectl describe` does.
    Describe(DescribeArgs),
    /// Show what happened lately, as `kubectl events` does.
    Events(EventsArgs),
}

/// The daemon's flags, as typed. Each is optional: the configuration file and the defaults follow.
#[derive(Clone, Debug, Default, Args)]
pub struct Options {
    /// Directory of pod manifests (*.yaml, *.yml, *.json), or one such file.
    #[arg(long, value_name = "PATH")]
    pub pod_manifest_path: Option<PathBuf>,
    /// Where the Docker Engine listens [default: unix:///var/run/docker.sock].
    #[arg(long, value_name = "ENDPOINT")]
    pub docker_endpoint: Option<String>,
    /// Unix socket of the status API, for root alone [default: /run/kubelet-lite/kubelet-lite.sock; with
    /// another --root-dir, kubelet-lite.sock in it].
    #[arg(long, value_name = "PATH")]
    pub api_socket: Option<PathBuf>,
    /// Directory for volumes and state of pods [default: /var/lib/kubelet-lite]. Two daemons with
    /// different ones leave each other's pods alone.
    #[arg(long, value_name = "DIR")]
    pub root_dir: Option<PathBuf>,
    /// A KubeletConfiguration file; flags win over it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Node name instead of the host name.
    #[arg(long, value_name = "NAME")]
    pub hostname_override: Option<String>,
    /// Labels of the node, for nodeSelector and node affinity: key=value, separated by commas.
    #[arg(long, value_name = "LABELS")]
    pub node_labels: Option<String>,
    /// Taints of the node, for pods that do not tolerate them: key=value:effect, separated by commas.
    #[arg(long, value_name = "TAINTS")]
    pub register_with_taints: Option<String>,
    /// Address of the node, for status.hostIP and hostNetwork pods [default: found by itself].
    #[arg(long, value_name = "IP")]
    pub node_ip: Option<IpAddr>,
    /// How often the manifests are looked at though nothing seems to have changed [default: 20s].
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub file_check_frequency: Option<Duration>,
    /// How often the containers are looked at though nothing seems to have happened [default: 1m].
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub sync_frequency: Option<Duration>,
    /// Image of the sandbox container [default: the built-in pause image].
    #[arg(long, value_name = "IMAGE")]
    pub pod_infra_container_image: Option<String>,
    /// Docker network of the pods [default: bridge].
    #[arg(long, value_name = "NETWORK")]
    pub network: Option<String>,
    /// Resolver configuration of the node, which pods get unless they bring their own [default: /etc/resolv.conf];
    /// empty for none.
    #[arg(long, value_name = "FILE")]
    pub resolv_conf: Option<String>,
    /// Where log collectors look for the logs of pods; links by container lie in `containers` beside it
    /// [default: /var/log/pods; with another --root-dir, logs/pods in it]; empty for no links.
    #[arg(long, value_name = "DIR")]
    pub pod_logs_dir: Option<String>,
    /// How many pods may run [default: 110].
    #[arg(long, value_name = "N")]
    pub max_pods: Option<usize>,
    /// Most processes and threads of a container; -1 for no limit [default: -1].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub pod_max_pids: Option<i64>,
    /// Sysctls that pods may set beyond the safe ones: names, or beginnings of names with a '*', separated by
    /// commas [default: none].
    #[arg(long, value_name = "SYSCTLS")]
    pub allowed_unsafe_sysctls: Option<String>,
    /// Use the engine's default seccomp profile where a pod names none [default: true]. The value stands after
    /// '='; without one it is true.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub seccomp_default: Option<bool>,
    /// What is done about unknown and duplicate fields: Strict refuses the file, Warn says so, Ignore
    /// does nothing [default: Strict].
    #[arg(long, value_name = "LEVEL")]
    pub field_validation: Option<FieldValidation>,
    /// How long the pods may take to end when the node shuts down; 0s leaves them to the engine
    /// [default: 0s].
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub shutdown_grace_period: Option<Duration>,
    /// The part of that which is kept for critical pods, which end last [default: 0s].
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub shutdown_grace_period_critical_pods: Option<Duration>,
    /// Verbosity: 0 to 3 say what happens to pods, 4 and more say each step.
    #[arg(short = 'v', long = "v", value_name = "LEVEL")]
    pub verbosity: Option<u8>,
    /// Format of log lines: text or json [default: text].
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    pub logging_format: Option<String>,
}
