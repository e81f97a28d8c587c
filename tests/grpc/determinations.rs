//! What persons find disputes to be, and what the policy says of that follows (§6, §3.3).

use crate::accounts::{by, restriction, standing};
use crate::canary::words;
use crate::policy_versions::{publish, version};
use crate::service::{Service, is_replayed, reason, request_id, timestamp, when};
use makegood::proto::makegood::v1;
use tokio::task::JoinSet;
use tonic::Code;
use v1::{
    ChargebackDetermination as Found, ChargebackEventKind as Event, Claim, RestrictionCause as Cause,
    RestrictionKind as Kind,
};

const NOON: &str = "2025-03-03T12:00:00Z";
const ONE: &str = "2025-03-03T13:00:00Z";
const TWO: &str = "2025-03-03T14:00:00Z";
const THREE: &str = "2025-03-03T15:00:00Z";
const JUNE: &str = "2025-06-01T00:00:00Z";

const LEE: &str = "admin:lee";

pub(crate) fn determination(chargeback_id: &str, found: Found) -> v1::DetermineChargebackRequest {
    v1::DetermineChargebackRequest {
        request_id: request_id(),
        chargeback_id: chargeback_id.to_owned(),
        determination: found.into(),
        reason: words("third dispute over used credits"),
        account_id: String::new(),
    }
}

/// Ada's two purchases, the first of them disputed; the dispute's id.
async fn disputed(service: &Service) -> String {
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    service.dispute("pay-1", "dp-1", Event::Opened, NOON).await.chargeback.unwrap().chargeback_id
}

async fn determined(service: &Service, id: &str, found: Found, at: &str) -> v1::DetermineChargebackResponse {
    let request = determination(id, found);
    service.refunds().determine_chargeback(by(LEE, at, request)).await.unwrap().into_inner()
}

#[tokio::test]
async fn fraud_closes_the_account_and_takes_what_is_left_but_not_what_waits_for_the_bank() {
    let service = Service::start().await;
    let id = disputed(&service).await;
    let answer = determined(&service, &id, Found::Fraudulent, ONE).await;
    let chargeback = answer.chargeback.unwrap();
    assert_eq!((chargeback.determination(), chargeback.determined_by.as_str()), (Found::Fraudulent, LEE));
    assert_eq!(chargeback.determined_at, Some(timestamp(ONE)));
    assert_eq!(chargeback.determination_reason, words("third dispute over used credits"));
    let revoked: i64 = answer.movements.iter().map(|moved| moved.credits).sum();
    assert!(answer.movements.iter().all(|moved| moved.to_bucket() == v1::Bucket::Revoked));
    assert_eq!((revoked, service.balance("ada", ONE).await), (100, (0, 0, 100)));
    let account = answer.account.unwrap();
    assert_eq!(standing(&account), [Kind::SpendSuspended, Kind::Terminated, Kind::ViolationConfirmed]);
    let imposed: Vec<&v1::Restriction> = account
        .restrictions
        .iter()
        .filter(|restriction| restriction.cause() == Cause::ChargebackDetermined)
        .collect();
    assert_eq!(imposed.len(), 2);
    for restriction in imposed {
        assert_eq!((restriction.clause.as_str(), restriction.imposed_by.as_str()), ("6", LEE));
        assert_eq!(restriction.chargeback_id, id);
        assert_eq!(restriction.reason, words("third dispute over used credits"));
    }
    let read = service.account("ada").await;
    assert_eq!(read.restrictions.len(), 3);
    service.purchase("ada", "pay-3", ONE).await;
    let denied = service.claim("ada", "pay-3", Claim::CreditsNotDelivered, TWO).await.decision.unwrap();
    assert_eq!(denied.row, "1");
    service.audited().await;
}

#[tokio::test]
async fn reads_show_the_finding_and_lists_can_leave_out_what_was_found() {
    let service = Service::start().await;
    let id = disputed(&service).await;
    let open = service.dispute("pay-2", "dp-2", Event::Opened, NOON).await.chargeback.unwrap().chargeback_id;
    determined(&service, &id, Found::Legitimate, ONE).await;
    let mut refunds = service.refunds();
    let reference = v1::get_chargeback_request::Reference::ChargebackId(id.clone());
    let get = v1::GetChargebackRequest { reference: Some(reference), ..Default::default() };
    let read = refunds.get_chargeback(get).await.unwrap().into_inner().chargeback.unwrap();
    assert_eq!((read.determination(), read.determined_by.as_str()), (Found::Legitimate, LEE));
    assert_eq!(read.determination_reason, words("third dispute over used credits"));
    let list = v1::ListChargebacksRequest { undetermined_only: true, ..Default::default() };
    let left = refunds.list_chargebacks(list).await.unwrap().into_inner().chargebacks;
    assert_eq!(left.iter().map(|left| left.chargeback_id.as_str()).collect::<Vec<_>>(), [open.as_str()]);
    let all = refunds.list_chargebacks(v1::ListChargebacksRequest::default()).await.unwrap().into_inner();
    assert_eq!(all.chargebacks.len(), 2);
    let pack = v1::CompileChargebackEvidenceRequest { chargeback_id: id, ..Default::default() };
    let pack = refunds.compile_chargeback_evidence(pack).await.unwrap().into_inner().evidence.unwrap();
    assert_eq!(pack.chargeback.unwrap().determination_reason, "");
    service.audited().await;
}

