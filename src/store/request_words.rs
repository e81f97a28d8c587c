//! What was written about a request: the customer's words, the desk's notes and reasons, and who approved.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, Actor, RefundRequestId};
use crate::domain::note::RequestNote;
use crate::domain::redacted::FreeText;
use crate::domain::request::{Approval, Details};
use uuid::Uuid;

/// Approvals of some requests that count: those of the last proposal since the last decision, oldest first.
pub(super) async fn list_counting_approvals(
    tx: &mut Tx,
    accounts: &[String],
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Approval)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT a.refund_request_id, a.approver, a.approved_at, a.proposal
         FROM unnest($1::text[], $2::uuid[]) AS wanted (account_id, refund_request_id)
         JOIN refund_request r USING (account_id, refund_request_id)
         JOIN approval a USING (account_id, refund_request_id)
         WHERE r.stage = 'in_review' AND a.after_decisions = r.decisions AND a.proposal = (
            SELECT last.proposal FROM approval last
            WHERE last.account_id = a.account_id AND last.refund_request_id = a.refund_request_id
            ORDER BY last.ordinal DESC LIMIT 1)
         ORDER BY a.refund_request_id, a.ordinal"#,
        accounts,
        ids,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let place = Place { table: "approval", key: &row.refund_request_id };
            let approver = place.id("approver", row.approver)?;
            Ok((
                row.refund_request_id,
                Approval { approver, approved_at: row.approved_at, proposal: row.proposal },
            ))
        })
        .collect()
}

impl Tx {
    /// Keeps what the customer wrote, apart, behind what was written before.
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
             SELECT $1, $2, coalesce(max(ordinal), 0) + 1, $3, $4 FROM request_text
             WHERE account_id = $1 AND refund_request_id = $2",
            account_id.as_str(),
            refund_request_id.0,
            details.account_email.as_ref().map(FreeText::expose),
            details.explanation.as_ref().map(FreeText::expose),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// What the customer wrote, as last given: email address and explanation.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn load_request_text(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
    ) -> Result<(Option<FreeText>, Option<FreeText>), Error> {
        let row = sqlx::query!(
            "SELECT
                (array_agg(account_email ORDER BY ordinal DESC) FILTER (WHERE account_email IS NOT NULL))[1]
                    AS account_email,
                (array_agg(explanation ORDER BY ordinal DESC) FILTER (WHERE explanation IS NOT NULL))[1]
                    AS explanation
             FROM request_text WHERE account_id = $1 AND refund_request_id = $2",
            account_id.as_str(),
            refund_request_id.0,
        )
        .fetch_one(self.connection())
        .await?;
        Ok((row.account_email.map(FreeText::from), row.explanation.map(FreeText::from)))
    }

    /// Keeps what a person wrote, and returns its number.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_request_note(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
        note: &RequestNote,
        is_reason: bool,
    ) -> Result<i32, Error> {
        let ordinal = sqlx::query_scalar!(
            "INSERT INTO request_note (account_id, refund_request_id, ordinal, author, written_at, is_reason, text,
                text_sha256)
             SELECT $1, $2, coalesce(max(ordinal), 0) + 1, $3, $4, $5, $6, $7 FROM request_note
             WHERE account_id = $1 AND refund_request_id = $2
             RETURNING ordinal",
            account_id.as_str(),
            refund_request_id.0,
            note.author.as_str(),
            note.written_at,
            is_reason,
            note.text.expose(),
            note.text_sha256(),
        )
        .fetch_one(self.connection())
        .await?;
        Ok(ordinal)
    }

    /// What persons noted about a request, oldest first; reasons are not notes, and words that were erased are empty.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_request_notes(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
    ) -> Result<Vec<RequestNote>, Error> {
        let rows = sqlx::query!(
            "SELECT author, written_at, text FROM request_note
             WHERE account_id = $1 AND refund_request_id = $2 AND NOT is_reason
             ORDER BY ordinal LIMIT 200",
            account_id.as_str(),
            refund_request_id.0,
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "request_note", key: &refund_request_id };
        rows.into_iter()
            .map(|row| {
                let author = place.id("author", row.author)?;
                Ok(RequestNote {
                    author,
                    written_at: row.written_at,
                    text: row.text.unwrap_or_default().into(),
                })
            })
            .collect()
    }

    /// Keeps a person's approval, with the number of the note that says why.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_approval(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
        after_decisions: i32,
        approval: &Approval,
        reason_note: i32,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO approval (account_id, refund_request_id, ordinal, after_decisions, approver, approved_at,
                proposal, reason_note)
             SELECT $1, $2, coalesce(max(ordinal), 0) + 1, $3, $4, $5, $6, $7 FROM approval
             WHERE account_id = $1 AND refund_request_id = $2",
            account_id.as_str(),
            refund_request_id.0,
            after_decisions,
            approval.approver.as_str(),
            approval.approved_at,
            approval.proposal,
            reason_note,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Every approval of a request with its reason, oldest first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_approvals(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
    ) -> Result<Vec<(Approval, Option<FreeText>)>, Error> {
        let rows = sqlx::query!(
            r#"SELECT a.approver, a.approved_at, a.proposal, n.text AS "reason?"
             FROM approval a
             LEFT JOIN request_note n ON n.account_id = a.account_id
                AND n.refund_request_id = a.refund_request_id AND n.ordinal = a.reason_note
             WHERE a.account_id = $1 AND a.refund_request_id = $2 ORDER BY a.ordinal LIMIT 100"#,
            account_id.as_str(),
            refund_request_id.0,
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "approval", key: &refund_request_id };
        rows.into_iter()
            .map(|row| {
                let approver: Actor = place.id("approver", row.approver)?;
                let approval = Approval { approver, approved_at: row.approved_at, proposal: row.proposal };
                Ok((approval, row.reason.map(FreeText::from)))
            })
            .collect()
    }
}
