//! Refund requests.

use super::read::Place;
use super::{Error, Tx, evidence, request_words};
use crate::domain::ids::{AccountId, Actor, Attempt, PurchaseId, RefundRequestId};
use crate::domain::request::{
    Approval, Claim, Detail, Evidence, FirstResponse, Life, RefundRequest, RequestStage, Response,
    ResponseClock,
};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How the customer named the purchase, whether or not we know it.
#[derive(Debug, Clone, Default)]
pub struct NamedPurchase {
    /// Whether a purchase was named at all.
    pub is_named: bool,
    /// The reference as it was given; `None` also for requests older than its keeping.
    pub reference: Option<serde_json::Value>,
}

/// The columns of a request.
pub(super) struct RequestRow {
    pub(super) account_id: String,
    pub(super) refund_request_id: Uuid,
    pub(super) purchase_id: Option<Uuid>,
    pub(super) claim: String,
    pub(super) stage: String,
    pub(super) received_at: DateTime<Utc>,
    pub(super) respond_by: DateTime<Utc>,
    pub(super) waiting_since: Option<DateTime<Utc>>,
    pub(super) first_responded_at: Option<DateTime<Utc>>,
    pub(super) first_response: Option<String>,
    pub(super) policy_version: String,
    pub(super) opened_by: String,
    pub(super) assignee: Option<String>,
    pub(super) job_id: Option<String>,
    pub(super) attempt: Option<i32>,
    pub(super) purchased_at: Option<DateTime<Utc>>,
    pub(super) paid_currency: Option<String>,
    pub(super) paid_minor: Option<i64>,
    pub(super) attempted_at: Option<DateTime<Utc>>,
    pub(super) asked: Vec<String>,
    pub(super) decisions: i32,
    pub(super) last_row: String,
    pub(super) restored_credits: i64,
    pub(super) approvals_required: i32,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) closed_at: Option<DateTime<Utc>>,
    pub(super) revision: i64,
}

/// Requests by one condition: the same columns each time.
macro_rules! select_requests {
    ($first:literal $(+ $condition:literal)* $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            crate::store::request::RequestRow,
            "SELECT account_id, refund_request_id, purchase_id, claim, stage, received_at, respond_by, waiting_since,
                first_responded_at, first_response, policy_version, opened_by, assignee, job_id, attempt,
                purchased_at, paid_currency, paid_minor, attempted_at, asked, decisions, last_row, restored_credits,
                approvals_required, expires_at, closed_at, revision
             FROM refund_request WHERE " + $first $(+ $condition)*
            $(, $argument)*
        )
    };
}
pub(super) use select_requests;

impl RequestRow {
    /// The stage with its data.
    fn life(&self, approvals: Vec<Approval>, place: Place<'_>) -> Result<Life, Error> {
        let closed_at = || self.closed_at.ok_or_else(|| place.corrupt("closed_at"));
        Ok(match place.word("stage", &self.stage, RequestStage::parse)? {
            RequestStage::Submitted => Life::Submitted,
            RequestStage::AwaitingInformation => Life::AwaitingInformation { expires_at: self.expires_at },
            RequestStage::InReview => {
                Life::InReview { approvals_required: self.approvals_required, approvals }
            }
            RequestStage::Approved => Life::Approved,
            RequestStage::Denied => Life::Denied { closed_at: closed_at()? },
            RequestStage::Withdrawn => Life::Withdrawn { closed_at: closed_at()? },
            RequestStage::Expired => Life::Expired { closed_at: closed_at()? },
            RequestStage::Settled => Life::Settled { closed_at: closed_at()? },
        })
    }

    fn clock(&self, place: Place<'_>) -> Result<ResponseClock, Error> {
        let first_response = match (self.first_responded_at, &self.first_response) {
            (Some(at), Some(kind)) => {
                Some(FirstResponse { at, kind: place.word("first_response", kind, Response::parse)? })
            }
            _ => None,
        };
        Ok(ResponseClock { respond_by: self.respond_by, waiting_since: self.waiting_since, first_response })
    }

