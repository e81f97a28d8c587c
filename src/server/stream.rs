//! The bytes of one connection, protected or not, and how long they may lie.

use super::tls::Tls;
use crate::trust::Peer;
use hyper::body::Bytes;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long an answer may lie without any of it being taken. Over HTTP/2 a client that takes nothing does not answer
/// pings either; HTTP/1 has none.
const UNTAKEN: Duration = Duration::from_secs(40);

/// A connection's bytes.
pub(super) struct Stream {
    way: Way,
    /// What was read and is to be read again.
    first: Bytes,
    /// Runs while something is to be written and cannot be.
    untaken: Option<Pin<Box<Sleep>>>,
}

enum Way {
    Plain(TcpStream),
    Protected(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Shakes hands, where connections are protected; gives who proved by it to be at the other end.
    pub(super) async fn open(stream: TcpStream, tls: Option<Arc<Tls>>) -> io::Result<(Self, Option<Peer>)> {
        // An answer must not wait for the next one to fill a packet: a lonely call then took 50 ms longer.
        stream.set_nodelay(true)?;
        let (way, peer) = match tls {
            None => (Way::Plain(stream), None),
            Some(tls) => {
                let stream = TlsAcceptor::from(tls.config()).accept(stream).await?;
                let (_, session) = stream.get_ref();
                let peer = session.peer_certificates().and_then(<[_]>::first).map(Peer::of);
                (Way::Protected(Box::new(stream)), peer)
            }
        };
        Ok((Self { way, first: Bytes::new(), untaken: None }, peer))
    }

    /// The first bytes, which stay to be read.
    pub(super) async fn first<const LENGTH: usize>(&mut self) -> io::Result<[u8; LENGTH]> {
        let mut first = [0; LENGTH];
        self.read_exact(&mut first).await?;
        self.first = Bytes::copy_from_slice(&first);
        Ok(first)
    }

    /// Ends what is written, and not taken for too long.
    fn patiently<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.untaken = None;
            return written;
        }
        match self.untaken.get_or_insert_with(|| Box::pin(sleep(UNTAKEN))).as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if !stream.first.is_empty() {
            buf.put_slice(&stream.first.split_to(stream.first.len().min(buf.remaining())));
            return Poll::Ready(Ok(()));
        }
        match &mut stream.way {
            Way::Plain(plain) => Pin::new(plain).poll_read(cx, buf),
            Way::Protected(protected) => Pin::new(protected).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        let written = match &mut stream.way {
            Way::Plain(plain) => Pin::new(plain).poll_write(cx, buf),
            Way::Protected(protected) => Pin::new(protected).poll_write(cx, buf),
        };
        stream.patiently(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        let flushed = match &mut stream.way {
            Way::Plain(plain) => Pin::new(plain).poll_flush(cx),
            Way::Protected(protected) => Pin::new(protected).poll_flush(cx),
        };
        stream.patiently(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        let shut = match &mut stream.way {
            Way::Plain(plain) => Pin::new(plain).poll_shutdown(cx),
            Way::Protected(protected) => Pin::new(protected).poll_shutdown(cx),
        };
        stream.patiently(cx, shut)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        let written = match &mut stream.way {
            Way::Plain(plain) => Pin::new(plain).poll_write_vectored(cx, bufs),
            Way::Protected(protected) => Pin::new(protected).poll_write_vectored(cx, bufs),
        };
        stream.patiently(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.way {
            Way::Plain(plain) => plain.is_write_vectored(),
            Way::Protected(protected) => protected.is_write_vectored(),
        }
    }
}
