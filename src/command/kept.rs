//! Pages that a lane keeps between its batches, so that a busy account is not read again for each of them.
//!
//! A kept page may be out of date: another server, or a command outside the lanes, may have changed its account. It is
//! never trusted. Whatever is answered from it is written, the answer at least, and the statement that writes it checks
//! the account's revision.

use super::page::Page;
use crate::domain::ids::AccountId;
use std::collections::HashMap;

/// Most that is kept in each of the two halves, counted in pages, lots and attempts: some ten thousand accounts with a
/// lot each, and a few dozen megabytes.
const MAX_WEIGHT: usize = 20_000;

/// Two halves: what was used lately is in the young one. When that is full it becomes the old one, and what lay in the
/// old one, used by nobody meanwhile, is forgotten.
#[derive(Debug, Default)]
pub(super) struct Kept {
    young: HashMap<AccountId, Page>,
    old: HashMap<AccountId, Page>,
    /// Of the young one.
    weight: usize,
}

impl Kept {
    /// Takes an account's page out.
    pub(super) fn take(&mut self, account_id: &AccountId) -> Option<Page> {
        if let Some(page) = self.young.remove(account_id) {
            self.weight = self.weight.saturating_sub(page.weight());
            return Some(page);
        }
        self.old.remove(account_id)
    }

    /// Keeps a page.
    pub(super) fn keep(&mut self, account_id: AccountId, mut page: Page) {
        page.trim();
        self.weight = self.weight.saturating_add(page.weight());
        self.young.insert(account_id, page);
        if self.weight > MAX_WEIGHT {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
    }
}
