use super::*;
use crate::probe::{Handler, Hook, HookDone, HookError};
use futures_util::future::BoxFuture;
use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

const S: Duration = Duration::from_secs(1);

/// Answers each asking with the next of its lines (how long it takes, how it ends), then with success.
#[derive(Default)]
struct Script {
    lines: Mutex<VecDeque<(Duration, Outcome)>>,
    asked: AtomicUsize,
    under_way: AtomicUsize,
}

impl Handlers for Script {
    fn ask<'a>(
        &'a self,
        _: &'a Handler,
        _: &'a HandlerTarget,
        _: Duration,
        _: &'a mut Leftover,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            struct Flight<'a>(&'a AtomicUsize);
            impl Drop for Flight<'_> {
                fn drop(&mut self) {
                    self.0.fetch_sub(1, Ordering::SeqCst);
                }
            }
            self.asked.fetch_add(1, Ordering::SeqCst);
            assert_eq!(self.under_way.fetch_add(1, Ordering::SeqCst), 0, "two flights of one probe");
            let _flight = Flight(&self.under_way);
            let line = self.lines.lock().unwrap().pop_front();
            let (takes, outcome) = line.unwrap_or((Duration::ZERO, Outcome::Success(String::new())));
            tokio::time::sleep(takes).await;
            outcome
        })
    }

    fn run<'a>(&'a self, _: &'a Hook, _: &'a HandlerTarget) -> BoxFuture<'a, Result<HookDone, HookError>> {
        Box::pin(std::future::pending())
    }
}

fn probe(kind: ProbeKind) -> Probe {
    Probe {
        kind,
        handler: Ok(Handler::TcpSocket { host: None, port: 1 }),
        initial_delay: Duration::ZERO,
        period: 10 * S,
        timeout: S,
        success_threshold: 1,
        failure_threshold: 3,
        grace: None,
    }
}

struct Play {
    script: Arc<Script>,
    clock: Clock,
    began: Timestamp,
    worker: ProbeWorker,
    reports: mpsc::Receiver<ProbeReport>,
}

impl Play {
    /// A container that was started five seconds ago.
    fn begin(probe: Probe, adopted: bool, lines: Vec<(Duration, Outcome)>) -> Self {
        let script = Arc::new(Script { lines: Mutex::new(lines.into()), ..Script::default() });
        let clock = Clock::simulated(jiff::Timestamp::UNIX_EPOCH);
        let (sink, reports) = mpsc::channel(64);
        let subject = ProbeSubject {
            container: ContainerId::new("7f"),
            started_at: clock.now().before(5 * S),
            address: None,
            adopted,
        };
        let began = clock.now();
        let worker = ProbeWorker::spawn(script.clone(), clock.clone(), subject, probe, sink, None);
        Self { script, clock, began, worker, reports }
    }

    /// Milliseconds from the beginning to the next report, and the report.
    async fn next(&mut self) -> (u128, ProbeReport) {
        let report = self.reports.recv().await.unwrap();
        (self.clock.now().since(self.began).as_millis(), report)
    }
}

fn ok() -> Outcome {
    Outcome::Success(String::new())
}

fn failed() -> Outcome {
    Outcome::Failure("no".to_owned())
}

#[tokio::test(start_paused = true)]
async fn the_initial_delay_counts_from_the_containers_start() {
    let delayed = Probe { initial_delay: 12 * S, ..probe(ProbeKind::Readiness) };
    let mut play = Play::begin(delayed, false, Vec::new());
    let (at, report) = play.next().await;
    assert_eq!((at, report.verdict), (7000, Some(ProbeVerdict::Success)));
    let (second, report) = play.next().await;
    assert!((17_000..=18_000).contains(&second) && report.verdict.is_none(), "{second}");
    let (third, _) = play.next().await;
    assert_eq!(third, second + 10_000);
}

#[tokio::test(start_paused = true)]
async fn an_adopted_container_is_asked_at_once() {
    let slow_to_believe = Probe { success_threshold: 5, ..probe(ProbeKind::Readiness) };
    let mut play = Play::begin(slow_to_believe, true, Vec::new());
    let (at, report) = play.next().await;
    assert_eq!((at, report.verdict), (0, Some(ProbeVerdict::Success)));
    let (second, _) = play.next().await;
    assert!((10_000..20_000).contains(&second), "{second}");
}

