//! The calls that wishes become in an account, and how a call is told again.

use super::auditor::Auditor;
use super::lots::DAY;
use super::restrictions::{imposition, lifting};
use super::wishes::Act;
use crate::canary::words;
use crate::service;
use makegood::proto::makegood::v1;
use v1::{ChargebackEventKind as Event, Claim, LotSource, RefundResult};
use v1::{deliver_credits_request::Outcome, revoke_credits_request::Target};

/// A call of one account.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Call {
    Buy(v1::RecordPurchaseRequest),
    Deliver(v1::DeliverCreditsRequest),
    Grant(v1::GrantCreditsRequest),
    Revoke(v1::RevokeCreditsRequest),
    Hold(v1::HoldCreditsRequest),
    Capture(v1::CaptureCreditsRequest),
    Release(v1::ReleaseCreditsRequest),
    Fail(v1::RestoreCreditsRequest),
    Dispute(v1::RecordChargebackRequest),
    Ask(v1::EvaluateRequestRequest),
    Settle(v1::RecordRefundResultRequest),
    Impose(v1::ImposeRestrictionRequest),
    Lift(v1::LiftRestrictionRequest),
    Look(v1::GetBalanceRequest),
}

/// What a call does to a field of whatever request it holds.
macro_rules! of_each {
    ($call:expr, $request:ident => $value:expr) => {
        match $call {
            Call::Buy($request) => $value,
            Call::Deliver($request) => $value,
            Call::Grant($request) => $value,
            Call::Revoke($request) => $value,
            Call::Hold($request) => $value,
            Call::Capture($request) => $value,
            Call::Release($request) => $value,
            Call::Fail($request) => $value,
            Call::Dispute($request) => $value,
            Call::Ask($request) => $value,
            Call::Settle($request) => $value,
            Call::Impose($request) => $value,
            Call::Lift($request) => $value,
            Call::Look(_) => unreachable!("a look has no request id"),
        }
    };
}

impl Call {
    /// The method and the id by which a repeated call is known; a look has none.
    pub(crate) fn key(&self) -> Option<(usize, String)> {
        let method = match self {
            Self::Buy(_) => 0,
            Self::Deliver(_) => 1,
            Self::Grant(_) => 2,
            Self::Revoke(_) => 3,
            Self::Hold(_) => 4,
            Self::Capture(_) => 5,
            Self::Release(_) => 6,
            Self::Fail(_) => 7,
            Self::Dispute(_) => 8,
            Self::Ask(_) => 9,
            Self::Settle(_) => 10,
            Self::Impose(_) => 11,
            Self::Lift(_) => 12,
            Self::Look(_) => return None,
        };
        Some((method, of_each!(self, request => request.request_id.clone())))
    }

    fn under_a_new_id(mut self) -> Self {
        of_each!(&mut self, request => request.request_id = service::request_id());
        self
    }

    /// Another body under the same id, as sound as the first.
    fn twisted(mut self) -> Self {
        match &mut self {
            Self::Buy(request) => request.credits += 1,
            Self::Deliver(request) => request.delivery_id.push('x'),
            Self::Grant(request) => request.credits += 1,
            Self::Revoke(request) => request.reason.push('x'),
            Self::Hold(request) => request.credits += 1,
            Self::Capture(request) => {
                request.delivered_outputs = if request.delivered_outputs == Some(1) { None } else { Some(1) };
            }
            Self::Release(request) => request.attempt += 1,
            Self::Fail(request) => request.cause = twisted_cause(&request.cause).to_owned(),
            Self::Dispute(request) => {
                request.amount.iter_mut().for_each(|amount| amount.minor_units += 1);
            }
            Self::Ask(request) => {
                let is_told = request.claim() == Claim::ChangeOfMind;
                let claim = if is_told { Claim::CreditsNotDelivered } else { Claim::ChangeOfMind };
                request.set_claim(claim);
            }
            Self::Settle(request) => {
                let is_told = request.result() == RefundResult::Submitted;
                request.set_result(if is_told { RefundResult::Unknown } else { RefundResult::Submitted });
                request.provider_refund_id.clear();
                request.failure_reason.clear();
            }
            Self::Impose(request) => request.reason.push('x'),
            Self::Lift(request) => request.reason.push('x'),
            Self::Look(_) => {}
        }
        self
    }
}

/// Whose faults the causes are by the shipped policy: ours, ours, the customer's, and nobody knows.
pub(crate) const CAUSES: [&str; 4] = ["worker_crash", "gpu_error", "content_blocked", "cosmic_rays"];

