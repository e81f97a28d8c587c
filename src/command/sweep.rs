//! The sweep: holds that outlived their time are given back, credits past their expiry expire, and so do requests whose
//! question nobody answered.
//!
//! Any number of replicas may sweep one database. Which accounts are due is read without a lock; each account is
//! then locked first, as by every command, and looked at again under its lock. So what another replica or a worker
//! did meanwhile is seen, and nothing is done twice.

use super::run::Reading;
use super::session::Session;
use super::{Context, Desk, Error, StoreFailure, lifecycle};
use crate::clock::Clock;
use crate::domain::ids::{AccountId, Actor, LotId};
use crate::domain::restriction::RestrictionKind;
use crate::store::{Fault, Tx, Work};
use chrono::{DateTime, Utc};

/// Who the entries say did it.
const SWEEPER: &str = "system:sweeper";

/// Most holds given back in one transaction: workers of the account wait for it.
const HOLDS_PER_TRANSACTION: u32 = 25;

/// Most requests expired in one transaction.
const REQUESTS_PER_TRANSACTION: u32 = 100;

/// Most accounts read at once.
const ACCOUNTS_PER_READ: u32 = 100;

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Swept {
    /// Holds given back.
    pub holds: usize,
    /// Lots whose available credits expired.
    pub lots: usize,
    /// Refund requests that expired.
    pub requests: usize,
    /// Accounts that could not be swept, and why; the next sweep tries them again.
    pub failed: Vec<(AccountId, Error)>,
    /// Whether nothing was left but what failed: otherwise the limit came first.
    pub is_complete: bool,
}

impl Desk {
    /// Gives back the holds and expires the credits whose time is over by `clock`, longest overdue first, in at most
    /// `limit` transactions of one account each. Accounts called with a test clock are swept by their own.
    ///
    /// # Errors
    /// [`Error::Store`] when the database cannot be reached or asked. What was swept before stays so.
    pub async fn sweep(&self, clock: Clock, limit: u32) -> Result<Swept, Error> {
        let mut sweep = Sweep { desk: self, left: limit, swept: Swept::default() };
        let mut aside = self.rehearsals.all();
        for (account_id, own_clock) in self.rehearsals.take_moved(limit) {
            while sweep.account(own_clock, &account_id).await? {}
        }
        while sweep.left > 0 {
            let limit = sweep.left.min(ACCOUNTS_PER_READ);
            let due = self.read(DueAccounts { now: clock.now(), without: aside.clone(), limit }).await?;
            if due.is_empty() {
                sweep.swept.is_complete = true;
                break;
            }
            for account_id in due {
                // Whatever is due and does not move must not be found again for ever.
                if !sweep.account(clock, &account_id).await? && sweep.left > 0 {
                    aside.push(account_id);
                }
            }
        }
        Ok(sweep.swept)
    }
}

/// A sweep under way.
struct Sweep<'a> {
    desk: &'a Desk,
    left: u32,
    swept: Swept,
}

impl Sweep<'_> {
    /// Sweeps one account in one transaction and says whether anything was done.
    async fn account(&mut self, clock: Clock, account_id: &AccountId) -> Result<bool, Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(false) };
        self.left = left;
        let caller = Actor::parse(SWEEPER).map_err(|_| Error::Broken("the sweeper has no name"))?;
        let context = Context { caller, trace_id: None, clock };
        let work = SweepAccount { desk: self.desk.clone(), context, account_id: account_id.clone() };
        match self.desk.transact(work).await {
            Ok(done) => {
                self.swept.holds = self.swept.holds.saturating_add(done.holds);
                self.swept.lots = self.swept.lots.saturating_add(done.lots);
                self.swept.requests = self.swept.requests.saturating_add(done.requests);
                Ok(done.holds > 0 || done.lots > 0 || done.requests > 0)
            }
            // Without a database there is no use in trying the others.
            Err(error) if is_unavailable(&error) => Err(error),
            Err(error) => {
                self.swept.failed.push((account_id.clone(), error));
                Ok(false)
            }
        }
    }
}

fn is_unavailable(error: &Error) -> bool {
    error.store_error().map(StoreFailure::of) == Some(StoreFailure::Unavailable)
}

struct DueAccounts {
    now: DateTime<Utc>,
    without: Vec<AccountId>,
    limit: u32,
}

impl Reading for DueAccounts {
    type Answer = Vec<AccountId>;

    async fn read(&self, tx: &mut Tx) -> Result<Self::Answer, Error> {
        Ok(tx.list_due_accounts(self.now, &self.without, self.limit).await?)
    }
}

struct SweepAccount {
    desk: Desk,
    context: Context,
    account_id: AccountId,
}

#[derive(Default)]
struct Done {
    holds: usize,
    lots: usize,
    requests: usize,
}

impl Work for SweepAccount {
    type Output = Done;
    type Error = Error;

    async fn run(&self, tx: &mut Tx) -> Result<Done, Error> {
        let Some(account) = tx.lock_account(&self.account_id).await? else {
            return Ok(Done::default());
        };
        let now = self.context.clock.now().max(account.last_at);
        let mut session = Session::open(tx, &self.desk, &self.context, &self.account_id, account, now)?;
        let requests = expire_requests(&mut session).await?;
        let done = Done { requests, ..settle(&mut session).await? };
        session.finish().await?;
        Ok(done)
    }
}

/// Ends what is over by the session's instant.
async fn settle(session: &mut Session<'_>) -> Result<Done, Error> {
    let (account_id, now) = (session.account_id, session.now);
    let attempts = session.tx.list_overdue_attempts(account_id, now, HOLDS_PER_TRANSACTION).await?;
    // In the order of their ends: what a lost dispute is owed is paid by whoever comes back first.
    let usages = session.list_usages(&attempts).await?;
    let allocations = usages.iter().flat_map(|usage| &usage.allocations);
    let lot_ids: Vec<LotId> = allocations.map(|allocation| allocation.lot_id).collect();
    let is_suspended = session.standing().await?.has(RestrictionKind::Suspended);
    let mut book = session.book(&lot_ids).await?;
    // Holds first: credits that come back to a lot that ran out have a grace, what else lay there has none.
    let mut ended = Vec::new();
    for mut usage in usages {
        if book.expire_hold(&mut usage)? {
            ended.push(usage);
        }
    }
    // A suspension freezes value and never destroys it: these lots wait for its end.
    let lots = if is_suspended { 0 } else { book.expire()? };
    if lots == 0 && ended.is_empty() {
        return Ok(Done::default());
    }
    session.record(book.close()).await?;
    session.keep_usages(&ended).await?;
    Ok(Done { holds: ended.len(), lots, requests: 0 })
}

/// Ends the requests whose question nobody answered.
async fn expire_requests(session: &mut Session<'_>) -> Result<usize, Error> {
    let (account_id, now) = (session.account_id, session.now);
    let run_out = session.tx.list_run_out_requests(account_id, now, REQUESTS_PER_TRANSACTION).await?;
    let requests = run_out.len();
    for request in run_out {
        lifecycle::expire(session, request).await?;
    }
    Ok(requests)
}
