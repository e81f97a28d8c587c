//! Many calls at once: the attempts that they are about, and the answers that they had.

use super::connected::Connected;
use super::read::Place;
use super::{Error, Key, StoredAnswer, Tx};
use crate::domain::fault::Fault;
use crate::domain::ids::{AccountId, Attempt, LotId};
use crate::domain::usage::{Allocation, Failure, Usage, UsageStage};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A call about an attempt, a call by its key, or both.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The account.
    pub account_id: &'a AccountId,
    /// The attempt.
    pub attempt: Option<&'a Attempt>,
    /// The call's key.
    pub key: Option<Key<'a>>,
}

/// What is known of a call.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The attempt's usage.
    pub usage: Option<Usage>,
    /// The answer that the call had.
    pub answer: Option<StoredAnswer>,
}

/// What is known of calls, in their order.
///
/// # Errors
/// A failure of the database.
pub async fn list_known(at: &mut impl Connected, asked: &[Asked<'_>]) -> Result<Vec<Known>, Error> {
    fn optional<T>(asked: &[Asked<'_>], of: impl Fn(&Asked<'_>) -> Option<T>) -> Vec<Option<T>> {
        asked.iter().map(of).collect()
    }
    let job_id = |one: &Asked<'_>| one.attempt.map(|attempt| attempt.job_id.as_str().to_owned());
    let rows = sqlx::query_as!(
        Row,
        "SELECT asked.place AS \"place!\", stage AS \"stage?\", cost AS \"cost?\", outputs AS \"outputs?\",
            delivered_outputs, held_at AS \"held_at?\", hold_expires_at AS \"hold_expires_at?\", ended_at, trace_id,
            cause, fault, failed_at, reported_at, failure_trace_id,
            a.lot_ids, a.taken, a.captured, a.released, a.restored,
            k.fingerprint AS \"fingerprint?\", k.refused AS \"refused?\", k.answer AS \"answer?\"
         FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::uuid[]) WITH ORDINALITY
            AS asked (account_id, job_id, attempt, caller, method, request_id, place)
         LEFT JOIN usage u ON u.account_id = asked.account_id AND u.job_id = asked.job_id
            AND u.attempt = asked.attempt
         CROSS JOIN LATERAL (
            SELECT array_agg(lot_id ORDER BY position) AS lot_ids, array_agg(taken ORDER BY position) AS taken,
                array_agg(captured ORDER BY position) AS captured,
                array_agg(released ORDER BY position) AS released,
                array_agg(restored ORDER BY position) AS restored
            FROM allocation WHERE allocation.account_id = u.account_id AND allocation.job_id = u.job_id
                AND allocation.attempt = u.attempt) AS a
         LEFT JOIN idempotency_key k ON k.account_id = asked.account_id AND k.caller = asked.caller
            AND k.method = asked.method AND k.request_id = asked.request_id
         ORDER BY asked.place",
        &asked.iter().map(|one| one.account_id.as_str().to_owned()).collect::<Vec<_>>(),
        &optional(asked, job_id) as &[Option<String>],
        &optional(asked, |one| one.attempt.map(|attempt| attempt.number)) as &[Option<i32>],
        &optional(asked, |one| one.key.map(|key| key.caller.to_owned())) as &[Option<String>],
        &optional(asked, |one| one.key.map(|key| key.method.to_owned())) as &[Option<String>],
        &optional(asked, |one| one.key.map(|key| key.request_id.0)) as &[Option<Uuid>],
    )
    .fetch_all(at.connection())
    .await?;
    asked.iter().zip(rows).map(|(asked, row)| row.known(asked)).collect()
}

impl Tx {
    /// The usages of attempts, those that exist, with what they took.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_usages(
        &mut self,
        attempts: &[(&AccountId, &Attempt)],
    ) -> Result<Vec<(AccountId, Usage)>, Error> {
        let asked: Vec<Asked<'_>> = attempts
            .iter()
            .map(|&(account_id, attempt)| Asked { account_id, attempt: Some(attempt), key: None })
            .collect();
        let known = list_known(self, &asked).await?;
        let usages = attempts.iter().zip(known);
        Ok(usages.filter_map(|((id, _), known)| Some(((*id).clone(), known.usage?))).collect())
    }
}

struct Row {
    #[expect(dead_code, reason = "rows come in the order of the places, so nobody asks for one's own")]
    place: i64,
    stage: Option<String>,
    cost: Option<i64>,
    outputs: Option<i32>,
    delivered_outputs: Option<i32>,
    held_at: Option<DateTime<Utc>>,
    hold_expires_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    trace_id: Option<String>,
    cause: Option<String>,
    fault: Option<String>,
    failed_at: Option<DateTime<Utc>>,
    reported_at: Option<DateTime<Utc>>,
    failure_trace_id: Option<String>,
    lot_ids: Option<Vec<Uuid>>,
    taken: Option<Vec<i64>>,
    captured: Option<Vec<i64>>,
    released: Option<Vec<i64>>,
    restored: Option<Vec<i64>>,
    fingerprint: Option<String>,
    refused: Option<bool>,
    answer: Option<String>,
}

impl Row {
    fn known(mut self, asked: &Asked<'_>) -> Result<Known, Error> {
        let answer = match (self.fingerprint.take(), self.refused, self.answer.take()) {
            (Some(fingerprint), Some(refused), Some(answer)) => {
                Some(StoredAnswer { fingerprint, refused, answer })
            }
            _ => None,
        };
        let usage = match (asked.attempt, self.stage.take()) {
            (Some(attempt), Some(stage)) => Some(self.usage(attempt, &stage)?),
            _ => None,
        };
        Ok(Known { usage, answer })
    }

    fn usage(self, attempt: &Attempt, stage: &str) -> Result<Usage, Error> {
        let place = Place { table: "usage", key: &attempt.job_id };
        let failure = match (self.cause, self.fault, self.failed_at, self.reported_at) {
            (Some(cause), Some(fault), Some(failed_at), Some(reported_at)) => Some(Failure {
                cause: place.id("cause", cause)?,
                fault: place.word("fault", &fault, Fault::parse)?,
                failed_at,
                reported_at,
                trace_id: self.failure_trace_id,
            }),
            _ => None,
        };
        let (captured, released) = (self.captured.unwrap_or_default(), self.released.unwrap_or_default());
        let taken = self.taken.unwrap_or_default().into_iter();
        let amounts = taken.zip(captured).zip(released).zip(self.restored.unwrap_or_default());
        let allocations = self.lot_ids.unwrap_or_default().into_iter().zip(amounts);
        let allocations = allocations.map(|(lot_id, (((taken, captured), released), restored))| {
            Ok(Allocation {
                lot_id: LotId(lot_id),
                taken: place.credits("taken", taken)?,
                captured: place.credits("captured", captured)?,
                released: place.credits("released", released)?,
                restored: place.credits("restored", restored)?,
            })
        });
        Ok(Usage {
            attempt: attempt.clone(),
            stage: place.word("stage", stage, UsageStage::parse)?,
            cost: place.credits("cost", self.cost.ok_or_else(|| place.corrupt("cost"))?)?,
            outputs: self.outputs.ok_or_else(|| place.corrupt("outputs"))?,
            delivered_outputs: self.delivered_outputs,
            allocations: allocations.collect::<Result<_, Error>>()?,
            held_at: self.held_at.ok_or_else(|| place.corrupt("held_at"))?,
            hold_expires_at: self.hold_expires_at.ok_or_else(|| place.corrupt("hold_expires_at"))?,
            ended_at: self.ended_at,
            failure,
            trace_id: self.trace_id,
        })
    }
}
