//! The database as the last guard: it refuses rows that lie, and entries are for ever.

use crate::service::{
    Service, capture, chargeback, evaluate, hold, later, purchase, reason, refund_result, release,
    request_id, restore, usd, when,
};
use chrono::TimeDelta;
use makegood::proto::makegood::v1;
use makegood::store::constraint::CONSTRAINTS;
use sqlx::PgConnection;
use std::collections::BTreeSet;
use tokio::task::JoinSet;
use tonic::Code;
use v1::{ChargebackEventKind as Event, Claim, RefundResult};

const NOON: &str = "2025-03-03T12:00:00Z";

/// The constraint that refuses a statement.
async fn refused_by(database: &mut PgConnection, statement: &'static str) -> String {
    let outcome = sqlx::query(statement).execute(database).await;
    let Err(error) = outcome else { return format!("nobody: {outcome:?}") };
    let sqlx::Error::Database(error) = error else { return error.to_string() };
    error.constraint().map_or_else(|| error.message().to_owned(), str::to_owned)
}

/// An account with a purchase, a charged attempt, a refund and a dispute.
async fn busy() -> Service {
    let service = Service::start().await;
    // Bought one after the other, so that the attempt burns the first and leaves the others untouched.
    service.bought("ada", "pay-1", "2025-03-03T11:59:58Z").await;
    service.bought("ada", "pay-2", "2025-03-03T11:59:59Z").await;
    service.bought("ada", "pay-3", NOON).await;
    service.used("ada", "job-1", 30, NOON).await;
    service.claim("ada", "pay-2", Claim::DuplicatePurchase, NOON).await;
    service.dispute("pay-3", "dp-1", Event::Opened, NOON).await;
    service
}

#[tokio::test]
async fn every_constraint_has_a_meaning_and_every_meaning_a_constraint() {
    let service = Service::start().await;
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT conname::text FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
         WHERE connamespace = 'public'::regnamespace AND contype NOT IN ('n', 't') AND relname <> '_sqlx_migrations'
         UNION ALL SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal
         UNION ALL SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
         WHERE indisunique AND relnamespace = 'public'::regnamespace AND NOT EXISTS (
             SELECT FROM pg_constraint WHERE conindid = indexrelid)",
    )
    .fetch_all(&mut service.database().await)
    .await
    .unwrap();
    let known: BTreeSet<&str> = CONSTRAINTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(known.len(), CONSTRAINTS.len(), "a name has two meanings");
    assert_eq!(names.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
    assert_eq!(names.len(), known.len(), "a name is used twice");
    service.stop().await;
}

#[tokio::test]
async fn entries_are_never_changed_or_removed() {
    let service = busy().await;
    let mut database = service.database().await;
    for statement in [
        "UPDATE entry SET credits = credits + 1",
        "UPDATE entry SET actor = 'nobody' WHERE false",
        "DELETE FROM entry WHERE seq = 1",
        "TRUNCATE entry CASCADE",
    ] {
        assert_eq!(refused_by(&mut database, statement).await, "entry_append_only", "{statement}");
    }
    // All that points to it would go with it, and the first that is for ever says no.
    let refused = refused_by(&mut database, "TRUNCATE account CASCADE").await;
    assert!(refused.ends_with("_append_only"), "{refused}");
    drop(database);
    service.audited().await;
}

