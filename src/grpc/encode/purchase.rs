//! Purchases and their deliveries.

use super::credit::{balance, lot};
use super::{exposed, money, timestamp};
use crate::command::DeliveryAnswer;
use crate::domain::ids::AccountId;
use crate::domain::money::Money;
use crate::domain::purchase::{DisputeState, Purchase, PurchaseKind};
use crate::proto::makegood::v1;

pub(in crate::grpc) fn record_purchase(
    account_id: &AccountId,
    recorded: &Purchase,
) -> v1::RecordPurchaseResponse {
    v1::RecordPurchaseResponse { purchase: Some(purchase(account_id, recorded)) }
}

pub(in crate::grpc) fn deliver_credits(
    account_id: &AccountId,
    answer: &DeliveryAnswer,
) -> v1::DeliverCreditsResponse {
    let DeliveryAnswer { purchase: delivered, lots, balance: left } = answer;
    v1::DeliverCreditsResponse {
        purchase: Some(purchase(account_id, delivered)),
        lots: lots.iter().map(lot).collect(),
        balance: Some(balance(account_id, left, &[])),
    }
}

pub(super) fn purchase(account_id: &AccountId, purchase: &Purchase) -> v1::Purchase {
    let Purchase {
        purchase_id,
        provider,
        payment_id,
        order_id,
        package_id,
        kind,
        renewal,
        plan,
        price,
        list_price,
        credits,
        bonus_credits,
        paid_at,
        credits_expire_at,
        delivered_credits,
        last_delivered_at,
        undeliverable_reason,
        refunded_credits,
        refunded_minor,
        pending_minor,
        returned_minor,
        dispute,
        policy_version,
        attributes,
    } = purchase;
    let in_currency = |minor_units| money(Money { currency: price.currency, minor_units });
    v1::Purchase {
        purchase_id: purchase_id.to_string(),
        account_id: account_id.to_string(),
        provider: provider.to_string(),
        payment_id: payment_id.to_string(),
        order_id: order_id.to_string(),
        package_id: package_id.to_string(),
        kind: purchase_kind(*kind).into(),
        renewal: *renewal,
        plan: plan.clone(),
        price: Some(money(*price)),
        list_price: list_price.map(money),
        credits: credits.get(),
        bonus_credits: bonus_credits.get(),
        delivered_credits: delivered_credits.get(),
        undeliverable_reason: exposed(undeliverable_reason.as_ref()),
        refunded_credits: refunded_credits.get(),
        paid_at: Some(timestamp(*paid_at)),
        recorded_at: None,
        first_delivered_at: None,
        last_delivered_at: last_delivered_at.map(timestamp),
        credits_expire_at: credits_expire_at.map(timestamp),
        refunded: Some(in_currency(*refunded_minor)),
        refund_pending: Some(in_currency(*pending_minor)),
        returned_by_bank: Some(in_currency(*returned_minor)),
        dispute: purchase_dispute(*dispute).into(),
        policy_version: policy_version.clone(),
        attributes: attributes.iter().map(|(key, text)| (key.clone(), text.clone())).collect(),
    }
}

pub(super) const fn purchase_kind(kind: PurchaseKind) -> v1::PurchaseKind {
    match kind {
        PurchaseKind::OneTime => v1::PurchaseKind::OneTime,
        PurchaseKind::Subscription => v1::PurchaseKind::Subscription,
    }
}

pub(super) const fn purchase_dispute(dispute: DisputeState) -> v1::PurchaseDispute {
    match dispute {
        DisputeState::None => v1::PurchaseDispute::None,
        DisputeState::Won => v1::PurchaseDispute::Won,
        DisputeState::Open => v1::PurchaseDispute::Open,
        DisputeState::Lost => v1::PurchaseDispute::Lost,
    }
}
