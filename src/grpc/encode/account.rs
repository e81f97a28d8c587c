//! Accounts and what is kept from them (§3.3, §6).

use super::credit::balance;
use super::{exposed, text_or_empty, timestamp};
use crate::command::{AccountView, ErasureAnswer, ImposedAnswer, LiftedAnswer, MAX_RESTRICTIONS, Words};
use crate::domain::erasure::Erasure;
use crate::domain::ids::AccountId;
use crate::domain::redacted::FreeText;
use crate::domain::restriction::{Lifting, Restriction, RestrictionCause, RestrictionKind, Standing};
use crate::proto::makegood::v1;

/// An account, with the words that the caller may read.
pub(in crate::grpc) fn get_account(
    account_id: &AccountId,
    view: &AccountView,
    words: &Words,
) -> v1::GetAccountResponse {
    v1::GetAccountResponse { account: Some(account(account_id, view, words)) }
}

/// A restriction in force, with the reason that its caller gave.
pub(in crate::grpc) fn impose_restriction(
    account_id: &AccountId,
    answer: &ImposedAnswer,
    reason: FreeText,
) -> v1::ImposeRestrictionResponse {
    let ImposedAnswer { restriction: imposed, account: view, balance: left } = answer;
    let words: Words = imposed.reason_note.map(|note| (note, reason)).into_iter().collect();
    v1::ImposeRestrictionResponse {
        restriction: Some(restriction(imposed, &words)),
        account: Some(account(account_id, view, &words)),
        balance: Some(balance(account_id, left, &[])),
    }
}

/// A lifted restriction, with the reason that its caller gave.
pub(in crate::grpc) fn lift_restriction(
    account_id: &AccountId,
    answer: &LiftedAnswer,
    reason: FreeText,
) -> v1::LiftRestrictionResponse {
    let LiftedAnswer { restriction: lifted, account: view } = answer;
    let note = lifted.lifting.as_ref().and_then(|lifting| lifting.reason_note);
    let words: Words = note.map(|note| (note, reason)).into_iter().collect();
    v1::LiftRestrictionResponse {
        restriction: Some(restriction(lifted, &words)),
        account: Some(account(account_id, view, &words)),
    }
}

/// An erasure, with the reason that its caller gave.
pub(in crate::grpc) fn erase_account(
    account_id: &AccountId,
    answer: &ErasureAnswer,
    reason: FreeText,
) -> v1::EraseAccountResponse {
    let ErasureAnswer { erasure: erased, account: view } = answer;
    let words = Words::from([(erased.reason_note, reason)]);
    v1::EraseAccountResponse {
        erasure: Some(erasure(erased, &words)),
        account: Some(account(account_id, view, &words)),
    }
}

fn erasure(erasure: &Erasure, words: &Words) -> v1::Erasure {
    let Erasure { ordinal, erased_by, erased_at, reason_note, texts } = erasure;
    v1::Erasure {
        ordinal: *ordinal,
        erased_by: erased_by.to_string(),
        erased_at: Some(timestamp(*erased_at)),
        reason: exposed(words.get(reason_note)),
        erased_texts: *texts,
    }
}

pub(super) fn account(account_id: &AccountId, view: &AccountView, words: &Words) -> v1::Account {
    let AccountView { standing, restrictions, created_at, last_seq, last_erasure } = view;
    v1::Account {
        account_id: account_id.to_string(),
        standing: standing.0.iter().map(|kind| restriction_kind(*kind).into()).collect(),
        restrictions: restrictions.iter().map(|one| restriction(one, words)).collect(),
        may_spend: standing.may_spend(),
        may_purchase: standing.may_purchase(),
        may_be_refunded: standing.may_be_refunded(),
        created_at: Some(timestamp(*created_at)),
        last_seq: *last_seq,
        last_erasure: last_erasure.as_ref().map(|last| erasure(last, words)),
    }
}

/// An account by its restrictions in force alone, which come oldest first.
pub(super) fn account_in_force(
    account_id: &AccountId,
    restrictions: &[Restriction],
    last_seq: i64,
) -> v1::Account {
    let view = AccountView {
        standing: Standing::of(restrictions),
        restrictions: restrictions.iter().rev().take(MAX_RESTRICTIONS).cloned().collect(),
        created_at: chrono::DateTime::UNIX_EPOCH,
        last_seq,
        last_erasure: None,
    };
    v1::Account { created_at: None, ..account(account_id, &view, &Words::new()) }
}

fn restriction(restriction: &Restriction, words: &Words) -> v1::Restriction {
    let Restriction {
        restriction_id,
        kind,
        cause,
        chargeback_id,
        clause,
        imposed_by,
        since,
        reason_note,
        lifting,
    } = restriction;
    let said = |note: Option<i32>| exposed(note.and_then(|note| words.get(&note)));
    let (lifted_at, lifted_by, lift_reason) = match lifting {
        Some(Lifting { at, by, reason_note }) => (Some(timestamp(*at)), by.to_string(), said(*reason_note)),
        None => (None, String::new(), String::new()),
    };
    v1::Restriction {
        restriction_id: restriction_id.to_string(),
        kind: restriction_kind(*kind).into(),
        cause: restriction_cause(*cause).into(),
        clause: clause.clone(),
        reason: said(*reason_note),
        imposed_by: imposed_by.to_string(),
        since: Some(timestamp(*since)),
        chargeback_id: text_or_empty(*chargeback_id),
        lifted_at,
        lifted_by,
        lift_reason,
    }
}

pub(super) const fn restriction_kind(kind: RestrictionKind) -> v1::RestrictionKind {
    match kind {
        RestrictionKind::Suspended => v1::RestrictionKind::SpendSuspended,
        RestrictionKind::PurchaseBlocked => v1::RestrictionKind::PurchaseBlocked,
        RestrictionKind::RefundBlocked => v1::RestrictionKind::RefundBlocked,
        RestrictionKind::Terminated => v1::RestrictionKind::Terminated,
        RestrictionKind::ViolationSuspected => v1::RestrictionKind::ViolationSuspected,
        RestrictionKind::ViolationConfirmed => v1::RestrictionKind::ViolationConfirmed,
    }
}

pub(super) const fn restriction_cause(cause: RestrictionCause) -> v1::RestrictionCause {
    match cause {
        RestrictionCause::Chargeback => v1::RestrictionCause::Chargeback,
        RestrictionCause::ChargebackDetermined => v1::RestrictionCause::ChargebackDetermined,
        RestrictionCause::ProhibitedContent => v1::RestrictionCause::ProhibitedContent,
        RestrictionCause::PromotionAbuse => v1::RestrictionCause::PromotionAbuse,
        RestrictionCause::Fraud => v1::RestrictionCause::Fraud,
        RestrictionCause::RefundAbuse => v1::RestrictionCause::RefundAbuse,
        RestrictionCause::Other => v1::RestrictionCause::Other,
    }
}
