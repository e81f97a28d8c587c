//! A server in this process.

use makegood::clock::Clock;
use makegood::command::Policies;
use makegood::policy::SHIPPED;
use makegood::server::{self, Access, Running};
use makegood::store::{Limits, Store};
use std::time::Duration;
use tonic::codegen::http::HeaderValue;

/// A server over a database, on any free port of loopback.
pub(crate) async fn run(url: &str, policy: &str, access: Access) -> Running {
    run_within(url, policy, access, server::Limits::default(), 8).await
}

/// The same with bounds of its own.
pub(crate) async fn run_within(
    url: &str,
    policy: &str,
    access: Access,
    limits: server::Limits,
    max_connections: u32,
) -> Running {
    let store = Store::connect(url, Limits { max_connections, ..Limits::default() }).await.unwrap();
    serve(store, policy, access, limits, None).await
}

/// A server that pages of these origins may call, and calls of which take two seconds at most.
pub(crate) async fn run_for_pages(url: &str, access: Access, origins: &[&'static str]) -> Running {
    let store = Store::connect(url, Limits::default()).await.unwrap();
    let limits = server::Limits { request_timeout: Duration::from_secs(2), ..server::Limits::default() };
    let origins = origins.iter().map(|origin| HeaderValue::from_static(origin)).collect();
    serve(store, SHIPPED, access, limits, Some(origins)).await
}

async fn serve(
    store: Store,
    policy: &str,
    access: Access,
    limits: server::Limits,
    grpc_web: Option<Vec<HeaderValue>>,
) -> Running {
    let policies = Policies::parse(policy).unwrap();
    policies.publish(&store, Clock::system()).await.unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let options = server::Options { listen, access, limits, grpc_web, store, policies };
    server::start(options).await.unwrap()
}
