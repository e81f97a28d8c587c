//! The decisions that the policy made, across accounts in the order of time. Those of persons are not among them: no
//! document makes them again.

use super::read::Place;
use super::{Error, Tx};
use crate::domain::credits::Credits;
use crate::domain::ids::{AccountId, DecisionId, RefundRequestId};
use crate::domain::money::Money;
use chrono::{DateTime, Utc};

/// Which decisions of the policy are read.
#[derive(Debug, Clone)]
pub struct DecisionFilter {
    /// Made at this instant or later.
    pub from: DateTime<Utc>,
    /// Made before this instant.
    pub until: DateTime<Utc>,
    /// Made under this version only; any when `None`.
    pub policy_version: Option<String>,
}

/// What a decision was and what it was made from, without its text.
#[derive(Debug, Clone)]
pub struct PastDecisionRow {
    /// The account.
    pub account_id: AccountId,
    /// The request that was decided.
    pub refund_request_id: RefundRequestId,
    /// The decision.
    pub decision_id: DecisionId,
    /// When it was made.
    pub decided_at: DateTime<Utc>,
    /// The outcome's name.
    pub outcome: String,
    /// The row that decided.
    pub row: String,
    /// The policy version.
    pub policy_version: String,
    /// The facts, canonical JSON.
    pub facts: String,
    /// The number of the catalogue of facts that it was made with.
    pub catalogue: i32,
    /// The money that it gave.
    pub money: Option<Money>,
    /// The credits that it gave to the customer.
    pub credits: Credits,
    /// The kinds of its remedies, with commas between.
    pub remedies: String,
}

/// How many decisions there are, and when the last of them was made.
#[derive(Debug, Clone, Copy)]
pub struct DecisionSpan {
    /// How many.
    pub count: i64,
    /// When the last one was made; `None` when there is none.
    pub last: Option<DateTime<Utc>>,
}

impl Tx {
    /// How many decisions a filter finds.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn count_decisions(&mut self, filter: &DecisionFilter) -> Result<DecisionSpan, Error> {
        let span = sqlx::query_as!(
            DecisionSpan,
            "SELECT count(*) AS \"count!\", max(decided_at) AS last FROM decision
             WHERE decided_at >= $1 AND decided_at < $2 AND ($3::text IS NULL OR policy_version = $3)
                AND decided_by IS NULL",
            filter.from,
            filter.until,
            filter.policy_version,
        );
        Ok(span.fetch_one(self.connection()).await?)
    }

    /// Decisions in the order in which they were made, behind a place in that order.
    ///
    /// # Errors
    /// A failure of the database, or [`Error::CorruptRow`].
    pub async fn list_past_decisions(
        &mut self,
        filter: &DecisionFilter,
        after: (DateTime<Utc>, DecisionId),
        limit: i64,
    ) -> Result<Vec<PastDecisionRow>, Error> {
        let (after_at, DecisionId(after_id)) = after;
        let rows = sqlx::query!(
            "SELECT account_id, refund_request_id, decision_id, decided_at, outcome, row, policy_version, facts,
                catalogue, given_minor AS \"given_minor!\", given_currency, given_credits AS \"given_credits!\",
                given_remedies AS \"given_remedies!\"
             FROM decision
             WHERE (decided_at, decision_id) > ($1, $2) AND decided_at >= $3 AND decided_at < $4
                AND ($5::text IS NULL OR policy_version = $5) AND decided_by IS NULL
             ORDER BY decided_at, decision_id LIMIT $6",
            after_at,
            after_id,
            filter.from,
            filter.until,
            filter.policy_version,
            limit,
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter()
            .map(|row| {
                let place = Place { table: "decision", key: &row.decision_id };
                let money = match row.given_currency {
                    Some(currency) => Some(place.money("given_minor", &currency, row.given_minor)?),
                    None => None,
                };
                Ok(PastDecisionRow {
                    account_id: place.id("account_id", row.account_id)?,
                    refund_request_id: RefundRequestId(row.refund_request_id),
                    decision_id: DecisionId(row.decision_id),
                    decided_at: row.decided_at,
                    outcome: row.outcome,
                    row: row.row,
                    policy_version: row.policy_version,
                    facts: row.facts,
                    catalogue: row.catalogue,
                    money,
                    credits: place.credits("given_credits", row.given_credits)?,
                    remedies: row.given_remedies,
                })
            })
            .collect()
    }
}
