//! Figures of the desk: its lanes, its pool, and what is open.

use super::Looked;
use crate::command::Desk;
use crate::store::{Overview, PoolState};
use crate::telemetry::{Scale, encode_gauge, encode_gauges, encode_spread};
use chrono::{DateTime, Utc};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Reads everything from memory.
#[derive(Debug)]
pub(super) struct DeskFigures {
    desk: Desk,
    looked: Arc<Looked>,
}

impl DeskFigures {
    pub(super) const fn new(desk: Desk, looked: Arc<Looked>) -> Self {
        Self { desk, looked }
    }

    fn lanes(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Hot operations that were written together";
        let name = "makegood_lane_batch_operations";
        encode_spread(
            self.desk.batches(),
            Scale::Pieces,
            to.encode_descriptor(name, help, None, MetricType::Histogram)?,
        )?;
        let queued: Vec<_> = self
            .desk
            .queued()
            .into_iter()
            .enumerate()
            .map(|(lane, waiting)| ([("lane", lane.to_string())], whole(waiting)))
            .collect();
        let help = "Hot operations that wait in a lane";
        encode_gauges(to, "makegood_lane_queued_operations", help, &queued)
    }

    fn pool(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let PoolState { open, idle, limit, waiting } = self.desk.pool_state();
        let used = open.saturating_sub(idle);
        let connections = [([("state", "idle")], i64::from(idle)), ([("state", "used")], i64::from(used))];
        let help = "Connections of the pool; the lanes' own are not of it";
        encode_gauges(to, "makegood_pool_connections", help, &connections)?;
        let help = "Most connections that the pool may open";
        encode_gauge(to, "makegood_pool_connections_limit", help, i64::from(limit))?;
        let help = "Transactions that wait for a connection";
        encode_gauge(to, "makegood_pool_waiting_transactions", help, i64::from(waiting))
    }
}

impl Collector for DeskFigures {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        self.lanes(&mut to)?;
        self.pool(&mut to)?;
        let failures = ConstCounter::new(self.looked.failures.load(Ordering::Relaxed));
        let help = "Times that the database did not tell what is open";
        let name = "makegood_overview_failures";
        failures.encode(to.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        match self.looked.read() {
            Some((at, overview)) => encode_overview(&mut to, at, &overview),
            None => Ok(()),
        }
    }
}

fn encode_overview(to: &mut DescriptorEncoder<'_>, at: DateTime<Utc>, overview: &Overview) -> fmt::Result {
    let Overview { in_review, awaiting_information, overdue, respond_by, open_chargebacks, refunds } =
        overview;
    let help = "When the database last told what is open";
    encode_gauge(to, "makegood_overview_timestamp_seconds", help, at.timestamp())?;
    let open = [
        ([("stage", "in_review")], *in_review),
        ([("stage", "awaiting_information")], *awaiting_information),
    ];
    let help = "Refund requests that are open; in review means that the customer waits for us";
    encode_gauges(to, "makegood_refund_requests_open", help, &open)?;
    let help = "Refund requests in review past the time by which they were to be answered";
    encode_gauge(to, "makegood_refund_requests_overdue", help, *overdue)?;
    if let Some(respond_by) = respond_by {
        let help = "By when the most urgent refund request in review is to be answered";
        let name = "makegood_refund_requests_respond_by_timestamp_seconds";
        encode_gauge(to, name, help, respond_by.timestamp())?;
    }
    let help = "Disputes that the bank has not decided";
    encode_gauge(to, "makegood_chargebacks_open", help, *open_chargebacks)?;
    let of = |value: fn(&crate::store::RefundsOnTheirWay) -> i64| {
        let samples = refunds.iter().map(move |one| ([("stage", one.stage.clone())], value(one)));
        samples.collect::<Vec<_>>()
    };
    let help = "Refunds that have neither arrived nor failed";
    encode_gauges(to, "makegood_refunds_on_their_way", help, &of(|one| one.refunds))?;
    let help = "When the oldest refund in a stage of its way was decided";
    let name = "makegood_refunds_oldest_timestamp_seconds";
    encode_gauges(to, name, help, &of(|one| one.oldest.timestamp()))
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
