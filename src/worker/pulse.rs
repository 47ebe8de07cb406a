//! Whether the pod manager turns: who serves systemd's watchdog asks it, and it takes what it is asked whatever it waits for.

use tokio::sync::mpsc::{self, error::TrySendError};

/// The asking end.
#[derive(Debug)]
pub struct Pulse(mpsc::Sender<()>);

/// The manager's end.
#[derive(Debug)]
pub struct Beats(mpsc::Receiver<()>);

/// Both ends.
pub fn pulse() -> (Pulse, Beats) {
    let (asking, asked) = mpsc::channel(1);
    (Pulse(asking), Beats(asked))
}

impl Pulse {
    /// Asks, and says whether what was asked before was taken. To be asked no oftener than the manager may take to turn.
    pub fn beats(&self) -> bool {
        match self.0.try_send(()) {
            Ok(()) => true,
            Err(TrySendError::Full(()) | TrySendError::Closed(())) => false,
        }
    }
}

impl Beats {
    /// Takes all that is asked, for ever.
    pub(super) async fn take(mut self) {
        while self.0.recv().await.is_some() {}
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_not_turn_is_found_out() {
        let (pulse, beats) = pulse();
        assert!(pulse.beats(), "nothing was asked before");
        assert!(!pulse.beats(), "nobody has taken it");
        let taking = tokio::spawn(beats.take());
        while !pulse.beats() {
            tokio::task::yield_now().await;
        }
        taking.abort();
        assert!(taking.await.unwrap_err().is_cancelled());
        assert!(!pulse.beats(), "it is gone");
    }
}
