//! An auditor behind the service's back: every lot is the sum of its entries, every chain is dense and fits, every
//! attempt's allocations explain what lots hold and consumed, every purchase's money adds up.

use crate::service::Service;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The buckets in the order in which [`Service::line`] tells them.
const BUCKETS: [&str; 7] = ["available", "held", "frozen", "consumed", "expired", "revoked", "refunded"];

#[derive(sqlx::FromRow)]
struct EntryRow {
    account_id: String,
    seq: i64,
    lot_id: Uuid,
    from_bucket: String,
    to_bucket: String,
    credits: i64,
    cause_kind: String,
    cause_id: String,
    actor: String,
    trace_id: Option<String>,
    at: DateTime<Utc>,
    prev_hash: Vec<u8>,
    hash: Vec<u8>,
}

impl EntryRow {
    /// The digest as its description says, written anew.
    fn digest(&self) -> Vec<u8> {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let trace_id = self.trace_id.as_deref().map_or_else(|| "null".to_owned(), quoted);
        let body = format!(
            r#"{{"account_id":{},"seq":{},"lot_id":"{}","from":"{}","to":"{}","credits":{},"cause_kind":"{}","cause_id":{},"actor":{},"trace_id":{trace_id},"at_micros":{}}}"#,
            quoted(&self.account_id),
            self.seq,
            self.lot_id,
            self.from_bucket,
            self.to_bucket,
            self.credits,
            self.cause_kind,
            quoted(&self.cause_id),
            quoted(&self.actor),
            self.at.timestamp_micros(),
        );
        Sha256::new().chain_update(&self.prev_hash).chain_update(body).finalize().to_vec()
    }
}

impl Service {
    /// Available, held, frozen, consumed, expired, revoked and refunded of all lots of a source that came with a
    /// payment.
    pub(crate) async fn line(&self, payment_id: &str, source: &str) -> [i64; 7] {
        let mut database = self.database().await;
        let mut line = [0; 7];
        for (bucket, place) in BUCKETS.iter().zip(&mut line) {
            let sum = format!(
                "SELECT coalesce(sum({bucket}), 0)::bigint FROM lot JOIN purchase USING (account_id, purchase_id)
                 WHERE payment_id = $1 AND source = $2"
            );
            *place = sqlx::query_scalar(sqlx::AssertSqlSafe(sum))
                .bind(payment_id)
                .bind(source)
                .fetch_one(&mut database)
                .await
                .unwrap();
        }
        line
    }

    /// Checks everything that the tables promise together, and stops.
    pub(crate) async fn audited(self) {
        let mut database = self.database().await;
        audit_chains(&mut database).await;
        for (promise, broken) in PROMISES {
            let rows: i64 =
                sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM ({broken}) AS broken")))
                    .fetch_one(&mut database)
                    .await
                    .unwrap();
            assert_eq!(rows, 0, "{promise}");
        }
        drop(database);
        self.replayed().await;
        // The auditor that ships must agree: two that were written apart do not err alike.
        assert_eq!(crate::audit::found_at(&self, None, LONG_AGO).await, []);
        self.stop().await;
    }
}

/// An instant at which no answer is overdue.
const LONG_AGO: &str = "2000-01-01T00:00:00Z";