    fn request(self, evidence: Vec<Evidence>, approvals: Vec<Approval>) -> Result<RefundRequest, Error> {
        let refund_request_id = RefundRequestId(self.refund_request_id);
        let place = Place { table: "refund_request", key: &refund_request_id };
        let (life, clock) = (self.life(approvals, place)?, self.clock(place)?);
        let attempt = match (self.job_id, self.attempt) {
            (Some(job_id), Some(number)) => Some(Attempt { job_id: place.id("job_id", job_id)?, number }),
            _ => None,
        };
        let amount_paid = match (self.paid_currency, self.paid_minor) {
            (Some(currency), Some(minor)) => Some(place.money("paid_minor", &currency, minor)?),
            _ => None,
        };
        let asked = self.asked.iter().map(|detail| place.word("asked", detail, Detail::parse));
        Ok(RefundRequest {
            purchase_id: self.purchase_id.map(PurchaseId),
            claim: place.word("claim", &self.claim, Claim::parse)?,
            life,
            received_at: self.received_at,
            clock,
            policy_version: self.policy_version,
            opened_by: place.id("opened_by", self.opened_by)?,
            assignee: self.assignee.map(|assignee| place.id("assignee", assignee)).transpose()?,
            attempt,
            purchased_at: self.purchased_at,
            amount_paid,
            attempted_at: self.attempted_at,
            evidence,
            asked: asked.collect::<Result<_, _>>()?,
            decisions: self.decisions,
            last_row: self.last_row,
            restored_credits: place.credits("restored_credits", self.restored_credits)?,
            revision: self.revision,
            refund_request_id,
        })
    }
}

