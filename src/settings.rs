//! Flags and configuration file → [`Settings`]: validated, no option left over.

mod node;

use crate::{
    cli::Options,
    convert::{RESOLV_CONF, SysctlPatternError, Sysctls},
    manifest::parse::FieldValidation,
    pod::{NodeRules, Taint},
    shutdown::{ShutdownGroup, ShutdownPolicy},
};
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// `--root-dir` when not given.
pub const ROOT_DIR: &str = "/var/lib/kubelet-lite";
/// `--pod-logs-dir` when neither it nor `--root-dir` is given.
pub const POD_LOGS_DIR: &str = "/var/log/pods";
/// `--docker-endpoint` when not given.
pub const DOCKER_ENDPOINT: &str = "unix:///var/run/docker.sock";
/// `--file-check-frequency` when not given.
pub const FILE_CHECK_FREQUENCY: Duration = Duration::from_secs(20);
/// `--sync-frequency` when not given.
pub const SYNC_FREQUENCY: Duration = Duration::from_secs(60);
/// `--max-pods` when not given.
pub const MAX_PODS: usize = 110;

/// What the daemon runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Directory of manifests, or one file.
    pub pod_manifest_path: PathBuf,
    /// `unix://` address of the engine.
    pub docker_endpoint: String,
    /// Directory of pods.
    pub root_dir: PathBuf,
    /// Socket of the status API; `None` for the default places.
    pub api_socket: Option<PathBuf>,
    /// Lower-cased node name.
    pub node_name: String,
    /// Labels and taints of the node.
    pub node_rules: NodeRules,
    /// Address of the node.
    pub node_ip: Option<IpAddr>,
    /// Period of the manifest scan.
    pub file_check_frequency: Duration,
    /// Period of the container list.
    pub sync_frequency: Duration,
    /// Sandbox image; `None` for the built-in one.
    pub pod_infra_container_image: Option<String>,
    /// Docker network of the pods.
    pub network: String,
    /// Resolver configuration of the node; empty for none.
    pub resolv_conf: PathBuf,
    /// Where links to logs of pods are put; `None` for no links.
    pub pod_logs_dir: Option<PathBuf>,
    /// Most pods at once.
    pub max_pods: usize,
    /// Most processes of a container; `None` for no limit.
    pub pod_max_pids: Option<i64>,
    /// Sysctls that pods may set beyond the safe ones.
    pub allowed_unsafe_sysctls: Sysctls,
    /// The engine's seccomp profile where a pod names none.
    pub seccomp_default: bool,
    /// Longest CrashLoopBackOff delay.
    pub max_container_restart_period: Duration,
    /// What is done about unknown and duplicate fields.
    pub field_validation: FieldValidation,
    /// Which pods end together when the node shuts down, and how long they may take.
    pub shutdown: ShutdownPolicy,
}

/// A setting that can not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SettingsError {
    /// The flag, or the file and its field.
    pub place: String,
    /// What is wrong and what is expected.
    pub problem: String,
}

fn refuse(place: impl Into<String>, problem: impl Into<String>) -> SettingsError {
    SettingsError { place: place.into(), problem: problem.into() }
}

/// Something about the settings that the operator should know.
pub type Notice = String;

