//! Handlers of probes and hooks against real containers, from the host.

// Helpers are not themselves test functions, where these would be allowed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod commands;
mod interop;
mod network;
mod stage;
#[path = "../support/mod.rs"]
mod support;
