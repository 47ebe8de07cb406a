//! Containers of the fake: what each verb does to them.

use super::{
    behaviour::{Behaviour, Launch, StartOutcome},
    fault::Verb,
    image::File,
    world::{Due, What, World, conflict, not_found, refused},
};
use crate::engine::{
    ContainerCreateBody, ContainerDetails, ContainerSummary, EngineAction, EngineError, EngineState, ImageDetails,
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

type Result<T> = std::result::Result<T, EngineError>;

/// A port on the host: protocol, address (empty for all), number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostPort {
    pub protocol: String,
    pub ip: String,
    pub port: u16,
}

impl HostPort {
    fn clashes(&self, other: &Self) -> bool {
        let any = |ip: &str| ip.is_empty() || ip == "0.0.0.0";
        self.protocol == other.protocol
            && self.port == other.port
            && (any(&self.ip) || any(&other.ip) || self.ip == other.ip)
    }
}

pub(super) struct Container {
    pub id: String,
    pub name: String,
    pub labels: Arc<BTreeMap<String, String>>,
    pub body: Arc<ContainerCreateBody>,
    pub image: ImageDetails,
    pub state: EngineState,
    pub exit_code: i64,
    pub oom_killed: bool,
    pub error: String,
    pub created_at: jiff::Timestamp,
    pub started_at: Option<jiff::Timestamp>,
    pub finished_at: Option<jiff::Timestamp>,
    pub ip: Option<Ipv4Addr>,
    /// Counts starts; timers of an earlier run do not concern a later one.
    pub run: u32,
    /// When the grace of the stops under way ends, at the earliest.
    kill_at: Option<Instant>,
    behaviour: Behaviour,
    /// What all its runs have printed.
    log: Vec<u8>,
    signalled: bool,
    /// An exit that came due while it was paused.
    held_exit: Option<(i64, bool)>,
    /// Those who wait for its end. Dropped when the engine goes down.
    pub waiters: Vec<oneshot::Sender<()>>,
}

impl Container {
    pub fn is_live(&self) -> bool {
        matches!(self.state, EngineState::Running | EngineState::Paused)
    }

    /// The engine went down, and with it the timers and callers of stops under way.
    pub fn forget_stops(&mut self) {
        self.waiters.clear();
        self.kill_at = None;
    }

    /// Exit code when the engine itself stops it, as it does on its own end without live-restore:
    /// stop signal, `StopTimeout` (ten seconds if not given), SIGKILL.
    pub fn code_of_engine_stop(&self) -> i64 {
        let timeout = Duration::from_secs(self.body.stop_timeout.and_then(|t| t.try_into().ok()).unwrap_or(10));
        self.behaviour.on_stop_signal.filter(|(_, after)| *after <= timeout).map_or(137, |(code, _)| code)
    }

    fn network_mode(&self) -> &str {
        self.body.host_config.as_ref().and_then(|h| h.network_mode.as_deref()).unwrap_or("default")
    }

    fn host_ports(&self) -> Vec<HostPort> {
        let bindings = self.body.host_config.as_ref().and_then(|h| h.port_bindings.as_ref());
        let mut ports = Vec::new();
        for (inner, outer) in bindings.into_iter().flatten() {
            let protocol = inner.split_once('/').map_or("tcp", |(_, p)| p);
            for binding in outer.iter().flatten() {
                let port = binding.host_port.as_deref().and_then(|p| p.parse().ok()).unwrap_or(0);
                let ip = binding.host_ip.clone().unwrap_or_default();
                ports.push(HostPort { protocol: protocol.to_owned(), ip, port });
            }
        }
        ports.sort_by(|a, b| (&a.protocol, a.port, &a.ip).cmp(&(&b.protocol, b.port, &b.ip)));
        ports
    }

    pub fn summary(&self) -> ContainerSummary {
        ContainerSummary {
            id: self.id.clone(),
            name: self.name.clone(),
            labels: (*self.labels).clone(),
            state: self.state,
            network_mode: self.network_mode().to_owned(),
            ips: self.ips(),
        }
    }

    fn ips(&self) -> Vec<IpAddr> {
        self.ip.map(IpAddr::V4).into_iter().collect()
    }

