//! One server over one fresh database, and the calls that every test makes.

use crate::canary::{is_free_of_words, words};
use crate::cluster::{Watch, database};
use crate::running::{run, run_within};
use chrono::{DateTime, TimeDelta, Utc};
use makegood::clock::{Clock, new_id};
use makegood::policy::SHIPPED;
use makegood::proto::makegood::v1;
use makegood::proto::makegood::v1::credit_service_client::CreditServiceClient;
use makegood::proto::makegood::v1::incident_service_client::IncidentServiceClient;
use makegood::proto::makegood::v1::refund_service_client::RefundServiceClient;
use makegood::server::{self, Access, Running};
use prost_types::Timestamp;
use sqlx::{Connection, PgConnection};
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

/// A running service with a database of its own.
pub(crate) struct Service {
    pub(crate) running: Running,
    pub(crate) channel: Channel,
    endpoint: String,
    pub(crate) url: String,
    /// Dropped last: when everything is told that the server has to tell.
    watch: Watch,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::start_with(SHIPPED).await
    }

    /// A service that decides by another policy document.
    pub(crate) async fn start_with(policy: &str) -> Self {
        let (url, watch) = database().await;
        Self::serving(url, watch, policy).await
    }

    /// Another process's service over the same database, with connections and lanes of its own.
    pub(crate) async fn replica(&self) -> Self {
        Self::serving(self.url.clone(), self.watch.clone(), SHIPPED).await
    }

    /// A service that recognises its callers, over connections without TLS.
    pub(crate) async fn guarded(url: String, watch: Watch, access: Access) -> Self {
        Self::serving_with(url, watch, SHIPPED, access).await
    }

    /// A service within bounds of its own.
    pub(crate) async fn bounded(limits: server::Limits, max_connections: u32) -> Self {
        let (url, watch) = database().await;
        let running = run_within(&url, SHIPPED, Access::development(), limits, max_connections).await;
        Self::known(running, url, watch).await
    }

    async fn serving(url: String, watch: Watch, policy: &str) -> Self {
        Self::serving_with(url, watch, policy, Access::development()).await
    }

    async fn serving_with(url: String, watch: Watch, policy: &str, access: Access) -> Self {
        let running = run(&url, policy, access).await;
        Self::known(running, url, watch).await
    }

    pub(crate) async fn known(running: Running, url: String, watch: Watch) -> Self {
        let endpoint = format!("http://{}", running.local_addr());
        let channel = Channel::from_shared(endpoint.clone()).unwrap().connect().await.unwrap();
        Self { running, channel, endpoint, url, watch }
    }

    /// The same service, showing its figures.
    pub(crate) async fn with_metrics(self) -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        // Longer than any test: what is looked up once at the start is what was there then.
        let running = self.running.with_metrics(listen, Duration::from_mins(10)).await.unwrap();
        Self { running, ..self }
    }

    /// Ends the server and waits until its connections are gone.
    pub(crate) async fn stop(self) {
        drop(self.channel);
        self.running.stop(Duration::from_secs(5)).await.unwrap();
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn credits(&self) -> CreditServiceClient<Channel> {
        CreditServiceClient::new(self.channel())
    }

    pub(crate) fn refunds(&self) -> RefundServiceClient<Channel> {
        RefundServiceClient::new(self.channel())
    }

    /// A connection behind the service's back, as a superuser has one.
    pub(crate) async fn database(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// How many rows there are in all tables but the idempotency keys, the rows' witnesses and the policies' horizon.
    pub(crate) async fn rows(&self) -> i64 {
        let mut database = self.database().await;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT table_name::text FROM information_schema.tables
             WHERE table_schema = 'public'
                AND table_name NOT IN ('_sqlx_migrations', 'idempotency_key', 'witness', 'policy_horizon')",
        )
        .fetch_all(&mut database)
        .await
        .unwrap();
        let mut rows = 0;
        for table in tables {
            let count = format!("SELECT count(*) FROM {table}");
            rows += sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(count))
                .fetch_one(&mut database)
                .await
                .unwrap();
        }
        rows
    }

    /// What the account has available, held and frozen.
    pub(crate) async fn balance(&self, account_id: &str, at: &str) -> (i64, i64, i64) {
        let request = v1::GetBalanceRequest { account_id: account_id.to_owned() };
        let response = self.credits().get_balance(when(at, request)).await.unwrap().into_inner();
        let balance = response.balance.unwrap();
        (balance.available, balance.held, balance.frozen)
    }

    /// Records a purchase of 100 credits for 9.99 USD, paid at an instant.
    pub(crate) async fn purchase(&self, account_id: &str, payment_id: &str, at: &str) -> v1::Purchase {
        let request = purchase(account_id, payment_id, at);
        self.credits().record_purchase(when(at, request)).await.unwrap().into_inner().purchase.unwrap()
    }

    /// Delivers credits of a purchase.
    pub(crate) async fn deliver(
        &self,
        account_id: &str,
        payment_id: &str,
        credits: i64,
        at: &str,
    ) -> v1::Purchase {
        let request = delivery(account_id, payment_id, credits, at);
        self.credits().deliver_credits(when(at, request)).await.unwrap().into_inner().purchase.unwrap()
    }

    /// Buys and delivers 100 credits.
    pub(crate) async fn bought(&self, account_id: &str, payment_id: &str, at: &str) -> v1::Purchase {
        self.purchase(account_id, payment_id, at).await;
        self.deliver(account_id, payment_id, 100, at).await
    }

    /// Holds credits for an attempt and captures all of them.
    pub(crate) async fn used(&self, account_id: &str, job_id: &str, credits: i64, at: &str) -> v1::Usage {
        self.credits().hold_credits(when(at, hold(account_id, job_id, credits))).await.unwrap();
        let request = capture(account_id, job_id);
        self.credits().capture_credits(when(at, request)).await.unwrap().into_inner().usage.unwrap()
    }

    /// Reports a failed attempt.
    pub(crate) async fn failed(
        &self,
        account_id: &str,
        job_id: &str,
        cause: &str,
        at: &str,
    ) -> v1::RestoreCreditsResponse {
        let request = restore(account_id, job_id, cause, at);
        self.credits().restore_credits(when(at, request)).await.unwrap().into_inner()
    }

    /// Asks for a refund of a payment.
    pub(crate) async fn claim(
        &self,
        account_id: &str,
        payment_id: &str,
        claim: v1::Claim,
        at: &str,
    ) -> v1::EvaluateRequestResponse {
        let request = evaluate(account_id, payment_id, claim);
        self.refunds().evaluate_request(when(at, request)).await.unwrap().into_inner()
    }

    /// Tells of an event of a dispute over the whole price.
    pub(crate) async fn dispute(
        &self,
        payment_id: &str,
        dispute_id: &str,
        event: v1::ChargebackEventKind,
        at: &str,
    ) -> v1::RecordChargebackResponse {
        let request = chargeback(payment_id, dispute_id, event, at);
        self.refunds().record_chargeback(when(at, request)).await.unwrap().into_inner()
    }
}

