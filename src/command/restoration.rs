//! Makes good everything that failed in an incident (§2.2): account by account, each step a transaction of its own.
//!
//! How far it is lies in the database and moves in the transaction that gives the credits back. So it can be broken
//! off anywhere and taken up by anybody, and two that work on it at once share the work.

use super::incident::incident_not_found;
use super::remedy::lots_of;
use super::run::{Answered, Reading, account_not_found, reused};
use super::session::Session;
use super::{Context, Desk, Error, Reason, Refusal};
use crate::clock::new_id;
use crate::domain::book::Book;
use crate::domain::credits::Credits;
use crate::domain::entry::EntryCause;
use crate::domain::ids::{AccountId, IncidentId, RequestId, RestorationId};
use crate::domain::incident::{FailureCursor, Incident, Restoration};
use crate::domain::usage::{Usage, UsageStage};
use crate::store::{NewRestoration, Tx, Work};

/// Asks to make an incident good.
#[derive(Debug, Clone)]
pub struct RestoreIncident {
    /// The incident.
    pub incident_id: IncidentId,
    /// The run to go on with; `None` for the one that this request id began, or a new one.
    pub restoration_id: Option<RestorationId>,
}

/// How far a restoration is.
#[derive(Debug, Clone)]
pub struct RestorationView {
    /// The restoration.
    pub restoration: Restoration,
    /// Its incident.
    pub incident: Incident,
}

impl Desk {
    /// Begins to make an incident good, or finds the run to go on with. Nothing is given back yet.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such incident or run, or the request id began a run for another incident.
    pub async fn begin_restoration(
        &self,
        context: Context,
        request_id: RequestId,
        order: RestoreIncident,
    ) -> Result<Answered<RestorationView>, Error> {
        self.transact(Begin { context, request_id, order }).await
    }

    /// Makes good the next attempts, all of one account and in one transaction, and says how far the run is. With
    /// nothing left to look at, the run is done, and an incident that is over is restored.
    ///
    /// # Errors
    /// [`Error::Store`]: the run can be gone on with.
    pub async fn continue_restoration(
        &self,
        context: &Context,
        restoration: &Restoration,
    ) -> Result<Restoration, Error> {
        let desk = self.clone();
        let (context, restoration) = (context.clone(), restoration.clone());
        match self.read(NextAccount(restoration.clone())).await? {
            Some(account_id) => self.transact(Step { desk, context, restoration, account_id }).await,
            None => self.transact(Finish { context, restoration }).await,
        }
    }

    /// One incident.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such incident.
    pub async fn get_incident(&self, incident_id: IncidentId) -> Result<Incident, Error> {
        self.read(OneIncident(incident_id)).await
    }
}

struct Begin {
    context: Context,
    request_id: RequestId,
    order: RestoreIncident,
}

impl Work for Begin {
    type Output = Answered<RestorationView>;
    type Error = Error;

    async fn run(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let Self { context, request_id, order } = self;
        let incident_id = order.incident_id;
        let incident = tx.find_incident(incident_id).await?.ok_or_else(incident_not_found)?;
        let known = match order.restoration_id {
            Some(restoration_id) => {
                let known = tx.find_restoration(incident_id, restoration_id).await?;
                Some(known.ok_or_else(token_not_ours)?)
            }
            None => tx.find_restoration_by_request(&context.caller, *request_id).await?,
        };
        if let Some(restoration) = known {
            if restoration.incident_id != incident_id {
                return Err(reused());
            }
            let replayed = restoration.done_at.is_some();
            return Ok(Answered { answer: RestorationView { restoration, incident }, replayed });
        }
        let now = context.clock.now();
        let new = NewRestoration {
            restoration_id: RestorationId(new_id(now)),
            incident_id,
            caller: context.caller.clone(),
            request_id: *request_id,
            attempts_total: tx.count_failures(incident_id).await?,
        };
        tx.insert_restoration(&new, now).await?;
        let restoration = tx.find_restoration(incident_id, new.restoration_id).await?.ok_or(LOST)?;
        Ok(Answered { answer: RestorationView { restoration, incident }, replayed: false })
    }
}

