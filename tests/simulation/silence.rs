//! An engine that is silent: of one container while it serves all others, or altogether.

use crate::{
    crowd,
    manifests::{PodDef, app},
    node::Node,
};
use kubelet_lite::{
    engine::fake::{Effect, Fault, Verb, internal_error},
    event::Event,
};
use std::time::Duration;

pub fn told_once() {
    crowd::in_simulated_time(async {
        let mut node = Node::new();
        node.start_daemon();
        let pods = ["web", "db"].map(|name| PodDef::new(name, &[app("app")]));
        node.directory.put("file", &pods);
        node.publish();
        node.settle().await;

        node.engine.on_call(|call| match call.verb {
            Verb::Inspect if call.subject.contains("web") => vec![Fault::Before(internal_error())],
            _ => vec![],
        });
        for pod in ["web", "db"] {
            node.by_hand(pod, "app", "kill");
        }
        node.pass(Duration::from_secs(60)).await;
        let told = |event: &&Event| event.reason == "FailedSync";
        let events = node.events();
        let events: Vec<&Event> = events.iter().filter(told).collect();
        let [event] = events[..] else { panic!("{events:#?}") };
        assert_eq!(
            (event.message.as_str(), event.count),
            (
                "the pod is left as it is while a container of it can not be inspected: fault: refused: something broke",
                1
            )
        );
        assert!(node.container("db", "app").is_some_and(|it| it.name.ends_with("_1")), "others go on");

        node.engine.clear_faults();
        node.settle().await;
        assert!(node.wrong.is_empty(), "{:?}", node.wrong);
        assert!(node.container("web", "app").is_some_and(|it| it.name.ends_with("_1")), "it goes on by itself");
    });
}

/// The watchdog looks at the pod manager, not at the engine.
pub fn no_fault_of_the_daemon() {
    crowd::in_simulated_time(async {
        let mut node = Node::new();
        node.engine.on_call(|_| vec![Fault::Hang(Effect::NotDone)]);
        node.start_daemon();
        for second in 0..100 {
            assert!(node.beats(), "after {second} seconds");
            node.pass(Duration::from_secs(1)).await;
        }
    });
}
