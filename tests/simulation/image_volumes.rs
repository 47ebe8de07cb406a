//! Volumes of images, whose files are made once and outlive their images.

use crate::{
    crowd,
    manifests::{PodDef, app},
    node::Node,
};

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
        node.pass(std::time::Duration::from_secs(60)).await;
        assert!(node.container("web", "app").is_none(), "the image is missing");
        node.add_image("files:1");
        node.settle().await;
        assert!(node.wrong.is_empty(), "{:?}", node.wrong);
    });
}