/// A new idempotency key.
pub(crate) fn request_id() -> String {
    new_id(Clock::system().now()).to_string()
}

pub(crate) fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// An instant some time after another.
pub(crate) fn later(at: &str, delta: TimeDelta) -> String {
    (instant(at) + delta).to_rfc3339()
}

pub(crate) fn timestamp(text: &str) -> Timestamp {
    let at = instant(text);
    Timestamp { seconds: at.timestamp(), nanos: i32::try_from(at.timestamp_subsec_nanos()).unwrap() }
}

/// A call whose test clock stands at an instant.
pub(crate) fn when<T>(at: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("makegood-test-clock", at.parse().unwrap());
    request
}

/// Whether an answer says that it was given before.
pub(crate) fn is_replayed<T>(response: &Response<T>) -> bool {
    response.metadata().get("idempotency-replayed").is_some_and(|value| value == "true")
}

/// The code and the reason of a refusal.
pub(crate) fn reason<T: std::fmt::Debug>(result: Result<Response<T>, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    is_free_of_words(&status);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.domain, "makegood.v1");
    (status.code(), info.reason)
}

/// The fields that a refusal names.
pub(crate) fn fields<T: std::fmt::Debug>(result: Result<Response<T>, Status>) -> Vec<String> {
    let status = result.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    is_free_of_words(&status);
    let violations = status.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|violation| violation.field).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "a field that is a message is an option")]
pub(crate) fn usd(minor_units: i64) -> Option<v1::Money> {
    Some(v1::Money { currency_code: "USD".to_owned(), minor_units })
}

