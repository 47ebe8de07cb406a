//! One line in the log for each thing that happened to a file.

use super::ledger::News;
use crate::manifest::diagnostic::Diagnostic;
use std::path::Path;

impl News {
    /// Logs it.
    pub fn log(&self) {
        match self {
            Self::Accepted { file, pods, warnings } => {
                tracing::info!(file = %file.display(), pods, "manifest accepted");
                log_all(file, warnings);
            }
            Self::Changed { file, pods, warnings } => {
                tracing::info!(file = %file.display(), pods, "manifest changed");
                log_all(file, warnings);
            }
            Self::Refused { file, diagnostics } => {
                tracing::error!(file = %file.display(), "manifest refused; what it declared before stays");
                log_all(file, diagnostics);
            }
            Self::Removed { file } => tracing::info!(file = %file.display(), "manifest removed"),
            Self::Renamed { from, to } => {
                tracing::info!(file = %to.display(), from = %from.display(), "manifest renamed");
            }
            Self::Restless { file } => {
                tracing::warn!(file = %file.display(), "manifest is written to without a pause; waiting for it to be quiet");
            }
            Self::Ignored { file, reason } => {
                let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
                if hidden {
                    tracing::debug!(file = %file.display(), %reason, "file ignored");
                } else {
                    tracing::info!(file = %file.display(), %reason, "file ignored");
                }
            }
            Self::Unavailable { reason } => {
                tracing::error!(%reason, "manifests unavailable; nothing is stopped");
            }
            Self::Available => tracing::info!("manifests available again"),
        }
    }
}

fn log_all(file: &Path, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        if diagnostic.is_error() {
            tracing::error!(file = %file.display(), code = diagnostic.code, "{diagnostic}");
        } else {
            tracing::warn!(file = %file.display(), code = diagnostic.code, "{diagnostic}");
        }
    }
}
