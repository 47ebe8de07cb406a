//! `grpc.health.v1.Health/Check`, as told.

use bytes::Bytes;
use h2::server;
use http::{HeaderMap, HeaderValue, Request, Response};
use std::{future::pending, sync::Arc};
use tokio::net::TcpListener;

/// Serves for ever. `answer` says what to do with a check of a service: a number is the serving
/// status (1 is SERVING), `hang` never answers, `code:N` fails with gRPC status N.
pub fn serve(port: u16, answer: impl Fn(&str) -> String + Send + Sync + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("runtime");
    let answer = Arc::new(answer);
    runtime.block_on(async {
        let listener = TcpListener::bind(("0.0.0.0", port)).await.expect("listen");
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let Ok(mut connection) = server::handshake(stream).await else { return };
                while let Some(Ok((request, respond))) = connection.accept().await {
                    tokio::spawn(one(request, respond, Arc::clone(&answer)));
                }
            });
        }
    });
}

async fn one(
    request: Request<h2::RecvStream>,
    mut respond: server::SendResponse<Bytes>,
    answer: Arc<impl Fn(&str) -> String>,
) -> Option<()> {
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    let mut frame = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        frame.extend_from_slice(&data);
    }
    // Five bytes of frame, then field 1: a tag, a length below 128, the name.
    let service = String::from_utf8_lossy(frame.get(7..).unwrap_or_default()).into_owned();
    let told = match path.as_str() {
        "/grpc.health.v1.Health/Check" => answer(&service),
        _ => "code:12".to_owned(),
    };
    if told == "hang" {
        pending::<()>().await;
    }
    let head = Response::builder().header("content-type", "application/grpc").body(()).ok()?;
    let mut stream = respond.send_response(head, false).ok()?;
    let code = told.strip_prefix("code:").unwrap_or("0");
    if code == "0" {
        let status: u8 = told.parse().expect("a serving status");
        stream.send_data(Bytes::from(vec![0, 0, 0, 0, 2, 8, status]), false).ok()?;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_str(code).ok()?);
    trailers.insert("grpc-message", HeaderValue::from_static("as told"));
    stream.send_trailers(trailers).ok()
}
