//! Refund requests, their free text, their evidence and their decisions.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, Actor, Attempt, DecisionId, PurchaseId, RefundRequestId};
use crate::domain::request::{Claim, Details, Evidence, EvidenceKind, RefundRequest, RequestStage};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What is stored of a request besides what [`RefundRequest`] carries.
#[derive(Debug, Clone)]
pub struct RequestOpening {
    /// Whether the customer named a purchase, whether or not we know it.
    pub names_purchase: bool,
    /// Who opened it.
    pub opened_by: Actor,
}

/// A stored decision.
#[derive(Debug, Clone)]
pub struct DecisionRow {
    /// Its id.
    pub decision_id: DecisionId,
    /// 1 for the first decision on the request.
    pub ordinal: i32,
    /// The outcome's name.
    pub outcome: String,
    /// The row that decided.
    pub row: String,
    /// The policy version.
    pub policy_version: String,
    /// Digest of the policy document, hex.
    pub document_sha256: String,
    /// Digest of the facts, hex.
    pub facts_sha256: String,
    /// Digest of the decision's bytes, hex.
    pub decision_sha256: String,
    /// The facts, canonical JSON.
    pub facts: String,
    /// The decision, canonical JSON.
    pub body: String,
    /// When.
    pub decided_at: DateTime<Utc>,
    /// The trace that it was made in.
    pub trace_id: Option<String>,
    /// The number of the catalogue of facts that it was made with.
    pub catalogue: i32,
}

