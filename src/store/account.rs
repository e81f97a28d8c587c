//! Accounts: the row that every writing transaction locks first.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::entry::ChainHead;
use crate::domain::ids::AccountId;
use chrono::{DateTime, Utc};

/// An account's row.
#[derive(Debug, Clone, Copy)]
pub struct AccountRow {
    /// How often the account was changed. What was read with one revision is true while that revision stands.
    pub revision: i64,
    /// The end of its chain of entries.
    pub head: ChainHead,
    /// The instant of its latest change: time never runs backwards in an account.
    pub last_at: DateTime<Utc>,
}

struct Row {
    revision: i64,
    last_seq: i64,
    last_hash: Vec<u8>,
    last_at: DateTime<Utc>,
}

impl Row {
    fn account(self, account_id: &AccountId) -> Result<AccountRow, Error> {
        let place = Place { table: "account", key: account_id };
        let hash = place.hash("last_hash", self.last_hash)?;
        let head = ChainHead { seq: self.last_seq, hash };
        Ok(AccountRow { revision: self.revision, head, last_at: self.last_at })
    }
}

impl Tx {
    /// Makes sure that the account exists; says whether it did not before.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_account_if_missing(
        &mut self,
        account_id: &AccountId,
        at: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let done = sqlx::query!(
            "INSERT INTO account (account_id, last_at, created_at) VALUES ($1, $2, $2) ON CONFLICT DO NOTHING",
            account_id.as_str(),
            at,
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The account as it is, unlocked: for reading.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_account(&mut self, account_id: &AccountId) -> Result<Option<AccountRow>, Error> {
        let row = sqlx::query_as!(
            Row,
            "SELECT revision, last_seq, last_hash, last_at FROM account WHERE account_id = $1",
            account_id.as_str(),
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| row.account(account_id)).transpose()
    }

    /// When the account was first seen.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_account_birth(
        &mut self,
        account_id: &AccountId,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let birth =
            sqlx::query_scalar!("SELECT created_at FROM account WHERE account_id = $1", account_id.as_str());
        Ok(birth.fetch_optional(self.connection()).await?)
    }

    /// Locks the account until the transaction ends; `None` when there is no such account.
    ///
    /// # Errors
    /// [`Error::TooSlow`] when another transaction keeps it locked; a failure of the database.
    pub async fn lock_account(&mut self, account_id: &AccountId) -> Result<Option<AccountRow>, Error> {
        let row = sqlx::query_as!(
            Row,
            "SELECT revision, last_seq, last_hash, last_at FROM account WHERE account_id = $1 FOR NO KEY UPDATE",
            account_id.as_str(),
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| row.account(account_id)).transpose()
    }

    /// Locks accounts, those that exist, in ascending order until the transaction ends.
    ///
    /// # Errors
    /// [`Error::TooSlow`] when another transaction keeps one locked; a failure of the database.
    pub async fn lock_accounts(&mut self, account_ids: &[&AccountId]) -> Result<(), Error> {
        let account_ids: Vec<String> = account_ids.iter().map(|id| id.as_str().to_owned()).collect();
        sqlx::query!(
            "SELECT account_id FROM account WHERE account_id = ANY($1) ORDER BY account_id FOR NO KEY UPDATE",
            &account_ids,
        )
        .fetch_all(self.connection())
        .await?;
        Ok(())
    }
}
