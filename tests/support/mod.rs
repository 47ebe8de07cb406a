//! What integration tests share: a Docker Engine of their own, images for it, bounded waiting.
//!
//! Nothing here touches an engine, network or file that belongs to the machine.

// Every test program uses another part of this.
#![allow(dead_code, unreachable_pub, unused_imports)]
// Helpers are not themselves test functions, where these would be allowed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod debian;
pub mod dockerd;
pub mod images;
mod leftovers;
pub mod registry;

pub use dockerd::{DockerdOptions, PrivateDockerd};

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// How long anything may take on a busy machine before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks `look` again and again until it gives a value; fails with `what` after [`PATIENCE`].
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let wait = async {
        loop {
            if let Some(value) = look().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("did not happen in {PATIENCE:?}: {what}"))
}

/// A port that nobody uses at the moment. It is none of those that the kernel gives to connections, and other tests
/// begin elsewhere.
pub fn free_port() -> u16 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id() * 10 + COUNT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + u16::try_from(next % 10_000).expect("below 10 000");
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

/// Head and body of what an HTTP server answers to `GET path`; `None` if it does not within some seconds.
pub async fn http_get(address: impl tokio::net::ToSocketAddrs, path: &str) -> Option<(String, String)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let talk = async {
        let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
        // Its answer is neither chunked nor kept open.
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.to_owned(), body.to_owned()))
    };
    tokio::time::timeout(Duration::from_secs(10), talk).await.ok()?
}

/// Writes a line that the test harness does not swallow.
pub fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}
