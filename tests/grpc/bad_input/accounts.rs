//! Accounts, restrictions and determinations.

use super::*;
use crate::accounts::{lift, restriction};
use crate::determinations::determination;
use v1::{ChargebackDetermination as Found, RestrictionCause as Cause, RestrictionKind as Kind};

fn reason<Q: Clone + Debug + 'static>(cases: &mut Cases<Q>, get: fn(&mut Q) -> &mut String) {
    cases.text("reason", 1_000, get);
    for empty in ["", "  \n"] {
        cases.wrong("reason", "says nothing", move |message| empty.clone_into(get(message)));
    }
}

#[tokio::test]
async fn get_account() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let mut cases = Cases::new();
    cases.required_id("account_id", 128, |m: &mut v1::GetAccountRequest| &mut m.account_id);
    let good = v1::GetAccountRequest { account_id: "ada".to_owned() };
    cases.refused(&service, good, async |request| service.accounts().get_account(request).await).await;
    service.audited().await;
}

#[tokio::test]
async fn impose_restriction() {
    type Message = v1::ImposeRestrictionRequest;
    let service = Service::start().await;
    let mut cases = Cases::new();
    cases.request_id(|m: &mut Message| &mut m.request_id);
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    cases.word("kind", |m| &mut m.kind);
    cases.word("cause", |m| &mut m.cause);
    cases.wrong("cause", "a determination's", |m| m.cause = Cause::ChargebackDetermined.into());
    cases.required_id("clause", 16, |m| &mut m.clause);
    reason(&mut cases, |m| &mut m.reason);
    for text in ["1", "not-a-uuid", "a\0b"] {
        cases.wrong("chargeback_id", text, move |m| text.clone_into(&mut m.chargeback_id));
    }
    cases.wrong("chargeback_id", "missing", |m| m.cause = Cause::Chargeback.into());
    let good = restriction("ada", Kind::Terminated);
    cases.refused(&service, good, async |request| service.accounts().impose_restriction(request).await).await;
    service.audited().await;
}

#[tokio::test]
async fn lift_restriction() {
    type Message = v1::LiftRestrictionRequest;
    let service = Service::start().await;
    let known = service.restricted("ada", "suspended", NOON).await;
    let mut cases = Cases::new();
    cases.request_id(|m: &mut Message| &mut m.request_id);
    cases.required_id("account_id", 128, |m| &mut m.account_id);
    cases.own_id("restriction_id", |m| &mut m.restriction_id);
    reason(&mut cases, |m| &mut m.reason);
    let good = lift("ada", &known.restriction_id);
    cases.refused(&service, good, async |request| service.accounts().lift_restriction(request).await).await;
    service.audited().await;
}

#[tokio::test]
async fn determine_chargeback() {
    type Message = v1::DetermineChargebackRequest;
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let opened = service.dispute("pay-1", "dp-1", v1::ChargebackEventKind::Opened, NOON).await;
    let mut cases = Cases::new();
    cases.request_id(|m: &mut Message| &mut m.request_id);
    cases.own_id("chargeback_id", |m| &mut m.chargeback_id);
    cases.word("determination", |m| &mut m.determination);
    reason(&mut cases, |m| &mut m.reason);
    cases.text("account_id", 128, |m| &mut m.account_id);
    let good = determination(&opened.chargeback.unwrap().chargeback_id, Found::Abusive);
    cases
        .refused(&service, good, async |request| service.refunds().determine_chargeback(request).await)
        .await;
    service.audited().await;
}
