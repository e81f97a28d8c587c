//! What happened in an account: attempts, lots and entries.

use super::credit::{balance, lot, usage};
use super::{attempt_reference, bucket, lot_movement, text_or_empty, timestamp};
use crate::command::{GrantAnswer, ListEntries, ListLots, PageOf, RevocationAnswer};
use crate::domain::entry::{Entry, EntryCause, Movement};
use crate::domain::ids::AccountId;
use crate::domain::lot::Lot;
use crate::domain::usage::Usage;
use crate::grpc::page::List;
use crate::proto::makegood::v1;

pub(in crate::grpc) fn grant_credits(
    account_id: &AccountId,
    answer: &GrantAnswer,
) -> v1::GrantCreditsResponse {
    let GrantAnswer { lot: granted, balance: left } = answer;
    v1::GrantCreditsResponse { lot: Some(lot(granted)), balance: Some(balance(account_id, left, &[])) }
}

pub(in crate::grpc) fn revoke_credits(
    account_id: &AccountId,
    answer: &RevocationAnswer,
) -> v1::RevokeCreditsResponse {
    let RevocationAnswer { moved, credits, balance: left } = answer;
    v1::RevokeCreditsResponse {
        movements: moved.iter().map(lot_movement).collect(),
        credits_revoked: credits.get(),
        balance: Some(balance(account_id, left, &[])),
    }
}

pub(in crate::grpc) fn get_usage(used: &Usage) -> v1::GetUsageResponse {
    v1::GetUsageResponse { usage: Some(usage(used)) }
}

pub(in crate::grpc) fn list_lots(query: &ListLots, page: &PageOf<Lot>) -> v1::ListLotsResponse {
    let PageOf { items, next_after_seq } = page;
    v1::ListLotsResponse {
        lots: items.iter().map(lot).collect(),
        next_page_token: List::of_lots(query).token(*next_after_seq),
    }
}

pub(in crate::grpc) fn list_entries(query: &ListEntries, page: &PageOf<Entry>) -> v1::ListEntriesResponse {
    let PageOf { items, next_after_seq } = page;
    v1::ListEntriesResponse {
        entries: items.iter().map(|item| entry(&query.account_id, item)).collect(),
        next_page_token: List::of_entries(query).token(*next_after_seq),
    }
}

fn entry(account_id: &AccountId, entry: &Entry) -> v1::Entry {
    let Entry { seq, movement, actor, trace_id, at, prev_hash, hash } = entry;
    let Movement { lot_id, from, to, credits, cause: why } = movement;
    v1::Entry {
        account_id: account_id.to_string(),
        seq: *seq,
        lot_id: lot_id.to_string(),
        from_bucket: bucket(*from).into(),
        to_bucket: bucket(*to).into(),
        credits: credits.get(),
        cause: Some(cause(why)),
        actor: actor.to_string(),
        trace_id: text_or_empty(trace_id.as_ref()),
        at: Some(timestamp(*at)),
        prev_hash: prev_hash.to_vec(),
        hash: hash.to_vec(),
    }
}

fn cause(cause: &EntryCause) -> v1::EntryCause {
    use v1::entry_cause::{Cause, Expiry};
    let cause = match cause {
        EntryCause::Usage(attempt) => Cause::Usage(attempt_reference(attempt)),
        EntryCause::Purchase(id) => Cause::PurchaseId(id.to_string()),
        EntryCause::RefundRequest(id) => Cause::RefundRequestId(id.to_string()),
        EntryCause::Refund(id) => Cause::RefundId(id.to_string()),
        EntryCause::Chargeback(id) => Cause::ChargebackId(id.to_string()),
        EntryCause::Incident(id) => Cause::IncidentId(id.to_string()),
        EntryCause::Expiry => Cause::Expiry(Expiry {}),
        EntryCause::Person(reference) => Cause::Person(text_or_empty(reference.as_ref())),
    };
    v1::EntryCause { cause: Some(cause) }
}