#[tokio::test]
async fn misuse_ends_refunds_and_purchases_and_leaves_other_credits() {
    let service = Service::start().await;
    let id = disputed(&service).await;
    service.dispute("pay-1", "dp-1", Event::Won, ONE).await;
    let answer = determined(&service, &id, Found::Abusive, TWO).await;
    assert!(answer.movements.is_empty());
    let account = answer.account.unwrap();
    assert_eq!(standing(&account), [Kind::PurchaseBlocked, Kind::ViolationConfirmed]);
    assert_eq!((account.may_spend, account.may_purchase, account.may_be_refunded), (true, false, false));
    service.used("ada", "job-1", 150, TWO).await;
    let denied = service.claim("ada", "pay-2", Claim::Other, TWO).await.decision.unwrap();
    assert_eq!(denied.row, "1");
    service.audited().await;
}

#[tokio::test]
async fn who_finds_otherwise_later_lifts_what_the_finding_before_imposed_and_nothing_else() {
    let service = Service::start().await;
    let id = disputed(&service).await;
    // The same kind, by hand and about the same dispute.
    let by_hand = v1::ImposeRestrictionRequest {
        chargeback_id: id.clone(),
        ..restriction("ada", Kind::ViolationConfirmed)
    };
    service.accounts().impose_restriction(by(LEE, NOON, by_hand)).await.unwrap();
    determined(&service, &id, Found::Abusive, ONE).await;
    let other = service.dispute("pay-2", "dp-2", Event::Opened, ONE).await.chargeback.unwrap().chargeback_id;
    determined(&service, &other, Found::Abusive, ONE).await;
    let answer = determined(&service, &id, Found::Legitimate, TWO).await;
    let account = answer.account.unwrap();
    let in_force: Vec<(Kind, Cause, &str)> = account
        .restrictions
        .iter()
        .filter(|one| one.lifted_at.is_none())
        .map(|one| (one.kind(), one.cause(), one.chargeback_id.as_str()))
        .collect();
    for stays in [
        (Kind::SpendSuspended, Cause::Chargeback, id.as_str()),
        (Kind::SpendSuspended, Cause::Chargeback, other.as_str()),
        (Kind::ViolationConfirmed, Cause::PromotionAbuse, id.as_str()),
        (Kind::ViolationConfirmed, Cause::ChargebackDetermined, other.as_str()),
        (Kind::PurchaseBlocked, Cause::ChargebackDetermined, other.as_str()),
    ] {
        assert!(in_force.contains(&stays), "{stays:?} in {in_force:?}");
    }
    assert_eq!(in_force.len(), 5, "{in_force:?}");
    let lifted: Vec<&v1::Restriction> =
        account.restrictions.iter().filter(|one| one.lifted_at.is_some()).collect();
    assert_eq!(lifted.len(), 2);
    for one in lifted {
        assert_eq!((one.cause(), one.lifted_by.as_str()), (Cause::ChargebackDetermined, LEE));
        assert_eq!(one.lift_reason, words("third dispute over used credits"));
    }
    // And on to fraud: the graver finding replaces the milder one.
    let answer = determined(&service, &id, Found::Fraudulent, THREE).await;
    assert!(standing(&answer.account.unwrap()).contains(&Kind::Terminated));
    determined(&service, &id, Found::Legitimate, THREE).await;
    assert!(!standing(&service.account("ada").await).contains(&Kind::Terminated));
    service.audited().await;
}

