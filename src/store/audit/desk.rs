//! Requests, decisions, policy versions, stored answers and restrictions, as an audit reads them.

use super::super::Error;
use super::{Snapshot, visit_rows};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A decision beside its policy version.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditDecision {
    pub account_id: String,
    pub refund_request_id: Uuid,
    pub ordinal: i32,
    pub outcome: String,
    pub row: String,
    pub policy_version: String,
    pub document_sha256: String,
    pub facts_sha256: String,
    pub decision_sha256: String,
    pub facts: String,
    pub body: String,
    /// The digest under which the version is stored.
    pub version_sha256: Option<String>,
}

/// A request, and how many decisions it has.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditRequest {
    pub account_id: String,
    pub refund_request_id: Uuid,
    pub stage: String,
    pub respond_by: DateTime<Utc>,
    pub counted_decisions: i32,
    pub decisions: i64,
    pub last_ordinal: i32,
}

/// A policy version.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditPolicyVersion {
    pub version: String,
    pub document: String,
    pub document_sha256: String,
}

/// A stored answer; beside the answer to a recorded purchase, that purchase as it is now.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditKey {
    pub account_id: String,
    pub caller: String,
    pub method: String,
    pub request_id: Uuid,
    pub fingerprint: String,
    pub refused: bool,
    pub answer: String,
    /// The purchase that the answer tells of.
    pub told_purchase_id: Option<String>,
    pub purchase_id: Option<Uuid>,
    pub provider: Option<String>,
    pub payment_id: Option<String>,
    pub order_id: Option<String>,
    pub package_id: Option<String>,
    pub kind: Option<String>,
    pub currency: Option<String>,
    pub price_minor: Option<i64>,
    pub credits: Option<i64>,
    pub bonus_credits: Option<i64>,
    pub paid_at: Option<DateTime<Utc>>,
}

/// An attempt that reserved credits while its account was suspended or closed.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns' names")]
pub struct AuditHeld {
    pub account_id: String,
    pub attempt: String,
    pub held_at: DateTime<Utc>,
    pub restriction_id: Uuid,
    pub since: DateTime<Utc>,
}

impl Snapshot {
    /// Every decision, with its text.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_decision(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditDecision),
    ) -> Result<(), Error> {
        let decisions = sqlx::query_as!(
            AuditDecision,
            r#"SELECT d.account_id AS "account_id!", d.refund_request_id AS "refund_request_id!",
                d.ordinal AS "ordinal!", d.outcome AS "outcome!", d.row AS "row!",
                d.policy_version AS "policy_version!", d.document_sha256 AS "document_sha256!",
                d.facts_sha256 AS "facts_sha256!", d.decision_sha256 AS "decision_sha256!", d.facts AS "facts!",
                d.body AS "body!",
                v.document_sha256 AS "version_sha256?"
             FROM decision d LEFT JOIN policy_version v ON v.version = d.policy_version
             WHERE $1::timestamptz IS NULL OR d.account_id IN (SELECT account_id FROM account WHERE last_at >= $1)"#,
            since,
        );
        visit_rows!(self, decisions, visit)
    }

    /// Every request.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_request(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditRequest),
    ) -> Result<(), Error> {
        let requests = sqlx::query_as!(
            AuditRequest,
            r#"SELECT r.account_id AS "account_id!", r.refund_request_id AS "refund_request_id!", r.stage AS "stage!",
                r.respond_by AS "respond_by!", r.decisions AS "counted_decisions!",
                d.number AS "decisions!", coalesce(d.last_ordinal, 0) AS "last_ordinal!"
             FROM refund_request r
             LEFT JOIN LATERAL (SELECT count(*) AS number, max(ordinal) AS last_ordinal FROM decision
                WHERE decision.account_id = r.account_id
                    AND decision.refund_request_id = r.refund_request_id) d ON true
             WHERE $1::timestamptz IS NULL OR r.account_id IN (SELECT account_id FROM account WHERE last_at >= $1)"#,
            since,
        );
        visit_rows!(self, requests, visit)
    }

    /// Every policy version.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_policy_version(
        &mut self,
        mut visit: impl FnMut(AuditPolicyVersion),
    ) -> Result<(), Error> {
        let versions = sqlx::query_as!(
            AuditPolicyVersion,
            "SELECT version, document, document_sha256 FROM policy_version ORDER BY effective_from",
        );
        visit_rows!(self, versions, visit)
    }

    /// Every stored answer.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_key(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditKey),
    ) -> Result<(), Error> {
        let keys = sqlx::query_as!(
            AuditKey,
            r#"SELECT k.account_id AS "account_id!", k.caller AS "caller!", k.method AS "method!",
                k.request_id AS "request_id!", k.fingerprint AS "fingerprint!", k.refused AS "refused!",
                k.answer AS "answer!",
                told.purchase_id AS "told_purchase_id?", p.purchase_id AS "purchase_id?", p.provider AS "provider?",
                p.payment_id AS "payment_id?", p.order_id AS "order_id?", p.package_id AS "package_id?",
                p.kind AS "kind?", p.currency AS "currency?", p.price_minor AS "price_minor?",
                p.credits AS "credits?", p.bonus_credits AS "bonus_credits?", p.paid_at AS "paid_at?"
             FROM idempotency_key k
             LEFT JOIN LATERAL (SELECT substring(k.answer FROM '"purchase_id":"([0-9a-f-]{36})"') AS purchase_id
                WHERE k.method = 'RecordPurchase' AND NOT k.refused) told ON true
             LEFT JOIN purchase p ON p.account_id = k.account_id AND p.purchase_id::text = told.purchase_id
             WHERE $1::timestamptz IS NULL OR k.account_id IN (SELECT account_id FROM account WHERE last_at >= $1)"#,
            since,
        );
        visit_rows!(self, keys, visit)
    }

    /// Every attempt that reserved credits after a suspension or a closure began and before it was lifted.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn each_held_while_suspended(
        &mut self,
        since: Option<DateTime<Utc>>,
        mut visit: impl FnMut(AuditHeld),
    ) -> Result<(), Error> {
        let held = sqlx::query_as!(
            AuditHeld,
            r#"SELECT u.account_id, u.job_id || '#' || u.attempt AS "attempt!", u.held_at, r.restriction_id, r.since
             FROM restriction r JOIN usage u ON u.account_id = r.account_id AND u.held_at > r.since
                AND (r.lifted_at IS NULL OR u.held_at < r.lifted_at)
             WHERE r.kind IN ('suspended', 'terminated')
                AND ($1::timestamptz IS NULL OR r.account_id IN (SELECT account_id FROM account WHERE last_at >= $1))"#,
            since,
        );
        visit_rows!(self, held, visit)
    }
}
