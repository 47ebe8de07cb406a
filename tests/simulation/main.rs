//! The whole daemon in simulated time: the real `PodManager` and its workers against an engine in
//! memory, `kill -9` and all. See each module's head.
//!
//! A failure prints the one command that plays its case again alone, with the daemon's log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test")]

mod answers;
mod chronicle;
mod crowd;
mod image_volumes;
mod invariants;
mod limited;
mod logs;
mod manifests;
mod node;
mod order;
mod programs;
#[path = "../support/random.rs"]
mod random;
mod random_pods;
mod scenarios;
mod schedule;
mod silence;
mod state;
mod sweep;

#[test]
fn sweep() {
    sweep::sweep();
}

#[test]
fn the_most_important_pods_start_first() {
    order::the_most_important_first();
}

#[test]
fn one_uid_is_one_pods_at_a_time() {
    order::one_uid_is_one_pods_at_a_time();
}

#[test]
fn who_waits_for_a_uid_removes_nothing() {
    order::who_waits_for_a_uid_removes_nothing();
}

#[test]
fn a_uid_stays_with_the_pod_that_runs() {
    order::a_uid_stays_with_the_pod_that_runs();
}

#[test]
fn an_exchange_of_uids_ends_nothing() {
    order::an_exchange_of_uids_ends_nothing();
}

#[test]
fn a_container_that_the_engine_does_not_tell_of_is_told() {
    silence::told_once();
}

#[test]
fn an_engine_that_never_answers_does_not_hang_the_daemon() {
    silence::no_fault_of_the_daemon();
}

#[test]
fn an_image_volume_that_is_there_needs_no_image() {
    image_volumes::one_that_is_there_needs_no_image();
}

#[test]
fn an_image_volume_that_nobody_wants_any_more_holds_up_nothing() {
    image_volumes::one_that_nobody_wants_any_more_holds_up_nothing();
}

#[test]
fn random_schedules() {
    schedule::random_schedules();
}

#[test]
fn a_schedule_is_a_function_of_its_seed() {
    schedule::same_seed_same_story();
}
