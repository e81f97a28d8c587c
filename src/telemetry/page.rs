//! Figures as Prometheus reads them: small ways to write a family of samples.

use crate::figures::{Counted, Spread};
use prometheus_client::encoding::EncodeMetric;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::time::Duration;

/// What one step of a [`Spread`] is on the page.
#[derive(Debug, Clone, Copy)]
pub enum Scale {
    /// Microseconds, shown as seconds.
    Micros,
    /// Things that are counted.
    Pieces,
}

impl Scale {
    fn show(self, value: u64) -> f64 {
        match self {
            Self::Micros => Duration::from_micros(value).as_secs_f64(),
            // A whole number as the floating one nearest to it.
            Self::Pieces => Duration::from_secs(value).as_secs_f64(),
        }
    }
}

/// Writes what a spread holds.
///
/// # Errors
/// The page's own.
pub fn encode_spread(spread: &Spread, scale: Scale, mut to: MetricEncoder<'_>) -> fmt::Result {
    let counted = spread.read();
    let Counted { intervals, sum } = &counted;
    let buckets: Vec<(f64, u64)> = intervals
        .iter()
        .map(|(bound, count)| (bound.map_or(f64::INFINITY, |bound| scale.show(bound)), *count))
        .collect();
    to.encode_histogram::<[(&str, &str); 0]>(scale.show(*sum), counted.count(), &buckets, None)
}

/// Writes a gauge with a sample for each set of labels; nothing where there is none.
///
/// # Errors
/// The page's own.
pub fn encode_gauges<L: EncodeLabelSet>(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    samples: &[(L, i64)],
) -> fmt::Result {
    if samples.is_empty() {
        return Ok(());
    }
    let mut family = to.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in samples {
        ConstGauge::new(*value).encode(family.encode_family(labels)?)?;
    }
    Ok(())
}

/// Writes a gauge without labels.
///
/// # Errors
/// The page's own.
pub fn encode_gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(to.encode_descriptor(name, help, None, MetricType::Gauge)?)
}
