//! The `kubelet-lite` binary.

fn main() {}
