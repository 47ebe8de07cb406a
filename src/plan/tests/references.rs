//! What a pod refers to: what waits for it, what a change of it restarts.

use super::*;
use crate::pod::{
    ContainerReferences,
    references::{
        ANNOTATION_RESTART_ON_CHANGE, EnvironmentHash, EnvironmentKey, VolumeLack, VolumeReferences, VolumeState,
    },
};

fn hash(value: &str) -> EnvironmentHash {
    EnvironmentKey::new([7; 32]).hash(&[Some(("A".to_owned(), value.to_owned()))])
}

impl Round {
    fn refers(&mut self, uid: &str, container: &str, state: ContainerReferences) {
        let references = self.references.entry(uid.into()).or_default();
        references.containers.insert(container.into(), state);
    }

    fn lacks(&mut self, uid: &str, container: &str) {
        self.refers(uid, container, ContainerReferences::Missing("configmap \"x\" not found".into()));
    }

    /// `app` was made when its variable was "old", which is now "new".
    fn changed(&mut self) {
        self.container("app").environment = Some(hash("old"));
        self.refers("a", "app", ContainerReferences::Resolved(hash("new")));
    }

    fn restarts_on_change(&mut self) {
        let annotations = BTreeMap::from([(ANNOTATION_RESTART_ON_CHANGE.to_owned(), "true".to_owned())]);
        self.written.metadata.annotations = Some(annotations);
    }
}

#[test]
fn what_is_missing_holds_back_what_needs_it() {
    check(
        &Round::running(two_apps()),
        &[
            ("a container that runs needs nothing", |r| r.lacks("a", "app"), ""),
            (
                "one that was never made waits, and the next one starts",
                |r| {
                    r.forget("app");
                    r.forget("log");
                    r.know(&["app:1", "log:1"]);
                    r.lacks("a", "app");
                },
                "CreateContainer a log #0 in a-sb0, no back-off
                 app waits: CreateContainerConfigError configmap \"x\" not found
                 log waits: ContainerCreating",
            ),
            (
                "one that ended waits",
                |r| {
                    r.container("app").state = exited(1, 60, 5);
                    r.know(&["app:1"]);
                    r.lacks("a", "app");
                },
                "app waits: CreateContainerConfigError configmap \"x\" not found",
            ),
            (
                "an edit that refers to what is not there stops nothing",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.know(&["app:2"]);
                    r.lacks("a", "app");
                },
                "app waits: CreateContainerConfigError configmap \"x\" not found",
            ),
            (
                "another pod in its place whose objects are not there: the old one runs on",
                |r| {
                    r.wanted_uid("b");
                    r.know(&["app:1", "log:1"]);
                    r.lacks("b", "log");
                },
                "app waits: ContainerCreating
                 log waits: CreateContainerConfigError configmap \"x\" not found",
            ),
            (
                "all is there: the old one ends",
                |r| {
                    r.wanted_uid("b");
                    r.know(&["app:1", "log:1"]);
                    r.refers("b", "log", ContainerReferences::Resolved(hash("x")));
                },
                "StopContainer app app-0, 30s, PodChanged
                 StopContainer log log-0, 30s, PodChanged
                 app waits: ContainerCreating
                 log waits: ContainerCreating
                 terminating a",
            ),
        ],
    );
}

#[test]
fn an_init_container_that_lacks_something_holds_the_rest() {
    let mut round = Round::running(with_init());
    round.incarnation().containers.clear();
    round.know(&["setup:1", "mesh:1", "seed:1", "tail:1", "app:1"]);
    check(
        &round,
        &[(
            "the first one lacks an object",
            |r| r.lacks("a", "setup"),
            "app waits: PodInitializing
             mesh waits: PodInitializing
             seed waits: PodInitializing
             setup waits: CreateContainerConfigError configmap \"x\" not found
             tail waits: PodInitializing",
        )],
    );
}

