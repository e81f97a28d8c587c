//! The messages of the credit service.

use super::fields::Fields;
use crate::command::{
    Call, CaptureCredits, DeliverCredits, Delivered, GetBalance, HoldCredits, RecordPurchase, ReleaseCredits,
    RestoreCredits,
};
use crate::domain::ids::{AccountId, RequestId};
use crate::domain::money::Money;
use crate::domain::purchase::PurchaseKind;
use crate::domain::usage::Usage;
use crate::proto::makegood::v1;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap};
use tonic::Status;

/// How long a hold lasts when the caller does not say, in seconds.
const DEFAULT_TTL_SECONDS: i64 = 15 * 60;

/// Longest hold, in seconds: a job that runs for more than a day is dead.
const MAX_TTL_SECONDS: i64 = 24 * 60 * 60;

const MAX_PLAN_BYTES: usize = 128;
pub(super) const MAX_REASON_BYTES: usize = 1_000;
const MAX_ERROR_BYTES: usize = 1_000;
const MAX_ATTRIBUTES: usize = 32;
const MAX_ATTRIBUTE_KEY_BYTES: usize = 64;
const MAX_ATTRIBUTE_VALUE_BYTES: usize = 256;

/// The address of every call.
pub(super) fn address(
    fields: &mut Fields,
    request_id: &str,
    account_id: String,
) -> Option<(RequestId, AccountId)> {
    let request_id = fields.request_id(request_id);
    let account_id = fields.id("account_id", account_id);
    request_id.zip(account_id)
}

pub(super) fn call<M>(
    fields: Fields,
    address: Option<(RequestId, AccountId)>,
    mutation: Option<M>,
) -> Result<Call<M>, Status> {
    let call = address.zip(mutation);
    fields.finish(call.map(|((request_id, account_id), mutation)| Call { account_id, request_id, mutation }))
}

pub(in crate::grpc) fn record_purchase(
    request: v1::RecordPurchaseRequest,
    now: DateTime<Utc>,
) -> Result<Call<RecordPurchase>, Status> {
    let mut fields = Fields::at(now);
    let address = address(&mut fields, &request.request_id, request.account_id.clone());
    let purchase = read_purchase(&mut fields, request);
    call(fields, address, purchase)
}

fn read_purchase(fields: &mut Fields, request: v1::RecordPurchaseRequest) -> Option<RecordPurchase> {
    let v1::RecordPurchaseRequest {
        request_id: _,
        account_id: _,
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
        attributes,
    } = request;
    let provider = fields.id("provider", provider);
    let payment_id = fields.id("payment_id", payment_id);
    let order_id = fields.id("order_id", order_id);
    let package_id = fields.id("package_id", package_id);
    let kind = fields.word("kind", kind, purchase_kind);
    if renewal && kind == Some(PurchaseKind::OneTime) {
        fields.wrong::<()>("renewal", "is for subscriptions only");
    }
    let plan = fields.text("plan", plan, MAX_PLAN_BYTES);
    let price = fields.money("price", price);
    let list_price = read_list_price(fields, list_price, price);
    let credits = fields.credits("credits", credits);
    let bonus_credits = fields.credits_or_none("bonus_credits", bonus_credits);
    let paid_at = fields.past("paid_at", paid_at);
    let credits_expire_at = fields.expiry("credits_expire_at", credits_expire_at);
    if let (Some(paid_at), Some(Some(expire_at))) = (paid_at, credits_expire_at)
        && expire_at <= paid_at
    {
        fields.wrong::<()>("credits_expire_at", "must be after `paid_at`");
    }
    let attributes = read_attributes(fields, attributes);
    Some(RecordPurchase {
        provider: provider?,
        payment_id: payment_id?,
        order_id: order_id?,
        package_id: package_id?,
        kind: kind?,
        renewal,
        plan: plan?,
        price: price?,
        list_price: list_price?,
        credits: credits?,
        bonus_credits: bonus_credits?,
        paid_at: paid_at?,
        credits_expire_at: credits_expire_at?,
        attributes: attributes?,
    })
}

fn purchase_kind(kind: v1::PurchaseKind) -> Option<PurchaseKind> {
    match kind {
        v1::PurchaseKind::Unspecified => None,
        v1::PurchaseKind::OneTime => Some(PurchaseKind::OneTime),
        v1::PurchaseKind::Subscription => Some(PurchaseKind::Subscription),
    }
}

fn read_list_price(
    fields: &mut Fields,
    list_price: Option<v1::Money>,
    price: Option<Money>,
) -> Option<Option<Money>> {
    if list_price.is_none() {
        return Some(None);
    }
    let list_price = fields.money("list_price", list_price)?;
    if price.is_some_and(|price| price.currency != list_price.currency) {
        return fields.wrong("list_price.currency_code", "must be the currency of `price`");
    }
    if price.is_some_and(|price| price.minor_units > list_price.minor_units) {
        return fields.wrong("list_price.minor_units", "must not be less than `price`");
    }
    Some(Some(list_price))
}

fn read_attributes(
    fields: &mut Fields,
    attributes: HashMap<String, String>,
) -> Option<BTreeMap<String, String>> {
    if attributes.len() > MAX_ATTRIBUTES {
        return fields.wrong("attributes", format!("must have at most {MAX_ATTRIBUTES} entries"));
    }
    let mut read = BTreeMap::new();
    for (key, value) in attributes {
        let key = fields.required_text("attributes", key, MAX_ATTRIBUTE_KEY_BYTES)?;
        let value = fields.text("attributes", value, MAX_ATTRIBUTE_VALUE_BYTES)?;
        read.insert(key, value);
    }
    Some(read)
}

