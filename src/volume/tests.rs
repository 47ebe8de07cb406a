//! In temporary directories.
