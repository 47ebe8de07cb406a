//! Text → documents: YAML and JSON read into JSON values, with the place of everything kept.
//!
//! Knows nothing of Kubernetes' objects. Safe on any text of at most 10 MiB: every stage is bounded
//! in time and memory by the one before it.

pub mod json;
pub mod scalar;
pub mod second;
pub mod tree;
pub mod value;
pub mod yaml;
