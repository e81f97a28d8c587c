//! One connection: how it is met, and how it is served until it ends.

use super::tls::Tls;
use crate::clock::chance_below;
use crate::grpc::{Guarded, Observed};
use crate::trust::Peer;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::body::Body;
use tonic::codegen::Service;

/// How long a stranger has for its handshake and its first words: a good one takes milliseconds and a few round trips.
pub(super) const INTRODUCTION: Duration = Duration::from_secs(5);

/// What every HTTP/2 client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

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

/// A connection that has begun to speak HTTP/2, with whom the handshake proved to be at its other end.
pub(super) struct Connection {
    stream: Stream,
    /// What was read of it and is to be read again.
    first: &'static [u8],
    peer: Option<Peer>,
}

enum Stream {
    Plain(TcpStream),
    Protected(Box<TlsStream<TcpStream>>),
}

/// Waits for a stranger's handshake and first words. `None` for one that is silent for too long or speaks otherwise.
pub(super) async fn introduce(stream: TcpStream, tls: Option<Arc<Tls>>) -> Option<Connection> {
    match tokio::time::timeout(INTRODUCTION, listen_to(stream, tls)).await {
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

async fn listen_to(stream: TcpStream, tls: Option<Arc<Tls>>) -> io::Result<Connection> {
    // An answer must not wait for the next one to fill a packet: a lonely call then took 50 ms longer.
    stream.set_nodelay(true)?;
    let mut connection = match tls {
        None => Connection { stream: Stream::Plain(stream), first: &[], peer: None },
        Some(tls) => Connection::protected(TlsAcceptor::from(tls.config()).accept(stream).await?),
    };
    let mut first = [0; PREFACE.len()];
    connection.read_exact(&mut first).await?;
    if first != PREFACE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not HTTP/2"));
    }
    Ok(Connection { first: PREFACE, ..connection })
}

/// Serves a connection until its client ends it, or it is told to finish, or it is too old.
pub(super) async fn serve(
    connection: Connection,
    services: Observed<Guarded>,
    mut finish: watch::Receiver<bool>,
) {
    let peer = connection.peer.clone();
    let answer = service_fn(move |request: Request<Incoming>| {
        let mut services = services.clone();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        async move {
            poll_fn(|cx| services.poll_ready(cx)).await?;
            services.call(request).await
        }
    });
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
    let mut serving = pin!(http.serve_connection(TokioIo::new(connection), answer));
    let age = MAX_AGE.saturating_sub(Duration::from_secs(chance_below(AGE_SPREAD_SECS).into()));
    tokio::select! {
        ended = &mut serving => return say_how(ended),
        () = tokio::time::sleep(age) => {}
        _ = finish.wait_for(|finish| *finish) => {}
    }
    // No new calls; those under way are finished.
    serving.as_mut().graceful_shutdown();
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

impl Connection {
    fn protected(stream: TlsStream<TcpStream>) -> Self {
        let (_, session) = stream.get_ref();
        let peer = session.peer_certificates().and_then(<[_]>::first).map(Peer::of);
        Self { stream: Stream::Protected(Box::new(stream)), first: &[], peer }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        if !connection.first.is_empty() {
            let (now, later) = connection.first.split_at(connection.first.len().min(buf.remaining()));
            buf.put_slice(now);
            connection.first = later;
            return Poll::Ready(Ok(()));
        }
        match &mut connection.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Protected(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Protected(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Protected(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Protected(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Protected(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Protected(stream) => stream.is_write_vectored(),
        }
    }
}
