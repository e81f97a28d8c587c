//! A policy document that is sent to be checked.

use super::fields::Fields;
use crate::proto::makegood::v1;
use chrono::{DateTime, Utc};
use tonic::Status;

/// Longest document that is taken from the wire.
const MAX_DOCUMENT_BYTES: usize = 262_144;

/// The text of the document; what is in it is the check's own to judge.
pub(in crate::grpc) fn check_policy(
    request: v1::CheckPolicyRequest,
    now: DateTime<Utc>,
) -> Result<String, Status> {
    let v1::CheckPolicyRequest { document } = request;
    let mut fields = Fields::at(now);
    let document = if document.trim().is_empty() {
        fields.wrong("document", "is required")
    } else if document.len() > MAX_DOCUMENT_BYTES {
        fields.wrong("document", format!("must be at most {MAX_DOCUMENT_BYTES} bytes long"))
    } else {
        Some(document)
    };
    fields.finish(document)
}
