//! The built-in sandbox image: the pause program, carried by the daemon and loaded into the engine.
//!
//! Containers are made from the image's *id*, so that a foreign tag can not put another program into
//! every sandbox. The tag keeps it from `docker image prune` and tells an operator what it is.

use super::{
    Engine, EngineError,
    archive::{ImageArchive, LayerEntry, image_archive},
};
use serde_json::json;

/// Tag of the built-in image.
pub const PAUSE_IMAGE: &str = concat!("kubelet-lite/pause:", env!("CARGO_PKG_VERSION"));

static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pause"));

/// The built-in image. The same build gives the same id.
pub fn pause_image() -> ImageArchive {
    let run = json!({
        "Entrypoint": ["/pause"],
        // As upstream's pause image: it needs no privilege.
        "User": "65535:65535",
        "Labels": {
            "io.kubelet-lite.image": "pause",
            "org.opencontainers.image.title": "kubelet-lite pause",
            "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
        },
    });
    image_archive(PAUSE_IMAGE, &run, &[LayerEntry::File("pause", 0o555, PROGRAM)])
}

/// Sees to it that the engine has the built-in image, and returns the id to make sandboxes from.
/// Loads it only if it is missing.
pub async fn ensure<E: Engine>(engine: &E) -> Result<String, EngineError> {
    let image = pause_image();
    match engine.image_inspect(&image.id).await {
        Err(error) if error.is_not_found() => {}
        present => return present.map(|_| image.id),
    }
    engine.image_load(image.bytes).await?;
    match engine.image_inspect(&image.id).await {
        // An image store that names images by their manifest knows it by another id.
        Err(error) if error.is_not_found() => Ok(engine.image_inspect(PAUSE_IMAGE).await?.id),
        loaded => loaded.map(|_| image.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::fake::{FakeEngine, Fault, Verb, unavailable},
        time::Clock,
    };

    fn engine() -> FakeEngine {
        FakeEngine::new(&Clock::simulated("2026-01-01T00:00:00Z".parse().unwrap()))
    }

    #[test]
    fn the_program_is_a_small_static_executable() {
        assert_eq!(PROGRAM.get(..4), Some(b"\x7fELF".as_slice()));
        // ET_EXEC: neither position-independent nor in need of a dynamic linker.
        assert_eq!(PROGRAM.get(16..18), Some([2, 0].as_slice()));
        assert!(PROGRAM.len() < 4096, "{} bytes", PROGRAM.len());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_loaded_once() {
        let engine = engine();
        let id = ensure(&engine).await.unwrap();
        assert_eq!(id, pause_image().id);
        assert_eq!(ensure(&engine).await.unwrap(), id);
        assert_eq!(engine.calls().iter().filter(|c| c.verb == Verb::ImageLoad).count(), 1);
        assert_eq!(engine.image_inspect(PAUSE_IMAGE).await.unwrap().user, "65535:65535");
        assert_eq!(engine.images(), [PAUSE_IMAGE.to_owned()].into());
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_does_not_answer_is_not_an_engine_without_the_image() {
        let engine = engine();
        engine.inject(1, Fault::Before(unavailable()));
        assert_eq!(ensure(&engine).await, Err(unavailable()));
        assert_eq!(engine.call_count(), 1);
    }
}
