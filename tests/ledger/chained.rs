//! The chain of entries, recomputed from its description and attacked byte by byte.

use crate::world::credits;
use chrono::DateTime;
use makegood::domain::entry::{ChainHead, Entry, EntryCause, Movement, chain};
use makegood::domain::ids::{AccountId, Actor, Attempt, JobId, LotId};
use makegood::domain::lot::Bucket;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A text as JSON writes it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The digest of an entry: the digest before it, then its fields as JSON in a fixed order without spaces.
fn digest(account_id: &str, entry: &Entry) -> [u8; 32] {
    let movement = &entry.movement;
    let trace_id = entry.trace_id.as_deref().map_or_else(|| "null".to_owned(), quoted);
    let body = format!(
        r#"{{"account_id":{},"seq":{},"lot_id":"{}","from":"{}","to":"{}","credits":{},"cause_kind":"{}","cause_id":{},"actor":{},"trace_id":{trace_id},"at_micros":{}}}"#,
        quoted(account_id),
        entry.seq,
        movement.lot_id,
        movement.from.name(),
        movement.to.name(),
        movement.credits,
        movement.cause.kind(),
        quoted(&movement.cause.id()),
        quoted(entry.actor.as_str()),
        entry.at.timestamp_micros(),
    );
    let mut bytes = entry.prev_hash.to_vec();
    bytes.extend(body.into_bytes());
    Sha256::digest(bytes).into()
}

/// Whether the entries are dense from 1, each built on the one before, up to `head`.
fn holds(account_id: &str, entries: &[Entry], head: ChainHead) -> bool {
    let mut before = (0, [0; 32]);
    for entry in entries {
        if (entry.seq, entry.prev_hash) != (before.0 + 1, before.1) || digest(account_id, entry) != entry.hash
        {
            return false;
        }
        before = (entry.seq, entry.hash);
    }
    before == (head.seq, head.hash)
}

fn actor() -> Actor {
    Actor::parse("worker:\"gpu\\7\"").unwrap()
}

/// Movements in several commits of a chain, as several transactions append them.
fn chained(amounts: &[(i64, u8)]) -> (AccountId, Vec<Entry>, ChainHead) {
    let account_id = AccountId::parse("ada \"the\" countess é").unwrap();
    let mut head = ChainHead::START;
    let mut entries = Vec::new();
    for (index, (amount, kind)) in amounts.iter().enumerate() {
        let job_id = JobId::parse(format!("job \"{index}\"")).unwrap();
        let cause = match kind % 3 {
            0 => EntryCause::Usage(Attempt { job_id, number: 2 }),
            1 => EntryCause::Expiry,
            _ => EntryCause::Person(None),
        };
        let lot_id = LotId(Uuid::from_u128(u128::from(*kind)));
        let first = Movement {
            lot_id,
            from: Bucket::Granted,
            to: Bucket::Available,
            credits: credits(*amount),
            cause: cause.clone(),
        };
        let second = Movement { from: Bucket::Available, to: Bucket::Held, ..first.clone() };
        let at = DateTime::from_timestamp_micros(1_740_000_000_000_001 + amount).unwrap();
        let trace_id = (kind % 2 == 0).then_some("4bf92f3577b34da6a3ce929d0e0e4736");
        let (more, end) = chain(&account_id, head, vec![first, second], &actor(), trace_id, at);
        entries.extend(more);
        head = end;
    }
    (account_id, entries, head)
}

/// Changes one thing about an entry.
fn tamper(entry: &mut Entry, what: usize, byte: usize) {
    match what {
        0 => entry.hash[byte % 32] ^= 1 << (byte % 8),
        1 => entry.prev_hash[byte % 32] ^= 1 << (byte % 8),
        2 => entry.seq += 1,
        3 => entry.movement.credits = credits(entry.movement.credits.get() + 1),
        4 => entry.movement.lot_id = LotId(Uuid::from_u128(1_000)),
        5 => entry.movement.to = Bucket::Refunded,
        6 => entry.movement.from = Bucket::Frozen,
        7 => entry.actor = Actor::parse("somebody").unwrap(),
        8 => entry.trace_id = Some("another".to_owned()),
        9 => entry.at = DateTime::from_timestamp_micros(entry.at.timestamp_micros() + 1).unwrap(),
        _ => {
            let job_id = JobId::parse("another").unwrap();
            entry.movement.cause = EntryCause::Usage(Attempt { job_id, number: 1 });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(20_241_219),
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn a_chain_holds_and_anything_changed_missing_added_or_moved_breaks_it(
        amounts in prop::collection::vec((1_i64..1_000_000, any::<u8>()), 1..8),
        place in any::<prop::sample::Index>(),
        (what, byte) in (0_usize..11, 0_usize..256),
    ) {
        let (account_id, entries, head) = chained(&amounts);
        let account_id = account_id.as_str();
        prop_assert!(holds(account_id, &entries, head));
        prop_assert!(!holds("bob", &entries, head), "a chain was moved to another account");
        let index = place.index(entries.len());
        let broken = |change: &dyn Fn(&mut Vec<Entry>)| {
            let mut entries = entries.clone();
            change(&mut entries);
            !holds(account_id, &entries, head)
        };
        prop_assert!(broken(&|entries| tamper(&mut entries[index], what, byte)));
        prop_assert!(broken(&|entries| drop(entries.remove(index))), "an entry was removed");
        prop_assert!(broken(&|entries| entries.insert(index, entries[index].clone())), "an entry was repeated");
        prop_assert!(broken(&|entries| entries.swap(0, 1)), "entries changed places");
        prop_assert!(broken(&|entries| drop(entries.pop())), "the last entry was cut off");
        // Even when the changed entry is given a fitting digest, the next one or the end of the chain tells.
        let rehashed = broken(&|entries| {
            tamper(&mut entries[index], what.max(3), byte);
            entries[index].hash = digest(account_id, &entries[index]);
        });
        prop_assert!(rehashed, "a changed entry with a digest of its own was not noticed");
    }
}
