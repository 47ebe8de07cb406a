//! The `grpc` handler: one unary call of `grpc.health.v1.Health/Check`, in plain HTTP/2.
//!
//! The call's request and answer have one field each, so its framing is written out here.

use super::{Outcome, connect, http::Connection, request::authority};
use crate::report;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap,
    body::{Bytes, Incoming},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{net::IpAddr, time::Duration};

const PATH: &str = "/grpc.health.v1.Health/Check";
/// More than an answer ever is.
const ANSWER_LIMIT: usize = 4096;
const OK: u32 = 0;
const DEADLINE_EXCEEDED: u32 = 4;
const UNIMPLEMENTED: u32 = 12;

/// Asks once. Whatever is not SERVING is a failure; there are no errors.
pub(super) async fn ask(port: u16, service: &str, address: Option<IpAddr>, timeout: Duration) -> Outcome {
    let Some(address) = address else { return Outcome::Failure("error: the pod has no address".to_owned()) };
    let call = async {
        let host = address.to_string();
        let at = authority(&host, port);
        let stream = connect::tcp(&host, port).await;
        let stream = stream.map_err(|e| format!("error: failed to connect service at {at:?}: {}", report(&e)))?;
        check(&at, service, TokioIo::new(stream)).await
    };
    match tokio::time::timeout(timeout, call).await {
        Ok(Ok(())) => Outcome::Success("service healthy".to_owned()),
        Ok(Err(failure)) => Outcome::Failure(failure),
        Err(_) => Outcome::Failure(format!("timeout: health rpc did not complete within {timeout:?}")),
    }
}

async fn check<T>(authority: &str, service: &str, io: T) -> Result<(), String>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| format!("error: health rpc probe failed: {}", report(&error));
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.map_err(broken)?;
    let _connection = Connection::drive(connection);
    let request = hyper::Request::post(format!("http://{authority}{PATH}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "kube-probe/1.36")
        .body(Full::new(Bytes::from(request_frame(service))))
        .map_err(|error| format!("error: health rpc probe failed: {}", report(&error)))?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let (head, body) = response.into_parts();
    if head.status != 200 {
        return Err(format!("error: health rpc probe failed: the server answered HTTP status {}", head.status));
    }
    let (message, trailers) = read(body).await?;
    // A call that fails at once has its status in the head.
    let status = trailers.as_ref().and_then(status).or_else(|| status(&head.headers));
    judge(status, &message)
}

async fn read(mut body: Incoming) -> Result<(Vec<u8>, Option<HeaderMap>), String> {
    let (mut message, mut trailers) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("error: health rpc probe failed: {}", report(&error)))?;
        match frame.into_data() {
            Ok(data) => message.extend_from_slice(&data),
            Err(other) => trailers = other.into_trailers().ok(),
        }
        if message.len() > ANSWER_LIMIT {
            return Err("error: health rpc probe failed: the answer is too long for a health check".to_owned());
        }
    }
    Ok((message, trailers))
}

/// `grpc-status` and `grpc-message`.
fn status(headers: &HeaderMap) -> Option<(u32, String)> {
    let code = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    let text = headers.get("grpc-message").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    Some((code, text.unwrap_or_default()))
}

fn judge(status: Option<(u32, String)>, message: &[u8]) -> Result<(), String> {
    match status {
        Some((OK, _)) => {}
        Some((UNIMPLEMENTED, text)) => {
            return Err(format!(
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {text}"
            ));
        }
        Some((DEADLINE_EXCEEDED, text)) => return Err(format!("timeout: the server gave the health rpc up: {text}")),
        Some((code, text)) => return Err(format!("error: health rpc probe failed: grpc status {code}: {text}")),
        None => return Err("error: health rpc probe failed: the answer has no grpc-status".to_owned()),
    }
    let word = match serving_status(message) {
        Some(0) => "UNKNOWN".to_owned(),
        Some(1) => return Ok(()),
        Some(2) => "NOT_SERVING".to_owned(),
        Some(3) => "SERVICE_UNKNOWN".to_owned(),
        Some(other) => other.to_string(),
        None => return Err("error: health rpc probe failed: the answer is no HealthCheckResponse".to_owned()),
    };
    Err(format!("service unhealthy (responded with {word:?})"))
}

