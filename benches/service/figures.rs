//! Figures of one run, and medians of several.

use crate::ground::Sample;
use std::time::Duration;

/// What one run came to, or the medians of several.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    /// Operations done.
    pub(crate) done: f64,
    pub(crate) ops_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    /// Processor time of an operation in the service.
    pub(crate) service_us: f64,
    /// The same in all of the database's processes.
    pub(crate) postgres_us: f64,
    /// The same in whoever asked for it: the load generator.
    pub(crate) client_us: f64,
    /// Transactions that wrote, per second.
    pub(crate) commits_s: f64,
    /// Operations that were turned away because there were too many.
    pub(crate) busy: f64,
}

impl Figures {
    pub(crate) fn new(
        before: &Sample,
        after: &Sample,
        done: u64,
        busy: u64,
        mut latencies_us: Vec<u64>,
    ) -> Self {
        latencies_us.sort_unstable();
        let seconds = after.at.duration_since(before.at).as_secs_f64();
        let ops = done as f64;
        let each = |from: Duration, to: Duration| over(to.saturating_sub(from).as_secs_f64() * 1e6, ops);
        Self {
            done: ops,
            ops_s: over(ops, seconds),
            p50_ms: quantile_ms(&latencies_us, 500),
            p99_ms: quantile_ms(&latencies_us, 990),
            p999_ms: quantile_ms(&latencies_us, 999),
            service_us: each(before.service_cpu, after.service_cpu),
            postgres_us: each(before.postgres_cpu, after.postgres_cpu),
            client_us: each(before.client_cpu, after.client_cpu),
            commits_s: over((after.commits - before.commits) as f64, seconds),
            busy: busy as f64,
        }
    }

    /// Each figure's own median.
    pub(crate) fn median(runs: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| {
            let mut values: Vec<f64> = runs.iter().map(figure).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        Self {
            done: of(|run| run.done),
            ops_s: of(|run| run.ops_s),
            p50_ms: of(|run| run.p50_ms),
            p99_ms: of(|run| run.p99_ms),
            p999_ms: of(|run| run.p999_ms),
            service_us: of(|run| run.service_us),
            postgres_us: of(|run| run.postgres_us),
            client_us: of(|run| run.client_us),
            commits_s: of(|run| run.commits_s),
            busy: of(|run| run.busy),
        }
    }
}

/// A share; nothing of nothing is nothing.
pub(crate) fn over(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn quantile_ms(sorted_us: &[u64], per_mille: usize) -> f64 {
    let last = sorted_us.len().saturating_sub(1);
    let at = sorted_us.len() * per_mille / 1_000;
    sorted_us.get(at.min(last)).map_or(0.0, |&us| us as f64 / 1e3)
}
