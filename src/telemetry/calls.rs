//! What is counted of calls: how many, how they ended, and how long they took, by method and by the caller's role.
//!
//! A call costs a few atomic additions: every sample has its place before the first call, or makes it once.

use super::page::{Scale, encode_gauge, encode_spread};
use crate::figures::Spread;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The names of gRPC's status codes, in their order.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Whom callers are told apart as. The first is everybody who was not recognised.
const ROLES: [&str; 8] =
    ["none", "development", "frontend", "worker", "payments", "agent", "admin", "auditor"];

/// What is called that is no method of the API: health, reflection, and what does not exist.
const OTHER: &str = "other";

/// Upper bounds of the times of calls, in microseconds: a hot operation takes about one millisecond, a decision ten.
const TIMES_MICROS: [u64; 14] = [
    500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 125_000, 250_000, 500_000, 1_000_000, 4_000_000,
    16_000_000,
];

/// The name of a status code.
#[must_use]
pub fn code_name(code: usize) -> &'static str {
    CODES.get(code).copied().unwrap_or("UNKNOWN")
}

/// A method by its place in [`Calls`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodIndex(usize);

/// A caller's role by its place among those that are told apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoleIndex(usize);

impl RoleIndex {
    /// The role of this name; nobody's when there is none.
    #[must_use]
    pub fn of(role: &str) -> Self {
        Self(ROLES.iter().position(|name| *name == role).unwrap_or(0))
    }

    /// Its number, to be kept in an atomic.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }

    /// The role of a number.
    #[must_use]
    pub const fn from_number(number: usize) -> Self {
        Self(number)
    }
}

/// Everything that is counted of calls.
#[derive(Debug)]
pub struct Calls {
    places: HashMap<String, usize>,
    methods: Box<[Method]>,
    in_flight: AtomicI64,
}

#[derive(Debug)]
struct Method {
    /// As `package.Service/Method`; empty for [`OTHER`].
    full_name: String,
    service: String,
    name: String,
    by_role: [OnceLock<Box<Sample>>; ROLES.len()],
}

#[derive(Debug)]
struct Sample {
    ended: [AtomicU64; CODES.len()],
    times: Spread,
}

impl Calls {
    /// Counts calls of these methods, given as `package.Service/Method`, and all others as one.
    #[must_use]
    pub fn of(full_names: impl IntoIterator<Item = String>) -> Self {
        let other = Method::new(String::new(), OTHER.to_owned(), OTHER.to_owned());
        let methods = full_names.into_iter().filter_map(|full_name| {
            let (path, name) = full_name.split_once('/')?;
            let service = path.rsplit('.').next().unwrap_or(path).to_owned();
            let name = name.to_owned();
            Some(Method::new(full_name, service, name))
        });
        let methods: Box<[Method]> = [other].into_iter().chain(methods).collect();
        let places = methods.iter().enumerate().skip(1);
        let places = places.map(|(place, method)| (format!("/{}", method.full_name), place)).collect();
        Self { places, methods, in_flight: AtomicI64::new(0) }
    }

    /// The method of a request's path.
    #[must_use]
    pub fn method(&self, path: &str) -> MethodIndex {
        MethodIndex(self.places.get(path).copied().unwrap_or(0))
    }

    /// As `package.Service/Method`; `None` for what is no method of the API.
    #[must_use]
    pub fn full_name(&self, method: MethodIndex) -> Option<&str> {
        self.methods.get(method.0).map(|method| method.full_name.as_str()).filter(|name| !name.is_empty())
    }