/// Joins flags, the text of the configuration file (if one was named) and the host's name. Flags win.
pub fn settle(
    options: &Options,
    config: Option<(&Path, &str)>,
    host_name: &str,
) -> Result<(Settings, Vec<Notice>), SettingsError> {
    let mut notices = Vec::new();
    let file = match config {
        Some((path, text)) => ConfigFile::read(path, text, &mut notices)?,
        None => ConfigFile::default(),
    };
    let pod_manifest_path = options.pod_manifest_path.clone().or(file.static_pod_path.clone()).ok_or_else(|| {
        refuse(
            "--pod-manifest-path",
            "is not given: name the directory of pod manifests, as in --pod-manifest-path=/etc/kubernetes/manifests",
        )
    })?;
    let node_name = options.hostname_override.as_deref().unwrap_or(host_name).trim().to_lowercase();
    check_node_name(&node_name)?;
    let docker_endpoint = options.docker_endpoint.clone().unwrap_or_else(|| DOCKER_ENDPOINT.to_owned());
    if !docker_endpoint.strip_prefix("unix://").is_some_and(|path| path.starts_with('/')) {
        return Err(refuse(
            "--docker-endpoint",
            format!("{docker_endpoint:?} is not a unix socket, as in {DOCKER_ENDPOINT}"),
        ));
    }
    let root_dir = absolute("--root-dir", options.root_dir.as_deref().unwrap_or(Path::new(ROOT_DIR)))?;
    let settings = Settings {
        pod_manifest_path: absolute("--pod-manifest-path", &pod_manifest_path)?,
        docker_endpoint,
        api_socket: options.api_socket.as_deref().map(|path| absolute("--api-socket", path)).transpose()?,
        node_rules: node::rules(options, file.register_with_taints.clone(), &node_name)?,
        node_name,
        node_ip: options.node_ip,
        file_check_frequency: positive(
            "--file-check-frequency",
            options.file_check_frequency.or(file.file_check_frequency).unwrap_or(FILE_CHECK_FREQUENCY),
        )?,
        sync_frequency: positive(
            "--sync-frequency",
            options.sync_frequency.or(file.sync_frequency).unwrap_or(SYNC_FREQUENCY),
        )?,
        pod_infra_container_image: options.pod_infra_container_image.clone().filter(|image| !image.is_empty()),
        network: network(options.network.as_deref().unwrap_or_default())?,
        resolv_conf: match options.resolv_conf.as_ref().or(file.resolv_conf.as_ref()).map(String::as_str) {
            None => RESOLV_CONF.into(),
            Some("") => PathBuf::new(),
            Some(path) => absolute("--resolv-conf", Path::new(path))?,
        },
        pod_logs_dir: match options.pod_logs_dir.as_ref().or(file.pod_logs_dir.as_ref()).map(String::as_str) {
            None if root_dir == Path::new(ROOT_DIR) => Some(POD_LOGS_DIR.into()),
            None => Some(root_dir.join("logs/pods")),
            Some("") => None,
            Some(path) => Some(absolute("--pod-logs-dir", Path::new(path))?),
        },
        max_pods: options.max_pods.or(file.max_pods).unwrap_or(MAX_PODS),
        pod_max_pids: match options.pod_max_pids.or(file.pod_pids_limit) {
            None | Some(-1) => None,
            Some(limit) if limit > 0 => Some(limit),
            Some(_) => return Err(refuse("--pod-max-pids", "must be a number of processes, or -1 for no limit")),
        },
        allowed_unsafe_sysctls: match (&options.allowed_unsafe_sysctls, &file.allowed_unsafe_sysctls) {
            (Some(text), _) => text
                .parse()
                .map_err(|error: SysctlPatternError| refuse("--allowed-unsafe-sysctls", error.to_string()))?,
            (None, sysctls) => sysctls.clone().unwrap_or_default(),
        },
        seccomp_default: options.seccomp_default.or(file.seccomp_default).unwrap_or(true),
        max_container_restart_period: file
            .max_container_restart_period
            .unwrap_or(crate::plan::backoff::MAX_CONTAINER_RESTART_PERIOD),
        field_validation: options.field_validation.unwrap_or_default(),
        shutdown: shutdown_policy(options, &file)?,
        root_dir,
    };
    Ok((settings, notices))
}

/// A network of containers that have an address of their own.
fn network(name: &str) -> Result<String, SettingsError> {
    match name {
        "" => Ok("bridge".to_owned()),
        "host" | "none" => {
            let problem =
                format!("{name:?} gives pods no address of their own; a pod asks for that with hostNetwork: true");
            Err(refuse("--network", problem))
        }
        _ if name.starts_with("container:") => Err(refuse("--network", "must be the name of a Docker network")),
        _ => Ok(name.to_owned()),
    }
}

/// As the kubelet: the critical pods' part lies within the whole, and a list of priorities stands for both.
fn shutdown_policy(options: &Options, file: &ConfigFile) -> Result<ShutdownPolicy, SettingsError> {
    let total = options.shutdown_grace_period.or(file.shutdown_grace_period);
    let critical = options.shutdown_grace_period_critical_pods.or(file.shutdown_grace_period_critical_pods);
    if let Some(groups) = &file.shutdown_grace_period_by_pod_priority {
        if [total, critical].into_iter().flatten().any(|period| !period.is_zero()) {
            let problem = "can not be used together with --shutdown-grace-period or \
                           --shutdown-grace-period-critical-pods: give the one or the other";
            return Err(refuse("shutdownGracePeriodByPodPriority", problem));
        }
        return Ok(ShutdownPolicy::from_groups(groups.iter().copied()));
    }
    let (total, critical) = (total.unwrap_or_default(), critical.unwrap_or_default());
    for (flag, period) in [("--shutdown-grace-period", total), ("--shutdown-grace-period-critical-pods", critical)] {
        if !period.is_zero() && period < Duration::from_secs(1) {
            return Err(refuse(flag, "must be 0s, or 1s or longer"));
        }
    }
    if critical > total {
        let problem = "can not be longer than --shutdown-grace-period, which it is a part of";
        return Err(refuse("--shutdown-grace-period-critical-pods", problem));
    }
    Ok(ShutdownPolicy::from_periods(total, critical))
}