#[tokio::test]
async fn the_same_finding_again_changes_nothing_even_what_a_person_lifted_since() {
    let service = Service::start().await;
    let id = disputed(&service).await;
    let first = determined(&service, &id, Found::Abusive, ONE).await;
    let restrictions = first.account.unwrap().restrictions;
    let blocked = restrictions.iter().find(|one| one.kind() == Kind::PurchaseBlocked).unwrap();
    service.lifted(blocked, "ada", TWO).await;
    let rows = service.rows().await;
    let again = v1::DetermineChargebackRequest {
        reason: words("and once more"),
        ..determination(&id, Found::Abusive)
    };
    let again = service.refunds().determine_chargeback(by(LEE, THREE, again)).await.unwrap().into_inner();
    let known = again.chargeback.unwrap();
    assert_eq!((known.determined_at, known.determination_reason.as_str()), (Some(timestamp(ONE)), ""));
    assert_eq!(standing(&again.account.unwrap()), [Kind::SpendSuspended, Kind::ViolationConfirmed]);
    assert_eq!(service.rows().await, rows);
    service.audited().await;
}

#[tokio::test]
async fn the_banks_decision_leaves_the_finding_and_the_finding_the_banks_decision() {
    for (event, frozen, revoked) in [(Event::Won, 0, 0), (Event::Withdrawn, 0, 0), (Event::Lost, 0, 100)] {
        let service = Service::start().await;
        let id = disputed(&service).await;
        determined(&service, &id, Found::Abusive, ONE).await;
        let ended = service.dispute("pay-1", "dp-1", event, TWO).await;
        let chargeback = ended.chargeback.unwrap();
        assert_eq!((chargeback.determination(), chargeback.revoked_credits), (Found::Abusive, revoked));
        let account = ended.account.unwrap();
        let suspended = event == Event::Lost;
        assert_eq!(account.may_spend, !suspended, "{event:?}");
        assert!(
            standing(&account).ends_with(&[Kind::PurchaseBlocked, Kind::ViolationConfirmed]) || suspended
        );
        assert_eq!(service.balance("ada", TWO).await, (200 - revoked, 0, frozen));
        determined(&service, &id, Found::Legitimate, THREE).await;
        let account = service.account("ada").await;
        let left: &[Kind] = if suspended { &[Kind::SpendSuspended] } else { &[] };
        assert_eq!(standing(&account), left, "{event:?}");
        service.audited().await;
    }
}

#[tokio::test]
async fn a_finding_is_told_once_and_by_whatever_account_it_is_asked() {
    let service = Service::start().await;
    let id = disputed(&service).await;
    let named = v1::DetermineChargebackRequest {
        account_id: "ada".to_owned(),
        ..determination(&id, Found::Fraudulent)
    };
    let answer =
        service.refunds().determine_chargeback(by(LEE, ONE, named.clone())).await.unwrap().into_inner();
    let unnamed = v1::DetermineChargebackRequest { account_id: String::new(), ..named.clone() };
    for again in [named.clone(), unnamed] {
        let again = service.refunds().determine_chargeback(by(LEE, TWO, again)).await.unwrap();
        assert!(is_replayed(&again));
        assert_eq!(again.into_inner(), answer);
    }
    let other = v1::DetermineChargebackRequest { determination: Found::Legitimate.into(), ..named };
    let refused = service.refunds().determine_chargeback(by(LEE, TWO, other)).await;
    assert_eq!(reason(refused).1, "IDEMPOTENCY_KEY_REUSED");
    service.audited().await;
}

#[tokio::test]
async fn a_dispute_that_is_not_ours_or_of_nobody_yet_is_not_found() {
    let service = Service::start().await;
    let id = disputed(&service).await;
    service.bought("bob", "pay-9", NOON).await;
    let waiting =
        service.dispute("pay-8", "dp-8", Event::Opened, NOON).await.chargeback.unwrap().chargeback_id;
    let unknown = "01950000-0000-7000-8000-000000000001";
    for (account_id, id, missing) in [
        ("", unknown, "CHARGEBACK_NOT_FOUND"),
        ("ada", unknown, "CHARGEBACK_NOT_FOUND"),
        ("bob", id.as_str(), "CHARGEBACK_NOT_FOUND"),
        ("nobody", id.as_str(), "ACCOUNT_NOT_FOUND"),
        ("", waiting.as_str(), "CHARGEBACK_NOT_FOUND"),
    ] {
        let request = v1::DetermineChargebackRequest {
            account_id: account_id.to_owned(),
            ..determination(id, Found::Abusive)
        };
        let refused = service.refunds().determine_chargeback(by(LEE, ONE, request)).await;
        assert_eq!(reason(refused), (Code::NotFound, missing.to_owned()), "{account_id} {id}");
    }
    // What was not found is found when its purchase has come.
    service.bought("bob", "pay-8", ONE).await;
    determined(&service, &waiting, Found::Abusive, TWO).await;
    assert!(!service.account("bob").await.may_purchase);
    assert_eq!(standing(&service.account("ada").await), [Kind::SpendSuspended]);
    service.audited().await;
}

