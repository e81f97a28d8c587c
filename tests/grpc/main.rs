//! The service as its callers see it: a real server on loopback, a real PostgreSQL, a fresh database for each test.

mod service;
mod smoke;