/// `HealthCheckRequest { service = 1 }` in a gRPC frame.
fn request_frame(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        // Field 1, length-delimited.
        message.push(0x0a);
        put_varint(&mut message, service.len() as u64);
        message.extend_from_slice(service.as_bytes());
    }
    // Not compressed, then the length.
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(&message);
    frame
}

fn put_varint(to: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            to.push(low);
            return;
        }
        to.push(low | 0x80);
    }
}

fn take_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// `HealthCheckResponse { status = 1 }` from a gRPC frame; fields that are not known are passed over.
fn serving_status(frame: &[u8]) -> Option<u64> {
    let (head, message) = frame.split_at_checked(5)?;
    let (compressed, length) = head.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let mut rest = message.get(..usize::try_from(length).ok()?)?;
    if *compressed != 0 {
        return None;
    }
    let mut status = 0;
    while !rest.is_empty() {
        let tag = take_varint(&mut rest)?;
        match (tag >> 3, tag & 7) {
            (1, 0) => status = take_varint(&mut rest)?,
            (_, 0) => {
                take_varint(&mut rest)?;
            }
            (_, 1) => rest = rest.get(8..)?,
            (_, 2) => {
                let length = take_varint(&mut rest)?;
                rest = rest.get(usize::try_from(length).ok()?..)?;
            }
            (_, 5) => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    #[test]
    fn frames() {
        assert_eq!(request_frame(""), [0, 0, 0, 0, 0]);
        assert_eq!(request_frame("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = request_frame(&"x".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 0x2f, 0x0a, 0xac, 0x02]);
        for (frame, status) in [
            (&[0, 0, 0, 0, 2, 8, 1][..], Some(1)),
            (&[0, 0, 0, 0, 2, 8, 2], Some(2)),
            // An absent field is UNKNOWN.
            (&[0, 0, 0, 0, 0], Some(0)),
            // Unknown fields of every wire type around it.
            (&[0, 0, 0, 0, 19, 0x10, 0x80, 1, 0x1a, 1, 9, 8, 1, 0x25, 1, 2, 3, 4, 0x2a, 0, 0x30, 0, 0x38, 0], Some(1)),
            (&[1, 0, 0, 0, 2, 8, 1], None),
            (&[0, 0, 0, 0, 3, 8, 1], None),
            (&[0, 0, 0, 0, 1, 8], None),
            (&[0, 0, 0], None),
            (&[], None),
        ] {
            assert_eq!(serving_status(frame), status, "{frame:?}");
        }
    }

    #[test]
    fn only_serving_passes() {
        let frame = |status: u8| vec![0, 0, 0, 0, 2, 8, status];
        let ok = || Some((OK, String::new()));
        assert_eq!(judge(ok(), &frame(1)), Ok(()));
        for (status, message, failure) in [
            (ok(), frame(2), "service unhealthy (responded with \"NOT_SERVING\")"),
            (ok(), frame(0), "service unhealthy (responded with \"UNKNOWN\")"),
            (ok(), frame(3), "service unhealthy (responded with \"SERVICE_UNKNOWN\")"),
            (ok(), frame(9), "service unhealthy (responded with \"9\")"),
            (ok(), vec![], "error: health rpc probe failed: the answer is no HealthCheckResponse"),
            (None, frame(1), "error: health rpc probe failed: the answer has no grpc-status"),
            (
                Some((UNIMPLEMENTED, "nope".to_owned())),
                vec![],
                "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): nope",
            ),
            (
                Some((5, "unknown service".to_owned())),
                vec![],
                "error: health rpc probe failed: grpc status 5: unknown service",
            ),
        ] {
            assert_eq!(judge(status, &message), Err(failure.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(frame in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = serving_status(&frame);
        }
    }
}
