//! Words of persons and workers: apart from the entries, so that they can be erased.

use super::{Error, Tx};
use crate::domain::ids::{AccountId, Attempt};
use crate::domain::note::OperatorNote;

impl Tx {
    /// Keeps the notes of grants and revocations, each under the last entry that its act made.
    ///
    /// # Errors
    /// [`Error::Refused`] when such an entry has one; a failure of the database.
    pub async fn insert_operator_notes(
        &mut self,
        notes: &[(&AccountId, i64, &OperatorNote)],
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO operator_note (account_id, seq, clause, reason, reason_sha256)
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[])",
            &notes.iter().map(|(id, ..)| id.as_str().to_owned()).collect::<Vec<_>>(),
            &notes.iter().map(|(_, seq, _)| *seq).collect::<Vec<_>>(),
            &notes.iter().map(|(.., note)| note.clause.clone()).collect::<Vec<_>>() as &[Option<String>],
            &notes.iter().map(|(.., note)| note.reason.clone()).collect::<Vec<_>>(),
            &notes.iter().map(|(.., note)| note.reason_sha256()).collect::<Vec<_>>(),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Keeps what workers wrote about failures; the first report of an attempt stands.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_failure_texts(
        &mut self,
        texts: &[(&AccountId, &Attempt, &str)],
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO failure_text (account_id, job_id, attempt, error_message)
             SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[]) ON CONFLICT DO NOTHING",
            &texts.iter().map(|(id, ..)| id.as_str().to_owned()).collect::<Vec<_>>(),
            &texts.iter().map(|(_, attempt, _)| attempt.job_id.to_string()).collect::<Vec<_>>(),
            &texts.iter().map(|(_, attempt, _)| attempt.number).collect::<Vec<_>>(),
            &texts.iter().map(|(.., text)| (*text).to_owned()).collect::<Vec<_>>(),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
