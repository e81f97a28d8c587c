//! Restorations: runs over everything that failed in an incident.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::ids::{AccountId, Actor, Attempt, IncidentId, RequestId, RestorationId};
use crate::domain::incident::{FailureCursor, Restoration};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A restoration to begin.
#[derive(Debug, Clone)]
pub struct NewRestoration {
    /// Its id.
    pub restoration_id: RestorationId,
    /// What is made good.
    pub incident_id: IncidentId,
    /// Who asked.
    pub caller: Actor,
    /// The caller's id of the call.
    pub request_id: RequestId,
    /// Attempts to look at.
    pub attempts_total: i64,
}

struct Row {
    incident_id: Uuid,
    restoration_id: Uuid,
    attempts_total: i64,
    after_account_id: String,
    after_job_id: String,
    after_attempt: i32,
    accounts_seen: i64,
    attempts_restored: i64,
    attempts_skipped: i64,
    credits_restored: i64,
    done_at: Option<DateTime<Utc>>,
}

impl Row {
    fn restoration(self) -> Result<Restoration, Error> {
        let place = Place { table: "restoration", key: &self.restoration_id };
        let after = if self.after_attempt == 0 {
            None
        } else {
            let account_id = place.id("after_account_id", self.after_account_id)?;
            let job_id = place.id("after_job_id", self.after_job_id)?;
            Some(FailureCursor { account_id, attempt: Attempt { job_id, number: self.after_attempt } })
        };
        Ok(Restoration {
            restoration_id: RestorationId(self.restoration_id),
            incident_id: IncidentId(self.incident_id),
            attempts_total: self.attempts_total,
            after,
            accounts_seen: self.accounts_seen,
            attempts_restored: self.attempts_restored,
            attempts_skipped: self.attempts_skipped,
            credits_restored: place.credits("credits_restored", self.credits_restored)?,
            done_at: self.done_at,
        })
    }
}

/// A restoration by one condition: the same columns each time.
macro_rules! select_restoration {
    ($tx:expr, $condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "SELECT incident_id, restoration_id, attempts_total, after_account_id, after_job_id, after_attempt,
                accounts_seen, attempts_restored, attempts_skipped, credits_restored, done_at
             FROM restoration WHERE " + $condition,
            $($argument),+
        )
        .fetch_optional($tx.connection())
        .await?
        .map(Row::restoration)
        .transpose()
    };
}

impl Tx {
    /// The restoration that a call began.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_restoration_by_request(
        &mut self,
        caller: &Actor,
        request_id: RequestId,
    ) -> Result<Option<Restoration>, Error> {
        select_restoration!(self, "caller = $1 AND request_id = $2", caller.as_str(), request_id.0)
    }

    /// A restoration.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_restoration(
        &mut self,
        incident_id: IncidentId,
        restoration_id: RestorationId,
    ) -> Result<Option<Restoration>, Error> {
        select_restoration!(self, "incident_id = $1 AND restoration_id = $2", incident_id.0, restoration_id.0)
    }

    /// A restoration, locked until the transaction ends.
    ///
    /// # Errors
    /// [`Error::TooSlow`] when another transaction keeps it locked; a failure of the database.
    pub async fn lock_restoration(
        &mut self,
        incident_id: IncidentId,
        restoration_id: RestorationId,
    ) -> Result<Option<Restoration>, Error> {
        select_restoration!(
            self,
            "incident_id = $1 AND restoration_id = $2 FOR NO KEY UPDATE",
            incident_id.0,
            restoration_id.0
        )
    }

    /// Begins a restoration.
    ///
    /// # Errors
    /// [`Error::Refused`] when the call began one already; a failure of the database.
    pub async fn insert_restoration(&mut self, new: &NewRestoration, at: DateTime<Utc>) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO restoration (incident_id, restoration_id, caller, request_id, started_at, attempts_total)
             VALUES ($1, $2, $3, $4, $5, $6)",
            new.incident_id.0,
            new.restoration_id.0,
            new.caller.as_str(),
            new.request_id.0,
            at,
            new.attempts_total,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes back how far a restoration is.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_restoration(&mut self, restoration: &Restoration) -> Result<(), Error> {
        let after = restoration.after.as_ref();
        sqlx::query!(
            "UPDATE restoration SET after_account_id = $3, after_job_id = $4, after_attempt = $5,
                accounts_seen = $6, attempts_restored = $7, attempts_skipped = $8, credits_restored = $9,
                done_at = $10
             WHERE incident_id = $1 AND restoration_id = $2",
            restoration.incident_id.0,
            restoration.restoration_id.0,
            after.map_or("", |after| after.account_id.as_str()),
            after.map_or("", |after| after.attempt.job_id.as_str()),
            after.map_or(0, |after| after.attempt.number),
            restoration.accounts_seen,
            restoration.attempts_restored,
            restoration.attempts_skipped,
            restoration.credits_restored.get(),
            restoration.done_at,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// How many failures an incident covers.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn count_failures(&mut self, incident_id: IncidentId) -> Result<i64, Error> {
        let count = sqlx::query_scalar!(
            "SELECT count(*) AS \"count!\" FROM incident i JOIN usage u
                ON u.failed_at IS NOT NULL AND incident_covers(i.started_at, i.ended_at, i.accounts, i.causes,
                    u.account_id, u.cause, u.fault, u.failed_at)
             WHERE i.incident_id = $1",
            incident_id.0,
        )
        .fetch_one(self.connection())
        .await?;
        Ok(count)
    }

    /// The account of the next failure that an incident covers, by account, job and attempt.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_next_failed_account(
        &mut self,
        incident_id: IncidentId,
        after: Option<&FailureCursor>,
    ) -> Result<Option<AccountId>, Error> {
        let account_id = sqlx::query_scalar!(
            "SELECT u.account_id FROM incident i JOIN usage u
                ON u.failed_at IS NOT NULL AND incident_covers(i.started_at, i.ended_at, i.accounts, i.causes,
                    u.account_id, u.cause, u.fault, u.failed_at)
             WHERE i.incident_id = $1 AND (u.account_id, u.job_id, u.attempt) > ($2, $3, $4)
             ORDER BY u.account_id, u.job_id, u.attempt LIMIT 1",
            incident_id.0,
            after.map_or("", |after| after.account_id.as_str()),
            after.map_or("", |after| after.attempt.job_id.as_str()),
            after.map_or(0, |after| after.attempt.number),
        )
        .fetch_optional(self.connection())
        .await?;
        let place = Place { table: "usage", key: &incident_id };
        account_id.map(|account_id| place.id("account_id", account_id)).transpose()
    }

    /// An account with a failure that an incident covers and whose charge was not given back, if there is any.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_unrestored_account(
        &mut self,
        incident_id: IncidentId,
    ) -> Result<Option<AccountId>, Error> {
        let account_id = sqlx::query_scalar!(
            "SELECT u.account_id FROM incident i JOIN usage u
                ON u.stage = 'captured' AND u.fault IS NOT NULL
                AND incident_covers(i.started_at, i.ended_at, i.accounts, i.causes, u.account_id, u.cause, u.fault,
                    u.failed_at)
             JOIN allocation a ON a.account_id = u.account_id AND a.job_id = u.job_id AND a.attempt = u.attempt
             WHERE i.incident_id = $1 AND a.captured > a.restored LIMIT 1",
            incident_id.0,
        )
        .fetch_optional(self.connection())
        .await?;
        let place = Place { table: "usage", key: &incident_id };
        account_id.map(|account_id| place.id("account_id", account_id)).transpose()
    }
}
