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
    let document = read_document(&mut fields, document);
    fields.finish(document)
}

/// A document that is not too long to be read.
pub(super) fn read_document(fields: &mut Fields, document: String) -> Option<String> {
    if document.trim().is_empty() {
        return fields.wrong("document", "is required");
    }
    if document.len() > MAX_DOCUMENT_BYTES {
        return fields.wrong("document", format!("must be at most {MAX_DOCUMENT_BYTES} bytes long"));
    }
    Some(document)
}
