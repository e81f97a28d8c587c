//! `makegood audit`: proves from the tables that nothing was lost, changed or paid twice, or names what was.
//!
//! Everything is read from one moment, row by row, with rights that cannot write. What is computed again is pure and
//! lies in the rooms below; what is read, and summed while it is read, is the store's.

mod cases;
mod chain;
mod command;
mod erasures;
mod finding;
mod lots;
mod payments;
mod server;
mod usages;
mod witness;

use crate::store::{Error, Snapshot, Store};
use chrono::{DateTime, Utc};

pub use command::audit;
pub use finding::{Check, Violation};

/// What an audit is told to look at.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// Only accounts that changed since then; each of these from its first entry on.
    pub since: Option<DateTime<Utc>>,
    /// The present, for what is overdue.
    pub now: DateTime<Utc>,
}

/// Who hears what an audit finds, and how far it is.
pub trait Listener {
    /// A broken promise.
    fn found(&mut self, violation: &Violation);
    /// So many rows of a part were read.
    fn progress(&mut self, part: &'static str, rows: u64);
}

/// What an audit came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows read.
    pub rows: u64,
    /// Violations found.
    pub violations: u64,
}

/// Audits one moment of a database.
///
/// # Errors
/// A failure of the database; what was found before it was told.
pub async fn run(store: &Store, scope: Scope, listener: &mut dyn Listener) -> Result<Tally, Error> {
    let mut snapshot = store.snapshot().await?;
    let mut teller = Teller { listener, found: Vec::new(), tally: Tally::default(), part: "", part_rows: 0 };
    check_database(&mut snapshot, scope, &mut teller).await?;
    check_ledger(&mut snapshot, scope, &mut teller).await?;
    check_payments(&mut snapshot, scope, &mut teller).await?;
    check_desk(&mut snapshot, scope, &mut teller).await?;
    Ok(teller.tally)
}

/// Passes on what is found as soon as it is, so that nothing piles up.
struct Teller<'a> {
    listener: &'a mut dyn Listener,
    found: Vec<Violation>,
    tally: Tally,
    part: &'static str,
    part_rows: u64,
}

impl Teller<'_> {
    fn begin(&mut self, part: &'static str) {
        (self.part, self.part_rows) = (part, 0);
        self.listener.progress(part, 0);
    }

    /// One row was read; `check` says what is wrong with it.
    fn row(&mut self, check: impl FnOnce(&mut Vec<Violation>)) {
        self.tally.rows = self.tally.rows.saturating_add(1);
        self.part_rows = self.part_rows.saturating_add(1);
        self.listener.progress(self.part, self.part_rows);
        self.tell(check);
    }

    fn tell(&mut self, check: impl FnOnce(&mut Vec<Violation>)) {
        check(&mut self.found);
        for violation in self.found.drain(..) {
            self.tally.violations = self.tally.violations.saturating_add(1);
            self.listener.found(&violation);
        }
    }
}

async fn check_database(snapshot: &mut Snapshot, scope: Scope, teller: &mut Teller<'_>) -> Result<(), Error> {
    teller.begin("settings");
    for setting in snapshot.list_settings(&server::names()).await? {
        teller.row(|found| server::check(&setting, found));
    }
    for name in snapshot.list_unenforced_constraints().await? {
        let message = "the database does not enforce it";
        teller.tell(|found| found.push(Violation::new(Check::Constraint, "pg_constraint", name, message)));
    }
    teller.begin("policy versions");
    snapshot
        .each_policy_version(|version| teller.row(|found| cases::check_policy_version(&version, found)))
        .await?;
    teller.begin("witnesses");
    snapshot
        .each_unwitnessed(scope.since, |row| teller.tell(|found| found.push(witness::unwitnessed(row))))
        .await?;
    teller.begin("references");
    snapshot
        .each_dangling_row(|name, child, parent, key| {
            let message = format!("it points to a row of `{parent}` that is missing ({name})");
            teller.tell(|found| found.push(Violation::new(Check::ForeignKey, child, key, message)));
        })
        .await
}

async fn check_ledger(snapshot: &mut Snapshot, scope: Scope, teller: &mut Teller<'_>) -> Result<(), Error> {
    teller.begin("entries");
    let mut chain = chain::Chain::default();
    snapshot.each_entry(scope.since, |entry| teller.row(|found| chain.next(entry, found))).await?;
    teller.tell(|found| chain.end(found));
    snapshot
        .each_account_without_entries(scope.since, |account| {
            teller.row(|found| chain::check_empty(account, found));
        })
        .await?;
    snapshot
        .each_missing_cause(scope.since, |missing| {
            teller.tell(|found| found.push(payments::missing_cause(&missing)));
        })
        .await?;
    teller.begin("lots");
    snapshot.each_lot(scope.since, |lot| teller.row(|found| lots::check(&lot, found))).await?;
    teller.begin("attempts");
    let mut usages = usages::Usages::default();
    snapshot.each_usage(scope.since, |usage| teller.row(|found| usages.next(&usage, found))).await?;
    teller.tell(|found| usages.end(found));
    let mut told = witness::Told::default();
    snapshot.each_told_usage(scope.since, |answer| teller.row(|found| told.next(&answer, found))).await?;
    teller.tell(|found| told.end(found));
    snapshot
        .each_held_while_suspended(scope.since, |held| {
            teller.tell(|found| found.push(cases::held_while_suspended(&held)));
        })
        .await
}

async fn check_payments(snapshot: &mut Snapshot, scope: Scope, teller: &mut Teller<'_>) -> Result<(), Error> {
    teller.begin("purchases");
    snapshot
        .each_purchase(scope.since, |purchase| teller.row(|found| payments::check_purchase(&purchase, found)))
        .await?;
    teller.begin("refunds");
    snapshot
        .each_refund(scope.since, |refund| teller.row(|found| payments::check_refund(&refund, found)))
        .await?;
    teller.begin("disputes");
    snapshot
        .each_chargeback(scope.since, |chargeback| {
            teller.row(|found| payments::check_chargeback(&chargeback, found));
        })
        .await?;
    snapshot
        .each_ownerless_key(scope.since, |missing| {
            teller.tell(|found| found.push(payments::ownerless_key(&missing)));
        })
        .await
}

async fn check_desk(snapshot: &mut Snapshot, scope: Scope, teller: &mut Teller<'_>) -> Result<(), Error> {
    teller.begin("requests");
    snapshot
        .each_request(scope.since, |request| {
            teller.row(|found| cases::check_request(&request, scope.now, found));
        })
        .await?;
    teller.begin("decisions");
    snapshot
        .each_decision(scope.since, |decision| teller.row(|found| cases::check_decision(&decision, found)))
        .await?;
    teller.begin("erasures");
    snapshot
        .each_miscounted_erasure(scope.since, |erasure| {
            teller.tell(|found| found.push(erasures::miscounted(&erasure)));
        })
        .await?;
    snapshot
        .each_unrecorded_erasure(scope.since, |emptied| {
            teller.tell(|found| found.push(erasures::unrecorded(emptied)));
        })
        .await?;
    teller.begin("stored answers");
    snapshot.each_key(scope.since, |key| teller.row(|found| cases::check_key(&key, found))).await
}
