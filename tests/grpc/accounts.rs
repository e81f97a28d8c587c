//! Restrictions by hand: who may do what under which of them, and how they begin and end (§3.3, §6).

mod disputes;
mod races;
mod refusals;
mod words;

use crate::by_hand::grant;
use crate::canary::words;
use crate::service::{
    Service, capture, delivery, evaluate, hold, is_replayed, later, purchase, reason, request_id, timestamp,
    when,
};
use chrono::TimeDelta;
use makegood::proto::makegood::v1;
use makegood::proto::makegood::v1::account_service_client::AccountServiceClient;
use tonic::transport::Channel;
use tonic::{Code, Request};
use v1::{Claim, Outcome, RestrictionCause as Cause, RestrictionKind as Kind};

const NOON: &str = "2025-03-03T12:00:00Z";
const ONE: &str = "2025-03-03T13:00:00Z";
const TWO: &str = "2025-03-03T14:00:00Z";

const KIM: &str = "agent:kim";
const LEE: &str = "admin:lee";

/// A call by somebody whose test clock stands at an instant.
pub(crate) fn by<T>(caller: &str, at: &str, message: T) -> Request<T> {
    let mut request = when(at, message);
    request.metadata_mut().insert("makegood-test-caller", caller.parse().unwrap());
    request
}

/// The kind of a word of the policy's facts.
pub(crate) fn kind_of(word: &str) -> Kind {
    let word = if word == "suspended" { "spend_suspended" } else { word };
    Kind::from_str_name(&format!("RESTRICTION_KIND_{}", word.to_uppercase())).unwrap()
}

pub(crate) fn restriction(account_id: &str, kind: Kind) -> v1::ImposeRestrictionRequest {
    v1::ImposeRestrictionRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        kind: kind.into(),
        cause: Cause::PromotionAbuse.into(),
        clause: "3.3".to_owned(),
        reason: words("forty accounts from one card"),
        ..Default::default()
    }
}

pub(crate) fn lift(account_id: &str, restriction_id: &str) -> v1::LiftRestrictionRequest {
    v1::LiftRestrictionRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        restriction_id: restriction_id.to_owned(),
        reason: words("the cards were a family's"),
    }
}

impl Service {
    pub(crate) fn accounts(&self) -> AccountServiceClient<Channel> {
        AccountServiceClient::new(self.channel())
    }

    /// Restricts an account by the word of a kind.
    pub(crate) async fn restricted(&self, account_id: &str, kind: &str, at: &str) -> v1::Restriction {
        let imposed = restriction(account_id, kind_of(kind));
        let imposed = self.accounts().impose_restriction(by(LEE, at, imposed)).await.unwrap().into_inner();
        imposed.restriction.unwrap()
    }

    /// Lifts a restriction.
    pub(crate) async fn lifted(
        &self,
        restriction: &v1::Restriction,
        account_id: &str,
        at: &str,
    ) -> v1::Account {
        let lifted = lift(account_id, &restriction.restriction_id);
        let lifted = self.accounts().lift_restriction(by(LEE, at, lifted)).await.unwrap().into_inner();
        lifted.account.unwrap()
    }

    /// An account as support reads it.
    pub(crate) async fn account(&self, account_id: &str) -> v1::Account {
        let asked = v1::GetAccountRequest { account_id: account_id.to_owned() };
        self.accounts().get_account(by(KIM, NOON, asked)).await.unwrap().into_inner().account.unwrap()
    }
}

/// The kinds in force.
pub(crate) fn standing(account: &v1::Account) -> Vec<Kind> {
    account.standing().collect()
}

/// What an account may do by its own account.
fn may(account: &v1::Account) -> [bool; 3] {
    [account.may_spend, account.may_purchase, account.may_be_refunded]
}

/// The reason of a refusal, or nothing.
fn refusal<T: std::fmt::Debug>(answer: Result<tonic::Response<T>, tonic::Status>) -> String {
    if answer.is_ok() { String::new() } else { reason(answer).1 }
}

