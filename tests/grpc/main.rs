//! The service as its callers see it: a real server on loopback, a real PostgreSQL, a fresh database for each test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::arithmetic_side_effects, reason = "a sum that overflows in a test fails it")]
#![expect(clippy::indexing_slicing, reason = "what a test looks for and is not there fails it")]
#![expect(clippy::panic, reason = "a test that meets what must not be says so and fails")]

mod accounts;
mod at_once;
mod audit;
mod backtests;
mod backups;
mod bad_input;
mod by_hand;
mod canary;
mod cluster;
mod collector;
mod database;
mod decisions;
mod demo;
mod desk;
mod determinations;
mod dispute_reads;
mod disputes;
mod disputes_and_refunds;
mod disputes_unknown;
mod erasure;
mod evidence_packs;
mod examples;
mod facts;
mod handbook;
mod history;
mod idempotency;
mod idempotency_races;
mod incidents;
mod ledger;
mod ledger_audit;
mod ledger_races;
mod limits;
mod metrics;
mod money_races;
mod month;
mod overload;
mod pages;
mod policy_checks;
mod policy_horizon;
mod policy_versions;
mod privacy;
mod process;
mod random;
mod reflected;
mod refund_reads;
mod release;
mod replays;
mod replicas;
mod restorations;
mod roles;
mod rollout;
mod running;
mod service;
mod sharding;
mod smoke;
mod storms;
mod surface;
mod sweep;
mod sweep_race;
mod traces;
mod tracing;
mod trust;
mod upgrade;
mod web;
mod witness;
