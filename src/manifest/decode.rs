//! JSON values → the API's own types.
//!
//! The only place where a `Pod` is deserialised, so that its large generated code exists once in the
//! program: manifests and labels both come through here.

use k8s_openapi::api::core::v1 as api;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why a value is not the object it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct DecodeError {
    /// Field path in Kubernetes notation; `.` for the object itself.
    pub field: String,
    /// What is wrong there.
    pub message: String,
}

/// A `v1` Pod from its JSON form. Unknown fields are passed over: manifests are checked for them
/// beforehand, and labels may come from a later version of the API.
pub fn decode_pod(value: &Value) -> Result<api::Pod, DecodeError> {
    decode(value)
}

/// Any object of the API from its JSON form.
pub(super) fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, DecodeError> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| DecodeError { field: error.path().to_string(), message: error.inner().to_string() })
}