fn positive(place: &str, duration: Duration) -> Result<Duration, SettingsError> {
    if duration.is_zero() { Err(refuse(place, "must be longer than zero, as in 20s")) } else { Ok(duration) }
}

fn absolute(place: &str, path: &Path) -> Result<PathBuf, SettingsError> {
    std::path::absolute(path)
        .map_err(|error| refuse(place, format!("{} is not a usable path: {error}", path.display())))
}

/// The node name becomes part of pod names, so it must be a DNS-1123 subdomain.
fn check_node_name(name: &str) -> Result<(), SettingsError> {
    let part = |p: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        edge(p.chars().next())
            && edge(p.chars().last())
            && p.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if name.len() <= 253 && name.split('.').all(part) {
        return Ok(());
    }
    Err(refuse(
        "--hostname-override",
        format!("{name:?} can not be a node name: use lower-case letters, digits, '-' and '.', at most 253 characters"),
    ))
}

/// The fields of a KubeletConfiguration that are honoured.
#[derive(Debug, Default)]
struct ConfigFile {
    static_pod_path: Option<PathBuf>,
    file_check_frequency: Option<Duration>,
    sync_frequency: Option<Duration>,
    max_pods: Option<usize>,
    resolv_conf: Option<String>,
    pod_logs_dir: Option<String>,
    seccomp_default: Option<bool>,
    pod_pids_limit: Option<i64>,
    allowed_unsafe_sysctls: Option<Sysctls>,
    max_container_restart_period: Option<Duration>,
    shutdown_grace_period: Option<Duration>,
    shutdown_grace_period_critical_pods: Option<Duration>,
    shutdown_grace_period_by_pod_priority: Option<Vec<ShutdownGroup>>,
    register_with_taints: Option<Vec<Taint>>,
}

