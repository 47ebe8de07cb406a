//! Errors as `v1` Status objects. Pure.

use hyper::StatusCode;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Status, StatusDetails};

/// Why a request gets no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: StatusCode,
    reason: &'static str,
    message: String,
    /// Kind and name of what was asked for.
    details: Option<(&'static str, String)>,
}

impl Refusal {
    pub(super) fn not_found(kind: &'static str, name: &str) -> Self {
        Self {
            code: StatusCode::NOT_FOUND,
            reason: "NotFound",
            message: format!("{kind} {name:?} not found"),
            details: Some((kind, name.to_owned())),
        }
    }

    pub(super) fn unknown_path() -> Self {
        Self {
            code: StatusCode::NOT_FOUND,
            reason: "NotFound",
            message: "the server could not find the requested resource".into(),
            details: None,
        }
    }

    pub(super) fn wrong_verb() -> Self {
        Self {
            code: StatusCode::METHOD_NOT_ALLOWED,
            reason: "MethodNotAllowed",
            message: "the server does not allow this method on the requested resource".into(),
            details: None,
        }
    }

    pub(super) fn bad_request(message: String) -> Self {
        Self { code: StatusCode::BAD_REQUEST, reason: "BadRequest", message, details: None }
    }

    pub(super) fn too_many(message: &str) -> Self {
        Self {
            code: StatusCode::TOO_MANY_REQUESTS,
            reason: "TooManyRequests",
            message: message.to_owned(),
            details: None,
        }
    }

    pub(super) fn internal(message: String) -> Self {
        Self { code: StatusCode::INTERNAL_SERVER_ERROR, reason: "InternalError", message, details: None }
    }

    /// The Status object.
    pub(super) fn to_status(&self) -> Status {
        Status {
            status: Some("Failure".into()),
            message: Some(self.message.clone()),
            reason: Some(self.reason.into()),
            code: Some(i32::from(self.code.as_u16())),
            details: self.details.clone().map(|(kind, name)| StatusDetails {
                kind: Some(kind.into()),
                name: Some(name),
                ..StatusDetails::default()
            }),
            ..Status::default()
        }
    }
}
