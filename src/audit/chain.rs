//! The chain of an account's entries: dense, continuous, and saying what was said.

use super::finding::{Check, Violation};
use crate::domain::entry::{ChainHead, Hash, HashedEntry};
use crate::store::{AuditAccount, AuditEntry};
use chrono::{DateTime, Utc};

/// Walks entries in the order of account and place.
#[derive(Debug, Default)]
pub(super) struct Chain {
    link: Option<Link>,
}

/// The entry before, and the head that the account's row tells.
#[derive(Debug)]
struct Link {
    account_id: String,
    seq: i64,
    stored: Vec<u8>,
    computed: Hash,
    at: DateTime<Utc>,
    head: Option<Head>,
}

#[derive(Debug)]
struct Head {
    seq: i64,
    hash: Vec<u8>,
    at: DateTime<Utc>,
}

fn key(account_id: &str, seq: i64) -> String {
    format!("{account_id}/{seq}")
}

impl Link {
    /// When it happened, unless it was altered: it is named for that, and its instant may be the lie.
    fn proven_at(&self) -> Option<DateTime<Utc>> {
        (self.stored == self.computed).then_some(self.at)
    }
}

impl Chain {
    /// Takes the next entry.
    pub(super) fn next(&mut self, entry: AuditEntry, found: &mut Vec<Violation>) {
        let is_next = self.link.as_ref().is_some_and(|link| link.account_id == entry.account_id);
        if !is_next {
            self.end(found);
        }
        let last_seq = self.link.as_ref().map_or(ChainHead::START.seq, |link| link.seq);
        let last_at = self.link.as_ref().and_then(Link::proven_at);
        let mut broken = |check, message: String| {
            found.push(Violation::new(check, "entry", key(&entry.account_id, entry.seq), message));
        };
        if last_at.is_some_and(|last_at| entry.at < last_at) {
            broken(Check::EntryTime, "it is earlier than the entry before it".to_owned());
        }
        let computed = hash(&entry);
        if computed.as_slice() != entry.hash {
            broken(Check::EntryHash, "its hash is not that of what it says".to_owned());
        }
        let is_dense = last_seq.checked_add(1) == Some(entry.seq);
        if is_dense && !self.continues(&entry.prev_hash) {
            broken(Check::EntryPrevHash, "it does not continue the entry before it".to_owned());
        }
        let beyond = entry.head_seq.is_some_and(|head_seq| entry.seq > head_seq && last_seq == head_seq);
        if !is_dense && !beyond {
            let first = last_seq.saturating_add(1);
            let missing = match entry.seq.saturating_sub(first) {
                1 => "it is missing".to_owned(),
                number => format!("it and those after it, {number} in all, are missing"),
            };
            found.push(Violation::new(Check::EntrySeq, "entry", key(&entry.account_id, first), missing));
        }
        let head = entry.head_seq.zip(entry.head_hash).zip(entry.head_at);
        self.link = Some(Link {
            account_id: entry.account_id,
            seq: entry.seq,
            stored: entry.hash,
            computed,
            at: entry.at,
            head: head.map(|((seq, hash), at)| Head { seq, hash, at }),
        });
    }

    /// Whether a previous hash is that of the entry before: as stored, or as it should have been stored, since an
    /// entry whose hash was altered is named itself.
    fn continues(&self, prev_hash: &[u8]) -> bool {
        match &self.link {
            None => prev_hash == ChainHead::START.hash,
            Some(link) => prev_hash == link.stored || prev_hash == link.computed,
        }
    }

    /// The last entry of an account was taken: is it the one that the account's row knows?
    pub(super) fn end(&mut self, found: &mut Vec<Violation>) {
        let Some(Link { account_id, seq, stored, computed, at, head }) = self.link.take() else { return };
        let Some(head) = head else {
            found.push(Violation::new(
                Check::AccountHead,
                "account",
                account_id,
                "it is missing; it has entries",
            ));
            return;
        };
        if head.seq == seq && (head.hash == stored || head.hash == computed) {
            if head.at < at {
                let message = "its latest change is earlier than its last entry";
                found.push(Violation::new(Check::AccountHead, "account", account_id, message));
            }
            return;
        }
        // The hash tells which of the two lies about the last place: the account's row, or the entries.
        let same_hash = head.hash == computed;
        if !same_hash && seq < head.seq {
            let missing = "the last entry that the account's row knows is missing";
            found.push(Violation::new(Check::EntrySeq, "entry", key(&account_id, head.seq), missing));
        } else if !same_hash && seq > head.seq {
            let beyond = "it lies beyond the last entry that the account's row knows";
            found.push(Violation::new(Check::EntrySeq, "entry", key(&account_id, seq), beyond));
        } else {
            let message =
                format!("it ends at entry {} and the entries end at {seq}, or the hashes differ", head.seq);
            found.push(Violation::new(Check::AccountHead, "account", account_id, message));
        }
    }
}

/// The hash of what an entry says, behind the previous hash that it names.
fn hash(entry: &AuditEntry) -> Hash {
    let hashed = HashedEntry {
        account_id: &entry.account_id,
        seq: entry.seq,
        lot_id: entry.lot_id,
        from: &entry.from_bucket,
        to: &entry.to_bucket,
        credits: entry.credits,
        cause_kind: &entry.cause_kind,
        cause_id: &entry.cause_id,
        actor: &entry.actor,
        trace_id: entry.trace_id.as_deref(),
        at_micros: entry.at.timestamp_micros(),
    };
    // A stored previous hash always has its length: `entry_hashes`.
    let prev_hash = Hash::try_from(entry.prev_hash.as_slice()).unwrap_or_default();
    hashed.hash(&prev_hash)
}

/// An account without entries stands at the beginning.
pub(super) fn check_empty(account: AuditAccount, found: &mut Vec<Violation>) {
    let AuditAccount { account_id, last_seq, last_hash } = account;
    let has_start = last_hash == ChainHead::START.hash;
    if last_seq != ChainHead::START.seq && !has_start {
        let missing = "the last entry that the account's row knows is missing, and all before it";
        found.push(Violation::new(Check::EntrySeq, "entry", key(&account_id, last_seq), missing));
    } else if last_seq != ChainHead::START.seq || !has_start {
        let message = "it has no entries and the place or the hash of one";
        found.push(Violation::new(Check::AccountHead, "account", account_id, message));
    }
}
