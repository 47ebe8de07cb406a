//! What the daemon counts on in an engine, held against the fake and against a real dockerd.
//!
//! Each claim is one function over any [`Engine`](kubelet_lite::engine::Engine). So the fake, on
//! which the simulation rests, can not drift from Docker. What only a real engine can show (its
//! processes, its own death) is in `real`.

// Claims are not themselves test functions, where these would be allowed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod claims;
mod commands;
mod real;
mod stage;
#[path = "../support/mod.rs"]
mod support;

use kubelet_lite::{engine::fake::FakeEngine, time::Clock};
use stage::{INSTANCE, Program, Stage};

/// Names every claim once: a test each on the fake, and one list for the real engine.
macro_rules! claims {
    ($($claim:ident,)*) => {
        mod fake {
            $(
                #[tokio::test(start_paused = true)]
                async fn $claim() {
                    crate::claims::$claim(crate::fake_stage(stringify!($claim))).await;
                }
            )*
        }

        /// Every claim on the real engine; none is begun yet.
        fn on_real_engine(
            engine: &kubelet_lite::engine::docker::DockerEngine,
        ) -> Vec<(&'static str, futures_util::future::BoxFuture<'static, ()>)> {
            vec![$({
                let stage = Stage { engine: engine.clone(), claim: stringify!($claim).to_owned(), real: true };
                (stringify!($claim), Box::pin(claims::$claim(stage)))
            },)*]
        }
    };
}

claims! {
    the_engine_says_what_it_is,
    a_created_container_is_listed_and_inspected,
    a_name_in_use_is_a_conflict,
    of_two_creates_of_one_name_one_wins,
    an_unknown_image_is_not_found,
    what_is_not_there_is_not_found,
    a_started_container_runs,
    a_failed_start_stays_created_with_its_error,
    a_fast_exit_is_seen,
    a_stop_lets_the_program_end,
    a_stop_kills_when_the_grace_is_over,
    a_stop_without_grace_kills_at_once,
    a_stop_of_what_does_not_run_is_success,
    a_stop_sends_the_containers_own_signal,
    a_stop_whose_caller_went_away_still_kills_at_its_deadline,
    a_later_stop_with_less_grace_wins,
    a_later_stop_with_more_grace_prolongs_nothing,
    a_kill_sends_its_signal,
    a_remove_takes_a_running_container_and_frees_its_name,
    a_remove_ends_a_stop_under_way,
    big_labels_come_back_whole,
    a_dead_sandbox_can_not_be_joined,
    a_removed_sandbox_is_what_is_not_found,
    a_host_port_is_one_containers_at_a_time,
    events_tell_of_our_containers_only,
    every_subscriber_gets_the_events,
    a_container_out_of_memory_says_so,
    an_ended_container_starts_again,
    the_end_of_a_log_can_be_read,
    a_file_of_a_created_container_can_be_copied,
    images_are_known_by_tag_and_id,
    an_image_is_saved_with_its_files,
    a_bad_archive_is_refused,
    an_image_that_can_not_be_had_is_an_error,
    a_named_volume_is_kept_as_it_was_made,
    the_pause_image_makes_a_sandbox,
    a_command_has_an_exit_code_and_output,
    all_of_a_commands_output_comes,
    a_missing_program_is_an_exit_code,
    a_command_runs_on_when_its_caller_goes_away,
    a_container_tells_which_commands_run_in_it,
    a_killed_command_ends_with_137,
    a_command_ends_with_its_container,
    a_command_needs_a_running_container,
}

#[tokio::test(start_paused = true)]
async fn the_fakes_private_images_are_pulled_by_who_may() {
    let stage = fake_stage("private");
    let (username, password) = (String::from("ann"), String::from("wert-8251"));
    let only = kubelet_lite::engine::RegistryAuth { username, password, identity_token: None };
    stage.engine.publish_private_image("registry.test/private:1", only);
    let user = ("ann", "wert-8251");
    claims::a_private_image_is_pulled_by_who_may(&stage.engine, "registry.test/private:1", user).await;
}

fn fake_stage(claim: &str) -> Stage<FakeEngine> {
    let engine = FakeEngine::new(&Clock::simulated(jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1)));
    engine.add_image(stage::IMAGE);
    engine.behave(|launch| match launch.container {
        "POD" => kubelet_lite::engine::fake::Behaviour::runs().on_sigterm(0, std::time::Duration::ZERO),
        _ => Program::labelled(launch.labels),
    });
    engine.behave_exec(|_, words| commands::Command::behaviour(words));
    Stage { engine: engine.for_instance(INSTANCE), claim: claim.to_owned(), real: false }
}
