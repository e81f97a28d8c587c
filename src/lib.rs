//! Makegood: the refund desk for platforms that sell generation credits.
//!
//! The rooms, and what each may know, are described in `ARCHITECTURE.md`; `tests/tidy` checks the borders. With the feature
//! `client` and without the default ones there are the clients alone, in [`proto`].

#[cfg(feature = "server")]
pub mod audit;
#[cfg(feature = "server")]
pub mod clock;
#[cfg(feature = "server")]
pub mod command;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod demo;
#[cfg(feature = "server")]
pub mod domain;
#[cfg(feature = "server")]
pub mod evidence;
#[cfg(feature = "server")]
pub mod figures;
#[cfg(feature = "server")]
pub mod grpc;
#[cfg(feature = "server")]
pub mod policy;
#[cfg(feature = "server")]
pub mod policy_command;
#[cfg(feature = "server")]
pub mod postgres;
#[cfg(feature = "server")]
pub mod probe;
pub mod proto;
#[cfg(feature = "server")]
mod reach;
#[cfg(feature = "server")]
mod records;
#[cfg(feature = "server")]
pub mod serve;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod telemetry;
#[cfg(feature = "server")]
pub mod trust;
