//! What a registry is told about who pulls.

use bollard::auth::DockerCredentials;
use std::fmt;

/// A user of a registry (`X-Registry-Auth`). No format shows more than that there is one.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RegistryAuth {
    /// User name; empty for none.
    pub username: String,
    /// Password, or a token that stands for one.
    pub password: String,
    /// Token of an identity provider, which Docker prefers to the password.
    pub identity_token: Option<String>,
}

impl fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl From<&RegistryAuth> for DockerCredentials {
    fn from(auth: &RegistryAuth) -> Self {
        Self {
            username: Some(auth.username.clone()),
            password: Some(auth.password.clone()),
            identitytoken: auth.identity_token.clone(),
            ..Self::default()
        }
    }
}
