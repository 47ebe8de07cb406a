//! Stories of one node: the real daemon on a real Docker Engine, each with an engine of its own.
//!
//! What is claimed here is what an operator would see: which containers run, which kept their ids,
//! what is left. Every wait is for a value.

// Stories and their helpers are not themselves test functions, where these would be allowed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alone;
mod asked;
mod by_hand;
mod claims;
mod corpus;
mod crash;
mod ending;
mod engine_away;
mod engine_lacks;
mod examples;
mod fields;
mod from_image;
mod image_volumes;
mod inside;
mod left_behind;
mod life;
mod moments;
mod network;
mod node;
mod objects;
mod ports;
mod propagation;
mod pulls;
mod secrets;
mod shutdown;
mod signals;
mod status;
mod stories;
#[path = "../support/mod.rs"]
mod support;
mod workloads;
