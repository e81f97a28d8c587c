//! Usages and what they took from which lots.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::fault;
use crate::domain::ids::{AccountId, Attempt, LotId};
use crate::domain::usage::{Allocation, Failure, Usage, UsageStage};
use uuid::Uuid;

impl Tx {
    /// The usage of one attempt.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_usage(
        &mut self,
        account_id: &AccountId,
        attempt: &Attempt,
    ) -> Result<Option<Usage>, Error> {
        let row = sqlx::query!(
            "SELECT stage, cost, outputs, delivered_outputs, held_at, hold_expires_at, ended_at, trace_id, cause,
                fault, failed_at, reported_at, failure_trace_id
             FROM usage WHERE account_id = $1 AND job_id = $2 AND attempt = $3",
            account_id.as_str(),
            attempt.job_id.as_str(),
            attempt.number,
        )
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let place = Place { table: "usage", key: attempt };
        let failure = match (row.cause, row.fault, row.failed_at, row.reported_at) {
            (Some(cause), Some(fault), Some(failed_at), Some(reported_at)) => Some(Failure {
                cause: place.id("cause", cause)?,
                fault: place.word("fault", &fault, fault::Fault::parse)?,
                failed_at,
                reported_at,
                trace_id: row.failure_trace_id,
            }),
            _ => None,
        };
        Ok(Some(Usage {
            attempt: attempt.clone(),
            stage: place.word("stage", &row.stage, UsageStage::parse)?,
            cost: place.credits("cost", row.cost)?,
            outputs: row.outputs,
            delivered_outputs: row.delivered_outputs,
            allocations: self.list_allocations(account_id, attempt).await?,
            held_at: row.held_at,
            hold_expires_at: row.hold_expires_at,
            ended_at: row.ended_at,
            failure,
            trace_id: row.trace_id,
        }))
    }

    async fn list_allocations(
        &mut self,
        account_id: &AccountId,
        attempt: &Attempt,
    ) -> Result<Vec<Allocation>, Error> {
        let rows = sqlx::query!(
            "SELECT lot_id, taken, captured, released, restored FROM allocation
             WHERE account_id = $1 AND job_id = $2 AND attempt = $3 ORDER BY position",
            account_id.as_str(),
            attempt.job_id.as_str(),
            attempt.number,
        )
        .fetch_all(self.connection())
        .await?;
        let place = Place { table: "allocation", key: attempt };
        rows.into_iter()
            .map(|row| {
                Ok(Allocation {
                    lot_id: LotId(row.lot_id),
                    taken: place.credits("taken", row.taken)?,
                    captured: place.credits("captured", row.captured)?,
                    released: place.credits("released", row.released)?,
                    restored: place.credits("restored", row.restored)?,
                })
            })
            .collect()
    }

    /// Writes a new usage.
    ///
    /// # Errors
    /// [`Error::Refused`] when the attempt is known; a failure of the database.
    pub async fn insert_usage(&mut self, account_id: &AccountId, usage: &Usage) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO usage
                (account_id, job_id, attempt, stage, cost, outputs, held_at, hold_expires_at, trace_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            account_id.as_str(),
            usage.attempt.job_id.as_str(),
            usage.attempt.number,
            usage.stage.name(),
            usage.cost.get(),
            usage.outputs,
            usage.held_at,
            usage.hold_expires_at,
            usage.trace_id,
        )
        .execute(self.connection())
        .await?;
        let positions: Vec<i32> = (1..).take(usage.allocations.len()).collect();
        let lot_ids: Vec<Uuid> = usage.allocations.iter().map(|allocation| allocation.lot_id.0).collect();
        let taken: Vec<i64> = usage.allocations.iter().map(|allocation| allocation.taken.get()).collect();
        sqlx::query!(
            "INSERT INTO allocation
                (account_id, job_id, attempt, position, lot_id, taken, captured, released, restored)
             SELECT $1, $2, $3, new.position, new.lot_id, new.taken, 0, 0, 0
             FROM unnest($4::integer[], $5::uuid[], $6::bigint[]) AS new (position, lot_id, taken)",
            account_id.as_str(),
            usage.attempt.job_id.as_str(),
            usage.attempt.number,
            &positions,
            &lot_ids,
            &taken,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes back how a usage ended.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_usage(&mut self, account_id: &AccountId, usage: &Usage) -> Result<(), Error> {
        let failure = usage.failure.as_ref();
        sqlx::query!(
            "UPDATE usage SET stage = $4, delivered_outputs = $5, ended_at = $6, cause = $7, fault = $8,
                failed_at = $9, reported_at = $10, failure_trace_id = $11
             WHERE account_id = $1 AND job_id = $2 AND attempt = $3",
            account_id.as_str(),
            usage.attempt.job_id.as_str(),
            usage.attempt.number,
            usage.stage.name(),
            usage.delivered_outputs,
            usage.ended_at,
            failure.map(|failure| failure.cause.as_str()),
            failure.map(|failure| failure.fault.name()),
            failure.map(|failure| failure.failed_at),
            failure.map(|failure| failure.reported_at),
            failure.and_then(|failure| failure.trace_id.as_deref()),
        )
        .execute(self.connection())
        .await?;
        let column = |of: fn(&Allocation) -> i64| usage.allocations.iter().map(of).collect::<Vec<i64>>();
        let positions: Vec<i32> = (1..).take(usage.allocations.len()).collect();
        sqlx::query!(
            "UPDATE allocation SET captured = new.captured, released = new.released, restored = new.restored
             FROM unnest($4::integer[], $5::bigint[], $6::bigint[], $7::bigint[])
                AS new (position, captured, released, restored)
             WHERE allocation.account_id = $1 AND allocation.job_id = $2 AND allocation.attempt = $3
                AND allocation.position = new.position",
            account_id.as_str(),
            usage.attempt.job_id.as_str(),
            usage.attempt.number,
            &positions,
            &column(|allocation| allocation.captured.get()),
            &column(|allocation| allocation.released.get()),
            &column(|allocation| allocation.restored.get()),
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Keeps what the worker wrote about a failure, apart; the first report stands.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_failure_text(
        &mut self,
        account_id: &AccountId,
        attempt: &Attempt,
        error_message: &str,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO failure_text (account_id, job_id, attempt, error_message) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
            account_id.as_str(),
            attempt.job_id.as_str(),
            attempt.number,
            error_message,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