/// What is claimed, the frequent one twice.
const CLAIMS: [Claim; 4] =
    [Claim::DuplicatePurchase, Claim::DuplicatePurchase, Claim::CreditsNotDelivered, Claim::ChangeOfMind];

fn twisted_cause(cause: &str) -> &'static str {
    if cause == CAUSES[1] { CAUSES[0] } else { CAUSES[1] }
}

/// The credits and the price of a payment: 0 and 2, and 1 and 3, are for the same package.
pub(crate) const PACKAGES: [(i64, i64); 2] = [(100, 999), (37, 1_000)];
const BONUS: [i64; 4] = [0, 10, 7, 0];
const DAYS: [Option<i64>; 4] = [None, Some(20), None, Some(2)];
/// Payments that an account may make; one more is told of and never made.
pub(crate) const PAYMENTS: u8 = 4;

fn pick<T>(all: &[T], choice: u8) -> Option<&T> {
    all.get(usize::from(choice).checked_rem(all.len())?)
}

/// The same choice among the last few, where most happens.
fn pick_late<T>(all: &[T], choice: u8) -> Option<&T> {
    pick(&all[all.len().saturating_sub(6)..], choice)
}

fn reference(payment_id: &str) -> Option<v1::PurchaseReference> {
    service::by_payment(payment_id)
}

impl Act {
    /// Whether there is what the wish is about; what is not there is asked for now and then.
    fn has_something_to_do(&self, of: &Auditor) -> bool {
        match self {
            Self::Capture { usage, .. } | Self::Release { usage } | Self::Fail { usage, .. } => {
                of.has_usages() || usage % 8 == 0
            }
            Self::Settle { refund, .. } => !of.refunds.is_empty() || refund % 8 == 0,
            _ => true,
        }
    }

    /// The call that this wish becomes now; `None` where there is nothing to choose from.
    pub(crate) fn call(&self, of: &Auditor, sent: &[Call]) -> Option<Call> {
        let (account_id, at) = (of.account_id.as_str(), of.at().to_rfc3339());
        if !self.has_something_to_do(of) {
            return None;
        }
        Some(match *self {
            Self::Buy { payment, other_facts } => Call::Buy(buy(of, payment, other_facts)),
            Self::BuyOfAnother => Call::Buy(service::purchase(account_id, super::STRANGERS_PAYMENT, &at)),
            Self::Deliver { payment, part, delivery } => {
                let payment_id = of.payment_told(payment);
                let mut request = service::delivery(account_id, &payment_id, part, &at);
                request.delivery_id = format!("delivery-{delivery}");
                Call::Deliver(request)
            }
            Self::GiveUp { payment } => {
                let mut request = service::delivery(account_id, &of.payment(payment % PAYMENTS), 1, &at);
                let reason = words("the queue lost it");
                request.outcome = Some(Outcome::Undeliverable(v1::Undeliverable { reason }));
                Call::Deliver(request)
            }
            Self::Grant { source, credits, days, priority } => Call::Grant(v1::GrantCreditsRequest {
                expires_at: days.map(|days| of.timestamp(days * DAY)),
                priority,
                ..grant(of, source, credits)
            }),
            Self::Revoke { target, credits } => Call::Revoke(revoke(of, target, credits)),
            Self::Hold { again, credits, outputs, seconds } => {
                Call::Hold(hold(of, again, (credits, outputs), seconds))
            }
            Self::Capture { usage, delivered } => {
                let (job_id, attempt) = of.attempt(usage);
                let request = service::capture(account_id, &job_id);
                Call::Capture(v1::CaptureCreditsRequest { attempt, delivered_outputs: delivered, ..request })
            }
            Self::Release { usage } => {
                let (job_id, attempt) = of.attempt(usage);
                Call::Release(v1::ReleaseCreditsRequest { attempt, ..service::release(account_id, &job_id) })
            }
            Self::Fail { usage, cause } => {
                let (job_id, attempt) = of.attempt(usage);
                let cause = CAUSES[usize::from(cause % 4)];
                let request = service::restore(account_id, &job_id, cause, &at);
                Call::Fail(v1::RestoreCreditsRequest { attempt, ..request })
            }
            Self::Dispute { payment, number, event, part, late } => {
                Call::Dispute(dispute(of, payment, number, (event, part), late))
            }
            Self::Ask { payment, claim } => {
                let claim = CLAIMS[usize::from(claim % 4)];
                Call::Ask(service::evaluate(account_id, &of.payment_told(payment), claim))
            }
            Self::Settle { refund, result } => Call::Settle(settle(of, refund, result, &at)),
            Self::Impose { revokes } => Call::Impose(imposition(of, revokes)),
            Self::Lift { choice } => Call::Lift(lifting(of, choice)),
            Self::Look => Call::Look(v1::GetBalanceRequest { account_id: account_id.to_owned() }),
            Self::Repeat { call, how } => {
                let call = pick_late(sent, call)?.clone();
                match how % 3 {
                    0 => call,
                    1 => call.twisted(),
                    _ => call.under_a_new_id(),
                }
            }
        })
        .filter(|call| of.knows_the_answer(call))
    }
}

