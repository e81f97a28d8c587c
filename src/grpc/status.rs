//! From errors to statuses: each with a reason for programs, none with a driver's words.

use super::REPLAYED_KEY;
use crate::command::{Error, Reason, Refusal, StoreFailure};
use crate::trust::Fault;
use http::Response;
use std::collections::HashMap;
use std::time::Duration;
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of every `google.rpc.ErrorInfo`.
pub(super) const DOMAIN: &str = "makegood.v1";

/// Where an answer without a body says how a call ended.
const GRPC_STATUS: &str = "grpc-status";

/// How soon a caller may ask again when somebody else holds the account or the pool.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// One thing wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// The field, as a path such as `price.currency_code`.
    pub(super) field: String,
    /// What it must be.
    pub(super) description: String,
}

/// A request that cannot be read; names every field that is wrong.
pub(super) fn invalid(violations: Vec<Violation>) -> Status {
    let fields: Vec<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
    let message = match violations.first() {
        Some(violation) if violations.len() == 1 => {
            format!("`{}` {}", violation.field, violation.description)
        }
        _ => format!("these fields are wrong: {}", fields.join(", ")),
    };
    let mut details = info("INVALID_FIELD", &[("fields", &fields.join(","))]);
    for violation in violations {
        details.add_bad_request_violation(violation.field, violation.description);
    }
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// A call that did not come through the gate, so that nobody knows whose it is.
pub(super) fn unauthenticated() -> Status {
    let message = "nobody was recognised";
    Status::with_error_details(Code::Unauthenticated, message, info("UNAUTHENTICATED", &[]))
}

/// A caller who proved nothing. It is told what it can mend, and nothing of what was sent or expected.
pub(super) fn unrecognised(fault: Fault) -> Status {
    let message = match fault {
        Fault::Missing => {
            "send a token as `authorization: Bearer …`, or connect with a client certificate that has a role"
        }
        Fault::Expired => "the token has expired",
        Fault::UnknownCertificate => "not exactly one name of the client certificate has a role",
        Fault::KeysUnavailable => return keys_unavailable(),
        Fault::Malformed
        | Fault::Algorithm
        | Fault::UnknownKey
        | Fault::Signature
        | Fault::Issuer
        | Fault::Audience
        | Fault::NotYetValid
        | Fault::Claims => "the token does not prove who calls",
    };
    Status::with_error_details(Code::Unauthenticated, message, info("UNAUTHENTICATED", &[]))
}

fn keys_unavailable() -> Status {
    let mut details = info("UNAVAILABLE", &[]);
    details.set_retry_info(Some(RETRY_AFTER));
    let message = "tokens cannot be verified now; nothing was begun, send the same request again";
    Status::with_error_details(Code::Unavailable, message, details)
}

/// A method that the caller's role may not call.
pub(super) fn permission_denied(role: &str, method: &str) -> Status {
    let details = info("PERMISSION_DENIED", &[("role", role), ("method", method)]);
    Status::with_error_details(
        Code::PermissionDenied,
        format!("{role} callers may not call {method}"),
        details,
    )
}

/// A kind of restriction that support alone may not impose.
pub(super) fn kind_for_admins(kind: &str) -> Status {
    let method = "AccountService/ImposeRestriction";
    let details = info("PERMISSION_DENIED", &[("role", "agent"), ("method", method), ("kind", kind)]);
    Status::with_error_details(
        Code::PermissionDenied,
        format!("agent callers may not impose {kind}: an admin may"),
        details,
    )
}

/// A frontend that did not say for whom it acts.
pub(super) fn acting_account_missing() -> Status {
    let details = info("ACTING_ACCOUNT_MISSING", &[]);
    let message = "a frontend acts for one account: its token names it, or `makegood-account` beside a client \
                   certificate";
    Status::with_error_details(Code::PermissionDenied, message, details)
}

/// A path that leads nowhere.
pub(super) fn no_such_method() -> Status {
    let message = "there is no such method";
    Status::with_error_details(Code::Unimplemented, message, info("NOT_IMPLEMENTED", &[]))
}

/// A test clock on a server that is not in development mode.
pub(super) fn test_clock_forbidden() -> Status {
    let details = info("TEST_CLOCK_FORBIDDEN", &[]);
    let message = "`makegood-test-clock` is accepted in development mode only";
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// A test caller on a server that is not in development mode.
pub(super) fn test_caller_forbidden() -> Status {
    let details = info("TEST_CALLER_FORBIDDEN", &[]);
    let message = "`makegood-test-caller` is accepted in development mode only";
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// A page token that we did not make, or that was made for other arguments.
pub(super) fn invalid_page_token() -> Status {
    let message = "`page_token` is not one of this list: send the `next_page_token` of the page before, and all \
                   other arguments as they were";
    Status::with_error_details(Code::InvalidArgument, message, info("INVALID_PAGE_TOKEN", &[]))
}

/// The deadline passed while a change was under way: it may still happen.
pub(super) fn outcome_unknown() -> Status {
    let message = "the deadline passed before the outcome was known; send the same `request_id` again";
    Status::with_error_details(Code::DeadlineExceeded, message, info("OUTCOME_UNKNOWN", &[]))
}

/// The deadline passed before anything was changed.
pub(super) fn deadline_exceeded() -> Status {
    let message = "the deadline passed before the answer was ready; nothing was changed";
    Status::with_error_details(Code::DeadlineExceeded, message, info("DEADLINE_EXCEEDED", &[]))
}

/// A caller that calls faster than it may.
pub(super) fn too_fast(wait: Duration) -> Status {
    let mut details = info("RATE_LIMITED", &[]);
    details.set_retry_info(Some(wait));
    let message = "more calls than this caller may make; nothing was begun, send the same request again";
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// An answer of ours as it is; the transport's refusal of a message that is too large in words that say so. Nothing of ours
/// has its code.
pub(super) fn spelled_out(response: Response<Body>) -> Response<Body> {
    let code = response.headers().get(GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()));
    if code != Some(Code::OutOfRange) {
        return response;
    }
    let details = info("LIMIT_EXCEEDED", &[("limit", "bytes of a message")]);
    let message = "the message is too large: a request has at most 256 KiB";
    Status::with_error_details(Code::ResourceExhausted, message, details).into_http()
}

/// What a caller is told of an error.
pub(super) fn from(error: Error) -> Status {
    match error {
        Error::Refused { refusal, replayed } => refused(refusal, replayed),
        Error::Overloaded => overloaded(),
        Error::Unforeseen(at) => {
            tracing::error!(%at, "the policies in force are not known");
            unavailable()
        }
        Error::Broken(what) => {
            tracing::error!(what, "a call broke one of our own rules");
            internal()
        }
        Error::Store(error) => {
            let failure = StoreFailure::of(&error);
            // Neither a crowd nor a short deadline is a fault of the store.
            if !matches!(failure, StoreFailure::Overloaded | StoreFailure::Late) {
                tracing::error!(error = &error as &dyn std::error::Error, ?failure, "the store failed");
            }
            failed(failure)
        }
        Error::Failed(failure) => failed(failure),
    }
}

fn overloaded() -> Status {
    let mut details = info("OVERLOADED", &[]);
    details.set_retry_info(Some(RETRY_AFTER));
    let message = "more is asked than can be done now; nothing was begun, send the same request again";
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

fn failed(failure: StoreFailure) -> Status {
    match failure {
        StoreFailure::Busy => busy(),
        StoreFailure::Late => deadline_exceeded(),
        StoreFailure::Overloaded => overloaded(),
        StoreFailure::Unavailable => unavailable(),
        StoreFailure::OutcomeUnknown => {
            let message = "the answer of the commit was lost; send the same `request_id` again";
            Status::with_error_details(Code::Unknown, message, info("OUTCOME_UNKNOWN", &[]))
        }
        StoreFailure::Internal => internal(),
    }
}

fn unavailable() -> Status {
    let mut details = info("UNAVAILABLE", &[]);
    details.set_retry_info(Some(RETRY_AFTER));
    let message = "the service cannot reach its records; nothing was changed";
    Status::with_error_details(Code::Unavailable, message, details)
}

fn busy() -> Status {
    let mut details = info("REQUEST_IN_FLIGHT", &[]);
    details.set_retry_info(Some(RETRY_AFTER));
    let message = "the account is being worked on; nothing was changed, send the same request again";
    Status::with_error_details(Code::Aborted, message, details)
}

fn internal() -> Status {
    let message = "something went wrong on our side; nothing was changed";
    Status::with_error_details(Code::Internal, message, info("INTERNAL", &[]))
}

fn refused(refusal: Refusal, replayed: bool) -> Status {
    let Refusal { reason, message, metadata } = refusal;
    let mut details = ErrorDetails::new();
    if let (Reason::InvalidField | Reason::PolicyMalformed, Some(field)) = (reason, metadata.get("field")) {
        details.add_bad_request_violation(field, &message);
    }
    details.set_error_info(reason.name(), DOMAIN, metadata.into_iter().collect::<HashMap<_, _>>());
    let mut status = Status::with_error_details(code_of(reason), message, details);
    if replayed {
        status.metadata_mut().insert(REPLAYED_KEY, MetadataValue::from_static("true"));
    }
    status
}

/// The status code of each reason, as `errors.proto` documents it.
const fn code_of(reason: Reason) -> Code {
    match reason {
        Reason::AccountNotFound
        | Reason::PurchaseNotFound
        | Reason::UsageNotFound
        | Reason::LotNotFound
        | Reason::RefundRequestNotFound
        | Reason::RefundNotFound
        | Reason::ChargebackNotFound
        | Reason::RestrictionNotFound
        | Reason::IncidentNotFound
        | Reason::PolicyNotFound
        | Reason::DecisionNotFound => Code::NotFound,
        Reason::InsufficientCredits
        | Reason::AccountSuspended
        | Reason::AccountTerminated
        | Reason::PurchasesBlocked
        | Reason::UsageNotHeld
        | Reason::HoldExpired
        | Reason::PurchaseRefunded
        | Reason::DeliveryExceedsPurchase
        | Reason::RevocationExceedsAvailable
        | Reason::RequestStageConflict
        | Reason::SameApprover
        | Reason::RemedyNotPossible
        | Reason::RefundStageConflict
        | Reason::RestrictionAlreadyLifted
        | Reason::IncidentStageConflict
        | Reason::AccountHasOpenMatters
        | Reason::PolicyUnsound
        | Reason::IdempotencyKeyReused => Code::FailedPrecondition,
        Reason::UsageAlreadyExists
        | Reason::PurchaseMismatch
        | Reason::DeliveryConflict
        | Reason::OpenRequestExists
        | Reason::PolicyVersionExists => Code::AlreadyExists,
        Reason::EtagMismatch => Code::Aborted,
        Reason::ChargebackMismatch | Reason::InvalidField | Reason::PolicyMalformed => Code::InvalidArgument,
        Reason::LimitExceeded => Code::ResourceExhausted,
    }
}

fn info(reason: &str, metadata: &[(&str, &str)]) -> ErrorDetails {
    let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ErrorDetails::with_error_info(reason, DOMAIN, metadata.collect::<HashMap<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::makegood::v1::ErrorReason;

    #[test]
    fn every_reason_is_documented_in_the_protos() {
        for reason in Reason::ALL {
            let documented = ErrorReason::from_str_name(&format!("ERROR_REASON_{reason}"));
            assert!(documented.is_some(), "{reason}");
        }
    }
}