impl Tx {
    /// A request of the account.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find_request(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
    ) -> Result<Option<RefundRequest>, Error> {
        let row = select_requests!(
            "account_id = $1 AND refund_request_id = $2",
            account_id.as_str(),
            refund_request_id.0,
        )
        .fetch_optional(self.connection())
        .await?;
        let requests = self.complete_requests(Vec::from_iter(row)).await?;
        Ok(requests.into_iter().next().map(|(_, request)| request))
    }

    /// Requests with what lies in other tables, in the order of the rows.
    pub(super) async fn complete_requests(
        &mut self,
        rows: Vec<RequestRow>,
    ) -> Result<Vec<(AccountId, RefundRequest)>, Error> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let accounts: Vec<String> = rows.iter().map(|row| row.account_id.clone()).collect();
        let ids: Vec<Uuid> = rows.iter().map(|row| row.refund_request_id).collect();
        let mut papers: BTreeMap<Uuid, Vec<Evidence>> = BTreeMap::new();
        for (id, paper) in evidence::list(self, &accounts, &ids).await? {
            papers.entry(id).or_default().push(paper);
        }
        let mut approvals: BTreeMap<Uuid, Vec<Approval>> = BTreeMap::new();
        for (id, approval) in request_words::list_counting_approvals(self, &accounts, &ids).await? {
            approvals.entry(id).or_default().push(approval);
        }
        rows.into_iter()
            .map(|row| {
                let id = row.refund_request_id;
                let place = Place { table: "refund_request", key: &id };
                let account_id = place.id("account_id", row.account_id.clone())?;
                let papers = papers.remove(&id).unwrap_or_default();
                Ok((account_id, row.request(papers, approvals.remove(&id).unwrap_or_default())?))
            })
            .collect()
    }

    /// Opens a request.
    ///
    /// # Errors
    /// [`Error::Refused`] when the purchase has an open one; a failure of the database.
    pub async fn insert_request(
        &mut self,
        account_id: &AccountId,
        request: &RefundRequest,
        named: &NamedPurchase,
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO refund_request (account_id, refund_request_id, purchase_id, names_purchase, named_purchase,
                claim, stage, received_at, respond_by, policy_version, job_id, attempt, purchased_at, paid_currency,
                paid_minor, attempted_at, revision, opened_by, closed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
            account_id.as_str(),
            request.refund_request_id.0,
            request.purchase_id.map(|id| id.0),
            named.is_named,
            named.reference,
            request.claim.name(),
            request.stage().name(),
            request.received_at,
            request.clock.respond_by,
            request.policy_version,
            request.attempt.as_ref().map(|attempt| attempt.job_id.as_str()),
            request.attempt.as_ref().map(|attempt| attempt.number),
            request.purchased_at,
            request.amount_paid.map(|paid| paid.currency.code()),
            request.amount_paid.map(|paid| paid.minor_units),
            request.attempted_at,
            request.revision,
            request.opened_by.as_str(),
            request.life.closed_at(),
        )
        .execute(self.connection())
        .await?;
        self.update_request(account_id, request).await
    }

    /// Writes back what changes in a request's life.
    ///
    /// # Errors
    /// [`Error::Refused`] when its purchase has another open one; a failure of the database.
    pub async fn update_request(
        &mut self,
        account_id: &AccountId,
        request: &RefundRequest,
    ) -> Result<(), Error> {
        let asked: Vec<String> = request.asked.iter().map(|detail| detail.name().to_owned()).collect();
        let approvals_required = match request.life {
            Life::InReview { approvals_required, .. } => approvals_required,
            _ => 0,
        };
        let first = request.clock.first_response;
        sqlx::query!(
            "UPDATE refund_request SET purchase_id = $3, stage = $4, respond_by = $5, waiting_since = $6,
                first_responded_at = $7, first_response = $8, assignee = $9, job_id = $10, attempt = $11,
                purchased_at = $12, paid_currency = $13, paid_minor = $14, attempted_at = $15, asked = $16,
                decisions = $17, last_row = $18, restored_credits = $19, approvals_required = $20, expires_at = $21,
                closed_at = $22, revision = $23
             WHERE account_id = $1 AND refund_request_id = $2",
            account_id.as_str(),
            request.refund_request_id.0,
            request.purchase_id.map(|id| id.0),
            request.stage().name(),
            request.clock.respond_by,
            request.clock.waiting_since,
            first.map(|first| first.at),
            first.map(|first| first.kind.name()),
            request.assignee.as_ref().map(Actor::as_str),
            request.attempt.as_ref().map(|attempt| attempt.job_id.as_str()),
            request.attempt.as_ref().map(|attempt| attempt.number),
            request.purchased_at,
            request.amount_paid.map(|paid| paid.currency.code()),
            request.amount_paid.map(|paid| paid.minor_units),
            request.attempted_at,
            &asked,
            request.decisions,
            request.last_row,
            request.restored_credits.get(),
            approvals_required,
            request.life.expires_at(),
            request.life.closed_at(),
            request.revision,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// How the customer named the purchase.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn load_named_purchase(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
    ) -> Result<NamedPurchase, Error> {
        let row = sqlx::query!(
            "SELECT names_purchase, named_purchase FROM refund_request
             WHERE account_id = $1 AND refund_request_id = $2",
            account_id.as_str(),
            refund_request_id.0,
        )
        .fetch_one(self.connection())
        .await?;
        Ok(NamedPurchase { is_named: row.names_purchase, reference: row.named_purchase })
    }

    /// Keeps how the customer names the purchase now.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_named_purchase(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
        named: &NamedPurchase,
    ) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE refund_request SET names_purchase = $3, named_purchase = $4
             WHERE account_id = $1 AND refund_request_id = $2",
            account_id.as_str(),
            refund_request_id.0,
            named.is_named,
            named.reference,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The open requests about a purchase, besides one, oldest first: one, or few where refunds failed late.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list_open_requests(
        &mut self,
        account_id: &AccountId,
        purchase_id: PurchaseId,
        besides: Option<RefundRequestId>,
    ) -> Result<Vec<RefundRequest>, Error> {
        let rows = select_requests!(
            "account_id = $1 AND purchase_id = $2 AND stage IN ('awaiting_information', 'in_review')
                AND ($3::uuid IS NULL OR refund_request_id <> $3)
             ORDER BY refund_request_id LIMIT 100",
            account_id.as_str(),
            purchase_id.0,
            besides.map(|id| id.0),
        )
        .fetch_all(self.connection())
        .await?;
        let requests = self.complete_requests(rows).await?;
        Ok(requests.into_iter().map(|(_, request)| request).collect())
    }

    /// Excepts a request from the rule of one open request for each purchase: it was reopened while another was open.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn update_request_shares_purchase(
        &mut self,
        account_id: &AccountId,
        refund_request_id: RefundRequestId,
    ) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE refund_request SET shares_purchase = true WHERE account_id = $1 AND refund_request_id = $2",
            account_id.as_str(),
            refund_request_id.0,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
