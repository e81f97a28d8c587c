//! Attempts: what they took, charged and gave back, by allocation and by entry.

use super::finding::{Check, Row, Violation, attempt_key};
use super::lots::Sum;
use crate::domain::usage::UsageStage;
use crate::store::AuditUsage;

/// Walks the rows of attempts, those of one attempt after each other.
#[derive(Debug, Default)]
pub(super) struct Usages {
    current: Option<Attempt>,
}

/// What the rows of one attempt add up to.
#[derive(Debug)]
struct Attempt {
    first: AuditUsage,
    taken: Sum,
    captured: Sum,
    released: Sum,
    restored: Sum,
}

fn sum(of: Option<i64>) -> Sum {
    of.map_or(0, Sum::from)
}

fn row_of<'a>(usage: &AuditUsage, found: &'a mut Vec<Violation>) -> Row<'a> {
    let key = attempt_key(&usage.account_id, &usage.attempt);
    match usage.lot_id {
        Some(lot_id) if usage.stage.is_some() => Row::new("allocation", format!("{key}/{lot_id}"), found),
        _ => Row::new("usage", key, found),
    }
}

impl Usages {
    /// Takes the next allocation of an attempt.
    pub(super) fn next(&mut self, usage: &AuditUsage, found: &mut Vec<Violation>) {
        let is_next = self.current.as_ref().is_some_and(|current| {
            current.first.account_id == usage.account_id && current.first.attempt == usage.attempt
        });
        if !is_next {
            self.end(found);
        }
        check_allocation(usage, found);
        let current = self.current.get_or_insert_with(|| Attempt {
            first: usage.clone(),
            taken: 0,
            captured: 0,
            released: 0,
            restored: 0,
        });
        // The stage is missing from a row of entries alone, which may come first.
        if current.first.stage.is_none() {
            current.first = usage.clone();
        }
        current.taken = current.taken.saturating_add(sum(usage.taken));
        current.captured = current.captured.saturating_add(sum(usage.captured));
        current.released = current.released.saturating_add(sum(usage.released));
        current.restored = current.restored.saturating_add(sum(usage.restored));
    }

    /// The last row of an attempt was taken.
    pub(super) fn end(&mut self, found: &mut Vec<Violation>) {
        if let Some(attempt) = self.current.take() {
            attempt.check(found);
        }
    }
}

/// An allocation against the entries of its attempt in its lot.
fn check_allocation(usage: &AuditUsage, found: &mut Vec<Violation>) {
    let has_entries = usage.moved_taken.is_some() || usage.entries_ended_at.is_some();
    if usage.taken.is_none() {
        if let Some(lot_id) = usage.lot_id.filter(|_| has_entries) {
            let key = format!("{}/{lot_id}", attempt_key(&usage.account_id, &usage.attempt));
            let message = "it is missing; entries moved its credits";
            found.push(Violation::new(Check::UsageEntries, "allocation", key, message));
        }
        return;
    }
    let mut row = row_of(usage, found);
    let (position, by_entries) = (usage.position.map(i64::from), usage.entries_position);
    if position != by_entries && by_entries.is_some() {
        row.broken(Check::UsageEntries, "its position is not that in which its entries took from its lots");
    }
    for (column, stored, moved) in [
        ("taken", usage.taken, usage.moved_taken),
        ("captured", usage.captured, usage.moved_captured),
        ("released", usage.released, usage.moved_released),
    ] {
        row.compare(Check::UsageEntries, column, sum(stored), sum(moved), "its entries make it");
    }
    let charged_back = match usage.stage.as_deref().and_then(UsageStage::parse) {
        Some(UsageStage::Failed) => sum(usage.captured),
        _ => 0,
    };
    row.compare(
        Check::UsageStage,
        "restored",
        sum(usage.restored),
        charged_back,
        "its attempt's stage makes it",
    );
    // A refund request or an incident may restore it as well, so its own entries are no more than a part.
    if sum(usage.moved_restored) > sum(usage.restored) {
        row.broken(Check::UsageEntries, "its entries restored more than it says");
    }
}

impl Attempt {
    fn check(&self, found: &mut Vec<Violation>) {
        let first = &self.first;
        let key = attempt_key(&first.account_id, &first.attempt);
        let mut row = Row::new("usage", key, found);
        let stage = first.stage.as_deref().and_then(UsageStage::parse);
        let (Some(stage), Some(cost), Some(outputs)) = (stage, first.cost, first.outputs) else {
            row.broken(Check::UsageEntries, "it is missing; its credits moved");
            return;
        };
        row.compare(Check::UsageStage, "cost", Sum::from(cost), self.taken, "its allocations took");
        let ended = self.captured.saturating_add(self.released);
        let (captured, released, restored) = match stage {
            UsageStage::Held => (0, 0, 0),
            UsageStage::Captured => {
                (charge(first, cost, outputs), self.taken.saturating_sub(self.captured), 0)
            }
            UsageStage::Released | UsageStage::Expired => (0, self.taken, 0),
            // Given back before the capture, or after it.
            UsageStage::Failed => (self.captured, self.taken.saturating_sub(self.captured), self.captured),
        };
        let by = format!("as {stage} it is");
        row.compare(Check::UsageStage, "captured", self.captured, captured, &by);
        row.compare(Check::UsageStage, "released", self.released, released, &by);
        row.compare(Check::UsageStage, "restored", self.restored, restored, &by);
        if stage != UsageStage::Held && ended != self.taken {
            row.broken(Check::UsageStage, "it ended and still holds credits");
        }
        if first.entries_held_at.is_some() && first.held_at != first.entries_held_at {
            row.broken(Check::UsageEntries, "its credits were not reserved when it says");
        }
        if first.entries_ended_at.is_some() && first.ended_at != first.entries_ended_at {
            row.broken(Check::UsageEntries, "it did not end when its entries say");
        }
    }
}

/// `floor(cost × delivered / outputs)`.
fn charge(usage: &AuditUsage, cost: i64, outputs: i32) -> Sum {
    let delivered = usage.delivered_outputs.unwrap_or_default();
    let product = Sum::from(cost).saturating_mul(Sum::from(delivered));
    product.checked_div(Sum::from(outputs)).unwrap_or_default()
}
