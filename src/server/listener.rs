//! The listener: who connects is met first and served only then, so that those who say nothing cost little and keep nobody
//! out.

use super::connection::{Connection, introduce, serve};
use super::tls::Tls;
use crate::grpc::Served;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};

/// Connections that have not spoken yet. Past it the one that was silent longest is closed: who means well speaks within
/// milliseconds.
const MAX_STRANGERS: usize = 256;

/// How long nothing is accepted after the system refused to: too many open files do not go away at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What accepts connections.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) tls: Option<Arc<Tls>>,
    /// Connections served at once; who comes past it is closed, and may try another replica.
    pub(super) max_connections: usize,
}

impl Listener {
    /// Serves until told to stop, then until the last call under way is answered. Dropped, it cuts every connection.
    pub(super) async fn serve(self, services: Served, mut stop: oneshot::Receiver<()>) {
        let Self { socket, tls, max_connections } = self;
        let speaks_http1 = matches!(services, Served::GrpcAndWeb(_));
        let mut strangers = Strangers::default();
        let mut served = JoinSet::new();
        let (finish, told) = watch::channel(false);
        loop {
            tokio::select! {
                // A dropped sender means the same as a message: stop.
                _ = &mut stop => break,
                stream = accept(&socket) => strangers.meet(introduce(stream, tls.clone(), speaks_http1)),
                Some(met) = strangers.meeting.join_next() => match met {
                    Ok(Some(connection)) if served.len() < max_connections => {
                        served.spawn(serve(connection, services.clone(), told.clone()));
                    }
                    Ok(Some(_)) => tracing::warn!(max_connections, "a connection more than may be was closed"),
                    Ok(None) | Err(_) => {}
                },
                Some(_) = served.join_next() => {}
            }
        }
        drop((socket, strangers));
        let _ = finish.send(true);
        while served.join_next().await.is_some() {}
    }
}

/// The next connection, however long the system refuses to make one.
pub(super) async fn accept(socket: &TcpListener) -> TcpStream {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Connections whose first words are waited for.
#[derive(Default)]
struct Strangers {
    meeting: JoinSet<Option<Connection>>,
    /// The same, in the order in which they came; some may have ended.
    by_age: VecDeque<AbortHandle>,
}

impl Strangers {
    fn meet(&mut self, stranger: impl Future<Output = Option<Connection>> + Send + 'static) {
        while self.by_age.front().is_some_and(AbortHandle::is_finished) {
            self.by_age.pop_front();
        }
        if self.meeting.len() >= MAX_STRANGERS
            && let Some(oldest) = self.by_age.pop_front()
        {
            oldest.abort();
        }
        self.by_age.push_back(self.meeting.spawn(stranger));
    }
}
