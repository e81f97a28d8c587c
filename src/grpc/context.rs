//! Who calls, when, in which trace, and how long they wait: read from the metadata of a call.

use super::status::{self, Violation};
use super::observed::Seen;
use super::{Api, Shared};
use crate::clock::Clock;
use crate::command::Context;
use crate::domain::ids::Actor;
use crate::telemetry::begin_call;
use chrono::{DateTime, Utc};
use std::time::Duration;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};
use tracing::Span;

/// The metadata key of the test clock, as payment platforms have one.
pub(super) const TEST_CLOCK_KEY: &str = "makegood-test-clock";

/// The metadata key of the test caller: in development mode, whom a call is made by.
pub(super) const TEST_CALLER_KEY: &str = "makegood-test-caller";

/// The roles that a test caller may have.
const ROLES: [&str; 6] = ["frontend", "worker", "payments", "agent", "admin", "auditor"];

/// Everyone's name while there is no authentication and no test caller.
const DEVELOPMENT_CALLER: &str = "development";

/// A call with everything about it read.
pub(super) struct Opened<Q> {
    pub(super) context: Context,
    pub(super) span: Span,
    pub(super) timeout: Duration,
    pub(super) message: Q,
}

impl Api {
    /// Reads the metadata of a call to `method`, given as `package.Service/Method`.
    pub(super) fn open<Q>(&self, method: &'static str, request: Request<Q>) -> Result<Opened<Q>, Status> {
        let (metadata, mut extensions, message) = request.into_parts();
        let seen: Option<Seen> = extensions.remove();
        // An API that is served without being observed sees its calls by itself.
        let (span, trace_id) = match &seen {
            Some(seen) => (Span::current(), seen.trace_id()),
            None => begin_call(method, metadata.as_ref()),
        };
        // Who nobody knows is told nothing else.
        let caller = self.shared.caller(&metadata)?;
        if let Some(seen) = &seen {
            seen.called_by(caller.role());
        }
        let clock = clock_of(&metadata, self.shared.development)?;
        let context = Context { caller, trace_id, clock };
        let timeout = self.shared.timeout(&metadata);
        Ok(Opened { context, span, timeout, message })
    }
}

impl Shared {
    fn caller(&self, metadata: &MetadataMap) -> Result<Actor, Status> {
        if !self.development {
            return Err(status::unauthenticated());
        }
        if let Some(caller) = test_caller_of(metadata, self.development)? {
            return Ok(caller);
        }
        Actor::parse(DEVELOPMENT_CALLER).map_err(|_| Status::internal("the caller has no name"))
    }

    /// The caller's deadline, at most our own.
    fn timeout(&self, metadata: &MetadataMap) -> Duration {
        let told = metadata.get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(read_timeout);
        told.map_or(self.request_timeout, |told| told.min(self.request_timeout))
    }
}

/// Whom the caller plays, which only development mode allows: a role and a subject, as in `agent:maria`.
fn test_caller_of(metadata: &MetadataMap, development: bool) -> Result<Option<Actor>, Status> {
    let Some(value) = metadata.get(TEST_CALLER_KEY) else { return Ok(None) };
    if !development {
        return Err(status::test_caller_forbidden());
    }
    let caller = value.to_str().ok().and_then(|text| Actor::parse(text).ok());
    let known = |caller: &Actor| {
        let subject = caller.as_str().strip_prefix(caller.role()).and_then(|rest| rest.strip_prefix(':'));
        ROLES.contains(&caller.role()) && subject.is_some_and(|subject| !subject.is_empty())
    };
    match caller.filter(known) {
        Some(caller) => Ok(Some(caller)),
        None => Err(status::invalid(vec![Violation {
            field: TEST_CALLER_KEY.to_owned(),
            description: format!(
                "must be a role and a name such as `agent:maria`; the roles are {}",
                ROLES.join(", ")
            ),
        }])),
    }
}

/// The machine's clock, or in development mode the one that the caller brings.
fn clock_of(metadata: &MetadataMap, development: bool) -> Result<Clock, Status> {
    let Some(value) = metadata.get(TEST_CLOCK_KEY) else { return Ok(Clock::system()) };
    if !development {
        return Err(status::test_clock_forbidden());
    }
    let instant = value.to_str().ok().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let instant = instant.map(|instant| instant.with_timezone(&Utc));
    let bounds = super::decode::EARLIEST..super::decode::LATEST_TEST_CLOCK;
    match instant.filter(|instant| bounds.contains(&instant.timestamp())) {
        Some(instant) => Ok(Clock::fixed(instant)),
        None => Err(status::invalid(vec![Violation {
            field: TEST_CLOCK_KEY.to_owned(),
            description: "must be an RFC 3339 time between 2020 and 2100, such as `2025-01-08T12:00:00Z`"
                .to_owned(),
        }])),
    }
}

/// Reads gRPC's own notation: up to eight digits and a unit.
fn read_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => count.checked_mul(3_600).map(Duration::from_secs),
        "M" => count.checked_mul(60).map(Duration::from_secs),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{TEST_CALLER_KEY, TEST_CLOCK_KEY, clock_of, read_timeout, test_caller_of};
    use crate::clock::Clock;
    use std::time::Duration;
    use tonic::metadata::MetadataMap;
    use tonic_types::StatusExt;

    #[test]
    fn outside_development_a_test_clock_is_refused_even_a_good_one() {
        let mut metadata = MetadataMap::new();
        assert_eq!(clock_of(&metadata, false).unwrap(), Clock::system());
        metadata.insert(TEST_CLOCK_KEY, "2025-03-03T12:00:00Z".parse().unwrap());
        assert!(clock_of(&metadata, true).is_ok());
        let refused = clock_of(&metadata, false).unwrap_err();
        assert_eq!(refused.get_details_error_info().unwrap().reason, "TEST_CLOCK_FORBIDDEN");
    }

    #[test]
    fn outside_development_a_test_caller_is_refused_even_a_good_one() {
        let mut metadata = MetadataMap::new();
        assert_eq!(test_caller_of(&metadata, false).unwrap(), None);
        metadata.insert(TEST_CALLER_KEY, "agent:maria".parse().unwrap());
        assert_eq!(test_caller_of(&metadata, true).unwrap().unwrap().role(), "agent");
        let refused = test_caller_of(&metadata, false).unwrap_err();
        assert_eq!(refused.get_details_error_info().unwrap().reason, "TEST_CALLER_FORBIDDEN");
    }

    #[test]
    fn deadlines_are_read_in_every_unit_of_grpc() {
        assert_eq!(read_timeout("2H"), Some(Duration::from_hours(2)));
        assert_eq!(read_timeout("3M"), Some(Duration::from_mins(3)));
        assert_eq!(read_timeout("15S"), Some(Duration::from_secs(15)));
        assert_eq!(read_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read_timeout("99u"), Some(Duration::from_micros(99)));
        assert_eq!(read_timeout("7n"), Some(Duration::from_nanos(7)));
        for wrong in ["", "S", "15", "15s", "123456789S", "-1S", "1.5S"] {
            assert_eq!(read_timeout(wrong), None, "{wrong}");
        }
    }
}
