//! References to evidence.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, RefundRequestId};
use crate::domain::request::{Evidence, EvidenceKind};
use uuid::Uuid;

/// The papers of some requests, each request's in the order in which they came.
pub(super) async fn list(
    tx: &mut Tx,
    accounts: &[String],
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Evidence)>, Error> {
    let rows = sqlx::query!(
        "SELECT e.refund_request_id, e.kind, e.uri, e.sha256, e.size_bytes
         FROM unnest($1::text[], $2::uuid[]) AS wanted (account_id, refund_request_id)
         JOIN evidence e USING (account_id, refund_request_id)
         ORDER BY e.refund_request_id, e.ordinal",
        accounts,
        ids,
    )
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter()
        .map(|row| {
            let place = Place { table: "evidence", key: &row.refund_request_id };
            let kind = place.word("kind", &row.kind, EvidenceKind::parse)?;
            let paper =
                Evidence { kind, uri: row.uri.into(), sha256: row.sha256, size_bytes: row.size_bytes };
            Ok((row.refund_request_id, paper))
        })
        .collect()
}

impl Tx {
    /// Keeps references to papers that came before the request's decision of this number, behind those it has.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_evidence(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
        decision_ordinal: i32,
        evidence: &[Evidence],
    ) -> Result<(), Error> {
        let text = |of: fn(&Evidence) -> &str| evidence.iter().map(|e| of(e).to_owned()).collect::<Vec<_>>();
        let ordinals: Vec<i32> = (1..).take(evidence.len()).collect();
        let sizes: Vec<i64> = evidence.iter().map(|evidence| evidence.size_bytes).collect();
        sqlx::query!(
            "INSERT INTO evidence (account_id, refund_request_id, ordinal, kind, uri, sha256, size_bytes,
                decision_ordinal)
             SELECT $1, $2, new.ordinal + (SELECT coalesce(max(ordinal), 0) FROM evidence
                    WHERE account_id = $1 AND refund_request_id = $2),
                new.kind, new.uri, new.sha256, new.size_bytes, $8
             FROM unnest($3::integer[], $4::text[], $5::text[], $6::text[], $7::bigint[])
                AS new (ordinal, kind, uri, sha256, size_bytes)",
            account_id.as_str(),
            refund_request_id.0,
            &ordinals,
            &text(|evidence| evidence.kind.name()),
            &text(|evidence| evidence.uri.expose()),
            &text(|evidence| &evidence.sha256),
            &sizes,
            decision_ordinal,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The kinds of the papers that came after the last question, or since the start.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_evidence_since_asked(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
    ) -> Result<Vec<EvidenceKind>, Error> {
        let kinds = sqlx::query_scalar!(
            "SELECT DISTINCT kind FROM evidence
             WHERE account_id = $1 AND refund_request_id = $2 AND decision_ordinal > (
                SELECT coalesce(max(ordinal), 0) FROM decision
                WHERE account_id = $1 AND refund_request_id = $2 AND outcome = 'REQUEST_INFORMATION')
             ORDER BY kind",
            account_id.as_str(),
            refund_request_id.0,
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "evidence", key: &refund_request_id };
        kinds.into_iter().map(|kind| place.word("kind", &kind, EvidenceKind::parse)).collect()
    }

    /// Another request of the account with which one of these papers came.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_evidence_used_before(
        &mut self,
        account_id: &AccountId,
        besides: Option<RefundRequestId>,
        evidence: &[Evidence],
    ) -> Result<Option<RefundRequestId>, Error> {
        let digests: Vec<String> = evidence.iter().map(|evidence| evidence.sha256.clone()).collect();
        let used: Option<Uuid> = sqlx::query_scalar!(
            "SELECT refund_request_id FROM evidence
             WHERE account_id = $1 AND sha256 = ANY($2) AND ($3::uuid IS NULL OR refund_request_id <> $3) LIMIT 1",
            account_id.as_str(),
            &digests,
            besides.map(|id| id.0),
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(used.map(RefundRequestId))
    }
}
