//! Credits that persons give and take.

use crate::canary::words;
use crate::history::entries;
use crate::service::{Service, by_payment, fields, hold, is_replayed, reason, request_id, timestamp, when};
use makegood::proto::makegood::v1;
use tonic::Code;
use v1::revoke_credits_request::{Everything, Target};
use v1::{Bucket, LotSource};

const NOON: &str = "2025-03-03T12:00:00Z";
const ONE: &str = "2025-03-03T13:00:00Z";

/// Credits that a person gives, for a campaign.
pub(crate) fn grant(account_id: &str, source: LotSource, credits: i64) -> v1::GrantCreditsRequest {
    v1::GrantCreditsRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        source: source.into(),
        credits,
        reason: words("welcome credits"),
        reference: "spring".to_owned(),
        ..Default::default()
    }
}

fn revoke(account_id: &str, target: Target, credits: Option<i64>) -> v1::RevokeCreditsRequest {
    v1::RevokeCreditsRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        target: Some(target),
        credits,
        clause: "3.3".to_owned(),
        reason: words("referral abuse confirmed"),
    }
}

const EVERYTHING: Target = Target::Everything(Everything {});

async fn granted(service: &Service, source: LotSource, credits: i64) -> v1::Lot {
    let response = service.credits().grant_credits(when(NOON, grant("ada", source, credits))).await;
    response.unwrap().into_inner().lot.unwrap()
}

/// What a revocation took: lots and credits, in order.
fn parts(response: &v1::RevokeCreditsResponse) -> Vec<(String, i64)> {
    for movement in &response.movements {
        assert_eq!((movement.from_bucket(), movement.to_bucket()), (Bucket::Available, Bucket::Revoked));
    }
    response.movements.iter().map(|movement| (movement.lot_id.clone(), movement.credits)).collect()
}

#[tokio::test]
async fn granted_credits_burn_before_paid_ones_by_their_source() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let compensation = granted(&service, LotSource::Compensation, 10).await;
    let bonus = granted(&service, LotSource::Bonus, 10).await;
    let promotion = granted(&service, LotSource::Promotion, 10).await;
    let first = v1::GrantCreditsRequest { priority: Some(0), ..grant("ada", LotSource::Compensation, 10) };
    let first = service.credits().grant_credits(when(NOON, first)).await.unwrap().into_inner();
    assert_eq!(first.balance.unwrap().available, 140);
    let first = first.lot.unwrap();
    let priorities = [&first, &promotion, &bonus, &compensation].map(|lot| lot.priority);
    assert_eq!(priorities, [0, 100, 200, 300]);
    let usage = service.used("ada", "job-1", 45, NOON).await;
    let burnt: Vec<(&str, i64)> =
        usage.allocations.iter().map(|part| (part.lot_id.as_str(), part.captured)).collect();
    let free = [&first, &promotion, &bonus, &compensation].map(|lot| (lot.lot_id.as_str(), 10));
    assert_eq!(burnt[..4], free);
    assert_eq!((burnt.len(), burnt[4].1), (5, 5));
    service.audited().await;
}