pub(in crate::grpc) fn deliver_credits(
    request: v1::DeliverCreditsRequest,
    now: DateTime<Utc>,
) -> Result<Call<DeliverCredits>, Status> {
    use v1::deliver_credits_request::Outcome;
    let v1::DeliverCreditsRequest { request_id, account_id, purchase, delivery_id, delivered_at, outcome } =
        request;
    let mut fields = Fields::at(now);
    let address = address(&mut fields, &request_id, account_id);
    let purchase = fields.purchase("purchase", purchase);
    let delivery_id = fields.id("delivery_id", delivery_id);
    let delivered_at = fields.past("delivered_at", delivered_at);
    let outcome = match outcome {
        None => fields.wrong("outcome", "needs `credits` or `undeliverable`"),
        Some(Outcome::Credits(credits)) => fields.credits("credits", credits).map(Delivered::Credits),
        Some(Outcome::Undeliverable(v1::Undeliverable { reason })) => {
            let reason = fields.required_prose("undeliverable.reason", reason, MAX_REASON_BYTES);
            reason.map(Delivered::Never)
        }
    };
    let parts = purchase.zip(delivery_id).zip(delivered_at).zip(outcome);
    let mutation = parts.map(|(((purchase, delivery_id), delivered_at), outcome)| DeliverCredits {
        purchase,
        delivery_id,
        outcome,
        delivered_at,
    });
    call(fields, address, mutation)
}

pub(in crate::grpc) fn hold_credits(
    request: v1::HoldCreditsRequest,
    now: DateTime<Utc>,
) -> Result<Call<HoldCredits>, Status> {
    let v1::HoldCreditsRequest { request_id, account_id, job_id, attempt, credits, outputs, ttl } = request;
    let mut fields = Fields::at(now);
    let address = address(&mut fields, &request_id, account_id);
    let attempt = fields.attempt("", job_id, attempt);
    let cost = fields.credits("credits", credits);
    let outputs = fields.number("outputs", outputs.unwrap_or(1), (1, Usage::MAX_OUTPUTS));
    let ttl_seconds = match ttl {
        None => Some(DEFAULT_TTL_SECONDS),
        Some(prost_types::Duration { seconds, nanos: 0 }) => {
            fields.number("ttl", seconds, (1, MAX_TTL_SECONDS))
        }
        Some(_) => fields.wrong("ttl", "must be whole seconds"),
    };
    let parts = attempt.zip(cost).zip(outputs).zip(ttl_seconds);
    let mutation = parts.map(|(((attempt, cost), outputs), ttl_seconds)| HoldCredits {
        attempt,
        cost,
        outputs,
        ttl_seconds,
    });
    call(fields, address, mutation)
}

pub(in crate::grpc) fn capture_credits(
    request: v1::CaptureCreditsRequest,
    now: DateTime<Utc>,
) -> Result<Call<CaptureCredits>, Status> {
    let v1::CaptureCreditsRequest { request_id, account_id, job_id, attempt, delivered_outputs } = request;
    let mut fields = Fields::at(now);
    let address = address(&mut fields, &request_id, account_id);
    let attempt = fields.attempt("", job_id, attempt);
    let delivered_outputs = match delivered_outputs {
        None => Some(None),
        Some(outputs) => fields.number("delivered_outputs", outputs, (0, Usage::MAX_OUTPUTS)).map(Some),
    };
    let mutation = attempt
        .zip(delivered_outputs)
        .map(|(attempt, delivered_outputs)| CaptureCredits { attempt, delivered_outputs });
    call(fields, address, mutation)
}

pub(in crate::grpc) fn release_credits(
    request: v1::ReleaseCreditsRequest,
    now: DateTime<Utc>,
) -> Result<Call<ReleaseCredits>, Status> {
    let v1::ReleaseCreditsRequest { request_id, account_id, job_id, attempt } = request;
    let mut fields = Fields::at(now);
    let address = address(&mut fields, &request_id, account_id);
    let attempt = fields.attempt("", job_id, attempt);
    call(fields, address, attempt.map(|attempt| ReleaseCredits { attempt }))
}

pub(in crate::grpc) fn restore_credits(
    request: v1::RestoreCreditsRequest,
    now: DateTime<Utc>,
) -> Result<Call<RestoreCredits>, Status> {
    let v1::RestoreCreditsRequest {
        request_id,
        account_id,
        job_id,
        attempt,
        cause,
        error_message,
        failed_at,
    } = request;
    let mut fields = Fields::at(now);
    let address = address(&mut fields, &request_id, account_id);
    let attempt = fields.attempt("", job_id, attempt);
    let cause = fields.id("cause", cause);
    let failed_at = fields.past("failed_at", failed_at);
    let error_message = fields.prose("error_message", error_message, MAX_ERROR_BYTES);
    let parts = attempt.zip(cause).zip(failed_at).zip(error_message);
    let mutation = parts.map(|(((attempt, cause), failed_at), error_message)| RestoreCredits {
        attempt,
        cause,
        failed_at,
        error_message,
    });
    call(fields, address, mutation)
}

pub(in crate::grpc) fn get_balance(
    request: v1::GetBalanceRequest,
    now: DateTime<Utc>,
) -> Result<GetBalance, Status> {
    let v1::GetBalanceRequest { account_id } = request;
    let mut fields = Fields::at(now);
    let account_id = fields.id("account_id", account_id);
    fields.finish(account_id.map(|account_id| GetBalance { account_id }))
}
