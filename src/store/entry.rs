//! Entries: appended, never touched again.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::credits::Credits;
use crate::domain::entry::EntryCause;
use crate::domain::ids::{AccountId, LotId};
use crate::domain::lot::Bucket;

impl Tx {
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
