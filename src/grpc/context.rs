//! Who calls, when, in which trace, and how long they wait: read from the metadata of a call.

use super::addressed::Addressed;
use super::gate::Caller;
use super::observed::Seen;
use super::status::{self, Violation};
use super::{Api, Shared};
use crate::clock::Clock;
use crate::command::Context;
use crate::domain::ids::Actor;
use crate::domain::role::Role;
use crate::telemetry::begin_call;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use std::time::Duration;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};
use tracing::Span;

/// The metadata key of the test clock, as payment platforms have one.
pub(super) const TEST_CLOCK_KEY: &str = "makegood-test-clock";

/// The metadata key of the test caller: in development mode, whom a call is made by.
pub(super) const TEST_CALLER_KEY: &str = "makegood-test-caller";

/// A call with everything about it read.
pub(super) struct Opened<Q> {
    pub(super) context: Context,
    pub(super) span: Span,
    pub(super) timeout: Duration,
    pub(super) message: Q,
}

impl Api {
    /// Reads the metadata of a call to `method`, given as `package.Service/Method`.
    pub(super) fn open<Q: Addressed>(
        &self,
        method: &'static str,
        request: Request<Q>,
    ) -> Result<Opened<Q>, Status> {
        let (metadata, mut extensions, message) = request.into_parts();
        // An API that is served without being observed sees its calls by itself.
        let (span, trace_id) = match extensions.remove::<Seen>() {
            Some(seen) => (Span::current(), seen.trace_id()),
            None => begin_call(method, metadata.as_ref()),
        };
        // Who did not come through the gate is told nothing else.
        let caller: Caller = extensions.remove().ok_or_else(status::unauthenticated)?;
        caller.may_ask_for(message.addressee())?;
        let clock = clock_of(&metadata, self.shared.development)?;
        let context = Context { caller: caller.actor, trace_id, clock };
        let timeout = self.shared.timeout(&metadata);
        Ok(Opened { context, span, timeout, message })
    }
}

impl Shared {
    /// The caller's deadline, at most our own.
    fn timeout(&self, metadata: &MetadataMap) -> Duration {
        let told = metadata.get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(read_timeout);
        told.map_or(self.request_timeout, |told| told.min(self.request_timeout))
    }
}

/// Whom the caller of a development server plays: a role and a subject, as in `agent:maria`.
pub(super) fn test_caller_of(headers: &HeaderMap) -> Result<Option<(Actor, Role)>, Status> {
    let Some(value) = headers.get(TEST_CALLER_KEY) else { return Ok(None) };
    let told = value.to_str().ok().and_then(|text| text.split_once(':'));
    let played = told.and_then(|(role, subject)| {
        let role = Role::parse(role)?;
        Some((role.played_by(subject).ok()?, role))
    });
    if played.is_some() {
        return Ok(played);
    }
    let roles: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
    Err(status::invalid(vec![Violation {
        field: TEST_CALLER_KEY.to_owned(),
        description: format!(
            "must be a role and a name such as `agent:maria`; the roles are {}",
            roles.join(", ")
        ),
    }]))
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
    use super::{TEST_CLOCK_KEY, clock_of, read_timeout};
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
