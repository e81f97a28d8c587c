//! The calls that are made, what each must leave behind, and how an answer is read.

use super::effects::Effects;
use makegood::clock::{Clock, new_id};
use makegood::proto::makegood::v1;
use prost::Message;
use prost_types::Timestamp;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;
use v1::credit_service_client::CreditServiceClient;
use v1::refund_service_client::RefundServiceClient;

/// Credits of a purchase.
pub(crate) const BOUGHT: i64 = 100;

/// A second of the year 2080.
const FAR_AWAY: i64 = 3_471_292_800;

/// Longer than the service lets any call take: who waits longer hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);

/// A request as it is sent, and sent again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ask {
    Purchase(v1::RecordPurchaseRequest),
    Deliver(v1::DeliverCreditsRequest),
    Grant(v1::GrantCreditsRequest),
    Hold(v1::HoldCreditsRequest),
    Capture(v1::CaptureCreditsRequest),
    /// Of an attempt that was charged for this many credits.
    Restore(v1::RestoreCreditsRequest, i64),
    /// Of a purchase that was never delivered.
    Claim(v1::EvaluateRequestRequest, String),
    /// About a purchase of an account that has nothing else.
    Dispute(v1::RecordChargebackRequest, String),
}

/// A call: what is asked, and by which clock.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) ask: Ask,
    /// The test clock that it brings, if any.
    pub(crate) clock: Option<String>,
}

/// What a caller was told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// An answer, or a refusal that is the same each time; and whether it had been given before.
    Answer { bytes: Vec<u8>, refused: bool, replayed: bool },
    /// That nothing was changed: why.
    Nothing(String),
    /// That it may have been done, or nothing at all: what little was said.
    Unknown(String),
}

/// A new id of a request.
pub(crate) fn request_id() -> String {
    new_id(Clock::system().now()).to_string()
}

/// When things happened that are told: before any clock that a call brings.
fn yesterday() -> Timestamp {
    Timestamp { seconds: Clock::system().now().timestamp() - 86_400, nanos: 0 }
}

/// When a grant expires: its own moment of a year far away, by which it is known.
fn marked(mark: u32) -> Timestamp {
    Timestamp { seconds: FAR_AWAY + i64::from(mark), nanos: 0 }
}

fn by_payment(payment_id: &str) -> v1::PurchaseReference {
    use v1::purchase_reference::Reference;
    let payment = v1::Payment { provider: "stripe".to_owned(), payment_id: payment_id.to_owned() };
    v1::PurchaseReference { reference: Some(Reference::Payment(payment)) }
}

fn price() -> v1::Money {
    v1::Money { currency_code: "USD".to_owned(), minor_units: 999 }
}

impl Ask {
    pub(crate) fn purchase(account_id: &str, payment_id: &str) -> Self {
        Self::Purchase(v1::RecordPurchaseRequest {
            request_id: request_id(),
            account_id: account_id.to_owned(),
            provider: "stripe".to_owned(),
            payment_id: payment_id.to_owned(),
            order_id: format!("order-{payment_id}"),
            package_id: "pack-100".to_owned(),
            kind: v1::PurchaseKind::OneTime.into(),
            price: Some(price()),
            credits: BOUGHT,
            paid_at: Some(yesterday()),
            ..Default::default()
        })
    }

    pub(crate) fn deliver(account_id: &str, payment_id: &str) -> Self {
        Self::Deliver(v1::DeliverCreditsRequest {
            request_id: request_id(),
            account_id: account_id.to_owned(),
            purchase: Some(by_payment(payment_id)),
            delivery_id: format!("delivery-{payment_id}"),
            outcome: Some(v1::deliver_credits_request::Outcome::Credits(BOUGHT)),
            delivered_at: Some(yesterday()),
        })
    }

    /// Free credits; `mark` tells this grant from every other one.
    pub(crate) fn grant(account_id: &str, mark: u32, credits: i64) -> Self {
        Self::Grant(v1::GrantCreditsRequest {
            request_id: request_id(),
            account_id: account_id.to_owned(),
            source: v1::LotSource::Promotion.into(),
            credits,
            expires_at: Some(marked(mark)),
            reason: "welcome".to_owned(),
            ..Default::default()
        })
    }

    pub(crate) fn hold(account_id: &str, job_id: &str, credits: i64) -> Self {
        Self::Hold(v1::HoldCreditsRequest {
            request_id: request_id(),
            account_id: account_id.to_owned(),
            job_id: job_id.to_owned(),
            attempt: 1,
            credits,
            ttl: Some(prost_types::Duration { seconds: 86_400, nanos: 0 }),
            ..Default::default()
        })
    }

    pub(crate) fn capture(account_id: &str, job_id: &str) -> Self {
        Self::Capture(v1::CaptureCreditsRequest {
            request_id: request_id(),
            account_id: account_id.to_owned(),
            job_id: job_id.to_owned(),
            attempt: 1,
            delivered_outputs: None,
        })
    }

    pub(crate) fn restore(account_id: &str, job_id: &str, credits: i64) -> Self {
        let request = v1::RestoreCreditsRequest {
            request_id: request_id(),
            account_id: account_id.to_owned(),
            job_id: job_id.to_owned(),
            attempt: 1,
            cause: "worker_crash".to_owned(),
            error_message: String::new(),
            failed_at: Some(yesterday()),
        };
        Self::Restore(request, credits)
    }

