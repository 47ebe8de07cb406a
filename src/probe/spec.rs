//! Probes and hooks as the manifest says them, with everything resolved that the manifest resolves:
//! named ports, `$(VAR)`, defaults. Pure.

use crate::{
    convert::expand,
    pod::{Container, ProbeKind, defaults},
};
use k8s_openapi::{api::core::v1 as api, apimachinery::pkg::util::intstr::IntOrString};
use std::time::Duration;

/// One probe of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Which question.
    pub kind: ProbeKind,
    /// How it is asked. An unusable one makes every asking an error, which counts for nothing.
    pub handler: Result<Handler, InvalidHandler>,
    /// `initialDelaySeconds`, from the container's start.
    pub initial_delay: Duration,
    /// `periodSeconds`, at least one second.
    pub period: Duration,
    /// `timeoutSeconds`, at least one second; over the whole exchange.
    pub timeout: Duration,
    /// `successThreshold`, at least 1.
    pub success_threshold: u32,
    /// `failureThreshold`, at least 1.
    pub failure_threshold: u32,
    /// The probe's own `terminationGracePeriodSeconds`, else the pod's counts.
    pub grace: Option<Duration>,
}

/// How a container is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handler {
    /// Run this in the container; exit code 0 passes.
    Exec {
        /// Program and arguments; no shell.
        command: Vec<String>,
    },
    /// Fetch this; 200 to 399 passes.
    HttpGet(HttpGet),
    /// Connect; that is all.
    TcpSocket {
        /// Instead of the pod's address.
        host: Option<String>,
        /// TCP port.
        port: u16,
    },
    /// `grpc.health.v1.Health/Check`; SERVING passes.
    Grpc {
        /// TCP port at the pod's address.
        port: u16,
        /// `service` of the request, empty for the server as a whole.
        service: String,
    },
}

/// An HTTP request to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpGet {
    /// HTTP or HTTPS.
    pub scheme: Scheme,
    /// Instead of the pod's address.
    pub host: Option<String>,
    /// TCP port.
    pub port: u16,
    /// Path, perhaps with a query.
    pub path: String,
    /// Headers in their order, repeated ones too.
    pub headers: Vec<(String, String)>,
}

/// `scheme` of an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In plain.
    Http,
    /// Over TLS, whoever answers.
    Https,
}

/// What a lifecycle hook does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Run this in the container; exit code 0 succeeds. No `$(VAR)` is expanded.
    Exec {
        /// Program and arguments; no shell.
        command: Vec<String>,
    },
    /// Fetch this; any HTTP answer succeeds.
    HttpGet(HttpGet),
    /// Wait.
    Sleep(Duration),
}

/// A handler that can not be run as it is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHandler {
    /// The container has no port of this name.
    #[error("the container has no port named {0:?}")]
    UnknownPort(String),
    /// No TCP port number.
    #[error("{0} is not a port: 1 to 65535 are")]
    PortOutOfRange(i64),
    /// No handler, or one that is not for this.
    #[error("{0}")]
    Unsupported(&'static str),
}

impl Probe {
    /// The probe of this kind, if the container has one.
    pub fn resolve(kind: ProbeKind, container: &Container) -> Option<Self> {
        let api = &container.api;
        let written = match kind {
            ProbeKind::Startup => api.startup_probe.as_ref(),
            ProbeKind::Liveness => api.liveness_probe.as_ref(),
            ProbeKind::Readiness => api.readiness_probe.as_ref(),
        }?;
        let grace = written.termination_grace_period_seconds.map(|s| Duration::from_secs(s.try_into().unwrap_or(0)));
        Some(Self {
            kind,
            handler: handler(written, api),
            initial_delay: seconds(written.initial_delay_seconds, 0),
            period: seconds(written.period_seconds, defaults::PROBE_PERIOD_SECONDS),
            timeout: seconds(written.timeout_seconds, defaults::PROBE_TIMEOUT_SECONDS),
            success_threshold: count(written.success_threshold, defaults::PROBE_SUCCESS_THRESHOLD),
            failure_threshold: count(written.failure_threshold, defaults::PROBE_FAILURE_THRESHOLD),
            grace,
        })
    }
}

