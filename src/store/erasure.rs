//! Erasures of accounts: the words go, their record stays.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::erasure::Erasure;
use crate::domain::ids::{AccountId, Actor};
use crate::domain::redacted::FreeText;
use chrono::{DateTime, Utc};
use uuid::Uuid;

impl Tx {
    /// Erases the words of an account that is locked, by the one function of the database that can, and answers the
    /// record.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn erase_account(
        &mut self,
        account_id: &AccountId,
        erased_by: &Actor,
        at: DateTime<Utc>,
        reason: &FreeText,
    ) -> Result<Option<Erasure>, Error> {
        sqlx::query!(
            "SELECT erase_account($1, $2, $3, $4)",
            account_id.as_str(),
            erased_by.as_str(),
            at,
            reason.expose(),
        )
        .fetch_one(self.connection())
        .await?;
        self.find_last_erasure(account_id).await
    }

    /// The account's last erasure.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_last_erasure(&mut self, account_id: &AccountId) -> Result<Option<Erasure>, Error> {
        let row = sqlx::query!(
            r#"SELECT ordinal, erased_by, erased_at, reason_note,
                (request_texts + request_notes + evidence + account_notes + operator_notes + failure_texts)::bigint
                    AS "texts!"
             FROM account_erasure WHERE account_id = $1 ORDER BY ordinal DESC LIMIT 1"#,
            account_id.as_str(),
        )
        .fetch_optional(self.connection())
        .await?;
        let place = Place { table: "account_erasure", key: account_id };
        row.map(|row| {
            Ok(Erasure {
                ordinal: row.ordinal,
                erased_by: place.id("erased_by", row.erased_by)?,
                erased_at: row.erased_at,
                reason_note: row.reason_note,
                texts: row.texts,
            })
        })
        .transpose()
    }

    /// Something of the account that is under way, by its kind and its id: a request that is not closed, a refund on
    /// its way, an open dispute.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_open_matter(
        &mut self,
        account_id: &AccountId,
    ) -> Result<Option<(String, Uuid)>, Error> {
        let row = sqlx::query!(
            r#"SELECT matter AS "matter!", id AS "id!" FROM (
                SELECT 'refund_request' AS matter, refund_request_id AS id FROM refund_request
                WHERE account_id = $1 AND stage IN ('awaiting_information', 'in_review', 'approved')
                UNION ALL SELECT 'refund', refund_id FROM refund
                WHERE account_id = $1 AND stage IN ('pending', 'submitted', 'unknown')
                UNION ALL SELECT 'chargeback', chargeback_id FROM chargeback
                WHERE account_id = $1 AND stage = 'open') AS matters
             ORDER BY matter DESC, id LIMIT 1"#,
            account_id.as_str(),
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| (row.matter, row.id)))
    }
}