#[tokio::test]
async fn where_the_policy_says_nothing_the_finding_is_kept_and_nothing_follows() {
    let silent = include_str!("../../policies/examples/outage-credits.toml");
    let service = Service::start_with(silent).await;
    let id = disputed(&service).await;
    let answer = determined(&service, &id, Found::Fraudulent, ONE).await;
    assert_eq!(answer.chargeback.unwrap().determination(), Found::Fraudulent);
    assert_eq!(standing(&answer.account.unwrap()), [Kind::SpendSuspended]);
    assert!(answer.movements.is_empty());
    let by_another: String = sqlx::query_scalar("SELECT policy_version FROM chargeback_determination")
        .fetch_one(&mut service.database().await)
        .await
        .unwrap();
    assert_eq!(by_another, "example-outage-credits");
    service.audited().await;
}

#[tokio::test]
async fn a_policy_may_suspend_and_the_suspension_keeps_value_until_the_finding_changes() {
    let suspending = makegood::policy::SHIPPED.replacen(
        "impose = [\"violation_confirmed\", \"purchase_blocked\"]",
        "impose = [\"suspended\"]",
        1,
    );
    assert_ne!(suspending, makegood::policy::SHIPPED);
    let service = Service::start_with(&suspending).await;
    let told = v1::RecordPurchaseRequest {
        credits_expire_at: Some(timestamp(TWO)),
        ..crate::service::purchase("ada", "pay-0", NOON)
    };
    service.credits().record_purchase(when(NOON, told)).await.unwrap();
    service.deliver("ada", "pay-0", 100, NOON).await;
    let id = disputed(&service).await;
    determined(&service, &id, Found::Abusive, ONE).await;
    service.dispute("pay-1", "dp-1", Event::Won, ONE).await;
    assert_eq!(standing(&service.account("ada").await), [Kind::SpendSuspended]);
    determined(&service, &id, Found::Legitimate, THREE).await;
    assert_eq!(service.balance("ada", THREE).await, (300, 0, 0), "what ran out meanwhile lives on");
    service.audited().await;
}

#[tokio::test]
async fn what_follows_is_what_the_policy_said_when_the_dispute_was_opened() {
    let service = Service::start().await;
    let before = disputed(&service).await;
    let harder = version("2025-06-01", "impose = [\"violation_confirmed\", ", "impose = [\"terminated\", ");
    service.published(NOON, publish(&harder, Some(JUNE))).await;
    let later = "2025-06-02T12:00:00Z";
    service.bought("bob", "pay-9", later).await;
    let after =
        service.dispute("pay-9", "dp-9", Event::Opened, later).await.chargeback.unwrap().chargeback_id;
    for (id, kinds) in [
        (before, [Kind::SpendSuspended, Kind::PurchaseBlocked, Kind::ViolationConfirmed]),
        (after, [Kind::SpendSuspended, Kind::PurchaseBlocked, Kind::Terminated]),
    ] {
        let account = determined(&service, &id, Found::Abusive, later).await.account.unwrap();
        assert_eq!(standing(&account), kinds, "{}", account.account_id);
    }
    service.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_findings_made_at_once_the_last_one_counts() {
    let service = Service::start().await;
    let replica = service.replica().await;
    for round in 0..20 {
        let (account_id, payment_id) = (format!("account-{round}"), format!("pay-{round}"));
        service.bought(&account_id, &payment_id, NOON).await;
        let opened = service.dispute(&payment_id, &format!("dp-{round}"), Event::Opened, NOON).await;
        let id = opened.chargeback.unwrap().chargeback_id;
        let findings: JoinSet<_> = [Found::Abusive, Found::Fraudulent, Found::Legitimate]
            .into_iter()
            .zip([&service, &replica, &service])
            .map(|(found, service)| {
                let (mut client, request) = (service.refunds(), determination(&id, found));
                async move { client.determine_chargeback(by(LEE, ONE, request)).await.unwrap() }
            })
            .collect();
        findings.join_all().await;
        let last: String = sqlx::query_scalar(
            "SELECT determination FROM chargeback_determination WHERE account_id = $1 ORDER BY ordinal DESC LIMIT 1",
        )
        .bind(&account_id)
        .fetch_one(&mut service.database().await)
        .await
        .unwrap();
        let expected: &[Kind] = match last.as_str() {
            "fraudulent" => &[Kind::SpendSuspended, Kind::Terminated, Kind::ViolationConfirmed],
            "abusive" => &[Kind::SpendSuspended, Kind::PurchaseBlocked, Kind::ViolationConfirmed],
            _ => &[Kind::SpendSuspended],
        };
        assert_eq!(standing(&replica.account(&account_id).await), expected, "{last}");
    }
    replica.stop().await;
    service.audited().await;
}
