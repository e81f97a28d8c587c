//! The listener: services, health and reflection on one port, and an end that is never half done.

mod connection;
mod health;
mod listener;
mod metrics;
mod stream;
mod sweeper;
mod tls;

use crate::command::{Desk, Policies};
use crate::grpc::{Api, Gate, Observed, Quota, Served, Web, method_names};
use crate::proto::DESCRIPTOR;
use crate::store::Store;
use crate::telemetry::{Calls, Decisions};
use crate::trust::Trust;
use health::Health;
use http::HeaderValue;
use listener::Listener;
use metrics::Metrics;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use sweeper::Sweeper;
use tls::Tls;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

pub use tls::{TlsError, TlsFiles};

/// How long the store may take to close: a transaction under way may wait for a lock, and then for a statement.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Why the server did not start, or how it ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// Without authentication only this machine may call.
    #[error(
        "no authentication is configured, so only a loopback address may be listened on, and {0} is not one: \
         recognise callers by tokens (--jwt-keys, --jwt-issuer, --jwt-audience) or by client certificates \
         (--tls-client-ca, --client), or use --listen 127.0.0.1:{port}", port = .0.port()
    )]
    Exposed(SocketAddr),
    /// Others could read the tokens of callers.
    #[error(
        "{0} can be reached by others, and its connections are not protected: set --tls-certificate and --tls-key, \
         or --plaintext where something in front of this process ends TLS"
    )]
    Unprotected(SocketAddr),
    /// The files of TLS cannot be used.
    #[error("connections cannot be protected")]
    Tls(#[from] TlsError),
    /// The descriptor set of the protos cannot be served.
    #[error("the reflection service cannot be built")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The server's task was lost.
    #[error("the server's task ended without an answer")]
    Task(#[from] tokio::task::JoinError),
}

/// What is served, and where.
#[derive(Debug)]
pub struct Options {
    /// The address; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Who may call, and how connections are protected.
    pub access: Access,
    /// How much may be asked.
    pub limits: Limits,
    /// The origins whose pages may call, by gRPC-Web; without it nobody may speak HTTP/1.1.
    pub grpc_web: Option<Vec<HeaderValue>>,
    /// The records.
    pub store: Store,
    /// The policies.
    pub policies: Policies,
}

/// How much may be asked.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest any call may take.
    pub request_timeout: Duration,
    /// Connections served at once.
    pub max_connections: usize,
    /// Calls of one caller in a second; without it there is no bound.
    pub calls_per_second: Option<NonZeroU32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request_timeout: Duration::from_secs(15), max_connections: 512, calls_per_second: None }
    }
}

/// Who may call, and how connections are protected.
#[derive(Debug, Clone)]
pub struct Access {
    /// How callers are recognised.
    pub gate: Gate,
    /// The files of TLS; without them connections are not protected here.
    pub tls: Option<TlsFiles>,
    /// Whether others may reach an address without TLS.
    pub plaintext: bool,
}

impl Access {
    /// Everybody on this machine, recognised by nothing.
    #[must_use]
    pub const fn development() -> Self {
        Self { gate: Gate::Development, tls: None, plaintext: false }
    }

