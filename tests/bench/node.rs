//! `make bench`: what the daemon adds to the bare engine. Not a test: it prints, it does not judge.
//!
//! The bare engine is driven through the same client with the same request bodies, in the same run
//! and on the same dockerd, so a ratio says what the daemon costs whatever the machine is doing.

// A benchmark reports; where it can not go on, it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod bare;
mod daemon;
#[path = "../support/mod.rs"]
mod support;

use bare::Bare;
use daemon::Daemon;
use std::time::Duration;

/// Pods of the largest burst (`--max-pods` of a kubelet).
const MOST: usize = 110;
/// Repetitions of what is short.
const ROUNDS: usize = 15;
/// How long idle costs are watched.
const IDLE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() {
    let Some(dockerd) = support::PrivateDockerd::start().await else { return };
    dockerd.load_images().await;
    let mut daemon = Daemon::new(&dockerd);
    let bare = Bare::new(&dockerd, &daemon.pause_image().await);
    println!("{:<34} {:>11} {:>11} {:>7} {:>7}", "", "engine", "daemon", "ratio", "aim");

    // The first pod finds out what the engine refuses; that is once in a daemon's life.
    daemon.start().await;
    daemon.declare("warm", 1).await;
    daemon.withdraw_all().await;
    bare.run(1, 1).await;
    bare.remove_all(1).await;

    let (mut alone, mut ours) = (Vec::new(), Vec::new());
    let (mut alone_gone, mut ours_gone) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        alone.push(bare.run(1, 1).await);
        alone_gone.push(bare.remove_all(1).await);
        ours.push(daemon.declare(&format!("one{round}"), 1).await);
        ours_gone.push(daemon.withdraw_all().await);
    }
    row("pick-up of one pod, median", median(&mut alone), median(&mut ours), 1.10);
    row("removal of one pod, median", median(&mut alone_gone), median(&mut ours_gone), 1.10);

    let mut usage = vec![(0, daemon.idle(IDLE).await)];
    let mut best = (Duration::MAX, 1);
    for concurrency in [2, 4, 8] {
        let took = bare.run(20, concurrency).await;
        bare.remove_all(concurrency).await;
        best = best.min((took, concurrency));
    }
    let best = best.1;
    for pods in [10, 50, MOST] {
        let alone = bare.run(pods, best).await;
        let alone_gone = bare.remove_all(best).await;
        let ours = daemon.declare("burst", pods).await;
        row(&format!("burst of {pods} (engine at concurrency {best})"), alone, ours, 1.05);
        if pods != 10 {
            usage.push((pods, daemon.idle(IDLE).await));
        }
        if pods == MOST {
            daemon.stop().await;
            let took = daemon.start_until_ready(MOST).await;
            println!(
                "{:<34} {:>11} {:>9} ms {:>7} {:>7}",
                "adoption of 110 running pods",
                "",
                took.as_millis(),
                "",
                "1000 ms"
            );
        }
        let gone = daemon.withdraw_all().await;
        row(&format!("removal of {pods}"), alone_gone, gone, 1.10);
    }
    println!("\n{:<34} {:>14} {:>16}", "idle", "resident", "CPU");
    for (pods, (resident, cpu)) in usage {
        println!("{:<34} {:>10.1} MiB {:>10.2} s/min", format!("{pods} pods"), resident, cpu);
    }
    println!("{:<34} {:>10} MiB {:>10} s/min", "aim at 110 pods", "12.0", "0.30");
    daemon.stop().await;
}

fn row(what: &str, engine: Duration, daemon: Duration, aim: f64) {
    let ratio = daemon.as_secs_f64() / engine.as_secs_f64();
    println!("{what:<34} {:>8} ms {:>8} ms {ratio:>7.2} {aim:>7.2}", engine.as_millis(), daemon.as_millis());
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The manifest of one small pod.
pub fn manifest(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  labels:\n    app: {name}\nspec:\n  containers:\n  \
         - name: server\n    image: kl-test/server:1\n    args: ['--port', '0']\n    resources:\n      \
         limits: {{memory: 64Mi}}\n"
    )
}
