//! Words of persons and workers: apart from the entries, so that they can be erased.

use super::{Error, Tx};
use crate::domain::ids::{AccountId, Attempt};
use crate::domain::note::{AccountNote, OperatorNote};
use crate::domain::redacted::FreeText;
use std::collections::BTreeMap;

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
            &notes.iter().map(|(.., note)| note.reason.expose().clone()).collect::<Vec<_>>(),
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
        texts: &[(&AccountId, &Attempt, &FreeText)],
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO failure_text (account_id, job_id, attempt, error_message)
             SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[]) ON CONFLICT DO NOTHING",
            &texts.iter().map(|(id, ..)| id.as_str().to_owned()).collect::<Vec<_>>(),
            &texts.iter().map(|(_, attempt, _)| attempt.job_id.to_string()).collect::<Vec<_>>(),
            &texts.iter().map(|(_, attempt, _)| attempt.number).collect::<Vec<_>>(),
            &texts.iter().map(|(.., text)| text.expose().clone()).collect::<Vec<_>>(),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Keeps why a person did something to an account, and returns the note's number.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_account_note(
        &mut self,
        account_id: &AccountId,
        note: &AccountNote,
    ) -> Result<i32, Error> {
        let ordinal = sqlx::query_scalar!(
            "INSERT INTO account_note (account_id, ordinal, text, text_sha256)
             SELECT $1, coalesce(max(ordinal), 0) + 1, $2, $3 FROM account_note WHERE account_id = $1
             RETURNING ordinal",
            account_id.as_str(),
            note.text.expose(),
            note.text_sha256(),
        )
        .fetch_one(self.connection())
        .await?;
        Ok(ordinal)
    }

    /// The words of some of an account's notes, by their numbers; those that were erased are left out.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_account_notes(
        &mut self,
        account_id: &AccountId,
        ordinals: &[i32],
    ) -> Result<BTreeMap<i32, FreeText>, Error> {
        let rows = sqlx::query!(
            r#"SELECT ordinal, text AS "text!" FROM account_note
             WHERE account_id = $1 AND ordinal = ANY($2) AND text IS NOT NULL"#,
            account_id.as_str(),
            ordinals,
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows.into_iter().map(|row| (row.ordinal, row.text.into())).collect())
    }
}
