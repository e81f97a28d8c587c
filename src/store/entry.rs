//! Entries: appended, never touched again.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::credits::Credits;
use crate::domain::entry::{Entry, EntryCause};
use crate::domain::ids::{AccountId, LotId};
use crate::domain::lot::Bucket;
use uuid::Uuid;

impl Tx {
    /// Appends entries to the account's chain, all in one statement.
    ///
    /// # Errors
    /// [`Error::Refused`] when a place in the chain is taken; a failure of the database.
    pub async fn append_entries(&mut self, account_id: &AccountId, entries: &[Entry]) -> Result<(), Error> {
        let Some(first) = entries.first() else { return Ok(()) };
        let text = |of: &dyn Fn(&Entry) -> String| entries.iter().map(of).collect::<Vec<_>>();
        let bytes = |of: &dyn Fn(&Entry) -> Vec<u8>| entries.iter().map(of).collect::<Vec<_>>();
        let seqs: Vec<i64> = entries.iter().map(|entry| entry.seq).collect();
        let lot_ids: Vec<Uuid> = entries.iter().map(|entry| entry.movement.lot_id.0).collect();
        let credits: Vec<i64> = entries.iter().map(|entry| entry.movement.credits.get()).collect();
        sqlx::query!(
            "INSERT INTO entry (account_id, seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id,
                actor, trace_id, at, prev_hash, hash)
             SELECT $1, new.seq, new.lot_id, new.from_bucket, new.to_bucket, new.credits, new.cause_kind,
                new.cause_id, $11, $12, $13, new.prev_hash, new.hash
             FROM unnest($2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
                    $9::bytea[], $10::bytea[])
                AS new (seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id, prev_hash, hash)",
            account_id.as_str(),
            &seqs,
            &lot_ids,
            &text(&|entry| entry.movement.from.name().to_owned()),
            &text(&|entry| entry.movement.to.name().to_owned()),
            &credits,
            &text(&|entry| entry.movement.cause.kind().to_owned()),
            &text(&|entry| entry.movement.cause.id()),
            &bytes(&|entry| entry.prev_hash.to_vec()),
            &bytes(&|entry| entry.hash.to_vec()),
            first.actor.as_str(),
            first.trace_id.as_deref(),
            first.at,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// What one cause moved into a bucket, lot by lot.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_credits_moved(
        &mut self,
        account_id: &AccountId,
        cause: &EntryCause,
        to: Bucket,
    ) -> Result<Vec<(LotId, Credits)>, Error> {
        let rows = sqlx::query!(
            "SELECT lot_id, sum(credits)::bigint AS \"credits!\" FROM entry
             WHERE account_id = $1 AND cause_kind = $2 AND cause_id = $3 AND to_bucket = $4
             GROUP BY lot_id ORDER BY lot_id",
            account_id.as_str(),
            cause.kind(),
            cause.id(),
            to.name(),
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "entry", key: account_id };
        rows.into_iter().map(|row| Ok((LotId(row.lot_id), place.credits("credits", row.credits)?))).collect()
    }
}
