//! The page of figures: what Prometheus reads, on a listener of its own.
//!
//! Whoever reads the page costs no statement: what only the database knows is looked up on an interval, and the page
//! shows what was found last and when.

mod desk;
mod listener;

use super::{Error, Running};
use crate::clock::Clock;
use crate::command::Desk;
use crate::store::Overview;
use crate::telemetry::{CallFigures, Calls, Decisions};
use chrono::{DateTime, Utc};
use desk::DeskFigures;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// What was found in the database last, and when; `None` before the first time.
#[derive(Debug, Default)]
struct Looked {
    found: Mutex<Option<(DateTime<Utc>, Overview)>>,
    failures: AtomicU64,
    is_failing: AtomicBool,
}

impl Looked {
    fn read(&self) -> Option<(DateTime<Utc>, Overview)> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks once. A failure leaves what was found before, which tells its age.
    async fn look(&self, desk: &Desk) {
        let clock = Clock::system();
        match desk.overview(clock).await {
            Ok(overview) => {
                *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some((clock.now(), overview));
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("the figures of the desk can be read again");
                }
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                // Told when it begins to fail, not each time.
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "the figures of the desk cannot be read, and are tried again");
                }
            }
        }
    }
}

/// Where the page is served. Dropped, it is served no more.
#[derive(Debug)]
pub(super) struct Metrics {
    local_addr: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Metrics {
    pub(super) const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

impl Running {
    /// Serves `/metrics` on an address of its own, and looks up what only the database knows about every `interval`,
    /// the first time before this returns.
    ///
    /// # Errors
    /// [`Error::Listen`] when the address is taken.
    pub async fn with_metrics(mut self, listen: SocketAddr, interval: Duration) -> Result<Self, Error> {
        let (listener, local_addr) = super::bind(listen).await?;
        let looked = Arc::new(Looked::default());
        looked.look(&self.desk).await;
        let registry = registry(&self.calls, &self.decisions, &self.desk, &looked);
        let mut tasks = JoinSet::new();
        tasks.spawn(look_every(interval, self.desk.clone(), looked));
        tasks.spawn(listener::serve(listener, Arc::new(registry)));
        self.metrics = Some(Metrics { local_addr, _tasks: tasks });
        Ok(self)
    }

    /// Where the page of figures is served, if it is.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(Metrics::local_addr)
    }
}

async fn look_every(interval: Duration, desk: Desk, looked: Arc<Looked>) {
    loop {
        tokio::time::sleep(interval).await;
        looked.look(&desk).await;
    }
}

fn registry(calls: &Arc<Calls>, decisions: &Decisions, desk: &Desk, looked: &Arc<Looked>) -> Registry {
    let mut registry = Registry::default();
    let build = Family::<[(&str, &str); 1], Gauge>::default();
    build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
    registry.register("makegood_build_info", "The version that runs", build);
    registry.register_collector(Box::new(CallFigures::of(Arc::clone(calls))));
    decisions.register(&mut registry);
    registry.register_collector(Box::new(DeskFigures::new(desk.clone(), Arc::clone(looked))));
    registry
}

/// The page as it is now.
fn page(registry: &Registry) -> Result<String, std::fmt::Error> {
    let mut page = String::new();
    prometheus_text::encode(&mut page, registry)?;
    Ok(page)
}