    pub fn details(&self, number: u64) -> ContainerDetails {
        ContainerDetails {
            id: self.id.clone(),
            name: self.name.clone(),
            labels: (*self.labels).clone(),
            state: self.state,
            exit_code: self.exit_code,
            oom_killed: self.oom_killed,
            error: self.error.clone(),
            created_at: Some(self.created_at),
            started_at: self.started_at,
            finished_at: self.finished_at,
            ips: self.ips(),
            image_id: self.image.id.clone(),
            pid: if self.is_live() { 1000 + i64::try_from(number).unwrap_or(0) } else { 0 },
            network_mode: self.network_mode().to_owned(),
            user: self.body.user.clone().unwrap_or_default(),
            oom_score_adj: self.body.host_config.as_ref().and_then(|h| h.oom_score_adj).unwrap_or_default(),
            resolv_conf_path: match self.run {
                0 => String::new(),
                _ => format!("/var/lib/docker/containers/{}/resolv.conf", self.id),
            },
            log_path: match self.run {
                0 => String::new(),
                _ => format!("/var/lib/docker/containers/{0}/{0}-json.log", self.id),
            },
            // The world knows them.
            execs: Vec::new(),
        }
    }
}

/// The id of the container with this number: 64 hex digits, the first twelve of which differ.
fn container_id(number: u64) -> String {
    format!("{number:012x}{:052x}", 0xfa4e)
}

/// How a stop goes on once it is asked.
pub(super) enum Stopping {
    Ended,
    Waits(oneshot::Receiver<()>),
}

impl World {
    /// A container by id or name.
    pub fn find(&self, id: &str) -> std::result::Result<&Container, String> {
        let number = self.number(id).ok_or_else(|| format!("No such container: {id}"))?;
        self.containers.get(&number).ok_or_else(|| format!("No such container: {id}"))
    }

    fn number(&self, id: &str) -> Option<u64> {
        let by_id = || {
            let number = u64::from_str_radix(id.get(..12)?, 16).ok()?;
            self.containers.get(&number).filter(|c| c.id == id).map(|_| number)
        };
        by_id().or_else(|| self.names.get(id).copied())
    }

    fn get(&mut self, verb: Verb, id: &str) -> Result<(u64, &mut Container)> {
        let number = self.number(id);
        let missing = || not_found(verb, id, format!("No such container: {id}"));
        let number = number.ok_or_else(missing)?;
        Ok((number, self.containers.get_mut(&number).ok_or_else(missing)?))
    }

    pub fn list(&self, key: &str, value: &str) -> Vec<ContainerSummary> {
        let wanted = |c: &&Container| c.labels.get(key).is_some_and(|v| v == value);
        self.containers.values().rev().filter(wanted).map(Container::summary).collect()
    }

    pub fn inspect(&self, id: &str) -> Result<ContainerDetails> {
        let missing = || not_found(Verb::Inspect, id, format!("No such container: {id}"));
        let number = self.number(id).ok_or_else(missing)?;
        let details = self.containers.get(&number).map(|c| c.details(number)).ok_or_else(missing)?;
        Ok(ContainerDetails { execs: self.execs_of(number), ..details })
    }