#[expect(clippy::unnecessary_wraps, reason = "a field that is a message is an option")]
pub(crate) fn by_payment(payment_id: &str) -> Option<v1::PurchaseReference> {
    use v1::purchase_reference::Reference;
    let payment = v1::Payment { provider: "stripe".to_owned(), payment_id: payment_id.to_owned() };
    Some(v1::PurchaseReference { reference: Some(Reference::Payment(payment)) })
}

pub(crate) fn purchase(account_id: &str, payment_id: &str, at: &str) -> v1::RecordPurchaseRequest {
    v1::RecordPurchaseRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        provider: "stripe".to_owned(),
        payment_id: payment_id.to_owned(),
        order_id: format!("order-{payment_id}"),
        package_id: "pack-100".to_owned(),
        kind: v1::PurchaseKind::OneTime.into(),
        price: usd(999),
        credits: 100,
        paid_at: Some(timestamp(at)),
        ..Default::default()
    }
}

pub(crate) fn delivery(
    account_id: &str,
    payment_id: &str,
    credits: i64,
    at: &str,
) -> v1::DeliverCreditsRequest {
    v1::DeliverCreditsRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        purchase: by_payment(payment_id),
        delivery_id: format!("delivery-{payment_id}-{credits}"),
        outcome: Some(v1::deliver_credits_request::Outcome::Credits(credits)),
        delivered_at: Some(timestamp(at)),
    }
}

pub(crate) fn hold(account_id: &str, job_id: &str, credits: i64) -> v1::HoldCreditsRequest {
    v1::HoldCreditsRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        job_id: job_id.to_owned(),
        attempt: 1,
        credits,
        ..Default::default()
    }
}

pub(crate) fn capture(account_id: &str, job_id: &str) -> v1::CaptureCreditsRequest {
    v1::CaptureCreditsRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        job_id: job_id.to_owned(),
        attempt: 1,
        delivered_outputs: None,
    }
}

pub(crate) fn release(account_id: &str, job_id: &str) -> v1::ReleaseCreditsRequest {
    v1::ReleaseCreditsRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        job_id: job_id.to_owned(),
        attempt: 1,
    }
}

pub(crate) fn restore(account_id: &str, job_id: &str, cause: &str, at: &str) -> v1::RestoreCreditsRequest {
    v1::RestoreCreditsRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        job_id: job_id.to_owned(),
        attempt: 1,
        cause: cause.to_owned(),
        error_message: String::new(),
        failed_at: Some(timestamp(at)),
    }
}

pub(crate) fn evaluate(account_id: &str, payment_id: &str, claim: v1::Claim) -> v1::EvaluateRequestRequest {
    v1::EvaluateRequestRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        claim: claim.into(),
        purchase: by_payment(payment_id),
        ..Default::default()
    }
}

pub(crate) fn chargeback(
    payment_id: &str,
    dispute_id: &str,
    event: v1::ChargebackEventKind,
    at: &str,
) -> v1::RecordChargebackRequest {
    v1::RecordChargebackRequest {
        request_id: request_id(),
        provider: "stripe".to_owned(),
        dispute_id: dispute_id.to_owned(),
        payment_id: payment_id.to_owned(),
        event: event.into(),
        amount: usd(999),
        occurred_at: Some(timestamp(at)),
        ..Default::default()
    }
}

pub(crate) fn refund_result(
    account_id: &str,
    refund_id: &str,
    result: v1::RefundResult,
    at: &str,
) -> v1::RecordRefundResultRequest {
    let failed = result == v1::RefundResult::Failed;
    let succeeded = result == v1::RefundResult::Succeeded;
    v1::RecordRefundResultRequest {
        request_id: request_id(),
        account_id: account_id.to_owned(),
        refund_id: refund_id.to_owned(),
        result: result.into(),
        provider_refund_id: if succeeded { format!("re-{refund_id}") } else { String::new() },
        failure_reason: if failed { words("account closed") } else { String::new() },
        occurred_at: Some(timestamp(at)),
    }
}

impl Service {
    /// Sweeps by itself from now on, as a served process does.
    pub(crate) fn sweeping_every(self, interval: Duration) -> Self {
        Self { running: self.running.sweeping_every(interval), ..self }
    }

    pub(crate) fn incidents(&self) -> IncidentServiceClient<Channel> {
        IncidentServiceClient::new(self.channel())
    }
}
