//! Lots: every bucket computed again from the entries, and compared with attempts and disputes.

use super::finding::{Check, Row, Violation};
use crate::domain::lot::Bucket;
use crate::store::AuditLot;
use serde_json::Value;

/// Sums are wider than columns, so that forged amounts cannot overflow them.
pub(super) type Sum = i128;

/// The columns of a lot that is there.
struct Stored {
    granted: i64,
    buckets: [(Bucket, i64); 7],
    held: i64,
    consumed: i64,
    available: i64,
    frozen: i64,
    owed: i64,
    disputed: bool,
}

impl Stored {
    fn of(lot: &AuditLot) -> Option<Self> {
        let (available, held, frozen, consumed) = (lot.available?, lot.held?, lot.frozen?, lot.consumed?);
        Some(Self {
            granted: lot.granted?,
            buckets: [
                (Bucket::Available, available),
                (Bucket::Held, held),
                (Bucket::Frozen, frozen),
                (Bucket::Consumed, consumed),
                (Bucket::Expired, lot.expired?),
                (Bucket::Revoked, lot.revoked?),
                (Bucket::Refunded, lot.refunded?),
            ],
            held,
            consumed,
            available,
            frozen,
            owed: lot.owed?,
            disputed: lot.disputed?,
        })
    }
}

/// Checks one lot.
pub(super) fn check(lot: &AuditLot, found: &mut Vec<Violation>) {
    let mut row = Row::new("lot", format!("{}/{}", lot.account_id, lot.lot_id), found);
    let Some(stored) = Stored::of(lot) else {
        row.broken(Check::LotBuckets, "it is missing; entries moved its credits");
        return;
    };
    check_buckets(lot, &stored, &mut row);
    check_allocations(lot, &stored, &mut row);
    check_dispute(lot, &stored, &mut row);
    check_origin(lot, &mut row);
}

/// What the entries moved between two buckets, or into one when `from` is `None`.
fn moved(lot: &AuditLot, is_pair: impl Fn(&str, &str) -> bool) -> Sum {
    let froms = lot.from_buckets.iter().flatten();
    let pairs = froms.zip(lot.to_buckets.iter().flatten()).zip(lot.moved.iter().flatten());
    pairs.filter(|((from, to), _)| is_pair(from, to)).map(|(_, credits)| Sum::from(*credits)).sum()
}

fn check_buckets(lot: &AuditLot, stored: &Stored, row: &mut Row<'_>) {
    const BY: &str = "its entries make it";
    let granted = moved(lot, |from, _| from == Bucket::Granted.name());
    row.compare(Check::LotBuckets, "granted", Sum::from(stored.granted), granted, BY);
    for (bucket, credits) in stored.buckets {
        let into = moved(lot, |_, to| to == bucket.name());
        let out = moved(lot, |from, _| from == bucket.name());
        row.compare(Check::LotBuckets, bucket.name(), Sum::from(credits), into.saturating_sub(out), BY);
    }
    let total: Sum = stored.buckets.iter().map(|(_, credits)| Sum::from(*credits)).sum();
    row.compare(Check::LotSum, "granted", Sum::from(stored.granted), total, "its buckets sum up to");
}

fn check_allocations(lot: &AuditLot, stored: &Stored, row: &mut Row<'_>) {
    const BY: &str = "attempts make it";
    row.compare(Check::LotAllocations, "held", stored.held, lot.allocated_held, BY);
    row.compare(Check::LotAllocations, "consumed", stored.consumed, lot.allocated_charged, BY);
    let restored = moved(lot, |from, _| from == Bucket::Consumed.name());
    row.compare(Check::LotAllocations, "restored", restored, Sum::from(lot.allocated_restored), BY);
}

/// While a dispute on its purchase is open, everything that could be spent is frozen; when none is, nothing is. What
/// lost disputes took or are owed is what they say.
fn check_dispute(lot: &AuditLot, stored: &Stored, row: &mut Row<'_>) {
    let by = "by its purchase's disputes it is";
    row.compare(Check::LotDispute, "disputed", stored.disputed, lot.has_open_dispute, by);
    if lot.has_open_dispute && stored.available > 0 {
        row.broken(
            Check::LotDispute,
            format!("{} credits may be spent while a dispute is open", stored.available),
        );
    }
    if !lot.has_open_dispute && stored.frozen > 0 {
        row.broken(Check::LotDispute, format!("{} credits are frozen and no dispute is open", stored.frozen));
    }
    let losses = lot.losses.iter().flatten().filter_map(Value::as_array).flatten();
    let own =
        losses.filter(|loss| loss.get("lot_id").and_then(Value::as_str) == Some(&lot.lot_id.to_string()));
    let amount = |loss: &Value, name: &str| loss.get(name).and_then(Value::as_i64).map_or(0, Sum::from);
    let told: Sum = own.map(|loss| amount(loss, "revoked").saturating_add(amount(loss, "owed"))).sum();
    let taken = Sum::from(lot.revoked_for_disputes).saturating_add(Sum::from(stored.owed));
    row.compare(Check::LotDispute, "revoked and owed", taken, told, "its purchase's lost disputes took");
}

/// A lot of a purchase was granted by a purchase, at the instant that it tells.
fn check_origin(lot: &AuditLot, row: &mut Row<'_>) {
    let Some(granted_by) = &lot.entries_granted_by else { return };
    let told = lot.purchase_id.map(|purchase_id| format!("purchase:{purchase_id}"));
    let of_purchase = granted_by.starts_with("purchase:").then(|| granted_by.clone());
    if told != of_purchase {
        row.broken(Check::LotOrigin, format!("it does not come from what its entries say: {granted_by}"));
    }
    if lot.granted_at != lot.entries_granted_at {
        row.broken(Check::LotOrigin, "it was not granted when its entries say");
    }
}