fn buy(of: &Auditor, payment: u8, other_facts: bool) -> v1::RecordPurchaseRequest {
    let payment = payment % PAYMENTS;
    let index = usize::from(payment);
    let (credits, price) = PACKAGES[index % 2];
    let payment_id = of.payment(payment);
    // The same payment was made at the same time, whenever it is told.
    let paid_at = of.paid_at(&payment_id).unwrap_or_else(|| of.at());
    v1::RecordPurchaseRequest {
        package_id: format!("pack-{credits}"),
        price: service::usd(price),
        credits: credits + i64::from(other_facts),
        bonus_credits: BONUS[index],
        credits_expire_at: DAYS[index].map(|days| of.timestamp_of(paid_at, days * DAY)),
        ..service::purchase(&of.account_id, &payment_id, &paid_at.to_rfc3339())
    }
}

fn grant(of: &Auditor, source: u8, credits: i64) -> v1::GrantCreditsRequest {
    let sources = [LotSource::Bonus, LotSource::Promotion, LotSource::Compensation];
    v1::GrantCreditsRequest {
        request_id: service::request_id(),
        account_id: of.account_id.clone(),
        source: sources[usize::from(source % 3)].into(),
        credits,
        reason: words("a gift"),
        ..Default::default()
    }
}

fn revoke(of: &Auditor, target: u8, credits: Option<i64>) -> v1::RevokeCreditsRequest {
    let known: Vec<&String> = of.lots.all.iter().map(|pot| &pot.id).collect();
    let target = match (target % 3, pick_late(&known, target)) {
        (0, Some(lot_id)) => Target::LotId((*lot_id).clone()),
        (0 | 1, _) => {
            let payment_id = of.payment_told(target);
            Target::Purchase(reference(&payment_id).unwrap())
        }
        _ => Target::Everything(v1::revoke_credits_request::Everything {}),
    };
    v1::RevokeCreditsRequest {
        request_id: service::request_id(),
        account_id: of.account_id.clone(),
        target: Some(target),
        credits,
        clause: "3.3".to_owned(),
        reason: words("a mistake"),
    }
}

fn hold(
    of: &Auditor,
    again: Option<u8>,
    (credits, outputs): (i64, i32),
    seconds: i64,
) -> v1::HoldCreditsRequest {
    let (job_id, attempt) = again.map_or_else(|| of.new_attempt(), |usage| of.attempt(usage));
    // An attempt that is told again is told as it was, or for other credits.
    let known = of.usage(&job_id, attempt).filter(|_| credits % 2 == 0);
    let (credits, outputs) = known.map_or((credits, outputs), |known| (known.cost, known.outputs));
    v1::HoldCreditsRequest {
        attempt,
        outputs: Some(outputs),
        ttl: Some(prost_types::Duration { seconds, nanos: 0 }),
        ..service::hold(&of.account_id, &job_id, credits)
    }
}

fn dispute(
    of: &Auditor,
    payment: u8,
    number: u8,
    (event, part): (u8, i64),
    late: bool,
) -> v1::RecordChargebackRequest {
    let events =
        [Event::Opened, Event::Won, Event::Opened, Event::Won, Event::Withdrawn, Event::Lost, Event::Updated];
    let payment_id = of.payment_told(payment);
    let occurred_at = of.at() - chrono::TimeDelta::minutes(if late { 90 } else { 0 });
    let price = of.sales.get(&payment_id).map_or(PACKAGES[0].1, |sale| sale.price);
    v1::RecordChargebackRequest {
        amount: service::usd((price * part / 4).max(1)),
        ..service::chargeback(
            &payment_id,
            &format!("dp-{payment_id}-{}", number % 2),
            events[usize::from(event) % events.len()],
            &occurred_at.to_rfc3339(),
        )
    }
}

fn settle(of: &Auditor, refund: u8, result: u8, at: &str) -> v1::RecordRefundResultRequest {
    let results =
        [RefundResult::Submitted, RefundResult::Succeeded, RefundResult::Failed, RefundResult::Unknown];
    let refund_id = pick_late(&of.refund_ids(), refund).cloned().unwrap_or_else(service::request_id);
    service::refund_result(&of.account_id, &refund_id, results[usize::from(result) % 4], at)
}