impl Tx {
    /// A request of the account.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_request(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
    ) -> Result<Option<RefundRequest>, Error> {
        let row = sqlx::query!(
            "SELECT purchase_id, claim, stage, received_at, respond_by, first_responded_at, policy_version, job_id,
                attempt, purchased_at, paid_currency, paid_minor, attempted_at, revision
             FROM refund_request WHERE account_id = $1 AND refund_request_id = $2",
            account_id.as_str(),
            refund_request_id.0,
        )
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let place = Place { table: "refund_request", key: &refund_request_id };
        let attempt = match (row.job_id, row.attempt) {
            (Some(job_id), Some(number)) => Some(Attempt { job_id: place.id("job_id", job_id)?, number }),
            _ => None,
        };
        let amount_paid = match (row.paid_currency, row.paid_minor) {
            (Some(currency), Some(minor)) => Some(place.money("paid_minor", &currency, minor)?),
            _ => None,
        };
        Ok(Some(RefundRequest {
            refund_request_id,
            purchase_id: row.purchase_id.map(PurchaseId),
            claim: place.word("claim", &row.claim, Claim::parse)?,
            stage: place.word("stage", &row.stage, RequestStage::parse)?,
            received_at: row.received_at,
            respond_by: row.respond_by,
            first_responded_at: row.first_responded_at,
            policy_version: row.policy_version,
            attempt,
            purchased_at: row.purchased_at,
            amount_paid,
            attempted_at: row.attempted_at,
            evidence: self.list_evidence(account_id, refund_request_id).await?,
            revision: row.revision,
        }))
    }

    /// Opens a request.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_request(
        &mut self,
        account_id: &AccountId,
        request: &RefundRequest,
        opening: &RequestOpening,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO refund_request (account_id, refund_request_id, purchase_id, names_purchase, claim, stage,
                received_at, respond_by, first_responded_at, policy_version, job_id, attempt, purchased_at,
                paid_currency, paid_minor, attempted_at, revision, opened_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
            account_id.as_str(),
            request.refund_request_id.0,
            request.purchase_id.map(|id| id.0),
            opening.names_purchase,
            request.claim.name(),
            request.stage.name(),
            request.received_at,
            request.respond_by,
            request.first_responded_at,
            request.policy_version,
            request.attempt.as_ref().map(|attempt| attempt.job_id.as_str()),
            request.attempt.as_ref().map(|attempt| attempt.number),
            request.purchased_at,
            request.amount_paid.map(|paid| paid.currency.code()),
            request.amount_paid.map(|paid| paid.minor_units),
            request.attempted_at,
            request.revision,
            opening.opened_by.as_str(),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Moves a request to another stage.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_request_stage(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
        stage: RequestStage,
    ) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE refund_request SET stage = $3, revision = revision + 1
             WHERE account_id = $1 AND refund_request_id = $2",
            account_id.as_str(),
            refund_request_id.0,
            stage.name(),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Keeps what the customer wrote, apart.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_request_text(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
        details: &Details,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO request_text (account_id, refund_request_id, ordinal, account_email, explanation)
             VALUES ($1, $2, 1, $3, $4)",
            account_id.as_str(),
            refund_request_id.0,
            details.account_email,
            details.explanation,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// What the customer wrote: email address and explanation.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_request_text(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
    ) -> Result<Option<(Option<String>, Option<String>)>, Error> {
        let row = sqlx::query!(
            "SELECT account_email, explanation FROM request_text
             WHERE account_id = $1 AND refund_request_id = $2 AND ordinal = 1",
            account_id.as_str(),
            refund_request_id.0,
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| (row.account_email, row.explanation)))
    }

    /// Keeps references to evidence.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_evidence(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
        evidence: &[Evidence],
    ) -> Result<(), Error> {
        let text = |of: fn(&Evidence) -> &str| evidence.iter().map(|e| of(e).to_owned()).collect::<Vec<_>>();
        let ordinals: Vec<i32> = (1..).take(evidence.len()).collect();
        let sizes: Vec<i64> = evidence.iter().map(|evidence| evidence.size_bytes).collect();
        sqlx::query!(
            "INSERT INTO evidence (account_id, refund_request_id, ordinal, kind, uri, sha256, size_bytes)
             SELECT $1, $2, new.ordinal, new.kind, new.uri, new.sha256, new.size_bytes
             FROM unnest($3::integer[], $4::text[], $5::text[], $6::text[], $7::bigint[])
                AS new (ordinal, kind, uri, sha256, size_bytes)",
            account_id.as_str(),
            refund_request_id.0,
            &ordinals,
            &text(|evidence| evidence.kind.name()),
            &text(|evidence| &evidence.uri),
            &text(|evidence| &evidence.sha256),
            &sizes,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn list_evidence(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
    ) -> Result<Vec<Evidence>, Error> {
        let rows = sqlx::query!(
            "SELECT kind, uri, sha256, size_bytes FROM evidence
             WHERE account_id = $1 AND refund_request_id = $2 ORDER BY ordinal",
            account_id.as_str(),
            refund_request_id.0,
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "evidence", key: &refund_request_id };
        rows.into_iter()
            .map(|row| {
                Ok(Evidence {
                    kind: place.word("kind", &row.kind, EvidenceKind::parse)?,
                    uri: row.uri,
                    sha256: row.sha256,
                    size_bytes: row.size_bytes,
                })
            })
            .collect()
    }

    /// Keeps a decision, for ever.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn append_decision(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
        decision: &DecisionRow,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO decision (account_id, refund_request_id, ordinal, decision_id, outcome, row,
                policy_version, document_sha256, facts_sha256, decision_sha256, facts, body, decided_at, trace_id,
                catalogue)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            account_id.as_str(),
            refund_request_id.0,
            decision.ordinal,
            decision.decision_id.0,
            decision.outcome,
            decision.row,
            decision.policy_version,
            decision.document_sha256,
            decision.facts_sha256,
            decision.decision_sha256,
            decision.facts,
            decision.body,
            decision.decided_at,
            decision.trace_id,
            decision.catalogue,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The decisions on a request, first to last.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_decisions(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
    ) -> Result<Vec<DecisionRow>, Error> {
        let rows = sqlx::query!(
            "SELECT decision_id, ordinal, outcome, row, policy_version, document_sha256, facts_sha256,
                decision_sha256, facts, body, decided_at, trace_id, catalogue
             FROM decision WHERE account_id = $1 AND refund_request_id = $2 ORDER BY ordinal LIMIT 100",
            account_id.as_str(),
            refund_request_id.0,
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| DecisionRow {
                decision_id: DecisionId(row.decision_id),
                ordinal: row.ordinal,
                outcome: row.outcome,
                row: row.row,
                policy_version: row.policy_version,
                document_sha256: row.document_sha256,
                facts_sha256: row.facts_sha256,
                decision_sha256: row.decision_sha256,
                facts: row.facts,
                body: row.body,
                decided_at: row.decided_at,
                trace_id: row.trace_id,
                catalogue: row.catalogue,
            })
            .collect())
    }

    /// Whether one of these digests came with another request of the account.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_evidence_used_before(
        &mut self,
        account_id: &AccountId,
        evidence: &[Evidence],
    ) -> Result<Option<RefundRequestId>, Error> {
        let digests: Vec<String> = evidence.iter().map(|evidence| evidence.sha256.clone()).collect();
        let used: Option<Uuid> = sqlx::query_scalar!(
            "SELECT refund_request_id FROM evidence WHERE account_id = $1 AND sha256 = ANY($2) LIMIT 1",
            account_id.as_str(),
            &digests,
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(used.map(RefundRequestId))
    }
}
