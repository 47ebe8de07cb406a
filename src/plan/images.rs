//! Images before anything else: nothing old is stopped, and nothing new is made, without them.

use super::{Offer, Planner, PodAction, WaitingReason};
use crate::pod::{Container, Pod};

/// How it stands with some images, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Images {
    /// All are on the node.
    Ready,
    /// Some are looked for or pulled.
    Pulling,
    /// Some are asked for in this very round.
    Asked,
    /// Some could not be had, and are tried again later.
    Failing,
}

impl Planner<'_> {
    /// Asks for the images of these containers of a pod that are not known to be on the node.
    pub(super) fn ensure_images<'c>(
        &mut self,
        pod: &Pod,
        containers: impl Iterator<Item = &'c Container>,
        waiting: &WaitingReason,
    ) -> Images {
        let mut worst = Images::Ready;
        for container in containers {
            let Some(offer) = self.ensure_image(pod, container) else { continue };
            self.note_offer(&container.name, offer, waiting);
            worst = worst.max(match offer {
                Offer::Taken => Images::Asked,
                Offer::Busy => Images::Pulling,
                Offer::BackingOff { .. } => Images::Failing,
            });
        }
        worst
    }

    /// `None` when all images that the container is still to be made of are there.
    pub(super) fn ensure_image(&mut self, pod: &Pod, container: &Container) -> Option<Offer> {
        let images = self.input.images;
        let references = self.input.references.get(&pod.uid);
        let needed = container.images_without(|volume| references.is_some_and(|r| r.has(volume)));
        let mut worst = None;
        for (image, policy) in needed.filter(|(image, _)| !images.contains_key(*image)) {
            let offer = self.offer(PodAction::EnsureImage { image: image.clone(), policy });
            if !matches!(worst, Some(Offer::BackingOff { .. })) {
                worst = Some(offer);
            }
        }
        worst
    }
}
