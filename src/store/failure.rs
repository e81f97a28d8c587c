//! Usages that failed, loaded and given back many at once. What counts as a failure of ours is the database's
//! `failed_through_us`, for the facts of a decision and for its remedy alike.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::credits::Credits;
use crate::domain::fault;
use crate::domain::ids::{AccountId, Attempt, IncidentId, LotId};
use crate::domain::usage::{Allocation, Failure, Usage, UsageStage};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Most usages that one statement loads: with their allocations a few hundred kilobytes.
pub const MAX_FAILURES: i64 = 500;

struct Row {
    job_id: String,
    attempt: i32,
    stage: String,
    cost: i64,
    outputs: i32,
    delivered_outputs: Option<i32>,
    held_at: DateTime<Utc>,
    hold_expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    trace_id: Option<String>,
    cause: Option<String>,
    fault: Option<String>,
    failed_at: Option<DateTime<Utc>>,
    reported_at: Option<DateTime<Utc>>,
    failure_trace_id: Option<String>,
}

impl Row {
    fn usage(self, allocations: &mut BTreeMap<Attempt, Vec<Allocation>>) -> Result<Usage, Error> {
        let place = Place { table: "usage", key: &self.job_id };
        let attempt = Attempt { job_id: place.id("job_id", self.job_id.clone())?, number: self.attempt };
        let failure = match (self.cause, self.fault, self.failed_at, self.reported_at) {
            (Some(cause), Some(fault), Some(failed_at), Some(reported_at)) => Some(Failure {
                cause: place.id("cause", cause)?,
                fault: place.word("fault", &fault, fault::Fault::parse)?,
                failed_at,
                reported_at,
                trace_id: self.failure_trace_id,
            }),
            _ => None,
        };
        Ok(Usage {
            stage: place.word("stage", &self.stage, UsageStage::parse)?,
            cost: place.credits("cost", self.cost)?,
            outputs: self.outputs,
            delivered_outputs: self.delivered_outputs,
            allocations: allocations.remove(&attempt).unwrap_or_default(),
            held_at: self.held_at,
            hold_expires_at: self.hold_expires_at,
            ended_at: self.ended_at,
            failure,
            trace_id: self.trace_id,
            attempt,
        })
    }
}

/// Usages of one account by one condition: the same columns each time.
macro_rules! list_usages {
    ($tx:expr, $condition:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "SELECT u.job_id, u.attempt, u.stage, u.cost, u.outputs, u.delivered_outputs, u.held_at,
                u.hold_expires_at, u.ended_at, u.trace_id, u.cause, u.fault, u.failed_at, u.reported_at,
                u.failure_trace_id
             FROM usage u WHERE u.account_id = $1 AND " + $condition,
            $($argument),+
        )
        .fetch_all($tx.connection())
        .await?
    };
}

impl Tx {
    /// Attempts whose failure is ours and whose charge was not given back, the latest first, at most
    /// [`MAX_FAILURES`].
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_failed_usages(&mut self, account_id: &AccountId) -> Result<Vec<Usage>, Error> {
        let rows = list_usages!(
            self,
            "u.stage = 'captured' AND u.fault IS NOT NULL
                AND failed_through_us(u.account_id, u.cause, u.fault, u.failed_at)
                AND EXISTS (
                    SELECT FROM allocation a
                    WHERE a.account_id = u.account_id AND a.job_id = u.job_id AND a.attempt = u.attempt
                        AND a.captured > a.restored)
             ORDER BY u.ended_at DESC, u.job_id DESC, u.attempt DESC LIMIT $2",
            account_id.as_str(),
            MAX_FAILURES
        );
        self.with_allocations(account_id, rows).await
    }

    /// The account's attempts that an incident covers, whatever became of them, by job and attempt; at most
    /// [`MAX_FAILURES`].
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_failures_of_incident(
        &mut self,
        account_id: &AccountId,
        incident_id: IncidentId,
        after: Option<&Attempt>,
    ) -> Result<Vec<Usage>, Error> {
        let rows = list_usages!(
            self,
            "u.failed_at IS NOT NULL AND (u.job_id, u.attempt) > ($3, $4)
                AND EXISTS (
                    SELECT FROM incident i
                    WHERE i.incident_id = $2 AND incident_covers(i.started_at, i.ended_at, i.accounts, i.causes,
                        u.account_id, u.cause, u.fault, u.failed_at))
             ORDER BY u.job_id, u.attempt LIMIT $5",
            account_id.as_str(),
            incident_id.0,
            after.map_or("", |after| after.job_id.as_str()),
            after.map_or(0, |after| after.number),
            MAX_FAILURES
        );
        self.with_allocations(account_id, rows).await
    }