    /// Whether this address may be listened on.
    ///
    /// # Errors
    /// [`Error::Exposed`] or [`Error::Unprotected`] for an address that others can reach.
    pub fn check(&self, listen: SocketAddr) -> Result<(), Error> {
        match self {
            _ if listen.ip().is_loopback() => Ok(()),
            Self { gate: Gate::Development, .. } => Err(Error::Exposed(listen)),
            Self { tls: None, plaintext: false, .. } => Err(Error::Unprotected(listen)),
            Self { .. } => Ok(()),
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct Running {
    local_addr: SocketAddr,
    health: HealthReporter,
    /// Where health alone is told; through the drain as well, until this is dropped.
    told_health: Option<Health>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    store: Store,
    desk: Desk,
    sweeper: Option<Sweeper>,
    calls: Arc<Calls>,
    decisions: Decisions,
    metrics: Option<Metrics>,
    /// What follows the files of TLS; ended when this is dropped.
    companions: JoinSet<()>,
}

/// Starts to listen and to serve.
///
/// # Errors
/// As [`Access::check`], [`Error::Tls`] for files that cannot be used, [`Error::Listen`] for an address that is taken.
pub async fn start(options: Options) -> Result<Running, Error> {
    let Options { listen, access, limits, grpc_web, store, policies } = options;
    access.check(listen)?;
    let Access { gate, tls: files, plaintext: _ } = access;
    let tls = match files {
        Some(files) => Some(Tls::open(files, grpc_web.is_some()).await?),
        None => None,
    };
    let (socket, local_addr) = bind(listen).await?;
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTOR)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let desk = Desk::new(store.clone(), policies);
    let api = Api::new(desk.clone(), gate.is_development());
    let routes = api
        .routes()
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        // Older clients, the Python and Node ones among them, ask by the first version.
        .add_service(reflection().build_v1alpha()?);
    let (stop, stopped) = oneshot::channel();
    let mut companions = JoinSet::new();
    if let Gate::Guarded(trust) = &gate {
        Trust::keep_fresh(trust);
    }
    if let Some(tls) = &tls {
        companions.spawn(tls.clone().follow());
    }
    let quota = Quota { longest: limits.request_timeout, calls_per_second: limits.calls_per_second };
    let calls = Arc::new(Calls::of(method_names()));
    let services = Observed::new(gate.around(routes, quota), Arc::clone(&calls));
    let services = match grpc_web {
        Some(origins) => Served::GrpcAndWeb(Box::new(Web::new(services, origins, limits.request_timeout))),
        None => Served::Grpc(services),
    };
    let listener = Listener { socket, tls, max_connections: limits.max_connections };
    let server = listener.serve(services, stopped);
    health.set_service_status("", ServingStatus::Serving).await;
    let (task, decisions) = (tokio::spawn(server), api.decisions().clone());
    let (sweeper, metrics, told_health) = (None, None, None);
    Ok(Running {
        local_addr,
        health,
        told_health,
        stop,
        task,
        store,
        desk,
        sweeper,
        calls,
        decisions,
        metrics,
        companions,
    })
}

impl Running {
    /// The address that is listened on.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Sweeps what runs out of time, about every `interval`, until the server is stopped.
    #[must_use]
    pub fn sweeping_every(mut self, interval: Duration) -> Self {
        self.sweeper = Some(Sweeper::start(self.desk.clone(), interval));
        self
    }

    /// Waits until the server ends by itself, which it does only by an error.
    ///
    /// # Errors
    /// The task's.
    pub async fn ended(&mut self) -> Result<(), Error> {
        Ok((&mut self.task).await?)
    }

    /// Says that it serves no more, takes no new calls, and lets running ones finish for at most `drain`; then it cuts what
    /// is left and closes the store. Transactions under way end in their own tasks before the store is closed.
    ///
    /// # Errors
    /// The task's.
    pub async fn stop(self, drain: Duration) -> Result<(), Error> {
        let Self { health, stop, mut task, store, sweeper, mut companions, .. } = self;
        health.set_service_status("", ServingStatus::NotServing).await;
        let _ = stop.send(());
        companions.abort_all();
        let finished = tokio::time::timeout(drain, async {
            if let Some(sweeper) = sweeper {
                sweeper.stop().await;
            }
            (&mut task).await
        });
        let finished = finished.await;
        // With the task end the connections that are left.
        task.abort();
        if tokio::time::timeout(CLOSE_LIMIT, store.close()).await.is_err() {
            tracing::warn!("transactions under way were left to the database to roll back");
        }
        match finished {
            Ok(ended) => Ok(ended?),
            Err(_) => {
                tracing::warn!(?drain, "calls under way were cut: they did not finish in time");
                Ok(())
            }
        }
    }
}

/// Takes an address, and says which where the port was left open.
async fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let taken = |error| Error::Listen(listen, error);
    let socket = TcpListener::bind(listen).await.map_err(taken)?;
    let local_addr = socket.local_addr().map_err(taken)?;
    Ok((socket, local_addr))
}