#[tokio::test]
async fn what_an_account_shows_of_itself_is_what_it_may_do() {
    let service = Service::start().await;
    for (word, flags, held, delivered, row, outcome) in [
        ("suspended", [false, true, false], "ACCOUNT_SUSPENDED", "", "9", Outcome::Review),
        ("purchase_blocked", [true, false, true], "", "PURCHASES_BLOCKED", "12", Outcome::Review),
        ("refund_blocked", [true, true, false], "", "", "9", Outcome::Review),
        ("terminated", [false, false, false], "ACCOUNT_TERMINATED", "ACCOUNT_TERMINATED", "1", Outcome::Deny),
        ("violation_suspected", [true, true, false], "", "", "9", Outcome::Review),
        ("violation_confirmed", [true, true, false], "", "", "1", Outcome::Deny),
    ] {
        let (paid, missing) = (format!("{word}-1"), format!("{word}-2"));
        service.bought(word, &paid, NOON).await;
        service.purchase(word, &missing, NOON).await;
        // Kept in memory since, as a busy account is.
        service.used(word, "job-0", 1, NOON).await;
        assert_eq!(may(&service.account(word).await), [true; 3]);
        let restriction = service.restricted(word, word, ONE).await;
        let account = service.account(word).await;
        assert_eq!((standing(&account), may(&account)), (vec![kind_of(word)], flags), "{word}");
        let hold = |job: &str| when(TWO, hold(word, job, 1));
        assert_eq!(refusal(service.credits().hold_credits(hold("job-1")).await), held, "{word}");
        let decision = service.claim(word, &missing, Claim::CreditsNotDelivered, TWO).await.decision.unwrap();
        assert_eq!((decision.row.as_str(), decision.outcome()), (row, outcome), "{word}");
        let brought = when(TWO, delivery(word, &missing, 100, TWO));
        assert_eq!(refusal(service.credits().deliver_credits(brought).await), delivered, "{word}");
        let account = service.lifted(&restriction, word, TWO).await;
        assert_eq!((standing(&account), may(&account)), (vec![], [true; 3]), "{word}");
        assert_eq!(refusal(service.credits().hold_credits(hold("job-2")).await), "", "{word}");
    }
    service.audited().await;
}