/// Chains, and lots against them.
async fn audit_chains(database: &mut PgConnection) {
    let entries: Vec<EntryRow> = sqlx::query_as("SELECT * FROM entry ORDER BY account_id, seq")
        .fetch_all(&mut *database)
        .await
        .unwrap();
    let mut heads: BTreeMap<&str, &EntryRow> = BTreeMap::new();
    let mut sums: BTreeMap<(Uuid, &str), i64> = BTreeMap::new();
    for entry in &entries {
        let before = heads.insert(&entry.account_id, entry);
        let (seq, hash) = before.map_or((0, vec![0; 32]), |before| (before.seq, before.hash.clone()));
        assert_eq!(
            (entry.seq, &entry.prev_hash),
            (seq + 1, &hash),
            "a gap in the chain of {}",
            entry.account_id
        );
        assert_eq!(entry.hash, entry.digest(), "entry {} of {}", entry.seq, entry.account_id);
        assert!(before.is_none_or(|before| before.at <= entry.at), "time ran backwards");
        *sums.entry((entry.lot_id, &entry.from_bucket)).or_default() -= entry.credits;
        *sums.entry((entry.lot_id, &entry.to_bucket)).or_default() += entry.credits;
    }
    let accounts: Vec<(String, i64, Vec<u8>)> =
        sqlx::query_as("SELECT account_id, last_seq, last_hash FROM account")
            .fetch_all(&mut *database)
            .await
            .unwrap();
    for (account_id, last_seq, last_hash) in accounts {
        let head = heads.get(account_id.as_str());
        let (seq, hash) = head.map_or((0, vec![0; 32]), |head| (head.seq, head.hash.clone()));
        assert_eq!((last_seq, last_hash), (seq, hash), "the end of the chain of {account_id}");
    }
    let lots: Vec<(Uuid, i64, Vec<i64>)> = sqlx::query_as(
        "SELECT lot_id, granted, ARRAY[available, held, frozen, consumed, expired, revoked, refunded] FROM lot",
    )
    .fetch_all(database)
    .await
    .unwrap();
    for (lot_id, granted, buckets) in lots {
        let told = |bucket| sums.get(&(lot_id, bucket)).copied().unwrap_or(0);
        assert_eq!(buckets, BUCKETS.map(told), "lot {lot_id}");
        assert_eq!(granted, -told("granted"), "lot {lot_id}");
    }
}

/// Promises, and a statement that finds rows that break them.
const PROMISES: [(&str, &str); 5] = [
    (
        "allocations explain what lots hold and consumed",
        "SELECT lot_id FROM lot LEFT JOIN allocation USING (account_id, lot_id)
         GROUP BY account_id, lot_id, held, consumed
         HAVING held <> coalesce(sum(taken - captured - released), 0)
             OR consumed <> coalesce(sum(captured - restored), 0)",
    ),
    (
        "an attempt takes what it costs, and holds something only while it runs",
        "SELECT job_id FROM usage JOIN allocation USING (account_id, job_id, attempt)
         GROUP BY account_id, job_id, attempt, cost, stage
         HAVING cost <> sum(taken) OR (stage <> 'held' AND sum(taken - captured - released) <> 0)",
    ),
    (
        "deliveries explain what a purchase delivered and its lots were granted",
        "SELECT purchase_id FROM purchase LEFT JOIN LATERAL (
             SELECT sum(credits) AS credits, sum(bonus_credits) AS bonus FROM delivery
             WHERE delivery.account_id = purchase.account_id AND delivery.purchase_id = purchase.purchase_id
         ) AS came ON true LEFT JOIN LATERAL (
             SELECT sum(granted) AS granted FROM lot
             WHERE lot.account_id = purchase.account_id AND lot.purchase_id = purchase.purchase_id
         ) AS got ON true
         WHERE delivered_credits <> coalesce(came.credits, 0)
             OR coalesce(got.granted, 0) <> coalesce(came.credits + came.bonus, 0)",
    ),
    (
        "refunds explain what a purchase refunded and has pending",
        "SELECT purchase_id FROM purchase LEFT JOIN LATERAL (
             SELECT coalesce(sum(amount_minor) FILTER (WHERE stage = 'succeeded'), 0) AS refunded,
                 coalesce(sum(amount_minor) FILTER (WHERE stage IN ('pending', 'submitted', 'unknown')), 0) AS pending,
                 coalesce(sum(credits) FILTER (WHERE stage NOT IN ('failed', 'canceled')), 0) AS credits
             FROM refund WHERE refund.account_id = purchase.account_id
                 AND refund.purchase_id = purchase.purchase_id
         ) AS went ON true
         WHERE refunded_minor <> refunded OR pending_minor <> pending OR refunded_credits <> went.credits",
    ),
    (
        "lost disputes explain what the bank returned, and open ones what is marked as disputed",
        "SELECT purchase_id FROM purchase LEFT JOIN LATERAL (
             SELECT coalesce(sum(amount_minor) FILTER (WHERE stage = 'lost'), 0) AS returned,
                 count(*) FILTER (WHERE stage = 'open') > 0 AS undecided
             FROM chargeback WHERE chargeback.account_id = purchase.account_id
                 AND chargeback.purchase_id = purchase.purchase_id
         ) AS bank ON true
         WHERE returned_minor <> returned OR EXISTS (
             SELECT FROM lot WHERE lot.account_id = purchase.account_id AND lot.purchase_id = purchase.purchase_id
                 AND (disputed <> undecided OR (frozen > 0 AND NOT undecided)))",
    ),
];
