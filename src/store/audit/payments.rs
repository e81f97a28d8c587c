//! Purchases, refunds and disputes, as an audit reads them.

use super::super::Error;
use super::{Snapshot, visit_rows};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A purchase, and what its refunds, deliveries, lots and disputes add up to.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditPurchase {
    pub account_id: String,
    pub purchase_id: Uuid,
    pub price_minor: i64,
    pub credits: i64,
    pub bonus_credits: i64,
    pub delivered_credits: i64,
    pub last_delivered_at: Option<DateTime<Utc>>,
    pub refunded_credits: i64,
    pub refunded_minor: i64,
    pub pending_minor: i64,
    pub returned_minor: i64,
    pub dispute: String,
    /// The account that the payment's key names.
    pub key_owner: Option<String>,
    pub refunds_succeeded_minor: i64,
    pub refunds_pending_minor: i64,
    pub refunds_credits: i64,
    pub deliveries_credits: i64,
    pub deliveries_last_at: Option<DateTime<Utc>>,
    pub lots_paid: i64,
    pub lots_bonus: i64,
    pub lost_minor: i64,
    pub dispute_stages: Option<Vec<String>>,
}

/// A refund, its purchase, and what its entries moved.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditRefund {
    pub account_id: String,
    pub refund_id: Uuid,
    pub purchase_id: Uuid,
    pub currency: String,
    pub amount_minor: i64,
    pub credits: i64,
    pub stage: String,
    pub undelivered: Option<i64>,
    /// Whether processor, payment and currency are the purchase's.
    pub is_of_its_payment: bool,
    /// Credits of paid lots that its entries took and did not give back.
    pub moved_paid: i64,
    pub key_owner: Option<String>,
    pub has_key: bool,
    /// The stored answer that first told of it.
    pub answer: Option<String>,
}

/// A dispute, and what must stand beside it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub struct AuditChargeback {
    pub account_id: String,
    pub chargeback_id: Uuid,
    pub purchase_id: Option<Uuid>,
    pub stage: String,
    pub events: i64,
    pub last_ordinal: i32,
    pub key_owner: Option<String>,
    pub has_restriction: bool,
    pub has_restriction_in_force: bool,
    /// Whether what an earlier determination imposed is still in force.
    pub has_outdated_restriction: bool,
    /// Whether processor, payment and currency are those of its purchase; true without one.
    pub is_of_its_payment: bool,
}

/// Something that is named and is not there.
#[derive(Debug, Clone)]
pub struct AuditDangling {
    /// The account that names it.
    pub account_id: String,
    /// What it is: a kind of cause, or of a processor's id.
    pub kind: String,
    /// Its id.
    pub id: String,
}

