//! HTTP requests of probes and hooks: URL, headers, redirects. Pure.

use super::{HttpGet, Scheme};
use hyper::{
    HeaderMap,
    header::{self, HeaderName, HeaderValue},
};
use std::net::IpAddr;
use url::Url;

/// How often a redirect is followed.
pub const REDIRECTS: usize = 10;
/// The release whose behaviour this follows.
const KUBERNETES: &str = "1.36";

/// Who asks: it shows in `User-Agent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `kube-probe/…`
    Probe,
    /// `kube-lifecycle/…`
    Hook,
}

/// One request on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Where to connect and what to ask for.
    pub url: Url,
    /// Value of `Host`, or `:authority`.
    pub host: String,
    /// All other headers.
    pub headers: HeaderMap,
}

/// Why a request can not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is no address to connect to.
    #[error("the pod has no address")]
    NoAddress,
    /// It is not a URL.
    #[error("{url:?} is not a URL: {message}")]
    Url {
        /// What it would be.
        url: String,
        /// What is wrong with it.
        message: String,
    },
    /// A header that HTTP does not allow.
    #[error("{0:?} can not be sent as an HTTP header")]
    Header(String),
}

/// `host:port`, with brackets around an IPv6 address.
pub fn authority(host: &str, port: u16) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.contains(':') { format!("[{bare}]:{port}") } else { format!("{bare}:{port}") }
}

impl Request {
    /// The first request of a handler.
    pub fn new(get: &HttpGet, address: Option<IpAddr>, client: Client) -> Result<Self, RequestError> {
        let host = get.host.clone().or(address.map(|a| a.to_string())).ok_or(RequestError::NoAddress)?;
        let scheme = match get.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let authority = authority(&host, get.port);
        let base = format!("{scheme}://{authority}");
        let mut url = Url::parse(&base).map_err(|error| RequestError::Url { url: base, message: error.to_string() })?;
        let without_fragment = get.path.split('#').next().unwrap_or_default();
        let (path, query) = match without_fragment.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (without_fragment, None),
        };
        url.set_path(path);
        url.set_query(query);
        let mut request = Self { url, host: authority, headers: HeaderMap::new() };
        request.add_headers(get, client)?;
        Ok(request)
    }

    fn add_headers(&mut self, get: &HttpGet, client: Client) -> Result<(), RequestError> {
        for (name, value) in &get.headers {
            let refused = || RequestError::Header(format!("{name}: {value}"));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
            let value = HeaderValue::from_str(value).map_err(|_| refused())?;
            if name == header::HOST {
                self.host = value.to_str().map_err(|_| refused())?.to_owned();
            } else {
                self.headers.append(name, value);
            }
        }
        let agent = match client {
            Client::Probe => format!("kube-probe/{KUBERNETES}"),
            Client::Hook => format!("kube-lifecycle/{KUBERNETES}"),
        };
        for (name, default) in [(header::USER_AGENT, agent.as_str()), (header::ACCEPT, "*/*")] {
            let given = self.headers.get(&name).map(HeaderValue::is_empty);
            match given {
                None => {
                    let value = HeaderValue::from_str(default).map_err(|_| RequestError::Header(default.to_owned()))?;
                    self.headers.insert(name, value);
                }
                // Given empty: not sent at all.
                Some(true) => {
                    self.headers.remove(&name);
                }
                Some(false) => {}
            }
        }
        Ok(())
    }

    /// The same in plain HTTP, without what only a TLS peer may see.
    pub fn in_plain(&self) -> Option<Self> {
        let port = self.port();
        let mut plain = self.clone();
        plain.url.set_scheme("http").ok()?;
        plain.url.set_port(Some(port)).ok()?;
        plain.headers.remove(header::AUTHORIZATION);
        Some(plain)
    }

    /// The host to connect to, without brackets.
    pub fn dial_host(&self) -> &str {
        let host = self.url.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(80)
    }

    /// Whether it goes over TLS.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Path and query as they are asked for.
    pub fn target(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }

    /// What an answer with this status and `Location` means for going on.
    pub fn redirected(&self, status: u16, location: Option<&str>) -> Redirect {
        let (301 | 302 | 303 | 307 | 308, Some(location)) = (status, location.filter(|l| !l.is_empty())) else {
            return Redirect::None;
        };
        let Ok(url) = self.url.join(location) else { return Redirect::Unreadable(location.to_owned()) };
        if !matches!(url.scheme(), "http" | "https") {
            return Redirect::Unreadable(location.to_owned());
        }
        if url.host_str() != self.url.host_str() {
            return Redirect::Elsewhere;
        }
        // A relative location stays with the virtual host that was asked.
        let is_relative = Url::parse(location).is_err() && !location.starts_with("//");
        let host = match (is_relative, url.host_str()) {
            (false, Some(host)) => url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            _ => self.host.clone(),
        };
        Redirect::Follow(Box::new(Self { url, host, headers: self.headers.clone() }))
    }
}

/// What to do with an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Redirect {
    /// It is the last one.
    None,
    /// Ask this next.
    Follow(Box<Request>),
    /// It points to another host, which is not asked.
    Elsewhere,
    /// It points nowhere.
    Unreadable(String),
}

#[cfg(test)]
mod tests;
