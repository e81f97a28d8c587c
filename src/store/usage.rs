//! Usages and what they took from which lots.

use super::{Error, Tx};
use crate::domain::ids::{AccountId, Attempt};
use crate::domain::usage::{Allocation, Failure, Usage};
use chrono::{DateTime, Utc};

impl Tx {
    /// Writes usages, new or known, as they are now.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn upsert_usages(&mut self, usages: &[(&AccountId, &Usage)]) -> Result<(), Error> {
        if usages.is_empty() {
            return Ok(());
        }
        let failures: Vec<Option<&Failure>> =
            usages.iter().map(|(_, usage)| usage.failure.as_ref()).collect();
        let words = |of: &dyn Fn(&Failure) -> Option<String>| {
            failures.iter().map(|failure| failure.and_then(of)).collect::<Vec<Option<String>>>()
        };
        let times = |of: fn(&Failure) -> DateTime<Utc>| {
            failures.iter().map(|failure| failure.map(of)).collect::<Vec<Option<DateTime<Utc>>>>()
        };
        sqlx::query!(
            "INSERT INTO usage (account_id, job_id, attempt, stage, cost, outputs, delivered_outputs, held_at,
                hold_expires_at, ended_at, trace_id, cause, fault, failed_at, reported_at, failure_trace_id)
             SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::bigint[], $6::integer[],
                $7::integer[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[],
                $13::text[], $14::timestamptz[], $15::timestamptz[], $16::text[])
             ON CONFLICT ON CONSTRAINT usage_key DO UPDATE SET stage = excluded.stage,
                delivered_outputs = excluded.delivered_outputs, ended_at = excluded.ended_at,
                cause = excluded.cause, fault = excluded.fault, failed_at = excluded.failed_at,
                reported_at = excluded.reported_at, failure_trace_id = excluded.failure_trace_id",
            &usages.iter().map(|(id, _)| id.as_str().to_owned()).collect::<Vec<_>>(),
            &usages.iter().map(|(_, usage)| usage.attempt.job_id.to_string()).collect::<Vec<_>>(),
            &usages.iter().map(|(_, usage)| usage.attempt.number).collect::<Vec<_>>(),
            &usages.iter().map(|(_, usage)| usage.stage.name().to_owned()).collect::<Vec<_>>(),
            &usages.iter().map(|(_, usage)| usage.cost.get()).collect::<Vec<_>>(),
            &usages.iter().map(|(_, usage)| usage.outputs).collect::<Vec<_>>(),
            &usages.iter().map(|(_, usage)| usage.delivered_outputs).collect::<Vec<_>>() as &[Option<i32>],
            &usages.iter().map(|(_, usage)| usage.held_at).collect::<Vec<_>>(),
            &usages.iter().map(|(_, usage)| usage.hold_expires_at).collect::<Vec<_>>(),
            &usages.iter().map(|(_, usage)| usage.ended_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
            &usages.iter().map(|(_, usage)| usage.trace_id.clone()).collect::<Vec<_>>() as &[Option<String>],
            &words(&|failure| Some(failure.cause.to_string())) as &[Option<String>],
            &words(&|failure| Some(failure.fault.name().to_owned())) as &[Option<String>],
            &times(|failure| failure.failed_at) as &[Option<DateTime<Utc>>],
            &times(|failure| failure.reported_at) as &[Option<DateTime<Utc>>],
            &words(&|failure| failure.trace_id.clone()) as &[Option<String>],
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes what usages took from which lots, new or known, as it is now.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn upsert_allocations(&mut self, usages: &[(&AccountId, &Usage)]) -> Result<(), Error> {
        if usages.is_empty() {
            return Ok(());
        }
        let rows: Vec<(&AccountId, &Attempt, i32, &Allocation)> = usages
            .iter()
            .flat_map(|(account_id, usage)| {
                let placed = (1..).zip(&usage.allocations);
                placed.map(|(position, allocation)| (*account_id, &usage.attempt, position, allocation))
            })
            .collect();
        let column = |of: fn(&Allocation) -> i64| rows.iter().map(|(.., row)| of(row)).collect::<Vec<i64>>();
        sqlx::query!(
            "INSERT INTO allocation
                (account_id, job_id, attempt, position, lot_id, taken, captured, released, restored)
             SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::integer[], $5::uuid[], $6::bigint[],
                $7::bigint[], $8::bigint[], $9::bigint[])
             ON CONFLICT ON CONSTRAINT allocation_key DO UPDATE SET captured = excluded.captured,
                released = excluded.released, restored = excluded.restored",
            &rows.iter().map(|(id, ..)| id.as_str().to_owned()).collect::<Vec<_>>(),
            &rows.iter().map(|(_, attempt, ..)| attempt.job_id.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|(_, attempt, ..)| attempt.number).collect::<Vec<_>>(),
            &rows.iter().map(|(_, _, position, _)| *position).collect::<Vec<_>>(),
            &rows.iter().map(|(.., row)| row.lot_id.0).collect::<Vec<_>>(),
            &column(|row| row.taken.get()),
            &column(|row| row.captured.get()),
            &column(|row| row.released.get()),
            &column(|row| row.restored.get()),
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