const LOST: Error = Error::Broken("a restoration that was begun is not there");

fn token_not_ours() -> Error {
    let message = "the resume token is of another incident, or not ours";
    Refusal::new(Reason::InvalidField, message).with("field", &"resume_token").into()
}

struct NextAccount(Restoration);

impl Reading for NextAccount {
    type Answer = Option<AccountId>;

    async fn read(&self, tx: &mut Tx) -> Result<Option<AccountId>, Error> {
        let Restoration { incident_id, after, .. } = &self.0;
        Ok(tx.find_next_failed_account(*incident_id, after.as_ref()).await?)
    }
}

struct OneIncident(IncidentId);

impl Reading for OneIncident {
    type Answer = Incident;

    async fn read(&self, tx: &mut Tx) -> Result<Incident, Error> {
        tx.find_incident(self.0).await?.ok_or_else(incident_not_found)
    }
}

/// The next attempts of one account.
struct Step {
    desk: Desk,
    context: Context,
    restoration: Restoration,
    account_id: AccountId,
}

impl Work for Step {
    type Output = Restoration;
    type Error = Error;

    async fn run(&self, tx: &mut Tx) -> Result<Restoration, Error> {
        let Self { desk, context, restoration: Restoration { incident_id, restoration_id, .. }, account_id } =
            self;
        let account = tx.lock_account(account_id).await?.ok_or_else(account_not_found)?;
        let mut restoration = tx.lock_restoration(*incident_id, *restoration_id).await?.ok_or(LOST)?;
        if restoration.is_past(account_id) {
            // Somebody else went on with the same run meanwhile.
            return Ok(restoration);
        }
        let now = context.clock.now().max(account.last_at);
        let mut session = Session::open(tx, desk, context, account_id, account, now)?;
        let after = restoration.last_attempt_of(account_id);
        let attempts = session.tx.list_failures_of_incident(account_id, *incident_id, after).await?;
        let failures = session.list_usages(&attempts).await?;
        let mut book = session.book(&lots_of(&failures)).await?;
        let mut restored = Vec::new();
        for mut usage in failures {
            let cursor = FailureCursor { account_id: account_id.clone(), attempt: usage.attempt.clone() };
            let credits = make_good(&mut book, &mut usage, *incident_id)?;
            restoration.look_at(cursor, credits)?;
            if credits.is_some() {
                restored.push(usage);
            }
        }
        if !restored.is_empty() {
            session.record(book.close()).await?;
            session.keep_usages(&restored).await?;
        }
        session.tx.update_restoration(&restoration).await?;
        session.finish().await?;
        Ok(restoration)
    }
}

/// Gives back what an attempt was charged; `None` when there is nothing to give back.
fn make_good(book: &mut Book, usage: &mut Usage, incident_id: IncidentId) -> Result<Option<Credits>, Error> {
    if usage.stage != UsageStage::Captured || usage.charged()?.is_zero() {
        return Ok(None);
    }
    Ok(Some(book.restore(usage, &EntryCause::Incident(incident_id))?))
}

/// Everything was looked at.
struct Finish {
    context: Context,
    restoration: Restoration,
}

impl Work for Finish {
    type Output = Restoration;
    type Error = Error;

    async fn run(&self, tx: &mut Tx) -> Result<Restoration, Error> {
        let Restoration { incident_id, restoration_id, .. } = self.restoration;
        let mut restoration = tx.lock_restoration(incident_id, restoration_id).await?.ok_or(LOST)?;
        if restoration.done_at.is_some() {
            return Ok(restoration);
        }
        let now = self.context.clock.now();
        let incident = tx.lock_incident(incident_id).await?.ok_or_else(incident_not_found)?;
        // A failure reported behind the run's back waits for the next run.
        if tx.find_unrestored_account(incident_id).await?.is_none() {
            let restored = incident.clone().restore(now);
            if restored != incident {
                tx.update_incident(&restored).await?;
            }
        }
        restoration.done_at = Some(now);
        tx.update_restoration(&restoration).await?;
        Ok(restoration)
    }
}
