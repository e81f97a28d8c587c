//! Credits that persons give and take.

use super::credit::{MAX_REASON_BYTES, address, call};
use super::fields::Fields;
use crate::command::{Call, GrantCredits, RevocationTarget, RevokeCredits};
use crate::domain::ids::LotId;
use crate::domain::lot::Source;
use crate::proto::makegood::v1;
use chrono::{DateTime, Utc};
use tonic::Status;

/// Highest priority: lots that burn after paid ones have room enough.
const MAX_PRIORITY: i32 = 1_000_000;

/// Longest clause, such as `3.3`.
pub(super) const MAX_CLAUSE_BYTES: usize = 16;

pub(in crate::grpc) fn grant_credits(
    request: v1::GrantCreditsRequest,
    now: DateTime<Utc>,
) -> Result<Call<GrantCredits>, Status> {
    let v1::GrantCreditsRequest {
        request_id,
        account_id,
        source,
        credits,
        expires_at,
        priority,
        reason,
        reference,
    } = request;
    let mut fields = Fields::at(now);
    let address = address(&mut fields, &request_id, account_id);
    let source = read_source(&mut fields, source);
    let credits = fields.credits("credits", credits);
    let expires_at = fields.expiry("expires_at", expires_at);
    let priority = match priority {
        None => Some(None),
        Some(priority) => fields.number("priority", priority, (0, MAX_PRIORITY)).map(Some),
    };
    let reason = fields.required_prose("reason", reason, MAX_REASON_BYTES);
    let reference = fields.optional_id("reference", reference);
    let parts = source.zip(credits).zip(expires_at).zip(priority).zip(reason).zip(reference);
    let mutation = parts.map(|(((((source, credits), expires_at), priority), reason), reference)| {
        GrantCredits { source, credits, expires_at, priority, reason, reference }
    });
    call(fields, address, mutation)
}

fn read_source(fields: &mut Fields, source: i32) -> Option<Source> {
    if source == i32::from(v1::LotSource::Purchase) {
        return fields.wrong("source", "must not be PURCHASE: paid credits come by RecordPurchase");
    }
    fields.word("source", source, |source| match source {
        v1::LotSource::Unspecified | v1::LotSource::Purchase => None,
        v1::LotSource::Bonus => Some(Source::Bonus),
        v1::LotSource::Promotion => Some(Source::Promotion),
        v1::LotSource::Compensation => Some(Source::Compensation),
    })
}

pub(in crate::grpc) fn revoke_credits(
    request: v1::RevokeCreditsRequest,
    now: DateTime<Utc>,
) -> Result<Call<RevokeCredits>, Status> {
    use v1::revoke_credits_request::{Everything, Target};
    let v1::RevokeCreditsRequest { request_id, account_id, credits, clause, reason, target } = request;
    let mut fields = Fields::at(now);
    let address = address(&mut fields, &request_id, account_id);
    let target = match target {
        None => fields.wrong("target", "needs `lot_id`, `purchase` or `everything`"),
        Some(Target::LotId(id)) => fields.own_id("lot_id", &id, LotId::parse).map(RevocationTarget::Lot),
        Some(Target::Purchase(reference)) => {
            fields.purchase("purchase", Some(reference)).map(RevocationTarget::Purchase)
        }
        Some(Target::Everything(Everything {})) => Some(RevocationTarget::Everything),
    };
    let credits = match credits {
        None => Some(None),
        Some(credits) => fields.credits("credits", credits).map(Some),
    };
    let clause = fields.required_text("clause", clause, MAX_CLAUSE_BYTES);
    let reason = fields.required_prose("reason", reason, MAX_REASON_BYTES);
    let parts = target.zip(credits).zip(clause).zip(reason);
    let mutation =
        parts.map(|(((target, credits), clause), reason)| RevokeCredits { target, credits, clause, reason });
    call(fields, address, mutation)
}