impl Snapshot {
    /// Every purchase.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_purchase(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditPurchase),
    ) -> Result<(), Error> {
        let purchases = sqlx::query_as!(
            AuditPurchase,
            r#"SELECT p.account_id AS "account_id!", p.purchase_id AS "purchase_id!", p.price_minor AS "price_minor!",
                p.credits AS "credits!", p.bonus_credits AS "bonus_credits!",
                p.delivered_credits AS "delivered_credits!", p.last_delivered_at AS "last_delivered_at?",
                p.refunded_credits AS "refunded_credits!", p.refunded_minor AS "refunded_minor!",
                p.pending_minor AS "pending_minor!", p.returned_minor AS "returned_minor!",
                p.dispute AS "dispute!",
                (SELECT k.account_id FROM external_key k WHERE k.kind = 'payment' AND k.provider = p.provider
                    AND k.external_id = p.payment_id) AS "key_owner?",
                coalesce(refunds.succeeded, 0) AS "refunds_succeeded_minor!",
                coalesce(refunds.pending, 0) AS "refunds_pending_minor!",
                coalesce(refunds.credits, 0) AS "refunds_credits!",
                coalesce(deliveries.credits, 0) AS "deliveries_credits!", deliveries.last_at AS "deliveries_last_at?",
                coalesce(lots.paid, 0) AS "lots_paid!", coalesce(lots.bonus, 0) AS "lots_bonus!",
                coalesce(disputes.lost, 0) AS "lost_minor!", disputes.stages AS "dispute_stages?"
             FROM purchase p
             LEFT JOIN LATERAL (
                SELECT least(coalesce(sum(amount_minor) FILTER (WHERE stage = 'succeeded'), 0), 9223372036854775807)::bigint
                        AS succeeded,
                    least(coalesce(sum(amount_minor) FILTER (WHERE stage IN ('pending', 'submitted', 'unknown')), 0),
                        9223372036854775807)::bigint AS pending,
                    least(coalesce(sum(r.credits) FILTER (WHERE stage NOT IN ('failed', 'canceled')), 0),
                        9223372036854775807)::bigint AS credits
                FROM refund r WHERE r.account_id = p.account_id AND r.purchase_id = p.purchase_id) refunds ON true
             LEFT JOIN LATERAL (
                SELECT least(coalesce(sum(d.credits), 0), 9223372036854775807)::bigint AS credits, max(delivered_at) AS last_at
                FROM delivery d WHERE d.account_id = p.account_id AND d.purchase_id = p.purchase_id) deliveries
                ON true
             LEFT JOIN LATERAL (
                SELECT least(coalesce(sum(granted) FILTER (WHERE source = 'purchase'), 0), 9223372036854775807)::bigint AS paid,
                    least(coalesce(sum(granted) FILTER (WHERE source = 'bonus'), 0), 9223372036854775807)::bigint AS bonus
                FROM lot l WHERE l.account_id = p.account_id AND l.purchase_id = p.purchase_id) lots ON true
             LEFT JOIN LATERAL (
                SELECT least(coalesce(sum(amount_minor) FILTER (WHERE stage = 'lost'), 0), 9223372036854775807)::bigint AS lost,
                    array_agg(stage) AS stages
                FROM chargeback c WHERE c.account_id = p.account_id AND c.purchase_id = p.purchase_id) disputes
                ON true
             WHERE $1::timestamptz IS NULL OR p.account_id IN (SELECT account_id FROM account WHERE last_at >= $1)"#,
            since,
        );
        visit_rows!(self, purchases, visit)
    }

    /// Every refund.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_refund(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditRefund),
    ) -> Result<(), Error> {
        let refunds = sqlx::query_as!(
            AuditRefund,
            r#"SELECT r.account_id AS "account_id!", r.refund_id AS "refund_id!", r.purchase_id AS "purchase_id!",
                r.currency AS "currency!", r.amount_minor AS "amount_minor!", r.credits AS "credits!",
                r.stage AS "stage!",
                p.credits - p.delivered_credits AS "undelivered?",
                coalesce(p.provider = r.provider AND p.payment_id = r.payment_id AND p.currency = r.currency, false)
                    AS "is_of_its_payment!",
                coalesce((SELECT sum(CASE WHEN e.to_bucket = 'refunded' THEN e.credits ELSE -e.credits END)
                    FROM entry e JOIN lot l ON l.account_id = e.account_id AND l.lot_id = e.lot_id
                    WHERE e.account_id = r.account_id AND e.cause_kind = 'refund'
                        AND e.cause_id = r.refund_id::text AND l.source = 'purchase'
                        AND 'refunded' IN (e.from_bucket, e.to_bucket)), 0)::bigint AS "moved_paid!",
                (SELECT k.account_id FROM external_key k WHERE k.kind = 'refund' AND k.provider = r.provider
                    AND k.external_id = r.provider_refund_id) AS "key_owner?",
                r.provider_refund_id IS NOT NULL AS "has_key!",
                (SELECT k.answer FROM idempotency_key k WHERE k.account_id = r.account_id AND NOT k.refused
                    AND k.method LIKE '%Request' AND k.answer LIKE '%"refund_id":"' || r.refund_id::text || '"%'
                    ORDER BY k.created_at LIMIT 1) AS "answer?"
             FROM refund r
             LEFT JOIN purchase p ON p.account_id = r.account_id AND p.purchase_id = r.purchase_id
             WHERE $1::timestamptz IS NULL OR r.account_id IN (SELECT account_id FROM account WHERE last_at >= $1)"#,
            since,
        );
        visit_rows!(self, refunds, visit)
    }

    /// Every dispute.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_chargeback(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditChargeback),
    ) -> Result<(), Error> {
        let chargebacks = sqlx::query_as!(
            AuditChargeback,
            r#"SELECT c.account_id AS "account_id!", c.chargeback_id AS "chargeback_id!",
                c.purchase_id AS "purchase_id?", c.stage AS "stage!",
                coalesce(events.number, 0) AS "events!", coalesce(events.last_ordinal, 0) AS "last_ordinal!",
                (SELECT k.account_id FROM external_key k WHERE k.kind = 'dispute' AND k.provider = c.provider
                    AND k.external_id = c.dispute_id) AS "key_owner?",
                EXISTS (SELECT FROM restriction r WHERE r.account_id = c.account_id
                    AND r.chargeback_id = c.chargeback_id AND r.cause = 'chargeback') AS "has_restriction!",
                EXISTS (SELECT FROM restriction r WHERE r.account_id = c.account_id
                    AND r.chargeback_id = c.chargeback_id AND r.cause = 'chargeback' AND r.lifted_at IS NULL)
                    AS "has_restriction_in_force!",
                EXISTS (SELECT FROM restriction r WHERE r.account_id = c.account_id
                    AND r.chargeback_id = c.chargeback_id AND r.lifted_at IS NULL AND r.determination < (
                        SELECT max(d.ordinal) FROM chargeback_determination d
                        WHERE d.account_id = c.account_id AND d.chargeback_id = c.chargeback_id))
                    AS "has_outdated_restriction!",
                coalesce(p.provider = c.provider AND p.payment_id = c.payment_id AND p.currency = c.currency, true)
                    AS "is_of_its_payment!"
             FROM chargeback c
             LEFT JOIN purchase p ON p.account_id = c.account_id AND p.purchase_id = c.purchase_id
             LEFT JOIN LATERAL (SELECT count(*) AS number, max(ordinal) AS last_ordinal FROM chargeback_event e
                WHERE e.account_id = c.account_id AND e.chargeback_id = c.chargeback_id) events ON true
             WHERE $1::timestamptz IS NULL OR c.account_id IN (SELECT account_id FROM account WHERE last_at >= $1)"#,
            since,
        );
        visit_rows!(self, chargebacks, visit)
    }

    /// Everything that entries name as their cause and that is not there, attempts aside.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_missing_cause(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditDangling),
    ) -> Result<(), Error> {
        let causes = sqlx::query_as!(
            AuditDangling,
            "SELECT account_id, cause_kind AS kind, cause_id AS id FROM (
                SELECT DISTINCT account_id, cause_kind, cause_id FROM entry
                WHERE cause_kind IN ('purchase', 'refund_request', 'refund', 'chargeback', 'incident')) cause
             WHERE NOT CASE cause_kind
                WHEN 'purchase' THEN EXISTS (SELECT FROM purchase p
                    WHERE p.account_id = cause.account_id AND p.purchase_id::text = cause_id)
                WHEN 'refund_request' THEN EXISTS (SELECT FROM refund_request r
                    WHERE r.account_id = cause.account_id AND r.refund_request_id::text = cause_id)
                WHEN 'refund' THEN EXISTS (SELECT FROM refund r
                    WHERE r.account_id = cause.account_id AND r.refund_id::text = cause_id)
                WHEN 'incident' THEN EXISTS (SELECT FROM incident i WHERE i.incident_id::text = cause_id)
                ELSE EXISTS (SELECT FROM chargeback c
                    WHERE c.account_id = cause.account_id AND c.chargeback_id::text = cause_id) END
                AND ($1::timestamptz IS NULL OR account_id IN (SELECT account_id FROM account WHERE last_at >= $1))",
            since,
        );
        visit_rows!(self, causes, visit)
    }

    /// Every processor's id that belongs to something that is not there. A payment that waits for its purchase has
    /// its disputes.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_ownerless_key(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditDangling),
    ) -> Result<(), Error> {
        let keys = sqlx::query_as!(
            AuditDangling,
            r#"SELECT account_id, kind, provider || ':' || external_id AS "id!" FROM external_key k
             WHERE NOT CASE kind
                WHEN 'payment' THEN EXISTS (SELECT FROM purchase p WHERE p.account_id = k.account_id
                        AND p.provider = k.provider AND p.payment_id = k.external_id)
                    OR EXISTS (SELECT FROM chargeback c WHERE c.account_id = k.account_id
                        AND c.provider = k.provider AND c.payment_id = k.external_id)
                WHEN 'dispute' THEN EXISTS (SELECT FROM chargeback c WHERE c.account_id = k.account_id
                        AND c.provider = k.provider AND c.dispute_id = k.external_id)
                ELSE EXISTS (SELECT FROM refund r WHERE r.account_id = k.account_id AND r.provider = k.provider
                        AND r.provider_refund_id = k.external_id) END
                AND ($1::timestamptz IS NULL OR account_id IN (SELECT account_id FROM account WHERE last_at >= $1))"#,
            since,
        );
        visit_rows!(self, keys, visit)
    }
}