#[tokio::test]
async fn rows_that_lie_are_refused() {
    let service = busy().await;
    let mut database = service.database().await;
    for (statement, constraint) in [
        ("UPDATE lot SET available = available + 1", "lot_buckets_sum"),
        ("UPDATE lot SET available = -1, consumed = granted + 1", "lot_buckets_not_negative"),
        ("UPDATE lot SET source = 'thin air'", "lot_source"),
        ("UPDATE lot SET repaid = 0", "lot_repaid"),
        ("UPDATE lot SET repaid_by = lot_id, repaid = refunded + 1", "lot_repaid"),
        ("UPDATE purchase SET refunded_minor = price_minor, pending_minor = 1", "purchase_not_over_refunded"),
        ("UPDATE purchase SET refunded_credits = credits + 1", "purchase_not_over_refunded"),
        ("UPDATE purchase SET delivered_credits = credits + 1", "purchase_not_over_delivered"),
        ("UPDATE purchase SET returned_minor = -1", "purchase_returned"),
        ("UPDATE purchase SET payment_id = 'pay-1'", "purchase_payment_once"),
        ("UPDATE usage SET stage = 'held'", "usage_ended"),
        ("UPDATE usage SET cause = 'crash'", "usage_failure"),
        ("UPDATE usage SET delivered_outputs = outputs + 1", "usage_delivered"),
        ("UPDATE allocation SET released = taken", "allocation_sums"),
        ("UPDATE allocation SET restored = captured + 1", "allocation_sums"),
        ("UPDATE account SET last_seq = -1", "account_seq_not_negative"),
        ("UPDATE account SET last_hash = 'short'", "account_hash_is_sha256"),
        ("UPDATE refund SET amount_minor = 0", "refund_pays"),
        ("UPDATE refund SET method = 'by hand'", "refund_method"),
        ("UPDATE refund SET stage = 'succeeded'", "refund_life"),
        ("UPDATE refund SET submitted_at = created_at", "refund_life"),
        ("UPDATE refund SET expected_from = created_at", "refund_expected"),
        ("UPDATE refund_request SET closed_at = received_at", "refund_request_closed"),
        ("UPDATE refund_request SET expires_at = received_at", "refund_request_expires"),
        ("UPDATE refund_request SET approvals_required = 3", "refund_request_counts"),
        ("UPDATE refund_request SET first_response = 'smile'", "refund_request_first_response"),
        ("UPDATE chargeback SET stage = 'lost'", "chargeback_closed"),
        ("UPDATE restriction SET lifted_at = since", "restriction_lifted"),
        ("DELETE FROM account WHERE account_id = 'ada'", "delivery_purchase"),
        (
            "INSERT INTO entry SELECT account_id, 1000, lot_id, from_bucket, to_bucket, 0, cause_kind, cause_id,
                 actor, trace_id, at, prev_hash, hash FROM entry LIMIT 1",
            "entry_credits",
        ),
        (
            "INSERT INTO entry SELECT account_id, 1000, lot_id, 'held', 'held', 1, cause_kind, cause_id,
                 actor, trace_id, at, prev_hash, hash FROM entry LIMIT 1",
            "entry_buckets",
        ),
        ("INSERT INTO entry SELECT * FROM entry", "entry_key"),
        (
            "INSERT INTO external_key SELECT kind, provider, external_id, 'bob' FROM external_key",
            "external_key_key",
        ),
    ] {
        let refused = refused_by(&mut database, statement).await;
        // A row with dependants is refused by whichever of them is asked first.
        let dangles = statement.starts_with("DELETE") && refused.ends_with("_account");
        assert!(refused == constraint || dangles, "{statement} was refused by {refused}");
    }
    drop(database);
    service.audited().await;
}

