//! What persons found disputes to be.

use super::{Error, Tx};
use crate::domain::chargeback::Determined;
use crate::domain::credits::Credits;
use crate::domain::ids::{AccountId, ChargebackId};

/// A determination to keep.
#[derive(Debug, Clone)]
pub struct NewDetermination<'a> {
    /// The dispute.
    pub chargeback_id: ChargebackId,
    /// What it was found to be.
    pub determined: &'a Determined,
    /// The policy version that says what follows.
    pub policy_version: &'a str,
    /// Credits that were revoked as a consequence.
    pub revoked_credits: Credits,
}

impl Tx {
    /// Keeps a determination, for ever, and returns its number among those of its dispute.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn append_determination(
        &mut self,
        account_id: &AccountId,
        new: &NewDetermination<'_>,
    ) -> Result<i32, Error> {
        let ordinal = sqlx::query_scalar!(
            "INSERT INTO chargeback_determination (account_id, chargeback_id, ordinal, determination, policy_version,
                determined_by, determined_at, revoked_credits, reason_note)
             SELECT $1, $2, coalesce(max(ordinal), 0) + 1, $3, $4, $5, $6, $7, $8 FROM chargeback_determination
             WHERE account_id = $1 AND chargeback_id = $2
             RETURNING ordinal",
            account_id.as_str(),
            new.chargeback_id.0,
            new.determined.determination.name(),
            new.policy_version,
            new.determined.by.as_str(),
            new.determined.at,
            new.revoked_credits.get(),
            new.determined.reason_note,
        )
        .fetch_one(self.connection())
        .await?;
        Ok(ordinal)
    }
}
