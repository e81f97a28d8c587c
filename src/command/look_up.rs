//! Looking up what a batch's jobs ask about and their pages do not say.

use super::Error;
use super::batch::{Job, Pages};
use crate::domain::ids::{AccountId, LotId};
use crate::domain::lot::Lot;
use crate::store::{self, Asked, Connected, Known};
use std::collections::{BTreeMap, BTreeSet};

/// Whether a job's attempt, if it is about one, is on its page.
pub(super) fn is_on_page(job: &dyn Job, pages: &Pages) -> bool {
    let page = pages.get(job.account_id());
    page.is_some_and(|page| job.attempt().is_none_or(|attempt| page.usage(attempt).is_some()))
}

/// Whether the database must be asked about a job: its page does not know its attempt, and none will be made.
pub(super) fn must_be_looked_up(job: &dyn Job, pages: &Pages) -> bool {
    let makes_it = || pages.get(job.account_id()).is_some_and(|page| job.makes_attempt(page));
    !is_on_page(job, pages) && !makes_it()
}

/// Looks up what jobs ask about, and adds it to their pages: attempts, and the lots that these took from.
pub(super) async fn look_up(
    at: &mut impl Connected,
    jobs: &[&dyn Job],
    pages: &mut Pages,
) -> Result<Vec<Known>, Error> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<Asked<'_>> = jobs
        .iter()
        .map(|job| Asked { account_id: job.account_id(), attempt: job.attempt(), key: Some(job.key()) })
        .collect();
    let known = store::list_known(at, &asked).await?;
    let closed = closed_lots(&asked, &known, pages);
    if !closed.is_empty() {
        // Each account's together: a book is put in order again once, however many come.
        let mut lots: BTreeMap<AccountId, Vec<Lot>> = BTreeMap::new();
        for (account_id, lot) in store::list_lots_by_id(at, &closed).await? {
            lots.entry(account_id).or_default().push(lot);
        }
        for (account_id, lots) in lots {
            if let Some(page) = pages.get_mut(&account_id) {
                page.book.add(lots);
            }
        }
    }
    for (asked, known) in asked.iter().zip(&known) {
        if let (Some(page), Some(usage)) = (pages.get_mut(asked.account_id), &known.usage) {
            page.add(usage.clone());
        }
    }
    Ok(known)
}

/// Lots that usages took from and that are not on their pages, since nothing in them can move any more.
fn closed_lots<'a>(asked: &[Asked<'a>], known: &[Known], pages: &Pages) -> Vec<(&'a AccountId, LotId)> {
    let closed: BTreeSet<(&AccountId, LotId)> = asked
        .iter()
        .zip(known)
        .flat_map(|(asked, known)| {
            let allocations = known.usage.iter().flat_map(|usage| &usage.allocations);
            allocations.map(|allocation| (asked.account_id, allocation.lot_id))
        })
        .filter(|(account_id, lot_id)| {
            pages.get(*account_id).is_some_and(|page| page.book.lot(*lot_id).is_none())
        })
        .collect();
    closed.into_iter().collect()
}
