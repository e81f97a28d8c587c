//! The listener: services, health and reflection on one port, and an end that is never half done.

mod metrics;
mod sweeper;

use crate::command::{Desk, Policies};
use crate::grpc::{Api, Observed, method_names};
use crate::proto::DESCRIPTOR;
use crate::store::Store;
use crate::telemetry::{Calls, Decisions};
use metrics::Metrics;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use sweeper::Sweeper;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// How often a silent connection is asked whether it lives.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// How long it may take to say so.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the server did not start, or how it ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// Without authentication only this machine may call.
    #[error(
        "no authentication is configured, so only a loopback address may be listened on, and {0} is not one; \
         use --listen 127.0.0.1:{port}", port = .0.port()
    )]
    Exposed(SocketAddr),
    /// The descriptor set of the protos cannot be served.
    #[error("the reflection service cannot be built")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport gave up.
    #[error("the server ended by an error")]
    Transport(#[from] tonic::transport::Error),
    /// The server's task was lost.
    #[error("the server's task ended without an answer")]
    Task(#[from] tokio::task::JoinError),
}

/// What is served, and where.
#[derive(Debug)]
pub struct Options {
    /// The address; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Longest any call may take.
    pub request_timeout: Duration,
    /// The records.
    pub store: Store,
    /// The policies.
    pub policies: Policies,
}

/// A running server.
#[derive(Debug)]
pub struct Running {
    local_addr: SocketAddr,
    health: HealthReporter,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), tonic::transport::Error>>,
    store: Store,
    desk: Desk,
    sweeper: Option<Sweeper>,
    calls: Arc<Calls>,
    decisions: Decisions,
    metrics: Option<Metrics>,
}

/// Whether this address may be listened on without authentication.
///
/// # Errors
/// [`Error::Exposed`] for an address that others can reach.
pub fn check_address(listen: SocketAddr) -> Result<(), Error> {
    if listen.ip().is_loopback() { Ok(()) } else { Err(Error::Exposed(listen)) }
}

/// Starts to listen and to serve.
///
/// # Errors
/// [`Error::Exposed`] for an address that others can reach, [`Error::Listen`] when it is taken.
pub async fn start(options: Options) -> Result<Running, Error> {
    let Options { listen, request_timeout, store, policies } = options;
    check_address(listen)?;
    let listener = TcpListener::bind(listen).await.map_err(|error| Error::Listen(listen, error))?;
    let local_addr = listener.local_addr().map_err(|error| Error::Listen(listen, error))?;
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTOR)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // Loopback without authentication is development, where callers may bring a test clock.
    let desk = Desk::new(store.clone(), policies);
    let api = Api::new(desk.clone(), true, request_timeout);
    let routes = api
        .routes()
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        // Older clients, the Python and Node ones among them, ask by the first version.
        .add_service(reflection().build_v1alpha()?);
    let (stop, stopped) = oneshot::channel();
    // An answer must not wait for the next one to fill a packet: tonic's own setting does not reach a listener that
    // it was handed, and a lonely call then took 50 ms longer.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let calls = Arc::new(Calls::of(method_names()));
    let services = Observed::new(routes.prepare(), Arc::clone(&calls));
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .serve_with_incoming_shutdown(services, incoming, async move {
            // A dropped sender means the same as a message: stop.
            let _ = stopped.await;
        });
    health.set_service_status("", ServingStatus::Serving).await;
    let (task, decisions) = (tokio::spawn(server), api.decisions().clone());
    Ok(Running {
        local_addr,
        health,
        stop,
        task,
        store,
        desk,
        sweeper: None,
        calls,
        decisions,
        metrics: None,
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
    /// The transport's.
    pub async fn ended(&mut self) -> Result<(), Error> {
        Ok((&mut self.task).await??)
    }

    /// Stops taking calls, lets running ones finish for at most `drain`, and closes the store. Transactions under
    /// way end in their own tasks before the store is closed.
    ///
    /// # Errors
    /// The transport's.
    pub async fn stop(self, drain: Duration) -> Result<(), Error> {
        let Self { health, stop, mut task, store, sweeper, .. } = self;
        health.set_service_status("", ServingStatus::NotServing).await;
        if let Some(sweeper) = sweeper {
            sweeper.stop().await;
        }
        let _ = stop.send(());
        let ended = tokio::time::timeout(drain, &mut task).await;
        // A connection that never spoke would be waited for without end.
        task.abort();
        let _ = tokio::time::timeout(drain, store.close()).await;
        match ended {
            Ok(ended) => Ok(ended??),
            Err(_) => Ok(()),
        }
    }
}