#[test]
fn volumes_of_files() {
    let volumes = |round: &mut Round, state: VolumeReferences| {
        round.references.entry("a".into()).or_default().volumes = state;
    };
    let mut base = Round::running(two_apps());
    base.know(&["app:1", "log:1"]);
    let lacks = || VolumeReferences { missing: Some("no x".into()), ..VolumeReferences::default() };
    let outdated = || VolumeReferences { state: VolumeState::Outdated, ..VolumeReferences::default() };
    let app = |lack, of| VolumeReferences { lacking: BTreeMap::from([("app".into(), lack)]), ..of };
    let awaited = || app(VolumeLack::Awaited, outdated());
    let missing = || app(VolumeLack::Missing("no x".into()), lacks());
    let edited = |name: &str| {
        let mut round = base.clone();
        round.edit(name).image = Some("app:2".into());
        round.know(&["app:2"]);
        round
    };
    let cases: Vec<(&str, Round, &str)> = vec![
        ("outdated: they are written again, and nothing else happens", outdated(), base.clone(), "UpdateVolumes a"),
        ("an object has gone: what runs goes on", lacks(), base.clone(), ""),
        (
            "an object has gone: what ended starts again with what was written before",
            lacks(),
            {
                let mut round = base.clone();
                round.container("app").state = exited(1, 60, 5);
                round
            },
            "CreateContainer a app #1 in a-sb0, back-off 0ns
             app waits: ContainerCreating",
        ),
        (
            "nobody has looked: what is to start waits for that",
            awaited(),
            {
                let mut round = base.clone();
                round.container("app").state = exited(1, 60, 5);
                round
            },
            "UpdateVolumes a
             app waits: ContainerCreating",
        ),
        (
            "they can not be written: what is to start waits",
            awaited(),
            {
                let mut round = base.clone();
                round.container("app").state = exited(1, 60, 5);
                round.fail(Target::Sandbox("a".into()), 1, 0, "FailedMount");
                round
            },
            "app waits: FailedMount until +1s
             wake +1s",
        ),
        (
            "what uses none of them starts",
            awaited(),
            {
                let mut round = base.clone();
                round.container("log").state = exited(1, 60, 5);
                round
            },
            "UpdateVolumes a
             CreateContainer a log #1 in a-sb0, back-off 0ns
             log waits: ContainerCreating",
        ),
        (
            "one that was never written holds back what uses it",
            missing(),
            {
                let mut round = base.clone();
                round.container("app").state = exited(1, 60, 5);
                round
            },
            "app waits: FailedMount no x",
        ),
        ("an edit that mounts such a one stops nothing", missing(), edited("app"), "app waits: FailedMount no x"),
        (
            "nor before it was seen to be there",
            awaited(),
            edited("app"),
            "UpdateVolumes a
             app waits: ContainerCreating",
        ),
        (
            "an edit of what does not use it goes on",
            missing(),
            edited("log"),
            "StopContainer log log-0, 30s, DefinitionChanged",
        ),
        (
            "a sandbox is not made without them, but images are looked for",
            lacks(),
            Round::nothing(two_apps()),
            "EnsureImage app:1 IfNotPresent
             EnsureImage log:1 IfNotPresent
             app waits: FailedMount no x
             log waits: FailedMount no x",
        ),
        (
            "nor started",
            lacks(),
            {
                let mut round = base.clone();
                round.incarnation().containers.clear();
                round.sandbox().state = ContainerState::Created;
                round
            },
            "app waits: FailedMount no x
             log waits: FailedMount no x",
        ),
        (
            "the end waits for what is being written",
            outdated(),
            {
                let mut round = base.clone();
                round.begin(PodAction::UpdateVolumes { uid: "a".into() });
                round.incarnation().containers.clear();
                round.removed(1);
                round
            },
            "terminating a",
        ),
    ]
    .into_iter()
    .map(|(sentence, state, mut round, expected)| {
        volumes(&mut round, state);
        (sentence, round, expected)
    })
    .collect();
    for (sentence, round, expected) in cases {
        let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(text::plan(&round.plan()), expected, "{sentence}");
    }
    // Another pod in its place that lacks an object for a volume.
    let mut round = base;
    round.wanted_uid("b");
    round.references.entry("b".into()).or_default().volumes = lacks();
    assert_eq!(text::plan(&round.plan()), ["app waits: FailedMount no x", "log waits: FailedMount no x"]);
}

#[test]
fn a_changed_environment() {
    let mut base = Round::running(two_apps());
    base.know(&["app:1", "log:1"]);
    base.changed();
    check(
        &base,
        &[
            ("is told, and restarts nothing", |_| {}, "app is stale"),
            (
                "restarts the one container if the pod says so",
                |r| r.restarts_on_change(),
                "StopContainer app app-0, 30s, EnvironmentChanged
                 app is stale",
            ),
            (
                "what was stopped for it starts without delay",
                |r| {
                    r.restarts_on_change();
                    r.container("app").state = exited(143, 60, 1);
                },
                "CreateContainer a app #1 in a-sb0, no back-off
                 app waits: ContainerCreating",
            ),
            (
                "restarts what still runs to its end",
                |r| {
                    r.restarts_on_change();
                    r.restart_policy("OnFailure");
                },
                "StopContainer app app-0, 30s, EnvironmentChanged
                 app is stale",
            ),
            (
                "what was stopped for it has not run to its end, whatever it says",
                |r| {
                    r.restarts_on_change();
                    r.restart_policy("OnFailure");
                    r.ends("app-0", ago(1), StopReason::EnvironmentChanged);
                    r.container("app").state = exited(0, 60, 1);
                },
                "CreateContainer a app #1 in a-sb0, no back-off
                 app waits: ContainerCreating",
            ),
            (
                "what runs only once is left to it",
                |r| {
                    r.restarts_on_change();
                    r.restart_policy("Never");
                },
                "app is stale",
            ),
            (
                "does not run again what has run",
                |r| {
                    r.restarts_on_change();
                    r.restart_policy("OnFailure");
                    r.container("app").state = exited(0, 60, 1);
                },
                "",
            ),
            (
                "is not restarted for what has gone",
                |r| {
                    r.restarts_on_change();
                    r.lacks("a", "app");
                },
                "app is stale",
            ),
            (
                "nor for what can not be a variable any more",
                |r| {
                    r.restarts_on_change();
                    r.refers("a", "app", ContainerReferences::Invalid);
                },
                "app is stale",
            ),
            (
                "what has gone says nothing of what was made without it",
                |r| {
                    r.container("app").environment = None;
                    r.lacks("a", "app");
                },
                "",
            ),
            (
                "with another key nobody can tell",
                |r| {
                    r.restarts_on_change();
                    let key = EnvironmentKey::new([8; 32]);
                    r.refers("a", "app", ContainerReferences::Resolved(key.hash(&[])));
                },
                "",
            ),
            (
                "an annotation that says something else",
                |r| {
                    r.restarts_on_change();
                    let annotations = r.written.metadata.annotations.as_mut().unwrap();
                    annotations.insert(ANNOTATION_RESTART_ON_CHANGE.to_owned(), "yes".to_owned());
                },
                "app is stale",
            ),
        ],
    );
}