    pub fn logs_tail(&mut self, id: &str, lines: u32, limit: usize) -> Result<Vec<u8>> {
        let (_, container) = self.get(Verb::LogsTail, id)?;
        let all: Vec<&[u8]> = container.log.split_inclusive(|byte| *byte == b'\n').collect();
        let skipped = all.len().saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX));
        let end = all[skipped..].concat();
        Ok(end[end.len().saturating_sub(limit)..].to_vec())
    }

    /// A file of the container's image: what its program wrote is not kept.
    pub fn copy_file(&self, id: &str, path: &str) -> Result<Vec<u8>> {
        let container = self.find(id).map_err(|message| not_found(Verb::CopyFile, id, message))?;
        match self.images.file(&container.image.id, path) {
            Some(File::Regular(content)) => Ok(content),
            Some(File::Other) => Err(refused(Verb::CopyFile, id, 400, format!("{path} is not a regular file"))),
            None => {
                let message = format!("Could not find the file {path} in container {id}");
                Err(not_found(Verb::CopyFile, id, message))
            }
        }
    }

    pub fn create(&mut self, name: &str, body: ContainerCreateBody) -> Result<String> {
        let reference = body.image.clone().unwrap_or_default();
        let Some(image) = self.images.find(&reference) else {
            return Err(not_found(Verb::Create, name, format!("No such image: {reference}")));
        };
        let image = image.clone();
        if let Some(other) = self.names.get(name) {
            let other = container_id(*other);
            let message =
                format!("Conflict. The container name \"/{name}\" is already in use by container \"{other}\".");
            return Err(conflict(Verb::Create, name, message));
        }
        let host = body.host_config.as_ref();
        for mode in [host.and_then(|h| h.ipc_mode.as_deref()), host.and_then(|h| h.pid_mode.as_deref())] {
            // A network is looked up at the start only.
            if let Some(Err(message)) = mode.and_then(|m| m.strip_prefix("container:")).map(|other| self.find(other)) {
                return Err(refused(Verb::Create, name, 400, message));
            }
        }
        self.made_containers += 1;
        let number = self.made_containers;
        let labels = body.labels.iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        let container = Container {
            id: container_id(number),
            name: name.to_owned(),
            labels: Arc::new(labels),
            body: Arc::new(body),
            image,
            state: EngineState::Created,
            exit_code: 0,
            oom_killed: false,
            error: String::new(),
            created_at: self.wall_now(),
            started_at: None,
            finished_at: None,
            ip: None,
            run: 0,
            kill_at: None,
            behaviour: Behaviour::runs(),
            log: Vec::new(),
            signalled: false,
            held_exit: None,
            waiters: Vec::new(),
        };
        let id = container.id.clone();
        self.containers.insert(number, container);
        self.names.insert(name.to_owned(), number);
        self.note(number, What::Created);
        self.emit(number, EngineAction::Create);
        Ok(id)
    }

    pub fn start(&mut self, id: &str) -> Result<()> {
        let (number, container) = self.get(Verb::Start, id)?;
        match container.state {
            EngineState::Running => return Ok(()),
            EngineState::Paused => {
                let message = "cannot start a paused container, try unpause instead".to_owned();
                return Err(conflict(Verb::Start, id, message));
            }
            _ => {}
        }
        let (name, mode) = (container.name.clone(), container.network_mode().to_owned());
        let (labels, body, runs) = (Arc::clone(&container.labels), Arc::clone(&container.body), container.run);
        let wanted = container.host_ports();
        if let Err(error) = self.check_network(number, &name, &mode, &wanted) {
            return Err(self.fail_start(number, 128, error));
        }
        let behaviour = (self.rule)(&Launch::new(&name, &labels, &body, runs));
        if let StartOutcome::Fails { status, exit_code, message } = &behaviour.start {
            let error = refused(Verb::Start, &name, *status, message.clone());
            return Err(self.fail_start(number, *exit_code, error));
        }
        let wall = self.wall_now();
        let Some(container) = self.containers.get_mut(&number) else { return Ok(()) };
        container.run += 1;
        container.state = EngineState::Running;
        (container.exit_code, container.oom_killed) = (0, false);
        container.error.clear();
        container.started_at = Some(wall);
        (container.kill_at, container.signalled, container.held_exit) = (None, false, None);
        let octets = [((number >> 8) & 0xff) as u8, (number & 0xff) as u8];
        container.ip =
            matches!(mode.as_str(), "" | "default" | "bridge").then(|| Ipv4Addr::new(172, 17, octets[0], octets[1]));
        let (run, end, oom) = (container.run, behaviour.end, behaviour.oom);
        container.log.extend_from_slice(&behaviour.prints);
        container.behaviour = behaviour;
        self.note(number, What::Started);
        self.emit(number, EngineAction::Start);
        if let Some((code, after)) = end {
            self.after(after, Due::Exit { container: number, run, code, oom });
        }
        Ok(())
    }

    fn check_network(&self, number: u64, name: &str, mode: &str, wanted: &[HostPort]) -> Result<()> {
        if let Some(other) = mode.strip_prefix("container:") {
            let joined = self.find(other).map_err(|message| not_found(Verb::Start, name, message))?;
            if !joined.is_live() {
                let message = format!("cannot join network of a non running container: {}", joined.id);
                return Err(conflict(Verb::Start, name, message));
            }
        }
        let others = self.containers.iter().filter(|(n, c)| **n != number && c.is_live());
        let bound: Vec<HostPort> = others.flat_map(|(_, c)| c.host_ports()).collect();
        for port in wanted.iter().filter(|p| p.port != 0) {
            let ip = if port.ip.is_empty() { "0.0.0.0" } else { &port.ip };
            let reason = if bound.iter().any(|b| b.clashes(port)) {
                format!("Bind for {ip}:{} failed: port is already allocated", port.port)
            } else if self.taken_ports.iter().any(|b| b.clashes(port)) {
                let (protocol, port) = (&port.protocol, port.port);
                format!("Error starting userland proxy: listen {protocol}4 {ip}:{port}: bind: address already in use")
            } else {
                continue;
            };
            let message = format!("driver failed programming external connectivity on endpoint {name}: {reason}");
            return Err(refused(Verb::Start, name, 500, message));
        }
        Ok(())
    }

    fn fail_start(&mut self, number: u64, exit_code: i64, error: EngineError) -> EngineError {
        let text = match &error {
            EngineError::Refused { message, .. }
            | EngineError::Conflict { message, .. }
            | EngineError::NotFound { message, .. } => message.clone(),
            other => other.to_string(),
        };
        if let Some(container) = self.containers.get_mut(&number) {
            container.exit_code = exit_code;
            container.error.clone_from(&text);
        }
        self.note(number, What::StartFailed(text));
        error
    }

    pub fn stop(&mut self, id: &str, grace: Duration) -> Result<Stopping> {
        let now = self.now;
        let (number, container) = self.get(Verb::Stop, id)?;
        if !container.is_live() {
            return Ok(Stopping::Ended);
        }
        let whole = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
        let (sender, receiver) = oneshot::channel();
        container.waiters.push(sender);
        let run = container.run;
        let deadline = now + Duration::from_secs(whole);
        let is_earlier = container.kill_at.is_none_or(|earlier| deadline < earlier);
        if is_earlier {
            container.kill_at = Some(deadline);
        }
        self.note(number, What::StopAsked(grace));
        self.stop_signal(number);
        if is_earlier {
            self.after(Duration::from_secs(whole), Due::Kill { container: number, run });
        }
        Ok(Stopping::Waits(receiver))
    }

    /// The stop signal arrives: an unpaused program reacts to the first of them.
    fn stop_signal(&mut self, number: u64) {
        self.unpause(number);
        let Some(container) = self.containers.get_mut(&number) else { return };
        if container.signalled || !container.is_live() {
            return;
        }
        container.signalled = true;
        if let Some((code, after)) = container.behaviour.on_stop_signal {
            let run = container.run;
            self.after(after, Due::Exit { container: number, run, code, oom: false });
        }
    }

    pub fn kill(&mut self, id: &str, signal: &str) -> Result<()> {
        let known = ["KILL", "TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "WINCH"];
        let bare = signal.strip_prefix("SIG").unwrap_or(signal);
        let (number, container) = self.get(Verb::Kill, id)?;
        if !known.contains(&bare) {
            return Err(refused(Verb::Kill, id, 400, format!("Invalid signal: {signal}")));
        }
        if !container.is_live() {
            return Ok(());
        }
        let body = Arc::clone(&container.body);
        let stop_signal = body.stop_signal.as_deref().or(container.image.stop_signal.as_deref()).unwrap_or("SIGTERM");
        let stops = stop_signal.strip_prefix("SIG").unwrap_or(stop_signal) == bare || bare == "TERM";
        self.note(number, What::Signalled(signal.to_owned()));
        if bare == "KILL" {
            self.finish(number, 137, false);
        } else if stops {
            self.stop_signal(number);
        }
        Ok(())
    }

    pub fn remove(&mut self, id: &str) {
        let Some(number) = self.number(id) else { return };
        if self.containers.get(&number).is_some_and(Container::is_live) {
            self.finish(number, 137, false);
        }
        self.note(number, What::Removed);
        self.emit(number, EngineAction::Destroy);
        if let Some(container) = self.containers.remove(&number) {
            self.names.remove(&container.name);
        }
    }

    /// The program of run `run` ends.
    pub fn exit(&mut self, number: u64, run: u32, code: i64, oom: bool) {
        let Some(container) = self.containers.get_mut(&number) else { return };
        if container.run != run || !container.is_live() {
            return;
        }
        if container.state == EngineState::Paused && code != 137 {
            container.held_exit = Some((code, oom));
            return;
        }
        self.finish(number, code, oom);
    }

    /// Ends a live container.
    pub fn finish(&mut self, number: u64, code: i64, oom: bool) {
        let wall = self.wall_now();
        let Some(container) = self.containers.get_mut(&number) else { return };
        container.state = EngineState::Exited;
        (container.exit_code, container.oom_killed) = (code, oom);
        container.finished_at = Some(wall);
        container.ip = None;
        for waiter in container.waiters.drain(..) {
            // Who asked may have gone away.
            let _ = waiter.send(());
        }
        self.end_execs_of(number);
        self.note(number, What::Died { code, oom });
        if oom {
            self.emit(number, EngineAction::Oom);
        }
        self.emit(number, EngineAction::Die);
    }

    pub fn pause(&mut self, number: u64) {
        if let Some(c) = self.containers.get_mut(&number).filter(|c| c.state == EngineState::Running) {
            c.state = EngineState::Paused;
            self.emit(number, EngineAction::Other);
        }
    }

    pub fn unpause(&mut self, number: u64) {
        let Some(c) = self.containers.get_mut(&number).filter(|c| c.state == EngineState::Paused) else { return };
        c.state = EngineState::Running;
        let held = c.held_exit.take();
        self.emit(number, EngineAction::Other);
        if let Some((code, oom)) = held {
            self.finish(number, code, oom);
        }
    }

    /// The number of a container by id or name, for what the operator does.
    pub fn number_of(&self, id: &str) -> Option<u64> {
        self.number(id)
    }
}
