//! The status API: a read-only part of the Kubernetes API on a Unix socket for root.
//!
//! Owns the socket, what a request asks for ([`route`](mod@route), pure), and the answers, which are made
//! when somebody asks, from what the workers have published, and told again when they change to those
//! who watch ([`watch`](mod@watch)). No object is kept as JSON. It changes nothing and is in nobody's way: without it the pods run as well.

mod answer;
pub mod client;
mod messages;
mod refusal;
mod route;
mod selector;
mod server;
mod socket;
mod watch;

pub use answer::ApiState;
pub use route::MANIFESTS;
pub use server::{ApiServer, BindError};
pub use socket::places;

#[cfg(test)]
pub(crate) mod tests;
