//! Rehearsals: accounts that live by the test clock of their calls (development mode), not by the machine's.
//!
//! The sweep must know them. By the machine's clock it would end, in the middle of a rehearsed day long past, what
//! has months left by the account's own.

use crate::clock::Clock;
use crate::domain::ids::AccountId;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most accounts remembered; whoever rehearses with more than these has them swept by the machine's clock.
const MAX_ACCOUNTS: usize = 10_000;

/// Which accounts rehearse, and how far each one's time has come. Kept by this process alone, as a rehearsal is a
/// matter of one development server. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Rehearsals(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Whether there was ever one: in production no call takes the lock.
    any: AtomicBool,
    accounts: Mutex<BTreeMap<AccountId, Rehearsal>>,
}

#[derive(Debug, Clone, Copy)]
struct Rehearsal {
    at: DateTime<Utc>,
    moved: bool,
}

impl Rehearsals {
    /// Notes by which clock an account was called. A call by the machine's clock ends its rehearsal.
    pub(super) fn note(&self, clock: Clock, account_id: &AccountId) {
        let Some(at) = clock.fixed_at() else {
            if self.0.any.load(Ordering::Relaxed) {
                self.accounts().remove(account_id);
            }
            return;
        };
        self.0.any.store(true, Ordering::Relaxed);
        let mut accounts = self.accounts();
        if let Some(rehearsal) = accounts.get_mut(account_id) {
            *rehearsal = Rehearsal { at: rehearsal.at.max(at), moved: true };
        } else if accounts.len() < MAX_ACCOUNTS {
            accounts.insert(account_id.clone(), Rehearsal { at, moved: true });
        }
    }

    /// Every account that rehearses.
    pub(super) fn all(&self) -> Vec<AccountId> {
        self.accounts().keys().cloned().collect()
    }

    /// At most `limit` accounts that were called since they were taken last, each with its own clock.
    pub(super) fn take_moved(&self, limit: u32) -> Vec<(AccountId, Clock)> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut accounts = self.accounts();
        let moved = accounts.iter_mut().filter(|(_, rehearsal)| rehearsal.moved).take(limit);
        moved
            .map(|(account_id, rehearsal)| {
                rehearsal.moved = false;
                (account_id.clone(), Clock::fixed(rehearsal.at))
            })
            .collect()
    }

    fn accounts(&self) -> MutexGuard<'_, BTreeMap<AccountId, Rehearsal>> {
        // Every change is one step, so a thread that panicked left nothing half done.
        self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
