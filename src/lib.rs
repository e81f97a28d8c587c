//! Makegood: the refund desk for platforms that sell generation credits.
//!
//! The rooms, and what each may know, are described in `ARCHITECTURE.md`; `tests/tidy` checks the borders.

pub mod audit;
pub mod clock;
pub mod command;
pub mod config;
pub mod demo;
pub mod domain;
pub mod evidence;
pub mod figures;
pub mod grpc;
pub mod policy;
pub mod policy_command;
pub mod postgres;
pub mod probe;
pub mod proto;
mod records;
pub mod serve;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod trust;
