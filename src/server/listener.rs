//! Connections: accepted one after the other, their handshakes done beside each other.

use super::tls::Tls;
use crate::trust::Peer;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// How long a handshake may take: a good one takes milliseconds and a few round trips.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

/// Handshakes at once; past it new connections wait where the system keeps them.
const MAX_HANDSHAKES: usize = 256;

/// Connections that wait to be served.
const MAX_WAITING: usize = 64;

/// How long nothing is accepted after the system refused to: too many open files do not go away at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections in a task among the companions, until that is ended.
pub(super) fn accept(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    companions: &mut JoinSet<()>,
) -> ReceiverStream<io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    companions.spawn(async move {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // An answer must not wait for the next one to fill a packet: a lonely call then took 50 ms longer.
            let _ = stream.set_nodelay(true);
            let Some(tls) = &tls else {
                let _ = sender.send(Ok(Connection::Plain(stream))).await;
                continue;
            };
            let Ok(permit) = handshakes.clone().acquire_owned().await else { return };
            let (acceptor, sender) = (TlsAcceptor::from(tls.config()), sender.clone());
            tokio::spawn(async move {
                let shaken = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await;
                drop(permit);
                match shaken {
                    Ok(Ok(stream)) => drop(sender.send(Ok(Connection::protected(stream))).await),
                    // Scanners and clients of other authorities come by all day.
                    Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
                    Err(_) => tracing::debug!("a handshake took too long"),
                }
            });
        }
    });
    ReceiverStream::new(receiver)
}

/// A connection, with whom the handshake proved to be at its other end.
pub(super) enum Connection {
    Plain(TcpStream),
    Protected(Box<TlsStream<TcpStream>>, Option<Peer>),
}

impl Connection {
    fn protected(stream: TlsStream<TcpStream>) -> Self {
        let (_, session) = stream.get_ref();
        let peer = session.peer_certificates().and_then(<[_]>::first).map(Peer::of);
        Self::Protected(Box::new(stream), peer)
    }
}

/// Who is at the other end, for every call of the connection.
impl Connected for Connection {
    type ConnectInfo = Option<Peer>;

    fn connect_info(&self) -> Self::ConnectInfo {
        match self {
            Self::Plain(_) => None,
            Self::Protected(_, peer) => peer.clone(),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Protected(stream, _) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Protected(stream, _) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Protected(stream, _) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Protected(stream, _) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Protected(stream, _) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Protected(stream, _) => stream.is_write_vectored(),
        }
    }
}
