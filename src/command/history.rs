//! What happened in an account: one attempt, and its lots and entries page by page.

use super::case::PurchaseReference;
use super::run::{Reading, account_not_found};
use super::{Desk, Error, Reason, Refusal};
use crate::domain::entry::{Entry, EntryCause};
use crate::domain::ids::{AccountId, Attempt, LotId};
use crate::domain::lot::Lot;
use crate::domain::usage::Usage;
use crate::store::{self, EntryFilter, LotFilter, SeqSpan, Tx};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// Which part of a list is asked for. Pages are cut by the account's `seq`, which is dense and never changes: what
/// is written meanwhile comes behind, so that no page shows an item twice or leaves one out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// The place after which it begins; 0 for the first page.
    pub after_seq: i64,
    /// Most items on it, 1 or more.
    pub size: usize,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct PageOf<T> {
    /// Its items.
    pub items: Vec<T>,
    /// The place after which the next page begins; `None` on the last.
    pub next_after_seq: Option<i64>,
}

/// Asks for one attempt.
#[derive(Debug, Clone)]
pub struct GetUsage {
    /// The account.
    pub account_id: AccountId,
    /// The attempt.
    pub attempt: Attempt,
}

/// Asks for an account's lots, in the order in which they were made.
#[derive(Debug, Clone, Serialize)]
pub struct ListLots {
    /// The account.
    pub account_id: AccountId,
    /// Only this purchase's.
    pub purchase: Option<PurchaseReference>,
    /// Only those with credits available, held or frozen.
    pub open_only: bool,
}

/// A span of time, its start included and its end not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TimeWindow {
    /// From when; `None` for the beginning.
    pub start: Option<DateTime<Utc>>,
    /// Until when; `None` without end.
    pub end: Option<DateTime<Utc>>,
}

/// Asks for an account's entries, by `seq`. What is set must all hold.
#[derive(Debug, Clone, Serialize)]
pub struct ListEntries {
    /// The account.
    pub account_id: AccountId,
    /// Only those of this time.
    pub window: TimeWindow,
    /// Only this lot's.
    pub lot_id: Option<LotId>,
    /// Only those with this cause.
    pub cause: Option<EntryCause>,
}

impl Desk {
    /// One attempt, with what it took from which lots.
    ///
    /// # Errors
    /// [`Error::Refused`] when the account has no such attempt.
    pub async fn get_usage(&self, query: GetUsage) -> Result<Usage, Error> {
        self.read(query).await
    }

    /// A page of an account's lots.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such account or purchase.
    pub async fn list_lots(&self, query: ListLots, page: PageRequest) -> Result<PageOf<Lot>, Error> {
        self.browse(Paged { query, page }).await
    }

    /// A page of an account's entries.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such account.
    pub async fn list_entries(&self, query: ListEntries, page: PageRequest) -> Result<PageOf<Entry>, Error> {
        self.browse(Paged { query, page }).await
    }
}

impl Reading for GetUsage {
    type Answer = Usage;

    async fn read(&self, tx: &mut Tx) -> Result<Usage, Error> {
        let usages = tx.list_usages(&[(&self.account_id, &self.attempt)]).await?;
        if let Some((_, usage)) = usages.into_iter().next() {
            return Ok(usage);
        }
        tx.find_account(&self.account_id).await?.ok_or_else(account_not_found)?;
        Err(Refusal::new(Reason::UsageNotFound, "the account has no such attempt").into())
    }
}

struct Paged<Q> {
    query: Q,
    page: PageRequest,
}

impl Reading for Paged<ListLots> {
    type Answer = PageOf<Lot>;

    async fn read(&self, tx: &mut Tx) -> Result<PageOf<Lot>, Error> {
        let ListLots { account_id, purchase, open_only } = &self.query;
        let account = tx.find_account(account_id).await?.ok_or_else(account_not_found)?;
        let purchase_id = match purchase {
            Some(reference) => Some(reference.load(tx, account_id).await?.purchase_id),
            None => None,
        };
        let filter = LotFilter { purchase_id, open_only: *open_only };
        let span = self.page.span(account.head.seq);
        let grants = tx.list_grants(account_id, span, filter).await?;
        let PageOf { items: grants, next_after_seq } = self.page.cut(grants, |(seq, _)| *seq);
        let asked: Vec<_> = grants.iter().map(|(_, lot_id)| (account_id, *lot_id)).collect();
        let lots = store::list_lots_by_id(tx, &asked).await?;
        let mut items: Vec<Lot> = lots.into_iter().map(|(_, lot)| lot).collect();
        items.sort_by_key(|lot| asked.iter().position(|(_, lot_id)| *lot_id == lot.lot_id));
        Ok(PageOf { items, next_after_seq })
    }
}

impl Reading for Paged<ListEntries> {
    type Answer = PageOf<Entry>;

    async fn read(&self, tx: &mut Tx) -> Result<PageOf<Entry>, Error> {
        let ListEntries { account_id, window, lot_id, cause } = &self.query;
        let account = tx.find_account(account_id).await?.ok_or_else(account_not_found)?;
        let mut span = self.page.span(account.head.seq);
        if let Some(start) = window.start {
            let before = first_at(tx, account_id, account.head.seq, start).await?.saturating_sub(1);
            span.after = span.after.max(before);
        }
        if let Some(end) = window.end {
            span.last = first_at(tx, account_id, account.head.seq, end).await?.saturating_sub(1);
        }
        let filter = EntryFilter { lot_id: *lot_id, cause: cause.as_ref() };
        let entries = tx.list_entries(account_id, span, filter).await?;
        Ok(self.page.cut(entries, |entry| entry.seq))
    }
}

/// The place of the first entry at or after an instant, one past the last when there is none. Entries are dense and
/// their time never runs backwards, so it is found by halving, and no index has to be kept for it.
async fn first_at(
    tx: &mut Tx,
    account_id: &AccountId,
    last_seq: i64,
    instant: DateTime<Utc>,
) -> Result<i64, Error> {
    let (mut low, mut high) = (1, last_seq.saturating_add(1));
    while low < high {
        let middle = i64::midpoint(low, high);
        let at = tx.find_entry_time(account_id, middle).await?;
        if at.ok_or(Error::Broken("an account's entries are not dense"))? < instant {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    Ok(low)
}

impl PageRequest {
    /// The places to look at, one item more than the page has: it tells whether there is another page.
    fn span(self, last_seq: i64) -> SeqSpan {
        let limit = i64::try_from(self.size).unwrap_or(i64::MAX).saturating_add(1);
        SeqSpan { after: self.after_seq, last: last_seq, limit }
    }

    fn cut<T>(self, mut items: Vec<T>, seq: impl Fn(&T) -> i64) -> PageOf<T> {
        let more = items.len() > self.size;
        items.truncate(self.size);
        let next_after_seq = if more { items.last().map(seq) } else { None };
        PageOf { items, next_after_seq }
    }
}
