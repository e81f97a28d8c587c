//! A server in this process.

use makegood::clock::Clock;
use makegood::command::Policies;
use makegood::server::{self, Access, Running};
use makegood::store::{Limits, Store};

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
    let policies = Policies::parse(policy).unwrap();
    policies.publish(&store, Clock::system()).await.unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let options = server::Options { listen, access, limits, grpc_web: None, store, policies };
    server::start(options).await.unwrap()
}