#[tokio::test]
async fn a_grant_opens_the_account_and_keeps_who_gave_for_what_and_why() {
    let service = Service::start().await;
    let lot = granted(&service, LotSource::Promotion, 20).await;
    assert_eq!((lot.source(), lot.granted, lot.available), (LotSource::Promotion, 20, 20));
    assert_eq!((lot.purchase_id.as_str(), lot.order_id.as_str(), lot.expires_at), ("", "", None));
    let question = v1::ListEntriesRequest { account_id: "ada".to_owned(), ..Default::default() };
    let entries = entries(&service, question).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(
        entries[0].cause.clone().unwrap().cause,
        Some(v1::entry_cause::Cause::Person("spring".to_owned()))
    );
    assert_eq!((entries[0].seq, entries[0].actor.as_str()), (1, "development"));
    let mut database = service.database().await;
    let note: (i64, Option<String>, Option<String>, String) = sqlx::query_as(
        "SELECT seq, clause, reason, reason_sha256 FROM operator_note WHERE account_id = 'ada'",
    )
    .fetch_one(&mut database)
    .await
    .unwrap();
    assert_eq!((note.0, note.1, note.2.as_deref()), (1, None, Some(words("welcome credits").as_str())));
    // printf 'welcome credits kestrel-canary' | sha256sum
    assert_eq!(note.3, "0eaa45bf212df571fe464786d78386c4fbdf161bd2e703cb10fa9dc7fcf4f25d");
    for (statement, constraint) in [
        ("INSERT INTO operator_note SELECT 'ada', 2, NULL, 'why', repeat('0', 64)", "operator_note_entry"),
        ("INSERT INTO operator_note SELECT 'ada', 1, NULL, 'why', ''", "operator_note_digest"),
        ("UPDATE operator_note SET reason = NULL", "operator_note_words"),
    ] {
        let refused = sqlx::query(statement).execute(&mut database).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().constraint(), Some(constraint));
    }
    drop(database);
    service.audited().await;
}

