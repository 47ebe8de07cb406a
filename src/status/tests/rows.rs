//! Phase, conditions and containers of a pod, from its start to its end.

use super::*;

#[test]
fn starting_running_and_restarting() {
    check(vec![
        (
            "nothing yet",
            Stage::new(TWO).no_sandbox(),
            "Pending; not PodReadyToStartContainers,Ready,ContainersReady
             app - x0: ContainerCreating
             log - x0: ContainerCreating",
        ),
        (
            "one made, one pulled in vain",
            Stage::new(TWO).with("log", 0, ContainerState::Created, record(None, None)).waits("log", None, "").waits(
                "app",
                Some("ImagePullBackOff"),
                "away",
            ),
            "Pending; not Ready,ContainersReady
             app - x0: ImagePullBackOff
             log - x0: ContainerCreating",
        ),
        (
            "one runs, one is on its way",
            Stage::new(TWO).running("log", 0, 1).waits("app", None, ""),
            "Pending; not Ready,ContainersReady
             app - x0: ContainerCreating
             log ready x0: running",
        ),
        (
            "both run",
            Stage::new(TWO).running("log", 0, 1).running("app", 0, 2),
            "Running; not any
             app ready x0: running
             log ready x0: running",
        ),
        (
            "one has ended and waits for its back-off",
            Stage::new(TWO).running("log", 0, 1).exited("app", 3, 1).waits("app", Some("CrashLoopBackOff"), ""),
            "Running; not Ready,ContainersReady
             app - x3: CrashLoopBackOff, last Error 1
             log ready x0: running",
        ),
        (
            "all have ended and one is being started again",
            Stage::new(ONE).exited("app", 0, 1).exited("app", 1, 0).waits("app", None, ""),
            "Running; not Ready,ContainersReady
             app - x1: Completed 0, last Error 1",
        ),
        (
            "made again",
            Stage::new(ONE).ended("app", 0, 137, ExitReason::OomKilled).with(
                "app",
                1,
                ContainerState::Created,
                record(None, None),
            ),
            "Running; not Ready,ContainersReady
             app - x1: ContainerCreating, last OOMKilled 137",
        ),
        (
            "an edit waits for its image beside the container that runs",
            Stage::new(ONE).running("app", 0, 1).waits("app", Some("ImagePullBackOff"), "away"),
            "Running; not any
             app ready x0: running",
        ),
        (
            "in a state that can not be trusted",
            Stage::new(ONE).with("app", 0, ContainerState::Unknown, record(Some(1), None)),
            "Running; not Ready,ContainersReady
             app - x0: ContainerStatusUnknown 137",
        ),
        (
            "could not be started",
            Stage::new(ONE).ended("app", 0, 127, ExitReason::ContainerCannotRun),
            "Running; not Ready,ContainersReady
             app - x0: ContainerCannotRun 127",
        ),
    ]);
}

#[test]
fn init_containers_and_sidecars() {
    check(vec![
        (
            "nothing yet",
            Stage::new(INIT),
            "Pending; not Initialized,Ready,ContainersReady
             setup - x0: PodInitializing
             mesh - x0: PodInitializing
             app - x0: PodInitializing",
        ),
        (
            "the first runs",
            Stage::new(INIT).running("setup", 0, 1),
            "Pending; not Initialized,Ready,ContainersReady
             setup started x0: running
             mesh - x0: PodInitializing
             app - x0: PodInitializing",
        ),
        (
            "the first failed and waits",
            Stage::new(INIT).exited("setup", 2, 1).waits("setup", Some("CrashLoopBackOff"), ""),
            "Pending; not Initialized,Ready,ContainersReady
             setup - x2: CrashLoopBackOff, last Error 1
             mesh - x0: PodInitializing
             app - x0: PodInitializing",
        ),
        (
            "the sidecar runs",
            Stage::new(INIT).exited("setup", 0, 0).running("mesh", 0, 6),
            "Pending; not Ready,ContainersReady
             setup done x0: Completed 0
             mesh ready x0: running
             app - x0: PodInitializing",
        ),
        (
            "all run",
            Stage::new(INIT).exited("setup", 0, 0).running("mesh", 0, 6).running("app", 0, 7),
            "Running; not any
             setup done x0: Completed 0
             mesh ready x0: running
             app ready x0: running",
        ),
        (
            "the record of the init container is gone",
            Stage::new(INIT).running("mesh", 0, 6).running("app", 0, 7),
            "Running; not any
             setup done x0: Completed 0
             mesh ready x0: running
             app ready x0: running",
        ),
        (
            "the sidecar crashes beside the app",
            Stage::new(INIT).exited("setup", 0, 0).running("app", 0, 7).exited("mesh", 1, 2).waits(
                "mesh",
                Some("CrashLoopBackOff"),
                "",
            ),
            "Running; not Ready,ContainersReady
             setup done x0: Completed 0
             mesh - x1: CrashLoopBackOff, last Error 2
             app ready x0: running",
        ),
        (
            "init failed for good",
            Stage::new(INIT).exited("setup", 0, 1).finished(),
            "Failed; not PodReadyToStartContainers,Initialized,Ready,ContainersReady
             setup - x0: Error 1
             mesh - x0: PodInitializing
             app - x0: PodInitializing",
        ),
    ]);
}

