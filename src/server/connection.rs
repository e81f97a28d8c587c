//! One connection: how it is met, and how it is served until it ends.

use super::stream::Stream;
use super::tls::Tls;
use crate::clock::chance_below;
use crate::grpc::Served;
use crate::trust::Peer;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::Service;

/// How long a stranger has for its handshake and its first words: a good one takes milliseconds and a few round trips.
pub(super) const INTRODUCTION: Duration = Duration::from_secs(5);

/// What every HTTP/2 client says first.
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How often a silent connection is asked whether it lives.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// How long it may take to say so.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls of one connection at a time.
const MAX_STREAMS: u32 = 200;

/// Calls that a client took back before they were looked at. Past it the connection ends: so begins a flood of calls that
/// are begun only to be taken back.
const MAX_RESETS: usize = 50;

/// Bytes of a call's metadata.
const MAX_METADATA: u32 = 16 * 1024;

/// Bytes of one call that may arrive before they are read: the largest request.
const STREAM_WINDOW: u32 = 320 * 1024;

/// The same for all calls of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// After this a connection takes no new calls: what a certificate proved is proved again, and callers spread over replicas
/// that were started since.
const MAX_AGE: Duration = Duration::from_hours(1);

/// By how much that differs between connections, at most, so that not all come back at once.
const AGE_SPREAD_SECS: u32 = 360;

/// How long calls under way may then go on: a long backtest is one.
const AGE_GRACE: Duration = Duration::from_mins(10);

/// Bytes of HTTP/1's buffer, and so of a call's metadata.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How long a head of HTTP/1 may take, from the end of the call before it: a connection between two calls is silent
/// for no longer, since there is no ping to ask whether it lives.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// A connection that has begun to speak, with whom the handshake proved to be at its other end.
pub(super) struct Connection {
    stream: Stream,
    language: Language,
    peer: Option<Peer>,
}

#[derive(Clone, Copy)]
enum Language {
    Http2,
    Http1,
}

/// Waits for a stranger's handshake and first words. `None` for one that is silent for too long or speaks otherwise.
pub(super) async fn introduce(
    stream: TcpStream,
    tls: Option<Arc<Tls>>,
    speaks_http1: bool,
) -> Option<Connection> {
    match tokio::time::timeout(INTRODUCTION, listen_to(stream, tls, speaks_http1)).await {
        Ok(Ok(connection)) => Some(connection),
        // Scanners and clients of other authorities come by all day.
        Ok(Err(error)) => {
            tracing::debug!(%error, "a connection did not speak as it must");
            None
        }
        Err(_) => {
            tracing::debug!("a connection was silent for too long");
            None
        }
    }
}

async fn listen_to(stream: TcpStream, tls: Option<Arc<Tls>>, speaks_http1: bool) -> io::Result<Connection> {
    let (mut stream, peer) = Stream::open(stream, tls).await?;
    // No call of HTTP/1 is as short.
    let language = match stream.first().await? {
        PREFACE => Language::Http2,
        _ if speaks_http1 => Language::Http1,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "not HTTP/2")),
    };
    Ok(Connection { stream, language, peer })
}

/// Serves a connection until its client ends it, or it is told to finish, or it is too old.
pub(super) async fn serve(connection: Connection, services: Served, finish: watch::Receiver<bool>) {
    let Connection { stream, language, peer } = connection;
    let answer = service_fn(move |request: Request<Incoming>| {
        let mut services = services.clone();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        async move {
            poll_fn(|cx| services.poll_ready(cx)).await?;
            services.call(request).await
        }
    });
    let stream = TokioIo::new(stream);
    match language {
        Language::Http2 => {
            let serving = pin!(http2().serve_connection(stream, answer));
            until_over(serving, http2::Connection::graceful_shutdown, finish).await;
        }
        Language::Http1 => {
            let serving = pin!(http1().serve_connection(stream, answer));
            until_over(serving, http1::Connection::graceful_shutdown, finish).await;
        }
    }
}

fn http2() -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .max_header_list_size(MAX_METADATA)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    http
}

fn http1() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    http
}

/// Lets a connection be served until it is told to finish or too old; then it takes no new calls, and ends with those
/// under way.
async fn until_over<C: Future<Output = hyper::Result<()>>>(
    mut serving: Pin<&mut C>,
    shut_down: impl FnOnce(Pin<&mut C>),
    mut finish: watch::Receiver<bool>,
) {
    let age = MAX_AGE.saturating_sub(Duration::from_secs(chance_below(AGE_SPREAD_SECS).into()));
    tokio::select! {
        ended = &mut serving => return say_how(ended),
        () = tokio::time::sleep(age) => {}
        _ = finish.wait_for(|finish| *finish) => {}
    }
    shut_down(serving.as_mut());
    match tokio::time::timeout(AGE_GRACE, serving).await {
        Ok(ended) => say_how(ended),
        Err(_) => tracing::debug!("a connection did not end and was cut"),
    }
}

fn say_how(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended badly");
    }
}
