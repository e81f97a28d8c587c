//! What persons wrote when they moved credits by hand: apart from the entries, so that it can be erased.

use super::{Error, Tx};
use crate::domain::ids::AccountId;
use crate::domain::note::OperatorNote;

impl Tx {
    /// Keeps the note of a grant or a revocation under the last entry that it made.
    ///
    /// # Errors
    /// [`Error::Refused`] when that entry has one; a failure of the database.
    pub async fn insert_operator_note(
        &mut self,
        account_id: &AccountId,
        seq: i64,
        note: &OperatorNote,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO operator_note (account_id, seq, clause, reason, reason_sha256) VALUES ($1, $2, $3, $4, $5)",
            account_id.as_str(),
            seq,
            note.clause,
            note.reason,
            note.reason_sha256(),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
