//! The caller: a client of the service that brings its own time.

use crate::proto::makegood::v1::credit_service_client::CreditServiceClient;
use crate::proto::makegood::v1::refund_service_client::RefundServiceClient;
use crate::reach::{address, reason};
use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use prost_types::Timestamp;
use std::time::Duration;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

/// The metadata by which a service in development mode is told the time.
const TEST_CLOCK_KEY: &str = "makegood-test-clock";

/// The metadata by which an answer says that it was given before.
const REPLAYED_KEY: &str = "idempotency-replayed";

/// A service on the same machine is there at once or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// More than the service itself allows a call by default.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection to the service.
pub(super) struct Caller {
    channel: Channel,
    endpoint: String,
}

impl Caller {
    /// Connects.
    pub(super) async fn connect(endpoint: &str) -> anyhow::Result<Self> {
        if endpoint.starts_with("https:") {
            bail!(
                "the demo speaks no TLS: run it beside the service, with an endpoint that begins with http://"
            );
        }
        let channel = address(endpoint, CONNECT_TIMEOUT, CALL_TIMEOUT)?
            .connect()
            .await
            .map_err(|_| anyhow!("nothing answers at {endpoint}; start it with `cargo run`"))?;
        Ok(Self { channel, endpoint: endpoint.to_owned() })
    }

    pub(super) fn credits(&self) -> CreditServiceClient<Channel> {
        CreditServiceClient::new(self.channel.clone())
    }

    pub(super) fn refunds(&self) -> RefundServiceClient<Channel> {
        RefundServiceClient::new(self.channel.clone())
    }

    /// The message of an answer, or a sentence why there is none.
    pub(super) fn answer<T>(
        &self,
        method: &str,
        answer: Result<Response<T>, Status>,
    ) -> anyhow::Result<Answer<T>> {
        match answer {
            Ok(answer) => {
                let replayed = answer.metadata().get(REPLAYED_KEY).is_some_and(|value| value == "true");
                Ok(Answer { message: answer.into_inner(), replayed })
            }
            Err(status) => Err(refusal(&self.endpoint, method, &status)),
        }
    }
}

/// What came back.
pub(super) struct Answer<T> {
    pub(super) message: T,
    /// Whether the service gave this answer before, to the same request id.
    pub(super) replayed: bool,
}

/// Why there is no answer, for the person who started the demo.
fn refusal(endpoint: &str, method: &str, status: &Status) -> anyhow::Error {
    if status.code() == Code::Unauthenticated || reason(status) == "TEST_CLOCK_FORBIDDEN" {
        return anyhow!(
            "the service at {endpoint} is not in development mode and refuses the test clock, without which \
                 a day takes a day; play against one started with `cargo run`: {}",
            status.message()
        );
    }
    match status.code() {
        Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded => {
            anyhow!("the service at {endpoint} did not answer {method}: {}", status.message())
        }
        Code::Unknown | Code::Internal if reason(status).is_empty() => {
            anyhow!("what listens at {endpoint} does not answer as a Makegood service does")
        }
        code => anyhow!("the service at {endpoint} refused {method}: {} ({code:?})", status.message()),
    }
}

/// A call whose test clock stands at an instant.
pub(super) fn stamped<T>(at: DateTime<Utc>, message: T) -> anyhow::Result<Request<T>> {
    let clock = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let clock = MetadataValue::try_from(clock).context("an instant cannot be sent as metadata")?;
    let mut request = Request::new(message);
    request.metadata_mut().insert(TEST_CLOCK_KEY, clock);
    Ok(request)
}

/// An instant on the wire; the demo's are whole seconds.
pub(super) fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: at.timestamp(), nanos: 0 }
}

#[cfg(test)]
mod tests {
    use super::refusal;
    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt};

    fn told(status: &Status) -> String {
        refusal("http://127.0.0.1:1", "HoldCredits", status).to_string()
    }

    #[test]
    fn a_service_that_refuses_the_test_clock_is_not_in_development_mode() {
        let details = ErrorDetails::with_error_info("TEST_CLOCK_FORBIDDEN", "makegood.v1", []);
        let forbidden = Status::with_error_details(Code::InvalidArgument, "not here", details);
        for status in [forbidden, Status::unauthenticated("no authentication is configured")] {
            assert!(told(&status).contains("is not in development mode and refuses the test clock"));
        }
    }

    #[test]
    fn every_other_refusal_names_the_call_and_what_the_service_said() {
        let details = ErrorDetails::with_error_info("INSUFFICIENT_CREDITS", "makegood.v1", []);
        let status = Status::with_error_details(Code::FailedPrecondition, "too few credits", details);
        let told_of = told(&status);
        assert!(told_of.contains("refused HoldCredits: too few credits"), "{told_of}");
        assert!(told(&Status::unavailable("gone")).contains("did not answer HoldCredits: gone"));
        assert!(told(&Status::unknown("h2")).contains("does not answer as a Makegood service does"));
    }
}
