//! Many accounts at once: what a lane reads and writes, one statement per table.

use super::read::Place;
use super::{AccountRow, Error, Key, StoredAnswer, Tx};
use crate::domain::entry::{ChainHead, Entry};
use crate::domain::fault;
use crate::domain::ids::{AccountId, Attempt, LotId};
use crate::domain::restriction::RestrictionKind;
use crate::domain::usage::{Allocation, Failure, Usage, UsageStage};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use uuid::Uuid;

fn texts<T>(of: &[T], text: impl Fn(&T) -> &str) -> Vec<String> {
    of.iter().map(|item| text(item).to_owned()).collect()
}

impl Tx {
    /// Locks accounts in ascending order until the transaction ends; the ones that exist come back.
    ///
    /// # Errors
    /// [`Error::TooSlow`] when another transaction keeps one locked; a failure of the database.
    pub async fn lock_accounts(
        &mut self,
        account_ids: &[&AccountId],
    ) -> Result<Vec<(AccountId, AccountRow)>, Error> {
        let rows = sqlx::query!(
            "SELECT account_id, last_seq, last_hash, last_at FROM account
             WHERE account_id = ANY($1) ORDER BY account_id FOR NO KEY UPDATE",
            &texts(account_ids, |id| id.as_str()),
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter()
            .map(|row| {
                let place = Place { table: "account", key: &row.account_id };
                let hash = place.hash("last_hash", row.last_hash)?;
                let head = ChainHead { seq: row.last_seq, hash };
                let account_id = place.id("account_id", row.account_id.clone())?;
                Ok((account_id, AccountRow { head, last_at: row.last_at }))
            })
            .collect()
    }

    /// The answers that these calls had, each with the call's place in `keys`.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_answers(&mut self, keys: &[Key<'_>]) -> Result<BTreeMap<usize, StoredAnswer>, Error> {
        let request_ids: Vec<Uuid> = keys.iter().map(|key| key.request_id.0).collect();
        let rows = sqlx::query!(
            "SELECT asked.place AS \"place!\", fingerprint, refused, answer
             FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[]) WITH ORDINALITY
                AS asked (account_id, caller, method, request_id, place)
             JOIN idempotency_key USING (account_id, caller, method, request_id)",
            &texts(keys, |key| key.account_id.as_str()),
            &texts(keys, |key| key.caller),
            &texts(keys, |key| key.method),
            &request_ids,
        )
        .fetch_all(self.connection())
        .await?;
        let place = |ordinal: i64| usize::try_from(ordinal.saturating_sub(1)).unwrap_or_default();
        Ok(rows
            .into_iter()
            .map(|row| {
                let answer =
                    StoredAnswer { fingerprint: row.fingerprint, refused: row.refused, answer: row.answer };
                (place(row.place), answer)
            })
            .collect())
    }

    /// Keeps the answers of calls, in the transaction of their effects.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn insert_answers(
        &mut self,
        answers: &[(Key<'_>, StoredAnswer, DateTime<Utc>)],
    ) -> Result<(), Error> {
        if answers.is_empty() {
            return Ok(());
        }
        let request_ids: Vec<Uuid> = answers.iter().map(|(key, ..)| key.request_id.0).collect();
        let refused: Vec<bool> = answers.iter().map(|(_, answer, _)| answer.refused).collect();
        let at: Vec<DateTime<Utc>> = answers.iter().map(|(.., at)| *at).collect();
        sqlx::query!(
            "INSERT INTO idempotency_key
                (account_id, caller, method, request_id, fingerprint, refused, answer, created_at)
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::boolean[],
                $7::text[], $8::timestamptz[])",
            &texts(answers, |(key, ..)| key.account_id.as_str()),
            &texts(answers, |(key, ..)| key.caller),
            &texts(answers, |(key, ..)| key.method),
            &request_ids,
            &texts(answers, |(_, answer, _)| &answer.fingerprint),
            &refused,
            &texts(answers, |(_, answer, _)| &answer.answer),
            &at,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The restrictions in force on any of these accounts.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_restriction_kinds(
        &mut self,
        account_ids: &[&AccountId],
    ) -> Result<Vec<(AccountId, RestrictionKind)>, Error> {
        let rows = sqlx::query!(
            "SELECT account_id, kind FROM restriction WHERE account_id = ANY($1) AND lifted_at IS NULL",
            &texts(account_ids, |id| id.as_str()),
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter()
            .map(|row| {
                let place = Place { table: "restriction", key: &row.account_id };
                let kind = place.word("kind", &row.kind, RestrictionKind::parse)?;
                Ok((place.id("account_id", row.account_id.clone())?, kind))
            })
            .collect()
    }

    /// The usages of attempts, those that exist, with what they took.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_usages(
        &mut self,
        attempts: &[(&AccountId, &Attempt)],
    ) -> Result<Vec<(AccountId, Usage)>, Error> {
        let numbers: Vec<i32> = attempts.iter().map(|(_, attempt)| attempt.number).collect();
        let rows = sqlx::query!(
            "SELECT u.account_id, u.job_id, u.attempt, stage, cost, outputs, delivered_outputs, held_at,
                hold_expires_at, ended_at, trace_id, cause, fault, failed_at, reported_at, failure_trace_id,
                a.lot_ids AS \"lot_ids!\", a.taken AS \"taken!\", a.captured AS \"captured!\",
                a.released AS \"released!\", a.restored AS \"restored!\"
             FROM unnest($1::text[], $2::text[], $3::integer[]) AS asked (account_id, job_id, attempt)
             JOIN usage u USING (account_id, job_id, attempt)
             CROSS JOIN LATERAL (
                SELECT array_agg(lot_id ORDER BY position) AS lot_ids, array_agg(taken ORDER BY position) AS taken,
                    array_agg(captured ORDER BY position) AS captured,
                    array_agg(released ORDER BY position) AS released,
                    array_agg(restored ORDER BY position) AS restored
                FROM allocation WHERE allocation.account_id = u.account_id AND allocation.job_id = u.job_id
                    AND allocation.attempt = u.attempt) AS a",
            &texts(attempts, |(account_id, _)| account_id.as_str()),
            &texts(attempts, |(_, attempt)| attempt.job_id.as_str()),
            &numbers,
        )
        .fetch_all(self.connection())
        .await?;
        let mut usages = Vec::with_capacity(rows.len());
        for row in rows {
            let place = Place { table: "usage", key: &row.job_id };
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
            let amounts = row.taken.into_iter().zip(row.captured).zip(row.released).zip(row.restored);
            let allocations = row.lot_ids.into_iter().zip(amounts);
            let allocations = allocations.map(|(lot_id, (((taken, captured), released), restored))| {
                Ok(Allocation {
                    lot_id: LotId(lot_id),
                    taken: place.credits("taken", taken)?,
                    captured: place.credits("captured", captured)?,
                    released: place.credits("released", released)?,
                    restored: place.credits("restored", restored)?,
                })
            });
            let usage = Usage {
                attempt: Attempt { job_id: place.id("job_id", row.job_id.clone())?, number: row.attempt },
                stage: place.word("stage", &row.stage, UsageStage::parse)?,
                cost: place.credits("cost", row.cost)?,
                outputs: row.outputs,
                delivered_outputs: row.delivered_outputs,
                allocations: allocations.collect::<Result<_, Error>>()?,
                held_at: row.held_at,
                hold_expires_at: row.hold_expires_at,
                ended_at: row.ended_at,
                failure,
                trace_id: row.trace_id,
            };
            usages.push((place.id("account_id", row.account_id)?, usage));
        }
        Ok(usages)
    }

    /// Moves the ends of chains and the accounts' times.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_accounts(&mut self, accounts: &[(&AccountId, AccountRow)]) -> Result<(), Error> {
        if accounts.is_empty() {
            return Ok(());
        }
        let seqs: Vec<i64> = accounts.iter().map(|(_, row)| row.head.seq).collect();
        let hashes: Vec<Vec<u8>> = accounts.iter().map(|(_, row)| row.head.hash.to_vec()).collect();
        let at: Vec<DateTime<Utc>> = accounts.iter().map(|(_, row)| row.last_at).collect();
        sqlx::query!(
            "UPDATE account SET last_seq = new.last_seq, last_hash = new.last_hash, last_at = new.last_at
             FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::timestamptz[])
                AS new (account_id, last_seq, last_hash, last_at)
             WHERE account.account_id = new.account_id",
            &texts(accounts, |(account_id, _)| account_id.as_str()),
            &seqs,
            &hashes,
            &at,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Appends entries to their accounts' chains.
    ///
    /// # Errors
    /// [`Error::Refused`] when a place in a chain is taken; a failure of the database.
    pub async fn append_entries(&mut self, entries: &[(&AccountId, &Entry)]) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let seqs: Vec<i64> = entries.iter().map(|(_, entry)| entry.seq).collect();
        let lot_ids: Vec<Uuid> = entries.iter().map(|(_, entry)| entry.movement.lot_id.0).collect();
        let credits: Vec<i64> = entries.iter().map(|(_, entry)| entry.movement.credits.get()).collect();
        let cause_ids: Vec<String> = entries.iter().map(|(_, entry)| entry.movement.cause.id()).collect();
        let trace_ids: Vec<Option<String>> =
            entries.iter().map(|(_, entry)| entry.trace_id.clone()).collect();
        let at: Vec<DateTime<Utc>> = entries.iter().map(|(_, entry)| entry.at).collect();
        let prev_hashes: Vec<Vec<u8>> = entries.iter().map(|(_, entry)| entry.prev_hash.to_vec()).collect();
        let hashes: Vec<Vec<u8>> = entries.iter().map(|(_, entry)| entry.hash.to_vec()).collect();
        sqlx::query!(
            "INSERT INTO entry (account_id, seq, lot_id, from_bucket, to_bucket, credits, cause_kind, cause_id,
                actor, trace_id, at, prev_hash, hash)
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::bigint[],
                $7::text[], $8::text[], $9::text[], $10::text[], $11::timestamptz[], $12::bytea[], $13::bytea[])",
            &texts(entries, |(account_id, _)| account_id.as_str()),
            &seqs,
            &lot_ids,
            &texts(entries, |(_, entry)| entry.movement.from.name()),
            &texts(entries, |(_, entry)| entry.movement.to.name()),
            &credits,
            &texts(entries, |(_, entry)| entry.movement.cause.kind()),
            &cause_ids,
            &texts(entries, |(_, entry)| entry.actor.as_str()),
            &trace_ids as &[Option<String>],
            &at,
            &prev_hashes,
            &hashes,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