/// What one customer does all day; refusals are part of it. `salt` varies the order.
async fn day(service: &Service, account_id: &str, salt: usize) {
    let payment = |number: usize| format!("pay-{account_id}-{number}");
    for number in 0..3 {
        let bonus_credits = i64::try_from(number).unwrap() * 7;
        let request =
            v1::RecordPurchaseRequest { bonus_credits, ..purchase(account_id, &payment(number), NOON) };
        drop(service.credits().record_purchase(when(NOON, request)).await);
        service.deliver(account_id, &payment(number), 60, NOON).await;
        service.deliver(account_id, &payment(number), 40, NOON).await;
    }
    for turn in 0..59 {
        let job_id = format!("job-{}", turn / 4);
        match (turn * 7 + salt) % 8 {
            0 => drop(service.credits().release_credits(when(NOON, release(account_id, &job_id))).await),
            1 | 2 => {
                let delivered_outputs = Some(i32::try_from(turn % 4).unwrap());
                let request = v1::CaptureCreditsRequest { delivered_outputs, ..capture(account_id, &job_id) };
                drop(service.credits().capture_credits(when(NOON, request)).await);
            }
            3 => {
                let request = restore(account_id, &job_id, "worker_crash", NOON);
                drop(service.credits().restore_credits(when(NOON, request)).await);
            }
            4 => bank(service, &payment(turn % 3), turn).await,
            5 if turn % 2 == 0 => {
                let result = [RefundResult::Succeeded, RefundResult::Failed][(turn + salt) % 2];
                customer(service, account_id, &payment(1), result).await;
            }
            _ => {
                let request = v1::HoldCreditsRequest { outputs: Some(3), ..hold(account_id, &job_id, 17) };
                drop(service.credits().hold_credits(when(NOON, request)).await);
            }
        }
    }
}

/// A customer claims, hears what becomes of the money, and takes back what is left to a person.
async fn customer(service: &Service, account_id: &str, payment_id: &str, result: RefundResult) {
    let request = evaluate(account_id, payment_id, Claim::DuplicatePurchase);
    let answer = match service.refunds().evaluate_request(when(NOON, request)).await {
        Ok(answer) => answer.into_inner().refund_request.unwrap(),
        // The account's other writer is at it.
        refused => return assert_eq!(reason(refused).1, "OPEN_REQUEST_EXISTS"),
    };
    for refund in answer.refunds {
        let request = refund_result(account_id, &refund.refund_id, result, NOON);
        service.refunds().record_refund_result(when(NOON, request)).await.unwrap();
    }
    let back = v1::WithdrawRefundRequestRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        refund_request_id: answer.refund_request_id,
        reason: String::new(),
    };
    drop(service.refunds().withdraw_refund_request(when(NOON, back)).await);
}

/// Some news of a dispute over part of a payment.
async fn bank(service: &Service, payment_id: &str, turn: usize) {
    let event = [Event::Opened, Event::Won, Event::Lost, Event::Withdrawn][turn / 8 % 4];
    let at = later(NOON, TimeDelta::seconds(i64::try_from(turn).unwrap()));
    let request = v1::RecordChargebackRequest {
        amount: usd(333),
        request_id: request_id(),
        ..chargeback(payment_id, &format!("dp-{payment_id}-{}", turn % 2), event, &at)
    };
    service.refunds().record_chargeback(when("2025-03-03T12:01:00Z", request)).await.unwrap();
}

#[tokio::test]
async fn after_a_mixed_day_of_many_customers_every_lot_is_the_sum_of_its_entries() {
    let service = std::sync::Arc::new(Service::start().await);
    let customers: JoinSet<()> = (0..6)
        .map(|customer| {
            let service = service.clone();
            // Two writers on each account.
            async move { day(&service, &format!("customer-{}", customer / 2), customer).await }
        })
        .collect();
    customers.join_all().await;
    let entries: i64 = sqlx::query_scalar("SELECT count(*) FROM entry")
        .fetch_one(&mut service.database().await)
        .await
        .unwrap();
    assert!(entries > 150, "only {entries} entries: the day was too quiet to prove anything");
    std::sync::Arc::into_inner(service).unwrap().audited().await;
}

#[tokio::test]
async fn a_refused_call_opens_no_account() {
    let service = Service::start().await;
    service.purchase("ada", "pay-1", NOON).await;
    let stolen = service.credits().record_purchase(when(NOON, purchase("bob", "pay-1", NOON))).await;
    assert_eq!(reason(stolen), (Code::AlreadyExists, "PURCHASE_MISMATCH".to_owned()));
    let request = v1::GetBalanceRequest { account_id: "bob".to_owned() };
    let unknown = service.credits().get_balance(when(NOON, request)).await;
    assert_eq!(reason(unknown), (Code::NotFound, "ACCOUNT_NOT_FOUND".to_owned()));
    service.stop().await;
}