#[tokio::test]
async fn a_grant_sent_twice_gives_once_and_a_new_one_for_the_same_occasion_gives_again() {
    let service = Service::start().await;
    let request = grant("ada", LotSource::Promotion, 20);
    let first = service.credits().grant_credits(when(NOON, request.clone())).await.unwrap();
    let second = service.credits().grant_credits(when(ONE, request.clone())).await.unwrap();
    assert!(!is_replayed(&first) && is_replayed(&second));
    assert_eq!(first.into_inner(), second.into_inner());
    assert_eq!(service.balance("ada", ONE).await, (20, 0, 0));
    let other = v1::GrantCreditsRequest { reason: words("another"), ..request };
    let refused = service.credits().grant_credits(when(ONE, other)).await;
    assert_eq!(reason(refused), (Code::FailedPrecondition, "IDEMPOTENCY_KEY_REUSED".to_owned()));
    granted(&service, LotSource::Promotion, 20).await;
    assert_eq!(service.balance("ada", ONE).await, (40, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn a_grant_must_outlive_its_moment_and_its_answer_outlives_the_lot() {
    let service = Service::start().await;
    let request = v1::GrantCreditsRequest {
        expires_at: Some(timestamp(ONE)),
        ..grant("ada", LotSource::Promotion, 20)
    };
    let late = v1::GrantCreditsRequest { account_id: "bob".to_owned(), ..request.clone() };
    assert_eq!(fields(service.credits().grant_credits(when(ONE, late)).await), ["expires_at"]);
    let first = service.credits().grant_credits(when(NOON, request.clone())).await.unwrap();
    assert_eq!(service.balance("ada", NOON).await, (20, 0, 0));
    assert_eq!(service.balance("ada", ONE).await, (0, 0, 0));
    let again = service.credits().grant_credits(when(ONE, request)).await.unwrap();
    assert_eq!(first.into_inner(), again.into_inner());
    service.audited().await;
}

#[tokio::test]
async fn what_a_grant_and_a_revocation_may_not_say_is_named_field_by_field() {
    let service = Service::start().await;
    let wrong = v1::GrantCreditsRequest {
        priority: Some(1_000_001),
        reason: " ".to_owned(),
        reference: "r".repeat(129),
        ..grant("ada", LotSource::Purchase, 0)
    };
    let named = fields(service.credits().grant_credits(wrong).await);
    assert_eq!(named, ["source", "credits", "priority", "reason", "reference"]);
    let wrong = grant("ada", LotSource::Unspecified, 1_000_000_000_001);
    assert_eq!(fields(service.credits().grant_credits(wrong).await), ["source", "credits"]);
    let wrong = v1::RevokeCreditsRequest {
        target: None,
        clause: "c".repeat(17),
        reason: String::new(),
        ..revoke("ada", EVERYTHING, Some(0))
    };
    let named = fields(service.credits().revoke_credits(wrong).await);
    assert_eq!(named, ["target", "credits", "clause", "reason"]);
    let wrong = revoke("ada", Target::LotId("7".to_owned()), Some(-1));
    assert_eq!(fields(service.credits().revoke_credits(wrong).await), ["lot_id", "credits"]);
    assert_eq!(service.rows().await, 1, "only the policy's row");
    service.audited().await;
}

#[tokio::test]
async fn a_closed_account_is_given_nothing_and_can_lose_everything() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.restricted("ada", "terminated", NOON).await;
    let refused = service.credits().grant_credits(when(NOON, grant("ada", LotSource::Bonus, 1))).await;
    assert_eq!(reason(refused), (Code::FailedPrecondition, "ACCOUNT_TERMINATED".to_owned()));
    let revoked = service.credits().revoke_credits(when(NOON, revoke("ada", EVERYTHING, None))).await;
    assert_eq!(revoked.unwrap().into_inner().credits_revoked, 100);
    assert_eq!(service.balance("ada", NOON).await, (0, 0, 0));
    service.stop().await;
}

#[tokio::test]
async fn an_account_with_a_thousand_open_lots_is_given_no_more() {
    let service = Service::start().await;
    granted(&service, LotSource::Bonus, 1).await;
    let mut database = service.database().await;
    sqlx::query(
        "INSERT INTO lot (account_id, lot_id, source, priority, granted_at, granted, available, held, frozen,
            consumed, expired, revoked, refunded, owed, disputed)
         SELECT 'ada', gen_random_uuid(), 'bonus', 200, now(), 1, 1, 0, 0, 0, 0, 0, 0, 0, false
         FROM generate_series(1, 998)",
    )
    .execute(&mut database)
    .await
    .unwrap();
    granted(&service, LotSource::Bonus, 1).await;
    let refused = service.credits().grant_credits(when(NOON, grant("ada", LotSource::Bonus, 1))).await;
    assert_eq!(reason(refused), (Code::ResourceExhausted, "LIMIT_EXCEEDED".to_owned()));
    let bought = service.bought("ada", "pay-1", NOON).await;
    assert_eq!(bought.delivered_credits, 100, "what was paid for is delivered all the same");
    service.stop().await;
}

#[tokio::test]
async fn a_revocation_takes_the_last_to_burn_first_and_leaves_held_and_frozen_credits() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let promotion = granted(&service, LotSource::Promotion, 20).await;
    service.credits().hold_credits(when(NOON, hold("ada", "job-1", 5))).await.unwrap();
    service.dispute("pay-2", "dp-1", v1::ChargebackEventKind::Opened, NOON).await;
    assert_eq!(service.balance("ada", NOON).await, (115, 5, 100));
    let answer = service.credits().revoke_credits(when(NOON, revoke("ada", EVERYTHING, Some(110)))).await;
    let answer = answer.unwrap().into_inner();
    let taken = parts(&answer);
    assert_eq!((taken.len(), taken[0].1, &taken[1]), (2, 100, &(promotion.lot_id, 10)));
    assert_eq!((answer.credits_revoked, answer.balance.unwrap().available), (110, 5));
    assert_eq!(service.balance("ada", NOON).await, (5, 5, 100));
    service.audited().await;
}

#[tokio::test]
async fn more_than_is_available_is_not_revoked_and_nothing_moves() {
    let service = Service::start().await;
    let lot = granted(&service, LotSource::Bonus, 20).await;
    granted(&service, LotSource::Bonus, 20).await;
    let rows = service.rows().await;
    let too_many = revoke("ada", Target::LotId(lot.lot_id.clone()), Some(21));
    let refused = service.credits().revoke_credits(when(NOON, too_many.clone())).await;
    let again = service.credits().revoke_credits(when(NOON, too_many)).await;
    for refused in [refused, again] {
        let refusal = (Code::FailedPrecondition, "REVOCATION_EXCEEDS_AVAILABLE".to_owned());
        assert_eq!(reason(refused), refusal);
    }
    assert_eq!((service.rows().await, service.balance("ada", NOON).await), (rows, (40, 0, 0)));
    let all = revoke("ada", Target::LotId(lot.lot_id), None);
    let all = service.credits().revoke_credits(when(NOON, all)).await;
    assert_eq!(all.unwrap().into_inner().credits_revoked, 20);
    assert_eq!(service.balance("ada", NOON).await, (20, 0, 0));
    service.audited().await;
}

