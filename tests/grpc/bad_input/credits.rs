//! The credit service.

use super::{Cases, MOST, NOON};
use crate::service::{Service, capture, delivery, hold, instant, purchase, release, restore, usd};
use makegood::proto::makegood::v1;
use prost_types::{Duration, Timestamp};
use v1::deliver_credits_request::Outcome;
use v1::purchase_reference::Reference;

#[tokio::test]
async fn a_purchase_is_refused_by_the_name_of_its_wrong_field() {
    let service = Service::start().await;
    let mut cases = Cases::<v1::RecordPurchaseRequest>::new();
    cases.request_id(|m| &mut m.request_id);
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    cases.required_id("provider", 64, |m| &mut m.provider);
    cases.required_id("payment_id", 128, |m| &mut m.payment_id);
    cases.required_id("order_id", 128, |m| &mut m.order_id);
    cases.required_id("package_id", 128, |m| &mut m.package_id);
    cases.word("kind", |m| &mut m.kind);
    cases.wrong("renewal", "of a purchase made once", |m| m.renewal = true);
    cases.text("plan", 128, |m| &mut m.plan);
    cases.required_money("price", |m, money| m.price = money);
    cases.money("list_price", |m, money| m.list_price = money);
    cases.wrong("list_price.minor_units", "less than the price", |m| m.list_price = usd(998));
    cases.wrong("list_price.currency_code", "of another currency", |m| {
        m.list_price = Some(v1::Money { currency_code: "EUR".to_owned(), minor_units: 2_000 });
    });
    cases.credits("credits", |m, credits| m.credits = credits);
    cases.number("bonus_credits", &[-1, i64::MIN, MOST + 1, i64::MAX], |m, n| m.bonus_credits = n);
    cases.required_past("paid_at", |m, time| m.paid_at = time);
    let noon = instant(NOON).timestamp();
    for (seconds, nanos) in
        [(noon, 0), (noon - 1, 0), (noon + 1, -1), (noon + 1, 1_000_000_000), (i64::MAX, 0)]
    {
        cases.wrong("credits_expire_at", &format!("{seconds} s {nanos} ns"), move |m| {
            m.credits_expire_at = Some(Timestamp { seconds, nanos });
        });
    }
    for (key, value) in [("", "x"), (" ", "x"), ("a\0", "x"), ("a", "x\0")] {
        cases.wrong("attributes", &format!("{key:?}: {value:?}"), move |m| {
            m.attributes.insert(key.to_owned(), value.to_owned());
        });
    }
    cases.wrong("attributes", "an over long key", |m| {
        m.attributes.insert("k".repeat(65), String::new());
    });
    cases.wrong("attributes", "an over long value", |m| {
        m.attributes.insert("k".to_owned(), "v".repeat(257));
    });
    cases.wrong("attributes", "too many", |m| {
        m.attributes = (0..33).map(|number| (number.to_string(), String::new())).collect();
    });
    let call = async |request| service.credits().record_purchase(request).await;
    cases.refused(&service, purchase("ada", "pay-1", NOON), call).await;
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_is_refused_by_the_name_of_its_wrong_field() {
    let service = Service::start().await;
    service.purchase("ada", "pay-1", NOON).await;
    let mut cases = Cases::<v1::DeliverCreditsRequest>::new();
    cases.request_id(|m| &mut m.request_id);
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    cases.wrong("purchase", "missing", |m| m.purchase = None);
    cases.wrong("purchase", "not named", |m| m.purchase = Some(v1::PurchaseReference { reference: None }));
    named(&mut cases, |m, reference| m.purchase = Some(v1::PurchaseReference { reference: Some(reference) }));
    cases.required_id("delivery_id", 128, |m| &mut m.delivery_id);
    cases.wrong("outcome", "missing", |m| m.outcome = None);
    cases.credits("credits", |m, credits| m.outcome = Some(Outcome::Credits(credits)));
    for (how, reason) in [
        ("empty", String::new()),
        ("blank", " \n".to_owned()),
        ("over long", "x".repeat(1_001)),
        ("NUL", "a\0".to_owned()),
    ] {
        cases.wrong("undeliverable.reason", how, move |m| {
            m.outcome = Some(Outcome::Undeliverable(v1::Undeliverable { reason: reason.clone() }));
        });
    }
    cases.required_past("delivered_at", |m, time| m.delivered_at = time);
    let call = async |request| service.credits().deliver_credits(request).await;
    cases.refused(&service, delivery("ada", "pay-1", 100, NOON), call).await;
    service.stop().await;
}

/// The ways in which a purchase can be named wrongly.
pub(super) fn named<Q: Clone + std::fmt::Debug + 'static>(cases: &mut Cases<Q>, set: fn(&mut Q, Reference)) {
    let long = || "x".repeat(129);
    for text in [String::new(), "1".to_owned(), "a\0".to_owned()] {
        cases.wrong("purchase.purchase_id", &text.clone(), move |m| {
            set(m, Reference::PurchaseId(text.clone()));
        });
    }
    for text in [String::new(), long(), "a\0".to_owned()] {
        cases.wrong("purchase.order_id", &text.clone(), move |m| set(m, Reference::OrderId(text.clone())));
    }
    for text in [String::new(), long(), "a\0".to_owned()] {
        let pay = |provider: &str, payment_id: &str| {
            Reference::Payment(v1::Payment {
                provider: provider.to_owned(),
                payment_id: payment_id.to_owned(),
            })
        };
        let again = text.clone();
        cases.wrong("purchase.payment.provider", &text.clone(), move |m| set(m, pay(&text, "pay-1")));
        cases.wrong("purchase.payment.payment_id", &again.clone(), move |m| set(m, pay("stripe", &again)));
    }
}