#[tokio::test(start_paused = true)]
async fn an_error_is_tried_three_times_and_then_counts_for_nothing() {
    let error = || (S, Outcome::Error("bad".to_owned()));
    let lines = vec![error(), error(), (S, failed()), error(), error(), error(), (S, failed())];
    let mut play = Play::begin(Probe { failure_threshold: 2, ..probe(ProbeKind::Readiness) }, false, lines);
    let (_, failure) = play.next().await;
    assert_eq!((failure.verdict, failure.took), (None, 3 * S));
    let (_, nothing) = play.next().await;
    assert_eq!((nothing.verdict, &nothing.outcome), (None, &Outcome::Error("bad".to_owned())));
    assert_eq!(play.script.asked.load(Ordering::SeqCst), 6);
    let (_, failure) = play.next().await;
    assert_eq!(failure.verdict, Some(ProbeVerdict::Failure));
}

#[tokio::test(start_paused = true)]
async fn a_slow_asking_delays_the_next_and_the_missed_ones_collapse() {
    let mut play = Play::begin(probe(ProbeKind::Readiness), false, vec![(Duration::ZERO, ok()), (37 * S, ok())]);
    play.next().await;
    let (slow, _) = play.next().await;
    let place = slow - 37_000;
    let (caught_up, report) = play.next().await;
    assert_eq!((caught_up, report.late), (slow, 7 * S));
    let (back_in_place, report) = play.next().await;
    assert_eq!((back_in_place, report.late), (place + 40_000, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn liveness_stops_asking_when_it_has_failed_and_startup_when_it_is_over() {
    let lines = || vec![(S, failed()), (S, failed()), (S, failed())];
    let mut play = Play::begin(probe(ProbeKind::Liveness), false, lines());
    for verdict in [None, None, Some(ProbeVerdict::Failure)] {
        assert_eq!(play.next().await.1.verdict, verdict);
    }
    assert_eq!(play.reports.recv().await, None);
    assert!(play.worker.is_finished());
    let mut play = Play::begin(probe(ProbeKind::Startup), false, vec![(S, failed())]);
    for verdict in [None, Some(ProbeVerdict::Success)] {
        assert_eq!(play.next().await.1.verdict, verdict);
    }
    assert_eq!(play.reports.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn dropping_it_ends_the_flight_under_way() {
    let play = Play::begin(probe(ProbeKind::Readiness), false, vec![(3600 * S, ok())]);
    tokio::time::sleep(S).await;
    assert_eq!(play.script.under_way.load(Ordering::SeqCst), 1);
    let Play { script, worker, .. } = play;
    drop(worker);
    tokio::time::sleep(S).await;
    assert_eq!(script.under_way.load(Ordering::SeqCst), 0);
    assert_eq!(script.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_can_not_be_resolved_is_an_error_each_time() {
    let lost = Probe {
        handler: Err(super::super::InvalidHandler::UnknownPort("web".to_owned())),
        ..probe(ProbeKind::Readiness)
    };
    let mut play = Play::begin(lost, false, Vec::new());
    let (_, report) = play.next().await;
    let message = "Readiness probe errored and resulted in unknown state: the container has no port named \"web\"";
    assert_eq!(report.event(), Some(("Unhealthy", message.to_owned())));
    assert_eq!((report.verdict, play.script.asked.load(Ordering::SeqCst)), (None, 0));
}

#[test]
fn events_have_the_kubelets_words() {
    let event = |outcome: Outcome| {
        let key = (ContainerId::new("7f"), ProbeKind::Liveness);
        ProbeReport { key, outcome, verdict: None, took: S, late: S }.event()
    };
    assert_eq!(event(ok()), None);
    assert_eq!(event(failed()), Some(("Unhealthy", "Liveness probe failed: no".to_owned())));
    let warning = event(Outcome::Warning("elsewhere".to_owned()));
    assert_eq!(warning, Some(("ProbeWarning", "Liveness probe warning: elsewhere".to_owned())));
}
