//! Disputes, and the restrictions that they bring (§6).

use super::credit::balance;
use super::{lot_movement, money, text_or_empty, timestamp};
use crate::command::{ChargebackAnswer, ChargebackPage, ChargebackView};
use crate::domain::chargeback::{
    Chargeback, ChargebackEvent, ChargebackPhase, ChargebackStage, ReportedEvent,
};
use crate::domain::ids::AccountId;
use crate::domain::restriction::{Restriction, RestrictionKind, Standing};
use crate::proto::makegood::v1;
use std::collections::BTreeSet;

/// Most restrictions that one account lists.
const MAX_RESTRICTIONS: usize = 100;

/// Most events that one dispute shows.
const MAX_EVENTS: usize = 100;

/// Who imposes what follows from a dispute by itself.
const SYSTEM: &str = "system";

pub(in crate::grpc) fn record_chargeback(answer: &ChargebackAnswer) -> v1::RecordChargebackResponse {
    let ChargebackAnswer {
        account_id,
        chargeback: dispute,
        moved,
        canceled_refunds,
        restrictions,
        balance: left,
    } = answer;
    // Until the payment is recorded its account is only the caller's word, and nothing of it is shown.
    let charged = account_id.as_ref().filter(|_| dispute.purchase_id.is_some());
    v1::RecordChargebackResponse {
        chargeback: Some(chargeback(charged, dispute)),
        movements: moved.iter().map(lot_movement).collect(),
        balance: charged.map(|account_id| balance(account_id, left, &[])),
        canceled_refund_ids: canceled_refunds.iter().map(ToString::to_string).collect(),
        account: charged.map(|account_id| account(account_id, restrictions, left.last_seq)),
    }
}

pub(in crate::grpc) fn get_chargeback(view: &ChargebackView) -> v1::GetChargebackResponse {
    v1::GetChargebackResponse { chargeback: Some(with_events(view)) }
}

pub(in crate::grpc) fn list_chargebacks(
    page: &ChargebackPage,
    next_page_token: String,
) -> v1::ListChargebacksResponse {
    let chargebacks =
        page.items.iter().map(|(account_id, dispute)| chargeback(account_id.as_ref(), dispute)).collect();
    v1::ListChargebacksResponse { chargebacks, next_page_token }
}

/// A dispute with its events, the latest of very many.
pub(super) fn with_events(view: &ChargebackView) -> v1::Chargeback {
    let ChargebackView { account_id, chargeback: dispute, events } = view;
    let earlier = events.len().saturating_sub(MAX_EVENTS);
    v1::Chargeback {
        events: events.iter().skip(earlier).map(event).collect(),
        ..chargeback(account_id.as_ref(), dispute)
    }
}

fn event(told: &ReportedEvent) -> v1::ChargebackEvent {
    let ReportedEvent { event, phase, provider_status, provider_event_id, amount, occurred_at, recorded_at } =
        told;
    v1::ChargebackEvent {
        event: event_kind(*event).into(),
        phase: chargeback_phase(*phase).into(),
        provider_status: provider_status.clone(),
        amount: Some(money(*amount)),
        occurred_at: Some(timestamp(*occurred_at)),
        recorded_at: Some(timestamp(*recorded_at)),
        provider_event_id: text_or_empty(provider_event_id.as_ref()),
    }
}

