//! Who calls, when, in which trace, and how long they wait: read from the metadata of a call.

use super::Api;
use super::addressed::Addressed;
use super::deadline::Deadline;
use super::gate::Caller;
use super::observed::Seen;
use super::status::{self, Violation};
use crate::clock::Clock;
use crate::command::Context;
use crate::domain::ids::Actor;
use crate::domain::role::Role;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use std::time::Duration;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

/// The metadata key of the test clock, as payment platforms have one.
pub(super) const TEST_CLOCK_KEY: &str = "makegood-test-clock";

/// The metadata key of the test caller: in development mode, whom a call is made by.
pub(super) const TEST_CALLER_KEY: &str = "makegood-test-caller";

/// A call with everything about it read.
pub(super) struct Opened<Q> {
    pub(super) context: Context,
    pub(super) timeout: Duration,
    pub(super) message: Q,
}

impl Api {
    /// Reads the metadata of a call, and what was found of it on the way here.
    pub(super) fn open<Q: Addressed>(&self, request: Request<Q>) -> Result<Opened<Q>, Status> {
        let (metadata, mut extensions, message) = request.into_parts();
        // Who did not come through the gate is told nothing else.
        let caller: Caller = extensions.remove().ok_or_else(status::unauthenticated)?;
        let deadline: Deadline = extensions.remove().ok_or_else(status::unauthenticated)?;
        caller.may_ask_for(message.addressee())?;
        let clock = clock_of(&metadata, self.shared.development)?;
        let trace_id = extensions.remove::<Seen>().and_then(|seen| seen.trace_id());
        let context = Context { caller: caller.actor, trace_id, clock };
        // What nobody waits for any more is not begun.
        let timeout = deadline.left();
        if timeout.is_zero() {
            return Err(status::deadline_exceeded());
        }
        Ok(Opened { context, timeout, message })
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

#[cfg(test)]
mod tests {
    use super::{TEST_CLOCK_KEY, clock_of};
    use crate::clock::Clock;
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
}
