//! An account as it stands: its restrictions, and what follows from them.

use super::run::{Reading, account_not_found};
use super::{Desk, Error};
use crate::domain::erasure::Erasure;
use crate::domain::ids::AccountId;
use crate::domain::redacted::FreeText;
use crate::domain::restriction::{Restriction, Standing};
use crate::store::Tx;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most restrictions that an account shows, and most that persons may put in force on it.
pub const MAX_RESTRICTIONS: usize = 100;

/// An account without the words of persons: these can be erased, and answers are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// What is kept from it now.
    pub standing: Standing,
    /// Those in force first, then those lifted; the latest first, at most [`MAX_RESTRICTIONS`].
    pub restrictions: Vec<Restriction>,
    /// When it was first seen.
    pub created_at: DateTime<Utc>,
    /// Its last entry; 0 before the first.
    pub last_seq: i64,
    /// Its last erasure.
    #[serde(default)]
    pub last_erasure: Option<Erasure>,
}

/// Words of persons by the number of their note; those that were erased are missing.
pub type Words = BTreeMap<i32, FreeText>;

/// Asks for an account.
#[derive(Debug, Clone)]
pub struct GetAccount {
    /// The account.
    pub account_id: AccountId,
}

impl AccountView {
    /// The account as it is in this transaction, after the entry `last_seq`.
    pub(super) async fn load(tx: &mut Tx, account_id: &AccountId, last_seq: i64) -> Result<Self, Error> {
        let created_at = tx.find_account_birth(account_id).await?.ok_or_else(account_not_found)?;
        let mut restrictions = tx.list_restrictions(account_id).await?;
        let standing = Standing::of(&restrictions);
        restrictions.reverse();
        restrictions.truncate(MAX_RESTRICTIONS);
        let room = MAX_RESTRICTIONS.saturating_sub(restrictions.len());
        let lifted = tx.list_lifted_restrictions(account_id, i64::try_from(room).unwrap_or_default()).await?;
        restrictions.extend(lifted);
        let last_erasure = tx.find_last_erasure(account_id).await?;
        Ok(Self { standing, restrictions, created_at, last_seq, last_erasure })
    }

    /// The numbers of the notes that say why.
    fn notes(&self) -> Vec<i32> {
        let lifts = self.restrictions.iter().filter_map(|restriction| restriction.lifting.as_ref());
        let reasons = self.restrictions.iter().map(|restriction| restriction.reason_note);
        let erasure = self.last_erasure.as_ref().map(|erasure| erasure.reason_note);
        reasons.chain(lifts.map(|lifting| lifting.reason_note)).flatten().chain(erasure).collect()
    }
}

impl Desk {
    /// An account with its restrictions, and why each was imposed and lifted.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such account.
    pub async fn get_account(&self, query: GetAccount) -> Result<(AccountView, Words), Error> {
        self.read(query).await
    }
}

impl Reading for GetAccount {
    type Answer = (AccountView, Words);

    async fn read(&self, tx: &mut Tx) -> Result<Self::Answer, Error> {
        let account = tx.find_account(&self.account_id).await?.ok_or_else(account_not_found)?;
        let view = AccountView::load(tx, &self.account_id, account.head.seq).await?;
        let words = tx.list_account_notes(&self.account_id, &view.notes()).await?;
        Ok((view, words))
    }
}
