//! The service as its callers see it: a real server on loopback, a real PostgreSQL, a fresh database for each test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::arithmetic_side_effects, reason = "a sum that overflows in a test fails it")]

mod audit;
mod roles;
mod service;
mod smoke;
