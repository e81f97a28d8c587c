//! Health alone, without TLS, on a listener of its own: the probes of Kubernetes speak none, and must be answered however many
//! callers there are.

use super::listener::Listener;
use super::{Error, Running};
use crate::grpc::{Gate, Observed, Quota, Served};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;

/// Probes at once: those of a machine and of people who look.
const MAX_CONNECTIONS: usize = 32;

/// Longest that one answer may take.
const LONGEST: Duration = Duration::from_secs(5);

/// Where health is told. Dropped, it is told no more.
#[derive(Debug)]
pub(super) struct Health {
    local_addr: SocketAddr,
    _stop: oneshot::Sender<()>,
    _task: JoinSet<()>,
}

impl Running {
    /// Tells health on an address of its own, which has nothing else: what the API's address says, until the process ends.
    ///
    /// # Errors
    /// [`Error::Listen`] when the address is taken.
    pub async fn with_health(mut self, listen: SocketAddr) -> Result<Self, Error> {
        let (socket, local_addr) = super::bind(listen).await?;
        let health = HealthServer::new(HealthService::from_health_reporter(self.health.clone()));
        // There is nothing behind this gate that asks who calls.
        let services =
            Gate::Development.around(Routes::new(health), Quota { longest: LONGEST, calls_per_second: None });
        let services = Observed::new(services, Arc::clone(&self.calls));
        let (stop, stopped) = oneshot::channel();
        let mut task = JoinSet::new();
        let listener = Listener { socket, tls: None, max_connections: MAX_CONNECTIONS };
        task.spawn(listener.serve(Served::Grpc(services), stopped));
        self.told_health = Some(Health { local_addr, _stop: stop, _task: task });
        Ok(self)
    }

    /// Where health alone is told, if it is.
    #[must_use]
    pub fn health_addr(&self) -> Option<SocketAddr> {
        self.told_health.as_ref().map(|health| health.local_addr)
    }
}