    /// A call began.
    pub fn began(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// A call that began ended with a status code.
    pub fn ended(&self, method: MethodIndex, role: RoleIndex, code: usize, took: Duration) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let by_role = self.methods.get(method.0).and_then(|method| method.by_role.get(role.0));
        let Some(sample) = by_role.map(|sample| sample.get_or_init(Box::default)) else { return };
        sample.times.note_time(took);
        if let Some(count) = sample.ended.get(code) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every sample that exists, with its labels.
    fn samples(&self) -> impl Iterator<Item = ([(&str, &str); 3], &Sample)> {
        self.methods.iter().flat_map(|method| {
            method.by_role.iter().zip(ROLES).filter_map(move |(sample, role)| {
                let labels =
                    [("service", method.service.as_str()), ("method", method.name.as_str()), ("role", role)];
                Some((labels, sample.get()?.as_ref()))
            })
        })
    }
}

impl Method {
    fn new(full_name: String, service: String, name: String) -> Self {
        Self { full_name, service, name, by_role: [const { OnceLock::new() }; ROLES.len()] }
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self { ended: [const { AtomicU64::new(0) }; CODES.len()], times: Spread::new(&TIMES_MICROS) }
    }
}

/// Shows what is counted of calls on a page.
#[derive(Debug)]
pub struct CallFigures(Arc<Calls>);

impl CallFigures {
    /// What these calls come to.
    #[must_use]
    pub const fn of(calls: Arc<Calls>) -> Self {
        Self(calls)
    }
}

impl Collector for CallFigures {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let calls = &self.0;
        let help = "Calls that ended, by the caller's role and the status code";
        let mut family = to.encode_descriptor("makegood_rpc_requests", help, None, MetricType::Counter)?;
        for ([service, method, role], sample) in calls.samples() {
            for (count, code) in sample.ended.iter().zip(CODES) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = [service, method, role, ("code", code)];
                    ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        let help = "How long calls took, from their headers to the last byte of the answer";
        let name = "makegood_rpc_request_duration_seconds";
        let mut family = to.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, sample) in calls.samples() {
            encode_spread(&sample.times, Scale::Micros, family.encode_family(&labels)?)?;
        }
        let in_flight = calls.in_flight.load(Ordering::Relaxed);
        encode_gauge(&mut to, "makegood_rpc_requests_in_flight", "Calls under way", in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::{CallFigures, Calls, RoleIndex, code_name};
    use prometheus_client::encoding::prometheus_text::encode;
    use prometheus_client::registry::Registry;
    use std::sync::Arc;
    use std::time::Duration;

    const HOLD: &str = "makegood.v1.CreditService/HoldCredits";

    fn page(calls: Calls) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(CallFigures::of(Arc::new(calls))));
        let mut page = String::new();
        encode(&mut page, &registry).unwrap();
        page
    }

    #[test]
    fn a_call_is_counted_by_method_role_and_code_and_timed() {
        let calls = Calls::of([HOLD.to_owned()]);
        let hold = calls.method("/makegood.v1.CreditService/HoldCredits");
        assert_eq!(calls.full_name(hold), Some(HOLD));
        for code in [0, 0, 9] {
            calls.began();
            calls.ended(hold, RoleIndex::of("worker"), code, Duration::from_millis(3));
        }
        calls.began();
        let page = page(calls);
        let labels = "service=\"CreditService\",method=\"HoldCredits\",role=\"worker\"";
        for line in [
            format!("makegood_rpc_requests_total{{{labels},code=\"OK\"}} 2"),
            format!("makegood_rpc_requests_total{{{labels},code=\"FAILED_PRECONDITION\"}} 1"),
            format!("makegood_rpc_request_duration_seconds_bucket{{{labels},le=\"0.002\"}} 0"),
            format!("makegood_rpc_request_duration_seconds_bucket{{{labels},le=\"0.004\"}} 3"),
            format!("makegood_rpc_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 3"),
            format!("makegood_rpc_request_duration_seconds_sum{{{labels}}} 0.009"),
            "makegood_rpc_requests_in_flight 1".to_owned(),
        ] {
            assert!(page.lines().any(|told| told == line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn whatever_is_called_the_samples_are_no_more_than_the_methods() {
        let calls = Calls::of([HOLD.to_owned()]);
        for path in ["/attack/1", "/attack/2", ""] {
            let method = calls.method(path);
            assert_eq!(calls.full_name(method), None);
            calls.began();
            calls.ended(method, RoleIndex::of("made up"), 12, Duration::ZERO);
        }
        let page = page(calls);
        let line = "makegood_rpc_requests_total{service=\"other\",method=\"other\",role=\"none\",code=\"UNIMPLEMENTED\"} 3";
        assert!(page.contains(line), "{page}");
    }

    #[test]
    fn codes_have_the_names_of_grpc() {
        assert_eq!((code_name(0), code_name(16), code_name(99)), ("OK", "UNAUTHENTICATED", "UNKNOWN"));
    }
}