impl ConfigFile {
    fn read(path: &Path, text: &str, notices: &mut Vec<Notice>) -> Result<Self, SettingsError> {
        let place = path.display().to_string();
        let value: serde_json::Value = serde_yaml::from_str(text)
            .map_err(|error| refuse(place.clone(), format!("is not readable YAML: {error}")))?;
        let fields = match value {
            serde_json::Value::Object(fields) => fields,
            serde_json::Value::Null => return Ok(Self::default()),
            _ => return Err(refuse(place, "must be a KubeletConfiguration object")),
        };
        let mut file = Self::default();
        for (name, value) in &fields {
            let at = format!("{place}: {name}");
            match name.as_str() {
                "apiVersion" if value == "kubelet.config.k8s.io/v1beta1" => {}
                "apiVersion" => return Err(refuse(at, "must be kubelet.config.k8s.io/v1beta1")),
                "kind" if value == "KubeletConfiguration" => {}
                "kind" => return Err(refuse(at, "must be KubeletConfiguration")),
                // As the API has it: as if it were not there.
                _ if value.is_null() => {}
                "staticPodPath" => file.static_pod_path = Some(text_of(&at, value)?.into()),
                "fileCheckFrequency" => file.file_check_frequency = Some(duration_of(&at, value)?),
                "syncFrequency" => file.sync_frequency = Some(duration_of(&at, value)?),
                "maxPods" => {
                    let count = value.as_u64().and_then(|n| usize::try_from(n).ok());
                    file.max_pods = Some(count.ok_or_else(|| refuse(at, "must be a number of pods, as in 110"))?);
                }
                "resolvConf" => file.resolv_conf = Some(text_of(&at, value)?.to_owned()),
                "podLogsDir" => file.pod_logs_dir = Some(text_of(&at, value)?.to_owned()),
                "seccompDefault" => {
                    file.seccomp_default = Some(value.as_bool().ok_or_else(|| refuse(at, "must be true or false"))?);
                }
                "podPidsLimit" => {
                    let limit = value.as_i64().filter(|limit| *limit == -1 || *limit > 0);
                    let problem = "must be a number of processes, or -1 for no limit";
                    file.pod_pids_limit = Some(limit.ok_or_else(|| refuse(at, problem))?);
                }
                "allowedUnsafeSysctls" => {
                    let texts: Option<Vec<&str>> =
                        value.as_array().and_then(|list| list.iter().map(serde_json::Value::as_str).collect());
                    let texts = texts.ok_or_else(|| refuse(at.as_str(), "must be a list of sysctls"))?;
                    let sysctls = texts.join(",").parse();
                    file.allowed_unsafe_sysctls =
                        Some(sysctls.map_err(|error: SysctlPatternError| refuse(at, error.to_string()))?);
                }
                "shutdownGracePeriod" => file.shutdown_grace_period = Some(duration_of(&at, value)?),
                "shutdownGracePeriodCriticalPods" => {
                    file.shutdown_grace_period_critical_pods = Some(duration_of(&at, value)?);
                }
                "shutdownGracePeriodByPodPriority" => {
                    file.shutdown_grace_period_by_pod_priority = Some(groups_of(&at, value)?);
                }
                "registerWithTaints" => file.register_with_taints = Some(node::taints_of(&at, value)?),
                "crashLoopBackOff" => {
                    let fields = value.as_object().ok_or_else(|| refuse(at.as_str(), "must be an object"))?;
                    for (name, value) in fields {
                        let at = format!("{at}.{name}");
                        match name.as_str() {
                            "maxContainerRestartPeriod" => {
                                file.max_container_restart_period = Some(restart_period_of(at, value)?);
                            }
                            _ => notices.push(ignored(&at)),
                        }
                    }
                }
                _ => notices.push(ignored(&at)),
            }
        }
        Ok(file)
    }
}

fn ignored(place: &str) -> Notice {
    format!("{place} is not a field this program honours; it is ignored")
}

fn restart_period_of(place: String, value: &serde_json::Value) -> Result<Duration, SettingsError> {
    let period = duration_of(&place, value)?;
    if !(Duration::from_secs(1)..=Duration::from_secs(300)).contains(&period) {
        return Err(refuse(place, "must be between 1s and 300s"));
    }
    Ok(period)
}

fn text_of<'v>(place: &str, value: &'v serde_json::Value) -> Result<&'v str, SettingsError> {
    value.as_str().ok_or_else(|| refuse(place, "must be a string"))
}

fn duration_of(place: &str, value: &serde_json::Value) -> Result<Duration, SettingsError> {
    let text = text_of(place, value)?;
    humantime::parse_duration(text)
        .map_err(|error| refuse(place, format!("{text:?} is not a duration, as in 20s: {error}")))
}