    pub(crate) fn claim(account_id: &str, payment_id: &str) -> Self {
        let request = v1::EvaluateRequestRequest {
            request_id: request_id(),
            account_id: account_id.to_owned(),
            claim: v1::Claim::CreditsNotDelivered.into(),
            purchase: Some(by_payment(payment_id)),
            ..Default::default()
        };
        Self::Claim(request, payment_id.to_owned())
    }

    pub(crate) fn dispute(account_id: &str, payment_id: &str, event: v1::ChargebackEventKind) -> Self {
        let request = v1::RecordChargebackRequest {
            request_id: request_id(),
            provider: "stripe".to_owned(),
            dispute_id: format!("dispute-{payment_id}"),
            payment_id: payment_id.to_owned(),
            event: event.into(),
            amount: Some(price()),
            occurred_at: Some(Timestamp { seconds: yesterday().seconds + i64::from(event as i32), nanos: 0 }),
            ..Default::default()
        };
        Self::Dispute(request, account_id.to_owned())
    }

    pub(crate) fn request_id(&self) -> &str {
        match self {
            Self::Purchase(request) => &request.request_id,
            Self::Deliver(request) => &request.request_id,
            Self::Grant(request) => &request.request_id,
            Self::Hold(request) => &request.request_id,
            Self::Capture(request) => &request.request_id,
            Self::Restore(request, _) => &request.request_id,
            Self::Claim(request, _) => &request.request_id,
            Self::Dispute(request, _) => &request.request_id,
        }
    }

    /// Whether a lane does it.
    pub(crate) const fn is_hot(&self) -> bool {
        matches!(self, Self::Grant(_) | Self::Hold(_) | Self::Capture(_) | Self::Restore(..))
    }

    /// What a call that was done leaves behind, besides its key.
    pub(crate) fn leaves(&self, left: &mut Effects) {
        match self {
            Self::Purchase(request) => left.add("purchase", &request.payment_id, 1),
            Self::Deliver(request) => {
                left.add("delivery", &request.delivery_id, BOUGHT);
                left.add("available", &request.account_id, BOUGHT);
            }
            Self::Grant(request) => {
                let mark = request.expires_at.map_or(0, |at| at.seconds);
                left.add("grant", &mark.to_string(), request.credits);
                left.add("available", &request.account_id, request.credits);
            }
            Self::Hold(request) => {
                left.add("held for", &request.job_id, request.credits);
                left.shift(&request.account_id, "available", "held", request.credits);
            }
            Self::Capture(request) => {
                // The workload asks for one size of attempt, so that a capture knows what it takes.
                left.add("charged for", &request.job_id, super::load::COST);
                left.shift(&request.account_id, "held", "consumed", super::load::COST);
            }
            Self::Restore(request, credits) => {
                left.add("restored for", &request.job_id, *credits);
                left.shift(&request.account_id, "consumed", "available", *credits);
            }
            Self::Claim(request, payment_id) => {
                left.add("request", payment_id, 1);
                left.add("available", &request.account_id, BOUGHT);
            }
            Self::Dispute(request, account_id) => {
                left.add("news", &request.dispute_id, 1);
                if request.event() == v1::ChargebackEventKind::Opened {
                    left.shift(account_id, "available", "frozen", BOUGHT);
                } else {
                    left.shift(account_id, "frozen", "revoked", BOUGHT);
                }
            }
        }
    }
}

impl Call {
    /// Makes the call and waits for whatever comes of it, however long that takes.
    pub(crate) async fn make(&self, channel: Channel) -> Told {
        let mut credits = CreditServiceClient::new(channel.clone());
        let mut refunds = RefundServiceClient::new(channel);
        match self.ask.clone() {
            Ask::Purchase(request) => told(credits.record_purchase(self.request(request)).await),
            Ask::Deliver(request) => told(credits.deliver_credits(self.request(request)).await),
            Ask::Grant(request) => told(credits.grant_credits(self.request(request)).await),
            Ask::Hold(request) => told(credits.hold_credits(self.request(request)).await),
            Ask::Capture(request) => told(credits.capture_credits(self.request(request)).await),
            Ask::Restore(request, _) => told(credits.restore_credits(self.request(request)).await),
            Ask::Claim(request, _) => told(refunds.evaluate_request(self.request(request)).await),
            Ask::Dispute(request, _) => told(refunds.record_chargeback(self.request(request)).await),
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(clock) = self.clock.as_deref().and_then(|clock| clock.parse().ok()) {
            request.metadata_mut().insert("makegood-test-clock", clock);
        }
        request
    }
}

/// Reads what a caller was told as `docs/clients.md` says it is to be read.
fn told<T: Message>(answer: Result<Response<T>, Status>) -> Told {
    let is_replay = |metadata: &tonic::metadata::MetadataMap| metadata.contains_key("idempotency-replayed");
    let status = match answer {
        Ok(answer) => {
            let replayed = is_replay(answer.metadata());
            return Told::Answer { bytes: answer.get_ref().encode_to_vec(), refused: false, replayed };
        }
        Err(status) => status,
    };
    let reason = status.get_details_error_info().map(|info| info.reason);
    let said = format!("{:?} {}", status.code(), reason.as_deref().unwrap_or_else(|| status.message()));
    match (status.code(), reason.as_deref()) {
        (_, None | Some("OUTCOME_UNKNOWN")) => Told::Unknown(said),
        (
            Code::Unavailable
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::NotFound,
            Some(_),
        ) => Told::Nothing(said),
        (_, Some(_)) => {
            let replayed = is_replay(status.metadata());
            let bytes = format!("{said}: {}", status.message()).into_bytes();
            Told::Answer { bytes, refused: true, replayed }
        }
    }
}
