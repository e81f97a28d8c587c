//! Decisions: what was answered, kept for ever.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, Actor, DecisionId, RefundRequestId};
use crate::domain::redacted::FreeText;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A stored decision.
#[derive(Debug, Clone)]
pub struct DecisionRow {
    /// Its id.
    pub decision_id: DecisionId,
    /// 1 for the first decision on the request.
    pub ordinal: i32,
    /// The outcome's name.
    pub outcome: String,
    /// The row that decided; empty when a person did.
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
    /// Who decided, when a person did.
    pub decided_by: Option<Actor>,
    /// The note that says why, when a person decided.
    pub reason_note: Option<i32>,
    /// Its words, unless they were erased.
    pub reason: Option<FreeText>,
    /// The note with the sentence that a person wrote to the customer, if one did.
    pub sentence_note: Option<i32>,
    /// That sentence, unless it was erased.
    pub said: Option<FreeText>,
}

struct Stored {
    refund_request_id: Uuid,
    decision_id: Uuid,
    ordinal: i32,
    outcome: String,
    row: String,
    policy_version: String,
    document_sha256: String,
    facts_sha256: String,
    decision_sha256: String,
    facts: String,
    body: String,
    decided_at: DateTime<Utc>,
    trace_id: Option<String>,
    catalogue: i32,
    decided_by: Option<String>,
    reason_note: Option<i32>,
    reason: Option<String>,
    sentence_note: Option<i32>,
    said: Option<String>,
}

impl Stored {
    fn decision(self) -> Result<(RefundRequestId, DecisionRow), Error> {
        let decision_id = DecisionId(self.decision_id);
        let place = Place { table: "decision", key: &decision_id };
        let decided_by = self.decided_by.map(|actor| place.id("decided_by", actor)).transpose()?;
        let decision = DecisionRow {
            decision_id,
            ordinal: self.ordinal,
            outcome: self.outcome,
            row: self.row,
            policy_version: self.policy_version,
            document_sha256: self.document_sha256,
            facts_sha256: self.facts_sha256,
            decision_sha256: self.decision_sha256,
            facts: self.facts,
            body: self.body,
            decided_at: self.decided_at,
            trace_id: self.trace_id,
            catalogue: self.catalogue,
            decided_by,
            reason_note: self.reason_note,
            reason: self.reason.map(FreeText::from),
            sentence_note: self.sentence_note,
            said: self.said.map(FreeText::from),
        };
        Ok((RefundRequestId(self.refund_request_id), decision))
    }
}

impl Tx {
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
                catalogue, decided_by, reason_note, sentence_note)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
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
            decision.decided_by.as_ref().map(Actor::as_str),
            decision.reason_note,
            decision.sentence_note,
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
        let rows = sqlx::query_as!(
            Stored,
            r#"SELECT d.refund_request_id, d.decision_id, d.ordinal, d.outcome, d.row, d.policy_version,
                d.document_sha256, d.facts_sha256, d.decision_sha256, d.facts, d.body, d.decided_at, d.trace_id,
                d.catalogue, d.decided_by, d.reason_note, n.text AS "reason?", d.sentence_note, s.text AS "said?"
             FROM decision d
             LEFT JOIN request_note n ON n.account_id = d.account_id
                AND n.refund_request_id = d.refund_request_id AND n.ordinal = d.reason_note
             LEFT JOIN request_note s ON s.account_id = d.account_id
                AND s.refund_request_id = d.refund_request_id AND s.ordinal = d.sentence_note
             WHERE d.account_id = $1 AND d.refund_request_id = $2 ORDER BY d.ordinal LIMIT 100"#,
            account_id.as_str(),
            refund_request_id.0,
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter().map(|row| row.decision().map(|(_, decision)| decision)).collect()
    }

    /// A decision of the account, unless a person made it: what the policy decided can be decided again.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_policy_decision(
        &mut self,
        account_id: &AccountId,
        decision_id: DecisionId,
    ) -> Result<Option<DecisionRow>, Error> {
        let row = sqlx::query_as!(
            Stored,
            r#"SELECT refund_request_id, decision_id, ordinal, outcome, row, policy_version, document_sha256,
                facts_sha256, decision_sha256, facts, body, decided_at, trace_id, catalogue, decided_by, reason_note,
                NULL::text AS reason, sentence_note, NULL::text AS said
             FROM decision WHERE account_id = $1 AND decision_id = $2 AND decided_by IS NULL"#,
            account_id.as_str(),
            decision_id.0,
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| row.decision().map(|(_, decision)| decision)).transpose()
    }

    /// The last decision on each of these requests.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_last_decisions(
        &mut self,
        wanted: &[(AccountId, RefundRequestId)],
    ) -> Result<Vec<(RefundRequestId, DecisionRow)>, Error> {
        let accounts: Vec<String> =
            wanted.iter().map(|(account_id, _)| account_id.as_str().to_owned()).collect();
        let ids: Vec<Uuid> = wanted.iter().map(|(_, id)| id.0).collect();
        let rows = sqlx::query_as!(
            Stored,
            r#"SELECT DISTINCT ON (d.account_id, d.refund_request_id)
                d.refund_request_id, d.decision_id, d.ordinal, d.outcome, d.row, d.policy_version,
                d.document_sha256, d.facts_sha256, d.decision_sha256, d.facts, d.body, d.decided_at, d.trace_id,
                d.catalogue, d.decided_by, d.reason_note, n.text AS "reason?", d.sentence_note, s.text AS "said?"
             FROM unnest($1::text[], $2::uuid[]) AS wanted (account_id, refund_request_id)
             JOIN decision d USING (account_id, refund_request_id)
             LEFT JOIN request_note n ON n.account_id = d.account_id
                AND n.refund_request_id = d.refund_request_id AND n.ordinal = d.reason_note
             LEFT JOIN request_note s ON s.account_id = d.account_id
                AND s.refund_request_id = d.refund_request_id AND s.ordinal = d.sentence_note
             ORDER BY d.account_id, d.refund_request_id, d.ordinal DESC"#,
            &accounts,
            &ids,
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter().map(Stored::decision).collect()
    }
}
