//! Volumes of images, whose files are made once and outlive their images.

use crate::{
    crowd,
    manifests::{PodDef, app},
    node::Node,
};
use kubelet_lite::{
    engine::fake::{Effect, Fault, Verb},
    event::EventType,
    shutdown::{Shutdown, ShutdownPhase},
};
use std::time::Duration;

/// A pod that mounts the files of an image.
fn mounting(image: &'static str) -> PodDef {
    PodDef::new("web", &[app("app")]).with(|pod| pod.containers[0].files = Some(image))
}

pub fn one_that_is_there_needs_no_image() {
    crowd::in_simulated_time(async {
        let mut node = Node::new();
        node.start_daemon();
        node.add_image("files:1");
        node.directory.put("web", &[mounting("files:1")]);
        node.publish();
        node.settle().await;
        // Nothing is made from it, so `docker image prune` takes it; and no registry has it.
        node.remove_image("files:1");
        for attempt in ["_1", "_2"] {
            node.by_hand("web", "app", "kill");
            node.settle().await;
            assert!(node.wrong.is_empty(), "{:?}", node.wrong);
            assert!(node.container("web", "app").is_some_and(|it| it.name.ends_with(attempt)), "{attempt}");
            // The next one finds the volume as the last one left it.
            node.kill_daemon().await;
        }
        node.settle().await;
        // What is gone from the disk is made anew.
        node.directory.clear();
        node.publish();
        node.settle().await;
        node.directory.put("web", &[mounting("files:1")]);
        node.publish();
        node.pass(Duration::from_secs(60)).await;
        assert!(node.container("web", "app").is_none(), "the image is missing");
        node.add_image("files:1");
        node.settle().await;
        assert!(node.wrong.is_empty(), "{:?}", node.wrong);
    });
}

pub fn one_that_nobody_wants_any_more_holds_up_nothing() {
    crowd::in_simulated_time(async {
        let mut node = Node::new();
        node.start_daemon();
        node.add_image("files:1");
        node.add_image("files:2");
        // As long as an image of many gigabytes takes.
        node.engine.on_call(|call| match call.verb {
            Verb::ImageSave => vec![Fault::Hang(Effect::NotDone)],
            _ => vec![],
        });
        let saved = |node: &Node| {
            let saves = node.engine.calls().into_iter().filter(|call| call.verb == Verb::ImageSave);
            saves.map(|call| call.subject).collect::<Vec<_>>()
        };
        let shortly = Duration::from_secs(20);
        node.directory.put("web", &[mounting("files:1")]);
        node.publish();
        node.pass(shortly).await;
        assert_eq!(saved(&node), ["files:1"]);
        // Another pod takes its place.
        node.directory.put("web", &[mounting("files:2")]);
        node.publish();
        node.pass(shortly).await;
        assert_eq!(saved(&node), ["files:1", "files:2"]);
        // The node shuts down, and does not.
        node.shutdown.send_replace(Shutdown::Begun);
        node.pass(Duration::from_secs(10)).await;
        assert_eq!(node.summary().unwrap().shutdown, ShutdownPhase::Over);
        node.shutdown.send_replace(Shutdown::No);
        node.pass(shortly).await;
        assert_eq!(saved(&node), ["files:1", "files:2", "files:2"]);
        node.directory.clear();
        node.publish();
        node.pass(shortly).await;
        assert!(node.container("web", "POD").is_none(), "it is gone");
        let warnings: Vec<_> = node.events().into_iter().filter(|event| event.kind == EventType::Warning).collect();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert!(node.wrong.is_empty(), "{:?}", node.wrong);
    });
}
