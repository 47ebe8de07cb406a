//! Images before anything else: nothing old is stopped, and nothing new is made, without them.

use super::{Offer, Planner, PodAction};
use crate::pod::Container;

impl Planner<'_> {
    /// Whether the images of all these containers are on the node; those that are not known to be
    /// are asked for.
    pub(super) fn images_ready<'c>(&mut self, containers: impl Iterator<Item = &'c Container>) -> bool {
        let mut ready = true;
        for container in containers {
            if let Some(offer) = self.ensure_image(container) {
                ready = false;
                let waiting = offer.waiting(super::WaitingReason::ContainerCreating);
                self.plan.waiting.insert(container.name.clone(), waiting);
            }
        }
        ready
    }

    /// `None` when the image is there.
    pub(super) fn ensure_image(&mut self, container: &Container) -> Option<Offer> {
        if self.input.images.contains_key(&container.image) {
            return None;
        }
        Some(self.offer(PodAction::EnsureImage { image: container.image.clone(), policy: container.pull_policy }))
    }
}