#[tokio::test]
async fn a_claim_does_not_get_past_a_block_of_purchases_and_ends_in_money() {
    let service = Service::start().await;
    service.purchase("ada", "pay-1", NOON).await;
    service.restricted("ada", "purchase_blocked", ONE).await;
    let late = later(NOON, TimeDelta::hours(25));
    let decision = service.claim("ada", "pay-1", Claim::CreditsNotDelivered, &late).await.decision.unwrap();
    assert_eq!((decision.row.as_str(), decision.outcome()), ("11", Outcome::Approve));
    assert_eq!(decision.remedies[0].amount.as_ref().unwrap().minor_units, 999);
    assert_eq!(service.balance("ada", &late).await, (0, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn what_was_held_before_a_restriction_is_captured_and_made_good_after_it() {
    let service = Service::start().await;
    for word in ["suspended", "terminated"] {
        service.bought(word, &format!("{word}-1"), NOON).await;
        service.credits().hold_credits(when(NOON, hold(word, "job-1", 10))).await.unwrap();
        service.credits().hold_credits(when(NOON, hold(word, "job-2", 20))).await.unwrap();
        service.restricted(word, word, ONE).await;
        let captured = service.credits().capture_credits(when(TWO, capture(word, "job-1"))).await.unwrap();
        assert_eq!(captured.into_inner().usage.unwrap().captured, 10, "{word}");
        let failed = service.failed(word, "job-1", "gpu_error", TWO).await;
        assert_eq!(failed.credits_restored, 10, "{word}");
        let failed = service.failed(word, "job-2", "gpu_error", TWO).await;
        assert_eq!(failed.credits_released, 20, "{word}");
        assert_eq!(service.balance(word, TWO).await, (100, 0, 0), "nothing is destroyed");
        let refused = service.credits().hold_credits(when(TWO, hold(word, "job-3", 1))).await;
        assert!(refused.is_err(), "{word}: {refused:?}");
    }
    service.audited().await;
}

#[tokio::test]
async fn the_same_kind_for_two_causes_is_lifted_one_at_a_time() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let first = service.restricted("ada", "suspended", NOON).await;
    let second = v1::ImposeRestrictionRequest {
        cause: Cause::ProhibitedContent.into(),
        ..restriction("ada", Kind::SpendSuspended)
    };
    let second = service.accounts().impose_restriction(by(KIM, ONE, second)).await.unwrap().into_inner();
    let second = second.restriction.unwrap();
    let suspected = service.restricted("ada", "violation_suspected", ONE).await;
    let account = service.account("ada").await;
    assert_eq!(standing(&account), [Kind::SpendSuspended, Kind::ViolationSuspected], "each kind once");
    let account = service.lifted(&first, "ada", TWO).await;
    assert_eq!(standing(&account), [Kind::SpendSuspended, Kind::ViolationSuspected]);
    assert!(!account.may_spend);
    let account = service.lifted(&second, "ada", TWO).await;
    assert_eq!(standing(&account), [Kind::ViolationSuspected]);
    assert!(account.may_spend);
    let ids: Vec<&str> = account.restrictions.iter().map(|one| one.restriction_id.as_str()).collect();
    assert_eq!(ids[0], suspected.restriction_id, "what is in force comes first");
    assert_eq!(ids.len(), 3);
    assert!(account.restrictions[1..].iter().all(|one| one.lifted_at.is_some()));
    service.audited().await;
}

#[tokio::test]
async fn remaining_credits_are_revoked_with_the_restriction_and_do_not_come_back_with_its_end() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let gift = grant("ada", v1::LotSource::Promotion, 30);
    service.credits().grant_credits(when(NOON, gift)).await.unwrap();
    service.credits().hold_credits(when(NOON, hold("ada", "job-1", 40))).await.unwrap();
    let closed =
        v1::ImposeRestrictionRequest { revoke_credits: true, ..restriction("ada", Kind::Terminated) };
    let answer =
        service.accounts().impose_restriction(by(LEE, ONE, closed.clone())).await.unwrap().into_inner();
    let balance = answer.balance.unwrap();
    assert_eq!((balance.available, balance.held), (0, 40), "what is held stays with its attempt");
    assert_eq!(service.line("pay-1", "purchase").await, [0, 10, 0, 0, 0, 90, 0]);
    let noted: (String, String) =
        sqlx::query_as("SELECT clause, reason FROM operator_note WHERE clause IS NOT NULL")
            .fetch_one(&mut service.database().await)
            .await
            .unwrap();
    assert_eq!(noted, (closed.clause.clone(), closed.reason.clone()));
    let again = service.accounts().impose_restriction(by(LEE, TWO, closed)).await.unwrap();
    assert!(is_replayed(&again));
    let again = again.into_inner();
    assert_eq!((&again.restriction, &again.account), (&answer.restriction, &answer.account));
    service.lifted(&again.restriction.unwrap(), "ada", TWO).await;
    assert_eq!(service.balance("ada", TWO).await, (0, 40, 0));
    service.audited().await;
}

/// Buys 100 credits that run out two hours after noon.
async fn short_lived(service: &Service, payment_id: &str) {
    let told = v1::RecordPurchaseRequest {
        credits_expire_at: Some(timestamp(TWO)),
        ..purchase("ada", payment_id, NOON)
    };
    service.credits().record_purchase(when(NOON, told)).await.unwrap();
    service.deliver("ada", payment_id, 100, NOON).await;
}

#[tokio::test]
async fn what_runs_out_under_a_suspension_lives_on_when_the_last_one_is_lifted() {
    let service = Service::start().await;
    short_lived(&service, "pay-1").await;
    let first = service.restricted("ada", "suspended", ONE).await;
    let second = service.restricted("ada", "suspended", ONE).await;
    let evening = "2025-03-03T18:00:00Z";
    service.lifted(&first, "ada", evening).await;
    assert_eq!(service.balance("ada", evening).await, (0, 0, 0));
    service.lifted(&second, "ada", evening).await;
    assert_eq!(service.balance("ada", evening).await, (100, 0, 0));
    assert_eq!(service.balance("ada", "2025-04-03T18:00:00Z").await, (0, 0, 0), "for the grace period");
    service.audited().await;
}

#[tokio::test]
async fn what_ran_out_before_a_suspension_is_over_and_what_ran_out_under_it_can_be_revoked() {
    let service = Service::start().await;
    short_lived(&service, "pay-1").await;
    let evening = "2025-03-03T18:00:00Z";
    let suspended = service.restricted("ada", "suspended", evening).await;
    assert_eq!(service.line("pay-1", "purchase").await, [0, 0, 0, 0, 100, 0, 0]);
    service.lifted(&suspended, "ada", evening).await;
    assert_eq!(service.balance("ada", evening).await, (0, 0, 0));
    service.audited().await;

    let service = Service::start().await;
    short_lived(&service, "pay-1").await;
    service.restricted("ada", "suspended", ONE).await;
    let closed =
        v1::ImposeRestrictionRequest { revoke_credits: true, ..restriction("ada", Kind::Terminated) };
    service.accounts().impose_restriction(by(LEE, evening, closed)).await.unwrap();
    assert_eq!(service.line("pay-1", "purchase").await, [0, 0, 0, 0, 0, 100, 0]);
    service.audited().await;
}

#[tokio::test]
async fn an_account_that_is_not_known_yet_can_be_restricted() {
    let service = Service::start().await;
    service.restricted("mallory", "purchase_blocked", NOON).await;
    let account = service.account("mallory").await;
    assert_eq!((account.last_seq, account.created_at), (0, Some(timestamp(NOON))));
    service.purchase("mallory", "pay-1", ONE).await;
    let brought = service.credits().deliver_credits(when(ONE, delivery("mallory", "pay-1", 100, ONE))).await;
    assert_eq!(reason(brought), (Code::FailedPrecondition, "PURCHASES_BLOCKED".to_owned()));
    let preview = v1::EvaluateRequestRequest {
        validate_only: true,
        request_id: String::new(),
        ..evaluate("mallory", "pay-1", Claim::CreditsNotDelivered)
    };
    let preview = service.refunds().evaluate_request(when(ONE, preview)).await.unwrap().into_inner();
    assert_eq!(preview.decision.unwrap().row, "12");
    service.audited().await;
}