/// A dispute without its events. Persons cannot determine what it was yet.
fn chargeback(account_id: Option<&AccountId>, chargeback: &Chargeback) -> v1::Chargeback {
    let Chargeback {
        chargeback_id,
        purchase_id,
        provider,
        dispute_id,
        payment_id,
        stage,
        phase,
        provider_status,
        reason_code,
        amount,
        losses: _,
        frozen_credits: _,
        opened_at,
        closed_at,
        last_event_at,
    } = chargeback;
    v1::Chargeback {
        chargeback_id: chargeback_id.to_string(),
        account_id: text_or_empty(account_id),
        purchase_id: text_or_empty(*purchase_id),
        provider: provider.to_string(),
        dispute_id: dispute_id.to_string(),
        payment_id: payment_id.to_string(),
        stage: chargeback_stage(*stage).into(),
        phase: chargeback_phase(*phase).into(),
        provider_status: provider_status.clone(),
        reason_code: reason_code.clone(),
        amount: Some(money(*amount)),
        frozen_credits: chargeback.frozen_now().get(),
        revoked_credits: chargeback.revoked_credits().get(),
        unfrozen_credits: chargeback.unfrozen_credits().get(),
        shortfall_credits: chargeback.shortfall_credits().get(),
        opened_at: Some(timestamp(*opened_at)),
        closed_at: closed_at.map(timestamp),
        last_event_at: Some(timestamp(*last_event_at)),
        determination: v1::ChargebackDetermination::Unspecified.into(),
        determined_by: String::new(),
        determined_at: None,
        determination_reason: String::new(),
        events: Vec::new(),
    }
}

/// An account by its restrictions in force, oldest first.
fn account(account_id: &AccountId, restrictions: &[Restriction], last_seq: i64) -> v1::Account {
    let kinds: BTreeSet<_> = restrictions.iter().map(|restriction| restriction.kind).collect();
    let standing = Standing(kinds.into_iter().collect());
    v1::Account {
        account_id: account_id.to_string(),
        standing: standing.0.iter().map(|kind| restriction_kind(*kind).into()).collect(),
        restrictions: restrictions.iter().rev().take(MAX_RESTRICTIONS).map(restriction).collect(),
        may_spend: standing.may_spend(),
        may_purchase: standing.may_purchase(),
        may_be_refunded: standing.may_be_refunded(),
        created_at: None,
        last_seq,
    }
}

fn restriction(restriction: &Restriction) -> v1::Restriction {
    let Restriction { restriction_id, kind, chargeback_id, clause, since } = restriction;
    let (cause, imposed_by) = match chargeback_id {
        Some(_) => (v1::RestrictionCause::Chargeback, SYSTEM),
        None => (v1::RestrictionCause::Unspecified, ""),
    };
    v1::Restriction {
        restriction_id: restriction_id.to_string(),
        kind: restriction_kind(*kind).into(),
        cause: cause.into(),
        clause: clause.clone(),
        reason: String::new(),
        imposed_by: imposed_by.to_owned(),
        since: Some(timestamp(*since)),
        chargeback_id: text_or_empty(*chargeback_id),
        lifted_at: None,
        lifted_by: String::new(),
        lift_reason: String::new(),
    }
}

pub(super) const fn event_kind(event: ChargebackEvent) -> v1::ChargebackEventKind {
    match event {
        ChargebackEvent::Opened => v1::ChargebackEventKind::Opened,
        ChargebackEvent::Updated => v1::ChargebackEventKind::Updated,
        ChargebackEvent::Won => v1::ChargebackEventKind::Won,
        ChargebackEvent::Lost => v1::ChargebackEventKind::Lost,
        ChargebackEvent::Withdrawn => v1::ChargebackEventKind::Withdrawn,
    }
}

pub(super) const fn chargeback_stage(stage: ChargebackStage) -> v1::ChargebackStage {
    match stage {
        ChargebackStage::Open => v1::ChargebackStage::Open,
        ChargebackStage::Won => v1::ChargebackStage::Won,
        ChargebackStage::Lost => v1::ChargebackStage::Lost,
        ChargebackStage::Withdrawn => v1::ChargebackStage::Withdrawn,
    }
}

pub(super) const fn chargeback_phase(phase: ChargebackPhase) -> v1::ChargebackPhase {
    match phase {
        ChargebackPhase::Inquiry => v1::ChargebackPhase::Inquiry,
        ChargebackPhase::Chargeback => v1::ChargebackPhase::Chargeback,
        ChargebackPhase::PreArbitration => v1::ChargebackPhase::PreArbitration,
        ChargebackPhase::Arbitration => v1::ChargebackPhase::Arbitration,
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