fn groups_of(place: &str, value: &serde_json::Value) -> Result<Vec<ShutdownGroup>, SettingsError> {
    let expected = "must be a list, each with its own priority, as in \
                    [{priority: 100000, shutdownGracePeriodSeconds: 10}]";
    let group = |item: &serde_json::Value| {
        let priority = i32::try_from(item.get("priority")?.as_i64()?).ok()?;
        let seconds = item.get("shutdownGracePeriodSeconds")?.as_u64()?;
        let known = item.as_object()?.len() == 2;
        known.then_some(ShutdownGroup { priority, period: Duration::from_secs(seconds) })
    };
    let groups: Option<Vec<ShutdownGroup>> = value.as_array().and_then(|list| list.iter().map(group).collect());
    let mut groups = groups.ok_or_else(|| refuse(place, expected))?;
    let count = groups.len();
    groups.sort_by_key(|group| group.priority);
    groups.dedup_by_key(|group| group.priority);
    if groups.len() == count { Ok(groups) } else { Err(refuse(place, expected)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options { pod_manifest_path: Some("/m".into()), ..Options::default() }
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let text = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nstaticPodPath: /file\n\
                    fileCheckFrequency: 5s\nsyncFrequency: 1m30s\nmaxPods: 7\nauthentication: {}\n";
        let config = Some((Path::new("/c.yaml"), text));
        let (settings, notices) = settle(&options(), config, "Node1").unwrap();
        assert_eq!(settings.pod_manifest_path, Path::new("/m"));
        assert_eq!(settings.file_check_frequency, Duration::from_secs(5));
        assert_eq!(settings.sync_frequency, Duration::from_secs(90));
        assert_eq!(settings.max_pods, 7);
        assert_eq!(settings.node_name, "node1");
        assert_eq!(notices, ["/c.yaml: authentication is not a field this program honours; it is ignored"]);
        let flags = Options { max_pods: Some(9), ..Options::default() };
        let (settings, _) = settle(&flags, config, "n").unwrap();
        assert_eq!((settings.max_pods, settings.pod_manifest_path.as_path()), (9, Path::new("/file")));
    }

    #[test]
    fn what_is_in_a_field_is_looked_at_too() {
        let settled = |text: &str| {
            let settled = settle(&options(), Some((Path::new("/c.yaml"), text)), "n");
            settled.map(|(s, notices)| (s.max_container_restart_period.as_secs(), notices)).map_err(|e| e.to_string())
        };
        let misspelt = "/c.yaml: crashLoopBackOff.maxContainerRestartPeriode is not a field this program honours; it is \
                        ignored";
        let limits = "/c.yaml: crashLoopBackOff.maxContainerRestartPeriod: must be between 1s and 300s";
        for (text, expected) in [
            ("crashLoopBackOff: {maxContainerRestartPeriod: 20s}", Ok((20, vec![]))),
            ("crashLoopBackOff: {maxContainerRestartPeriode: 20s}", Ok((300, vec![misspelt.to_owned()]))),
            ("crashLoopBackOff: {maxContainerRestartPeriod: 301s}", Err(limits.to_owned())),
            ("crashLoopBackOff: 20s", Err("/c.yaml: crashLoopBackOff: must be an object".to_owned())),
            ("crashLoopBackOff:\nmaxPods: null", Ok((300, vec![]))),
        ] {
            assert_eq!(settled(text), expected, "{text}");
        }
    }

    #[test]
    fn limits_of_what_pods_may_do() {
        let text = "podPidsLimit: 100\nallowedUnsafeSysctls: [net.core.*, kernel.sem]\n";
        let (settings, notices) = settle(&options(), Some((Path::new("/c.yaml"), text)), "n").unwrap();
        assert_eq!((settings.pod_max_pids, notices), (Some(100), vec![]));
        assert!(settings.allowed_unsafe_sysctls.allow("net.core.somaxconn"));
        let flags = Options { pod_max_pids: Some(-1), allowed_unsafe_sysctls: Some(String::new()), ..options() };
        let (settings, _) = settle(&flags, Some((Path::new("/c.yaml"), text)), "n").unwrap();
        assert_eq!((settings.pod_max_pids, settings.allowed_unsafe_sysctls), (None, Sysctls::default()));
    }

    #[test]
    fn links_to_logs_stay_with_another_root_directory() {
        let settled = |root: Option<&str>, flag: Option<&str>, text: &str| {
            let flag = flag.map(str::to_owned);
            let options = Options { root_dir: root.map(Into::into), pod_logs_dir: flag, ..options() };
            settle(&options, Some((Path::new("/c.yaml"), text)), "n").unwrap().0.pod_logs_dir
        };
        let at = |path: &str| Some(PathBuf::from(path));
        assert_eq!(settled(None, None, ""), at("/var/log/pods"));
        assert_eq!(settled(None, None, "podLogsDir: /logs"), at("/logs"));
        assert_eq!(settled(Some("/tmp/x"), None, ""), at("/tmp/x/logs/pods"));
        assert_eq!(settled(Some("/tmp/x"), Some("/var/log/pods"), "podLogsDir: /logs"), at("/var/log/pods"));
        assert_eq!(settled(None, Some(""), "podLogsDir: /logs"), None);
    }

    #[test]
    fn the_resolver_of_the_node() {
        let settled = |flag: Option<&str>, text: &str| {
            let options = Options { resolv_conf: flag.map(str::to_owned), ..options() };
            settle(&options, Some((Path::new("/c.yaml"), text)), "n").unwrap().0.resolv_conf
        };
        let file = "resolvConf: /run/systemd/resolve/resolv.conf";
        assert_eq!(settled(None, ""), Path::new("/etc/resolv.conf"));
        assert_eq!(settled(None, file), Path::new("/run/systemd/resolve/resolv.conf"));
        assert_eq!(settled(Some("/pods.conf"), file), Path::new("/pods.conf"));
        assert_eq!(settled(Some(""), file), Path::new(""));
    }

    #[test]
    fn a_shutdown_has_two_periods_or_one_for_each_range_of_priorities() {
        let seconds = Duration::from_secs;
        let settled = |options: &Options, text: &str| {
            let config = Some((Path::new("/c.yaml"), text));
            settle(options, config, "n").map(|(settings, _)| settings.shutdown).map_err(|error| error.to_string())
        };
        let none = options();
        let flags = Options { shutdown_grace_period: Some(seconds(40)), ..options() };
        let two = "shutdownGracePeriod: 30s\nshutdownGracePeriodCriticalPods: 10s";
        let list = "shutdownGracePeriodByPodPriority: [{priority: 5, shutdownGracePeriodSeconds: 7}]";
        let group = ShutdownGroup { priority: 5, period: seconds(7) };
        assert!(!settled(&none, "").unwrap().is_enabled());
        assert_eq!(settled(&none, two), Ok(ShutdownPolicy::from_periods(seconds(30), seconds(10))));
        assert_eq!(settled(&flags, two), Ok(ShutdownPolicy::from_periods(seconds(40), seconds(10))));
        assert_eq!(settled(&none, list), Ok(ShutdownPolicy::from_groups([group])));
        for (options, text, expected) in [
            (&none, "shutdownGracePeriod: 500ms", "--shutdown-grace-period: must be 0s, or 1s or longer"),
            (
                &none,
                "shutdownGracePeriodCriticalPods: 1s",
                "--shutdown-grace-period-critical-pods: can not be longer than --shutdown-grace-period, which it is a \
                 part of",
            ),
            (
                &flags,
                list,
                "shutdownGracePeriodByPodPriority: can not be used together with --shutdown-grace-period or \
                 --shutdown-grace-period-critical-pods: give the one or the other",
            ),
            (
                &none,
                "shutdownGracePeriodByPodPriority: [{priority: 5}]",
                "/c.yaml: shutdownGracePeriodByPodPriority: must be a list, each with its own priority, as in \
                 [{priority: 100000, shutdownGracePeriodSeconds: 10}]",
            ),
        ] {
            assert_eq!(settled(options, text).unwrap_err(), expected);
        }
    }

    #[test]
    fn what_can_not_be_used_is_refused_with_its_place() {
        let cases: [(Options, Option<&str>, &str, &str); 9] = [
            (
                Options::default(),
                None,
                "n",
                "--pod-manifest-path: is not given: name the directory of pod manifests, as in --pod-manifest-path=/etc/kubernetes/manifests",
            ),
            (
                Options { docker_endpoint: Some("tcp://x:1".into()), ..options() },
                None,
                "n",
                "--docker-endpoint: \"tcp://x:1\" is not a unix socket, as in unix:///var/run/docker.sock",
            ),
            (
                options(),
                None,
                "my_host",
                "--hostname-override: \"my_host\" can not be a node name: use lower-case letters, digits, '-' and '.', at most 253 characters",
            ),
            (
                Options { sync_frequency: Some(Duration::ZERO), ..options() },
                None,
                "n",
                "--sync-frequency: must be longer than zero, as in 20s",
            ),
            (
                Options { allowed_unsafe_sysctls: Some("net.core.*,vm.swappiness".into()), ..options() },
                None,
                "n",
                "--allowed-unsafe-sysctls: \"vm.swappiness\" is no sysctl of a pod: write names, or beginnings of names with a '*' behind, that begin with kernel.shm, kernel.msg, kernel.sem, fs.mqueue. or net., as in net.core.somaxconn,kernel.msg*",
            ),
            (
                Options { pod_max_pids: Some(0), ..options() },
                None,
                "n",
                "--pod-max-pids: must be a number of processes, or -1 for no limit",
            ),
            (
                Options { network: Some("host".into()), ..options() },
                None,
                "n",
                "--network: \"host\" gives pods no address of their own; a pod asks for that with hostNetwork: true",
            ),
            (options(), Some("fileCheckFrequency: 20"), "n", "/c.yaml: fileCheckFrequency: must be a string"),
            (options(), Some("kind: Pod"), "n", "/c.yaml: kind: must be KubeletConfiguration"),
        ];
        for (options, config, host, expected) in cases {
            let config = config.map(|text| (Path::new("/c.yaml"), text));
            let error = settle(&options, config, host).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
