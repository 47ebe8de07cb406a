//! What can go wrong with a call, and the record of calls.

use super::World;
use crate::{engine::EngineError, time::Timestamp};
use std::{fmt, time::Duration};

/// A verb of the [`Engine`](crate::engine::Engine) trait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the trait's method of that name")]
pub enum Verb {
    Version,
    Events,
    List,
    Inspect,
    Create,
    Start,
    Stop,
    Kill,
    Remove,
    ExecCreate,
    ExecStart,
    ExecInspect,
    ExecKill,
    LogsTail,
    CopyFile,
    ImageInspect,
    ImagePull,
    ImageLoad,
    ImageSave,
    VolumeCreate,
}

impl Verb {
    /// Whether the call changes nothing in the engine.
    pub fn is_read(self) -> bool {
        matches!(
            self,
            Self::Version
                | Self::Events
                | Self::List
                | Self::Inspect
                | Self::CopyFile
                | Self::ExecInspect
                | Self::LogsTail
                | Self::ImageInspect
        )
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "version",
            Self::Events => "events",
            Self::List => "list",
            Self::Inspect => "inspect",
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Remove => "remove",
            Self::ExecCreate => "exec create",
            Self::ExecStart => "exec start",
            Self::ExecInspect => "exec inspect",
            Self::ExecKill => "exec kill",
            Self::LogsTail => "logs",
            Self::CopyFile => "copy from",
            Self::ImageInspect => "image inspect",
            Self::ImagePull => "image pull",
            Self::ImageLoad => "image load",
            Self::ImageSave => "image save",
            Self::VolumeCreate => "volume create",
        })
    }
}

/// One call, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// 1 for the first call ever made to this engine, by whichever client.
    pub n: u64,
    /// When it arrived.
    pub at: Timestamp,
    /// The method.
    pub verb: Verb,
    /// Name of the container (where it is known, else the id asked for), image reference, or
    /// `key=value` of a list.
    pub subject: String,
}

/// Whether a call's effect takes place although its caller never learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The engine never saw the request.
    NotDone,
    /// The engine carried it out; only the reply is lost.
    Done,
}

/// What happens to one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done and this error is the reply.
    Before(EngineError),
    /// It is done (a stop: begun) and this error is the reply.
    After(EngineError),
    /// It never answers.
    Hang(Effect),
    /// The request lies in the engine for so long before it is carried out. Its caller may go away
    /// meanwhile; it is carried out all the same.
    Delay(Duration),
    /// It is carried out at once and answered so much later.
    DelayReply(Duration),
    /// The client dies (`kill -9` of the daemon): this and every later call of the same
    /// [`client`](super::FakeEngine::client) never answers, the later ones do nothing.
    Crash(Effect),
    /// The next so many events are lost without a word.
    DropEvents(u32),
    /// The next event is delivered twice.
    DuplicateEvent,
    /// The next event is delivered so much later, after others that happened later.
    LateEvent(Duration),
    /// All event streams end with an error.
    CutEvents,
    /// The engine goes down and comes back: see [`FakeEngine::restart`](super::FakeEngine::restart).
    EngineRestart {
        /// Whether containers outlive it.
        live_restore: bool,
        /// For how long calls fail with [`EngineError::Unavailable`].
        down: Duration,
        /// Whether this call was carried out before.
        effect: Effect,
    },
}

/// An [`EngineError::Unavailable`] for use in a [`Fault`].
pub fn unavailable() -> EngineError {
    EngineError::Unavailable { operation: "fault".to_owned(), message: "connection reset by peer".to_owned() }
}

/// An [`EngineError::Timeout`] for use in a [`Fault`].
pub fn timeout() -> EngineError {
    EngineError::Timeout { operation: "fault".to_owned(), after: Duration::from_secs(120) }
}

/// An [`EngineError::Refused`] with status 500 for use in a [`Fault`].
pub fn internal_error() -> EngineError {
    EngineError::Refused { operation: "fault".to_owned(), status: 500, message: "something broke".to_owned() }
}

/// The faults of one call, sorted by when they act.
#[derive(Default)]
pub(super) struct CallFaults {
    pub before: Option<EngineError>,
    pub after: Option<EngineError>,
    pub hang: Option<Effect>,
    pub crash: Option<Effect>,
    pub delay: Duration,
    pub delay_reply: Duration,
    pub restart: Option<(bool, Duration, Effect)>,
}

impl CallFaults {
    /// Sorts the faults; those about events are handed to the world at once.
    pub fn sort(faults: Vec<Fault>, world: &mut World) -> Self {
        let mut sorted = Self::default();
        for fault in faults {
            match fault {
                Fault::Before(error) => sorted.before = Some(error),
                Fault::After(error) => sorted.after = Some(error),
                Fault::Hang(effect) => sorted.hang = Some(effect),
                Fault::Crash(effect) => sorted.crash = Some(effect),
                Fault::Delay(by) => sorted.delay += by,
                Fault::DelayReply(by) => sorted.delay_reply += by,
                Fault::EngineRestart { live_restore, down, effect } => {
                    sorted.restart = Some((live_restore, down, effect));
                }
                Fault::DropEvents(count) => world.stream.drop_next += count,
                Fault::DuplicateEvent => world.stream.double_next += 1,
                Fault::LateEvent(by) => world.stream.delay_next = Some(by),
                Fault::CutEvents => world.stream.cut("event stream cut"),
            }
        }
        sorted
    }

    /// Whether the engine carries the call out.
    pub fn reaches_engine(&self) -> bool {
        self.before.is_none()
            && self.hang != Some(Effect::NotDone)
            && self.crash != Some(Effect::NotDone)
            && !matches!(self.restart, Some((_, _, Effect::NotDone)))
    }
}
