//! An account's words are erased; its history stays.

use super::account::AccountView;
use super::run::Mutation;
use super::session::Session;
use super::{Error, Reason, Refusal};
use crate::domain::erasure::Erasure;
use crate::domain::redacted::FreeText;
use serde::{Deserialize, Serialize};

/// A person erases what was written in an account and about it.
#[derive(Debug, Serialize)]
pub struct EraseAccount {
    /// Why, in the person's words.
    pub reason: FreeText,
}

/// What was erased.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErasureAnswer {
    /// The record of it.
    pub erasure: Erasure,
    /// The account after it.
    pub account: AccountView,
}

impl Mutation for EraseAccount {
    const METHOD: &'static str = "EraseAccount";
    type Answer = ErasureAnswer;

    /// While something is under way, the words may still decide it: the policy reads which details were given, a person
    /// reads them before a ruling, and a bank is answered with them. So that must be over first.
    async fn apply(&self, session: &mut Session<'_>) -> Result<ErasureAnswer, Error> {
        let account_id = session.account_id;
        if let Some((matter, id)) = session.tx.find_open_matter(account_id).await? {
            let message =
                format!("the {} {id} of the account is under way; close it first", matter.replace('_', " "));
            let refusal = Refusal::new(Reason::AccountHasOpenMatters, message);
            return Err(refusal.with("matter", &matter).with("id", &id).into());
        }
        let (erased_by, now) = (session.context.caller.clone(), session.now);
        let erasure = session.writing().erase_account(account_id, &erased_by, now, &self.reason).await?;
        let erasure = erasure.ok_or(Error::Broken("an erasure left no record"))?;
        let last_seq = session.last_seq();
        let account = AccountView::load(session.tx, account_id, last_seq).await?;
        Ok(ErasureAnswer { erasure, account })
    }
}
