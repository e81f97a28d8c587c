//! Makegood.
pub mod clock;
pub mod config;
pub mod postgres;
pub mod telemetry;