#[tokio::test]
async fn a_hold_is_refused_by_the_name_of_its_wrong_field() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut cases = Cases::<v1::HoldCreditsRequest>::new();
    cases.request_id(|m| &mut m.request_id);
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    cases.required_id("job_id", 128, |m| &mut m.job_id);
    cases.attempt("attempt", |m, number| m.attempt = number);
    cases.credits("credits", |m, credits| m.credits = credits);
    cases.number("outputs", &[0, -1, 1_001, i32::MAX, i32::MIN], |m, n| m.outputs = Some(n));
    cases.number("ttl", &[0, -1, 86_401, i64::MAX, i64::MIN], |m, n| {
        m.ttl = Some(Duration { seconds: n, nanos: 0 });
    });
    cases.number("ttl", &[1, -1, 999_999_999, i32::MAX], |m, nanos| {
        m.ttl = Some(Duration { seconds: 60, nanos });
    });
    let call = async |request| service.credits().hold_credits(request).await;
    cases.refused(&service, hold("ada", "job-1", 30), call).await;
    service.stop().await;
}

#[tokio::test]
async fn a_capture_is_refused_by_the_name_of_its_wrong_field() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.credits().hold_credits(crate::service::when(NOON, hold("ada", "job-1", 30))).await.unwrap();
    let mut cases = Cases::<v1::CaptureCreditsRequest>::new();
    cases.request_id(|m| &mut m.request_id);
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    cases.required_id("job_id", 128, |m| &mut m.job_id);
    cases.attempt("attempt", |m, number| m.attempt = number);
    cases.number("delivered_outputs", &[-1, 1_001, i32::MAX, i32::MIN], |m, n| m.delivered_outputs = Some(n));
    let call = async |request| service.credits().capture_credits(request).await;
    cases.refused(&service, capture("ada", "job-1"), call).await;
    service.stop().await;
}

#[tokio::test]
async fn a_release_is_refused_by_the_name_of_its_wrong_field() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.credits().hold_credits(crate::service::when(NOON, hold("ada", "job-1", 30))).await.unwrap();
    let mut cases = Cases::<v1::ReleaseCreditsRequest>::new();
    cases.request_id(|m| &mut m.request_id);
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    cases.required_id("job_id", 128, |m| &mut m.job_id);
    cases.attempt("attempt", |m, number| m.attempt = number);
    let call = async |request| service.credits().release_credits(request).await;
    cases.refused(&service, release("ada", "job-1"), call).await;
    service.stop().await;
}

#[tokio::test]
async fn a_failure_report_is_refused_by_the_name_of_its_wrong_field() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    let mut cases = Cases::<v1::RestoreCreditsRequest>::new();
    cases.request_id(|m| &mut m.request_id);
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    cases.required_id("job_id", 128, |m| &mut m.job_id);
    cases.attempt("attempt", |m, number| m.attempt = number);
    cases.required_id("cause", 64, |m| &mut m.cause);
    cases.text("error_message", 1_000, |m| &mut m.error_message);
    cases.required_past("failed_at", |m, time| m.failed_at = time);
    let call = async |request| service.credits().restore_credits(request).await;
    cases.refused(&service, restore("ada", "job-1", "worker_crash", NOON), call).await;
    service.stop().await;
}

#[tokio::test]
async fn a_balance_is_refused_by_the_name_of_its_wrong_field() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut cases = Cases::<v1::GetBalanceRequest>::new();
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    let call = async |request| service.credits().get_balance(request).await;
    cases.refused(&service, v1::GetBalanceRequest { account_id: "ada".to_owned() }, call).await;
    service.stop().await;
}