#[tokio::test]
async fn a_purchase_loses_its_bonus_too_and_other_lots_stay() {
    let service = Service::start().await;
    let request =
        v1::RecordPurchaseRequest { bonus_credits: 10, ..crate::service::purchase("ada", "pay-1", NOON) };
    service.credits().record_purchase(when(NOON, request)).await.unwrap();
    service.deliver("ada", "pay-1", 100, NOON).await;
    service.bought("ada", "pay-2", NOON).await;
    let target = Target::Purchase(by_payment("pay-1").unwrap());
    let answer = service.credits().revoke_credits(when(NOON, revoke("ada", target.clone(), None))).await;
    let taken: Vec<i64> = parts(&answer.unwrap().into_inner()).iter().map(|(_, credits)| *credits).collect();
    assert_eq!(taken, [100, 10]);
    assert_eq!(service.balance("ada", NOON).await, (100, 0, 0));
    let rows = service.rows().await;
    let nothing = service.credits().revoke_credits(when(NOON, revoke("ada", target, None))).await;
    let nothing = nothing.unwrap().into_inner();
    assert_eq!((nothing.movements.len(), nothing.credits_revoked), (0, 0));
    assert_eq!(service.rows().await, rows, "where nothing moves nothing is written");
    service.audited().await;
}

#[tokio::test]
async fn what_is_not_the_accounts_is_not_found() {
    let service = Service::start().await;
    let lot = granted(&service, LotSource::Bonus, 20).await;
    service.bought("bob", "pay-1", NOON).await;
    let mut credits = service.credits();
    let refused = credits.revoke_credits(when(NOON, revoke("bob", Target::LotId(lot.lot_id), None))).await;
    assert_eq!(reason(refused), (Code::NotFound, "LOT_NOT_FOUND".to_owned()));
    let purchase = Target::Purchase(by_payment("pay-1").unwrap());
    let refused = credits.revoke_credits(when(NOON, revoke("ada", purchase, None))).await;
    assert_eq!(reason(refused), (Code::NotFound, "PURCHASE_NOT_FOUND".to_owned()));
    let refused = credits.revoke_credits(when(NOON, revoke("eve", EVERYTHING, None))).await;
    assert_eq!(reason(refused), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    service.audited().await;
}

#[tokio::test]
async fn holds_and_revocations_at_the_same_time_share_the_credits_without_a_rest() {
    let service = Service::start().await;
    service.bought("ada", "pay-1", NOON).await;
    let holds = (0..30).map(|job| {
        let mut credits = service.credits();
        tokio::spawn(async move {
            let request = hold("ada", &format!("job-{job}"), 4);
            credits.hold_credits(when(NOON, request)).await.is_ok()
        })
    });
    let revocations = (0..30).map(|_| {
        let mut credits = service.credits();
        tokio::spawn(async move {
            credits.revoke_credits(when(NOON, revoke("ada", EVERYTHING, Some(4)))).await.is_ok()
        })
    });
    let tasks: Vec<_> = holds.zip(revocations).flat_map(|(hold, revocation)| [hold, revocation]).collect();
    let mut done = 0;
    for task in tasks {
        done += i64::from(task.await.unwrap());
    }
    // 60 calls for 4 credits each, and there are 100.
    assert_eq!(done, 25);
    let lots = v1::ListLotsRequest { account_id: "ada".to_owned(), ..Default::default() };
    let lot = service.credits().list_lots(lots).await.unwrap().into_inner().lots.remove(0);
    assert_eq!((lot.available, lot.held + lot.revoked), (0, 100));
    service.audited().await;
}
