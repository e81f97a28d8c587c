//! A running service asked from outside: whether it works (`makegood health`), and whether it decides (`makegood try`).
//!
//! For places that have this binary and no other client: a container's health check, and the test of a deployment.

use crate::clock::{self, Clock};
use crate::config::{HealthSettings, ServiceSettings, TrySettings};
use crate::proto::makegood::v1::credit_service_client::CreditServiceClient;
use crate::proto::makegood::v1::refund_service_client::RefundServiceClient;
use crate::proto::makegood::v1::{
    Claim, Decision, EvaluateRequestRequest, Money, PurchaseKind, PurchaseReference, RecordPurchaseRequest,
    purchase_reference,
};
use crate::reach::{address, reason};
use anyhow::{Context, anyhow, bail};
use prost_types::Timestamp;
use std::path::Path;
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// What is there answers at once; what is not should not keep a probe waiting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A decision is made of a few reads.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The processor, payment and order of the purchase that an account is made with.
const TRIED: &str = "makegood-try";

/// The ISO 4217 code that is reserved for testing: no money.
const NO_MONEY: &str = "XTS";

/// Asks whether the service works.
///
/// # Errors
/// A sentence for the person who asked: nothing answers, or the answer is another than yes.
pub async fn health(settings: &HealthSettings) -> anyhow::Result<()> {
    let endpoint = &settings.service.endpoint;
    let mut health = HealthClient::new(connect(&settings.service).await?);
    let answer = health.check(HealthCheckRequest::default()).await;
    let answer = answer.map_err(|status| refusal(endpoint, "Health/Check", &status))?.into_inner();
    match answer.status() {
        ServingStatus::Serving => {
            say(&format!("{endpoint} serves"));
            Ok(())
        }
        status => bail!("{endpoint} says {}", status.as_str_name()),
    }
}

/// Has the service decide a refund request for an account, and record none. An account that does not exist is made first.
///
/// # Errors
/// A sentence for the person who asked.
pub async fn decision(settings: &TrySettings) -> anyhow::Result<()> {
    let endpoint = &settings.service.endpoint;
    let caller =
        Caller { channel: connect(&settings.service).await?, token: token(settings.token_file()).await? };
    let decision = match caller.preview(&settings.account).await {
        Err(status) if status.code() == Code::NotFound && reason(&status) == "ACCOUNT_NOT_FOUND" => {
            let recorded = caller.record_purchase(&settings.account).await;
            recorded.map_err(|status| {
                anyhow!(
                    "the account `{}` does not exist and could not be made (this needs the role payments or admin): {}",
                    settings.account,
                    refusal(endpoint, "RecordPurchase", &status)
                )
            })?;
            caller.preview(&settings.account).await
        }
        answered => answered,
    };
    let decision = decision.map_err(|status| refusal(endpoint, "EvaluateRequest", &status))?;
    let decision = decision.context("the service answered without a decision")?;
    say(&format!(
        "{endpoint} decides: {} by row {}, clause {}, of policy {}; no request was opened",
        decision.outcome().as_str_name().trim_start_matches("OUTCOME_"),
        decision.row,
        decision.clauses.join(" and "),
        decision.policy_version
    ));
    Ok(())
}

/// Who asks.
struct Caller {
    channel: Channel,
    token: Option<MetadataValue<Ascii>>,
}

impl Caller {
    fn call<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }

    /// What would be decided on the claim that the account's credits never came.
    async fn preview(&self, account_id: &str) -> Result<Option<Decision>, Status> {
        let order = purchase_reference::Reference::OrderId(TRIED.to_owned());
        let asked = EvaluateRequestRequest {
            account_id: account_id.to_owned(),
            claim: Claim::CreditsNotDelivered.into(),
            purchase: Some(PurchaseReference { reference: Some(order) }),
            validate_only: true,
            ..Default::default()
        };
        let answer =
            RefundServiceClient::new(self.channel.clone()).evaluate_request(self.call(asked)).await?;
        Ok(answer.into_inner().decision)
    }

    /// Makes the account, with a purchase that is worth nothing and is never delivered.
    async fn record_purchase(&self, account_id: &str) -> Result<(), Status> {
        let now = Clock::system().now();
        let purchase = RecordPurchaseRequest {
            request_id: clock::new_id(now).to_string(),
            account_id: account_id.to_owned(),
            provider: TRIED.to_owned(),
            payment_id: account_id.to_owned(),
            order_id: TRIED.to_owned(),
            package_id: TRIED.to_owned(),
            kind: PurchaseKind::OneTime.into(),
            price: Some(Money { currency_code: NO_MONEY.to_owned(), minor_units: 1 }),
            credits: 1,
            paid_at: Some(Timestamp { seconds: now.timestamp(), nanos: 0 }),
            ..Default::default()
        };
        CreditServiceClient::new(self.channel.clone()).record_purchase(self.call(purchase)).await?;
        Ok(())
    }
}

async fn connect(service: &ServiceSettings) -> anyhow::Result<Channel> {
    let ServiceSettings { endpoint, .. } = service;
    let mut address = address(endpoint, CONNECT_TIMEOUT, CALL_TIMEOUT)?;
    if let Some(ca) = service.ca() {
        let authorities = Certificate::from_pem(read(ca).await?);
        let tls = ClientTlsConfig::new().ca_certificate(authorities);
        address = address.tls_config(tls).with_context(|| format!("{} holds no authority", ca.display()))?;
    }
    address.connect().await.with_context(|| format!("nothing answers at {endpoint}"))
}

/// The token in a file, as it is sent.
async fn token(file: Option<&Path>) -> anyhow::Result<Option<MetadataValue<Ascii>>> {
    let Some(file) = file else { return Ok(None) };
    let token = String::from_utf8(read(file).await?).unwrap_or_default();
    // The parser's own error is not told, since it might repeat the token.
    let value = format!("Bearer {}", token.trim()).parse();
    let mut value: MetadataValue<Ascii> = value.map_err(|_| anyhow!("{} holds no token", file.display()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

async fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    tokio::fs::read(file).await.with_context(|| format!("{} cannot be read", file.display()))
}

fn refusal(endpoint: &str, method: &str, status: &Status) -> anyhow::Error {
    anyhow!("{endpoint} refused {method}: {} ({:?})", status.message(), status.code())
}

/// Tells the person or the log that asked.
#[expect(clippy::print_stdout, reason = "this is what the person who typed the command reads")]
fn say(text: &str) {
    println!("{text}");
}
