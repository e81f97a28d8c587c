//! Disputes, and what persons found them to be (§6).

use super::account::{account, account_in_force};
use super::credit::balance;
use super::{exposed, lot_movement, money, text_or_empty, timestamp};
use crate::command::{ChargebackAnswer, ChargebackPage, ChargebackView, DeterminationAnswer, Words};
use crate::domain::chargeback::{
    Chargeback, ChargebackEvent, ChargebackPhase, ChargebackStage, Determination, ReportedEvent,
};
use crate::domain::ids::AccountId;
use crate::domain::redacted::FreeText;
use crate::proto::makegood::v1;

/// Most events that one dispute shows.
const MAX_EVENTS: usize = 100;

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
        chargeback: Some(chargeback(charged, dispute, &Words::new())),
        movements: moved.iter().map(lot_movement).collect(),
        balance: charged.map(|account_id| balance(account_id, left, &[])),
        canceled_refund_ids: canceled_refunds.iter().map(ToString::to_string).collect(),
        account: charged.map(|account_id| account_in_force(account_id, restrictions, left.last_seq)),
    }
}

pub(in crate::grpc) fn get_chargeback(view: &ChargebackView) -> v1::GetChargebackResponse {
    v1::GetChargebackResponse { chargeback: Some(with_events(view)) }
}

pub(in crate::grpc) fn list_chargebacks(
    page: &ChargebackPage,
    next_page_token: String,
) -> v1::ListChargebacksResponse {
    let chargebacks = page
        .items
        .iter()
        .map(|(account_id, dispute)| chargeback(account_id.as_ref(), dispute, &Words::new()))
        .collect();
    v1::ListChargebacksResponse { chargebacks, next_page_token }
}

/// A dispute with its events, the latest of very many.
pub(super) fn with_events(view: &ChargebackView) -> v1::Chargeback {
    let ChargebackView { account_id, chargeback: dispute, events, words } = view;
    let earlier = events.len().saturating_sub(MAX_EVENTS);
    v1::Chargeback {
        events: events.iter().skip(earlier).map(event).collect(),
        ..chargeback(account_id.as_ref(), dispute, words)
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

/// A determination, with the words that its caller gave for it.
pub(in crate::grpc) fn determine_chargeback(
    account_id: &AccountId,
    answer: &DeterminationAnswer,
    reason: &FreeText,
) -> v1::DetermineChargebackResponse {
    let DeterminationAnswer { chargeback: dispute, is_new, moved, account: view } = answer;
    let said = dispute.determined.as_ref().filter(|_| *is_new);
    let words: Words = said.map(|said| (said.reason_note, reason.clone())).into_iter().collect();
    v1::DetermineChargebackResponse {
        chargeback: Some(chargeback(Some(account_id), dispute, &words)),
        account: Some(account(account_id, view, &words)),
        movements: moved.iter().map(lot_movement).collect(),
    }
}

/// A dispute without its events.
pub(super) fn chargeback(
    account_id: Option<&AccountId>,
    chargeback: &Chargeback,
    words: &Words,
) -> v1::Chargeback {
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
        determined,
    } = chargeback;
    let determined = determined.as_ref();
    let reason = determined.and_then(|determined| words.get(&determined.reason_note));
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
        determination: determination(determined.map(|determined| determined.determination)).into(),
        determined_by: text_or_empty(determined.map(|determined| &determined.by)),
        determined_at: determined.map(|determined| timestamp(determined.at)),
        determination_reason: exposed(reason),
        events: Vec::new(),
    }
}

pub(super) const fn determination(determination: Option<Determination>) -> v1::ChargebackDetermination {
    match determination {
        None => v1::ChargebackDetermination::Unspecified,
        Some(Determination::Legitimate) => v1::ChargebackDetermination::Legitimate,
        Some(Determination::Fraudulent) => v1::ChargebackDetermination::Fraudulent,
        Some(Determination::Abusive) => v1::ChargebackDetermination::Abusive,
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
