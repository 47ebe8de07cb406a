//! Exit codes: part of the contract with systemd and scripts.

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Asked to stop (pods go on), or a command that succeeded. Code 0.
    Success,
    /// Something failed at run time; the log says what. Code 1; systemd restarts.
    Failure,
    /// A flag, the configuration file or a command line is wrong. Code 2; a restart does not help.
    Usage,
    /// Another kubelet-lite works on the same `--root-dir`. Code 3; a restart does not help.
    Locked,
    /// A second SIGTERM or SIGINT: left at once. Code 128 + the signal's number.
    Signalled(u8),
}

impl ExitStatus {
    /// The process exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Locked => 3,
            Self::Signalled(signal) => 128u8.saturating_add(signal),
        }
    }
}

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}
