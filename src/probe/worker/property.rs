//! Any probe against any container: what holds whatever is answered and however long it takes.

use super::*;
use crate::probe::{Handler, Hook, HookDone, HookError};
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

const MS: Duration = Duration::from_millis(1);

/// When it began and ended, and with what.
type Flight = (Timestamp, Timestamp, Outcome);

/// Answers from a list, over and over, and notes when it was asked and when it had answered.
struct Answers {
    clock: Clock,
    list: Vec<(u64, u8)>,
    next: AtomicUsize,
    under_way: AtomicUsize,
    flights: Mutex<Vec<Flight>>,
}

impl Handlers for Answers {
    fn ask<'a>(
        &'a self,
        _: &'a Handler,
        _: &'a HandlerTarget,
        timeout: Duration,
        _: &'a mut Leftover,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            assert_eq!(self.under_way.fetch_add(1, Ordering::SeqCst), 0, "two flights of one probe");
            let began = self.clock.now();
            let n = self.next.fetch_add(1, Ordering::SeqCst);
            let (takes, letter) = self.list[n % self.list.len()];
            let takes = MS * u32::try_from(takes).unwrap();
            tokio::time::sleep(takes.min(timeout)).await;
            let outcome = match letter {
                _ if takes > timeout => Outcome::Failure("late".to_owned()),
                0 => Outcome::Failure("no".to_owned()),
                1 => Outcome::Error("?".to_owned()),
                2 => Outcome::Warning("hm".to_owned()),
                _ => Outcome::Success(String::new()),
            };
            self.flights.lock().unwrap().push((began, self.clock.now(), outcome.clone()));
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            outcome
        })
    }

    fn run<'a>(&'a self, _: &'a Hook, _: &'a HandlerTarget) -> BoxFuture<'a, Result<HookDone, HookError>> {
        Box::pin(std::future::pending())
    }
}

/// The verdict after these results, said in another way than the counter does: the last threshold that
/// was reached by a run that ended the list at some point.
fn verdict_after(results: &[bool], probe: &Probe, adopted: bool) -> Option<ProbeVerdict> {
    let mut verdict = None;
    for end in 1..=results.len() {
        let last = results[end - 1];
        let run = results[..end].iter().rev().take_while(|r| **r == last).count();
        let first_success = adopted && last && !results[..end - 1].contains(&true);
        let threshold = match last {
            true if first_success => 1,
            true => probe.success_threshold,
            false => probe.failure_threshold,
        };
        if run >= usize::try_from(threshold).unwrap() {
            verdict = Some(if last { ProbeVerdict::Success } else { ProbeVerdict::Failure });
        }
    }
    verdict
}

async fn play(probe: Probe, age: Duration, adopted: bool, list: Vec<(u64, u8)>) {
    let clock = Clock::simulated(jiff::Timestamp::UNIX_EPOCH);
    let answers = Arc::new(Answers {
        clock: clock.clone(),
        list,
        next: AtomicUsize::default(),
        under_way: AtomicUsize::default(),
        flights: Mutex::default(),
    });
    let (sink, mut reports) = mpsc::channel(1);
    let spawned = clock.now();
    let started_at = spawned.before(age);
    let subject = ProbeSubject { container: ContainerId::new("7f"), started_at, address: None, adopted };
    let worker = ProbeWorker::spawn(answers.clone(), clock.clone(), subject, probe.clone(), sink, None);
    let (mut results, mut verdict, mut began_last) = (Vec::new(), None, None::<(Timestamp, Duration)>);
    for _ in 0..40 {
        let Some(report) = reports.recv().await else { break };
        // An asking that is due at once may have ended already, too.
        let mut made = answers.flights.lock().unwrap();
        let is_error = |flight: &Flight| matches!(flight.2, Outcome::Error(_));
        let repeated = made.iter().take(ATTEMPTS - 1).take_while(|flight| is_error(flight)).count();
        let flights: Vec<Flight> = made.drain(..=repeated).collect();
        drop(made);
        // Only errors are repeated, twice at most.
        let (last, _) = flights.split_last().expect("a flight for each report");
        assert!(flights.len() == ATTEMPTS || !matches!(last.2, Outcome::Error(_)));
        assert_eq!(last.2, report.outcome);
        // Never before the delay is over, never sooner than a period after the last one was due.
        let began = flights[0].0;
        assert!(began >= started_at + probe.initial_delay && began >= spawned);
        if let Some((last_began, last_late)) = began_last {
            assert!(began.since(last_began) + last_late >= probe.period, "{began:?} after {last_began:?}");
        }
        began_last = Some((began, report.late));
        // The verdict is the thresholds'.
        match report.outcome {
            Outcome::Success(_) | Outcome::Warning(_) => results.push(true),
            Outcome::Failure(_) => results.push(false),
            Outcome::Error(_) => {}
        }
        verdict = report.verdict.or(verdict);
        assert_eq!(verdict, verdict_after(&results, &probe, adopted), "{results:?}");
    }
    let over = match probe.kind {
        ProbeKind::Startup => verdict.is_some(),
        ProbeKind::Liveness => verdict == Some(ProbeVerdict::Failure),
        ProbeKind::Readiness => false,
    };
    tokio::task::yield_now().await;
    assert_eq!(worker.is_finished(), over);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_answered(
        kind in 0..3u8,
        figures in (0..30u64, 1..12u64, 1..15u64, 1..4u32, 1..4u32),
        age in 0..60_000u64,
        adopted: bool,
        list in prop::collection::vec((0..16_000u64, 0..6u8), 1..20),
    ) {
        let kind = [ProbeKind::Startup, ProbeKind::Liveness, ProbeKind::Readiness][usize::from(kind)];
        let (delay, period, timeout, success, failure) = figures;
        let probe = Probe {
            kind,
            handler: Ok(Handler::TcpSocket { host: None, port: 1 }),
            initial_delay: Duration::from_secs(delay),
            period: Duration::from_secs(period),
            timeout: Duration::from_secs(timeout),
            success_threshold: if kind == ProbeKind::Readiness { success } else { 1 },
            failure_threshold: failure,
            grace: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play(probe, Duration::from_millis(age), adopted, list));
    }
}