impl Hook {
    /// A hook as written. Nothing of it is expanded; ports are resolved.
    pub fn resolve(written: &api::LifecycleHandler, container: &Container) -> Result<Self, InvalidHandler> {
        if let Some(exec) = &written.exec {
            return Ok(Self::Exec { command: exec.command.clone().unwrap_or_default() });
        }
        if let Some(http) = &written.http_get {
            return Ok(Self::HttpGet(http_get(http, &container.api)?));
        }
        if let Some(sleep) = &written.sleep {
            return Ok(Self::Sleep(Duration::from_secs(sleep.seconds.try_into().unwrap_or(0))));
        }
        Err(InvalidHandler::Unsupported("a lifecycle hook is one of exec, httpGet and sleep"))
    }
}

/// A written 0 of what can not be 0 is the default, as the API has it.
fn seconds(written: Option<i32>, default: i32) -> Duration {
    Duration::from_secs(count(written, default).into())
}

fn count(written: Option<i32>, default: i32) -> u32 {
    let given = written.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
    given.unwrap_or(default.unsigned_abs())
}

fn handler(probe: &api::Probe, container: &api::Container) -> Result<Handler, InvalidHandler> {
    if let Some(exec) = &probe.exec {
        let lookup = |name: &str| {
            let last = container.env.iter().flatten().rev().find(|env| env.name == name)?;
            // What comes from elsewhere is not looked up for a probe; its reference stays as written.
            last.value_from.is_none().then(|| last.value.as_deref().unwrap_or(""))
        };
        let command = exec.command.iter().flatten().map(|word| expand(word, lookup)).collect();
        return Ok(Handler::Exec { command });
    }
    if let Some(http) = &probe.http_get {
        return Ok(Handler::HttpGet(http_get(http, container)?));
    }
    if let Some(tcp) = &probe.tcp_socket {
        return Ok(Handler::TcpSocket { host: host(tcp.host.as_deref()), port: port(&tcp.port, container)? });
    }
    if let Some(grpc) = &probe.grpc {
        let service = grpc.service.clone().unwrap_or_default();
        return Ok(Handler::Grpc { port: number(grpc.port.into())?, service });
    }
    Err(InvalidHandler::Unsupported("a probe is one of exec, httpGet, tcpSocket and grpc"))
}

fn http_get(http: &api::HTTPGetAction, container: &api::Container) -> Result<HttpGet, InvalidHandler> {
    let headers = http.http_headers.iter().flatten().map(|h| (h.name.clone(), h.value.clone()));
    Ok(HttpGet {
        scheme: if http.scheme.as_deref() == Some("HTTPS") { Scheme::Https } else { Scheme::Http },
        host: host(http.host.as_deref()),
        port: port(&http.port, container)?,
        path: http.path.clone().unwrap_or_default(),
        headers: headers.collect(),
    })
}

fn host(written: Option<&str>) -> Option<String> {
    written.filter(|h| !h.is_empty()).map(str::to_owned)
}

/// A number, the name of a port of this container, or a number written as text.
fn port(written: &IntOrString, container: &api::Container) -> Result<u16, InvalidHandler> {
    let name = match written {
        IntOrString::Int(n) => return number((*n).into()),
        IntOrString::String(name) => name,
    };
    let named = container.ports.iter().flatten().find(|port| port.name.as_ref() == Some(name));
    match (named, name.parse()) {
        (Some(port), _) => number(port.container_port.into()),
        (None, Ok(n)) => number(n),
        (None, Err(_)) => Err(InvalidHandler::UnknownPort(name.clone())),
    }
}

fn number(written: i64) -> Result<u16, InvalidHandler> {
    u16::try_from(written).ok().filter(|n| *n > 0).ok_or(InvalidHandler::PortOutOfRange(written))
}

#[cfg(test)]
mod tests;