    async fn with_allocations(
        &mut self,
        account_id: &AccountId,
        usages: Vec<Row>,
    ) -> Result<Vec<Usage>, Error> {
        let job_ids: Vec<String> = usages.iter().map(|usage| usage.job_id.clone()).collect();
        let attempts: Vec<i32> = usages.iter().map(|usage| usage.attempt).collect();
        let rows = sqlx::query!(
            "SELECT job_id, attempt, lot_id, taken, captured, released, restored
             FROM allocation JOIN unnest($2::text[], $3::integer[]) AS wanted (job_id, attempt)
                USING (job_id, attempt)
             WHERE account_id = $1 ORDER BY job_id, attempt, position",
            account_id.as_str(),
            &job_ids,
            &attempts,
        )
        .fetch_all(self.connection())
        .await?;
        let mut allocations: BTreeMap<Attempt, Vec<Allocation>> = BTreeMap::new();
        for row in rows {
            let place = Place { table: "allocation", key: account_id };
            let attempt = Attempt { job_id: place.id("job_id", row.job_id)?, number: row.attempt };
            allocations.entry(attempt).or_default().push(Allocation {
                lot_id: LotId(row.lot_id),
                taken: place.credits("taken", row.taken)?,
                captured: place.credits("captured", row.captured)?,
                released: place.credits("released", row.released)?,
                restored: place.credits("restored", row.restored)?,
            });
        }
        usages.into_iter().map(|row| row.usage(&mut allocations)).collect()
    }

    /// Writes back usages whose whole charge was given back.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_restored_usages(
        &mut self,
        account_id: &AccountId,
        usages: &[Usage],
    ) -> Result<(), Error> {
        let job_ids: Vec<String> = usages.iter().map(|usage| usage.attempt.job_id.to_string()).collect();
        let attempts: Vec<i32> = usages.iter().map(|usage| usage.attempt.number).collect();
        let stages: Vec<String> = usages.iter().map(|usage| usage.stage.name().to_owned()).collect();
        sqlx::query!(
            "UPDATE usage SET stage = new.stage
             FROM unnest($2::text[], $3::integer[], $4::text[]) AS new (job_id, attempt, stage)
             WHERE usage.account_id = $1 AND usage.job_id = new.job_id AND usage.attempt = new.attempt",
            account_id.as_str(),
            &job_ids,
            &attempts,
            &stages,
        )
        .execute(self.connection())
        .await?;
        self.update_restored_allocations(account_id, usages).await
    }

    async fn update_restored_allocations(
        &mut self,
        account_id: &AccountId,
        usages: &[Usage],
    ) -> Result<(), Error> {
        let parts = || {
            usages.iter().flat_map(|usage| {
                (1_i32..).zip(&usage.allocations).map(|(position, part)| (&usage.attempt, position, part))
            })
        };
        let job_ids: Vec<String> = parts().map(|(attempt, ..)| attempt.job_id.to_string()).collect();
        let attempts: Vec<i32> = parts().map(|(attempt, ..)| attempt.number).collect();
        let positions: Vec<i32> = parts().map(|(_, position, _)| position).collect();
        let restored: Vec<i64> = parts().map(|(.., part)| part.restored.get()).collect();
        sqlx::query!(
            "UPDATE allocation SET restored = new.restored
             FROM unnest($2::text[], $3::integer[], $4::integer[], $5::bigint[])
                AS new (job_id, attempt, position, restored)
             WHERE allocation.account_id = $1 AND allocation.job_id = new.job_id
                AND allocation.attempt = new.attempt AND allocation.position = new.position",
            account_id.as_str(),
            &job_ids,
            &attempts,
            &positions,
            &restored,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Charged credits of failed attempts whose fault is ours, over all lots.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn load_failed_credits(&mut self, account_id: &AccountId) -> Result<Credits, Error> {
        let failed = sqlx::query_scalar!(
            "SELECT coalesce(sum(a.captured - a.restored), 0)::bigint AS \"failed!\"
             FROM usage u
             JOIN allocation a ON a.account_id = u.account_id AND a.job_id = u.job_id AND a.attempt = u.attempt
             WHERE u.account_id = $1 AND u.stage = 'captured' AND u.fault IS NOT NULL
                AND failed_through_us(u.account_id, u.cause, u.fault, u.failed_at)",
            account_id.as_str(),
        )
        .fetch_one(self.connection())
        .await?;
        Place { table: "allocation", key: account_id }.credits("captured", failed)
    }
}