#[test]
fn pods_that_come_to_an_end() {
    check(vec![
        (
            "one of two is done, as restartPolicy OnFailure has it",
            Stage::new(TWO).exited("app", 0, 0).running("log", 0, 1),
            "Running; not Ready,ContainersReady
             app - x0: Completed 0
             log ready x0: running",
        ),
        (
            "all are done",
            Stage::new(TWO).exited("app", 0, 0).exited("log", 0, 0).finished(),
            "Succeeded; not PodReadyToStartContainers,Ready,ContainersReady
             app - x0: Completed 0
             log - x0: Completed 0",
        ),
        (
            "one failed",
            Stage::new(TWO).exited("app", 0, 0).exited("log", 0, 3).finished(),
            "Failed; not PodReadyToStartContainers,Ready,ContainersReady
             app - x0: Completed 0
             log - x0: Error 3",
        ),
        (
            "all are done, and a sidecar is being ended",
            Stage::new(INIT).exited("setup", 0, 0).running("mesh", 0, 6).exited("app", 0, 0).ends(),
            "Running; not Ready,ContainersReady
             setup done x0: Completed 0
             mesh ready x0: running
             app - x0: Completed 0",
        ),
        (
            "and how a sidecar ended is nobody's business",
            Stage::new(INIT).exited("setup", 0, 0).exited("mesh", 0, 143).exited("app", 0, 0).finished(),
            "Succeeded; not PodReadyToStartContainers,Ready,ContainersReady
             setup done x0: Completed 0
             mesh - x0: Error 143
             app - x0: Completed 0",
        ),
        (
            "none is started again as the sandbox has gone, and one still runs",
            Stage::new(ONE).running("app", 0, 1).finished(),
            "Running; not PodReadyToStartContainers
             app ready x0: running",
        ),
    ]);
}

#[test]
fn a_pod_that_is_built_again() {
    check(vec![
        (
            "its containers have ended with the sandbox",
            Stage::new(INIT)
                .exited("setup", 0, 0)
                .exited("mesh", 0, 137)
                .exited("app", 0, 137)
                .rebuilt()
                .waits("setup", None, ""),
            "Pending; not Ready,ContainersReady
             setup - x0: PodInitializing, last Completed 0
             mesh - x0: Error 137
             app - x0: Error 137",
        ),
        (
            "the sidecar has not started yet",
            Stage::new(INIT)
                .exited("setup", 0, 0)
                .exited("app", 0, 137)
                .rebuilt()
                .exited("setup", 1, 0)
                .here("setup")
                .waits("mesh", None, ""),
            "Pending; not Ready,ContainersReady
             setup done x1: Completed 0, last Completed 0
             mesh - x0: PodInitializing
             app - x0: Error 137",
        ),
        (
            "an app was made and not started",
            Stage::new(INIT)
                .exited("app", 0, 137)
                .rebuilt()
                .exited("setup", 1, 0)
                .here("setup")
                .with("app", 1, ContainerState::Created, record(None, None))
                .here("app")
                .waits("mesh", None, ""),
            "Pending; not Ready,ContainersReady
             setup done x1: Completed 0
             mesh - x0: PodInitializing
             app - x1: PodInitializing, last Error 137",
        ),
        (
            "all run again",
            Stage::new(INIT)
                .rebuilt()
                .exited("setup", 1, 0)
                .here("setup")
                .running("mesh", 1, 6)
                .here("mesh")
                .running("app", 1, 7)
                .here("app"),
            "Running; not any
             setup done x1: Completed 0
             mesh ready x1: running
             app ready x1: running",
        ),
    ]);
}
