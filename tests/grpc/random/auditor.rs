//! One account as an auditor keeps it beside the service: small, plain, and sharing no code with the ledger. It says
//! of every call what the service must answer.

use super::calls::{CAUSES, Call, PAYMENTS};
use super::disputes::Dispute;
use super::lots::{Lots, Move};
use super::refunds::Refund;
use super::restrictions::Suspension;
use super::sales::{Sale, payment_of};
use chrono::{DateTime, Utc};
use makegood::proto::makegood::v1;
use std::collections::BTreeMap;
use v1::{Bucket, Fault, UsageStage};
use v1::{NotRestorableReason as Reason, RestoreOutcome as Outcome};

/// What of an answer is compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Answer {
    /// Stages and the like.
    pub(crate) words: Vec<&'static str>,
    pub(crate) figures: Vec<i64>,
    pub(crate) moves: Vec<Move>,
    /// Available, held, frozen, and the last entry.
    pub(crate) balance: Option<[i64; 4]>,
}

/// An answer, or the reason of a refusal.
pub(crate) type Said = Result<Answer, String>;

/// What an attempt took from one lot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) lot: usize,
    pub(crate) held: i64,
    pub(crate) captured: i64,
    pub(crate) released: i64,
    pub(crate) restored: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Usage {
    job_id: String,
    attempt: i32,
    stage: UsageStage,
    pub(crate) cost: i64,
    pub(crate) outputs: i32,
    delivered: Option<i32>,
    parts: Vec<Part>,
    runs_out_at: i64,
    fault: Option<Fault>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Auditor {
    pub(crate) account_id: String,
    pub(crate) lots: Lots,
    pub(crate) sales: BTreeMap<String, Sale>,
    pub(crate) disputes: BTreeMap<String, Dispute>,
    pub(crate) refunds: Vec<Refund>,
    pub(crate) suspensions: Vec<Suspension>,
    usages: Vec<Usage>,
    is_open: bool,
    keys: BTreeMap<(bool, usize, String), (Call, Said)>,
}

impl Auditor {
    pub(crate) fn new(account_id: String) -> Self {
        Self { account_id, ..Self::default() }
    }

    /// What the service must answer to a call now, and whether as a replay.
    pub(crate) fn hear(&mut self, call: &Call) -> (Said, bool) {
        let Some((method, request_id)) = call.key() else { return (self.look(), false) };
        // A dispute over a payment that nobody recorded waits where no account is, and so does its key.
        let is_placed = !matches!(call, Call::Dispute(told) if !self.sales.contains_key(&told.payment_id));
        let key = (is_placed, method, request_id);
        if let Some((first, said)) = self.keys.get(&key) {
            let same = first == call;
            return (if same { said.clone() } else { Err("IDEMPOTENCY_KEY_REUSED".to_owned()) }, same);
        }
        let was_open = self.is_open || !is_placed;
        let opens = matches!(call, Call::Buy(_) | Call::Grant(_) | Call::Impose(_)) || !is_placed;
        let said = if was_open || opens { self.apply(call) } else { Err("ACCOUNT_NOT_FOUND".to_owned()) };
        self.is_open |= opens && is_placed && said.is_ok();
        // What was not found may arrive, and a refusal opens no account.
        let is_kept = !matches!(&said, Err(reason) if reason.ends_with("_NOT_FOUND") || !was_open);
        if is_kept {
            self.keys.insert(key, (call.clone(), said.clone()));
        }
        (said, false)
    }

    /// Whether the auditor knows what a call must come to: a second open request about a purchase is not its matter.
    pub(crate) fn knows_the_answer(&self, call: &Call) -> bool {
        let Call::Ask(asked) = call else { return true };
        let key = call.key().map(|(method, request_id)| (true, method, request_id));
        let is_replay = key.is_some_and(|key| self.keys.contains_key(&key));
        is_replay || !self.sales.get(&payment_of(asked.purchase.as_ref())).is_some_and(|sale| sale.in_case)
    }

    fn apply(&mut self, call: &Call) -> Said {
        let begun = self.lots.journal.len();
        match call {
            Call::Buy(request) => self.buy(request),
            Call::Deliver(request) => self.deliver(request),
            Call::Grant(request) => self.grant(request),
            Call::Revoke(request) => self.revoke(request, begun),
            Call::Hold(request) => self.hold(request),
            Call::Capture(request) => self.capture(request),
            Call::Release(request) => self.release(request),
            Call::Fail(request) => self.fail(request, begun),
            Call::Dispute(request) => Ok(self.dispute(request, begun)),
            Call::Ask(request) => Ok(self.ask(request)),
            Call::Settle(request) => self.settle(request),
            Call::Impose(request) => Ok(self.impose(request)),
            Call::Lift(request) => self.lift(request),
            Call::Look(_) => self.look(),
        }
    }

    fn look(&self) -> Said {
        if !self.is_open {
            return Err("ACCOUNT_NOT_FOUND".to_owned());
        }
        let figures = self.lots.open_lines().concat();
        Ok(Answer { figures, balance: Some(self.lots.balance()), ..Answer::default() })
    }

    fn hold(&mut self, request: &v1::HoldCreditsRequest) -> Said {
        let outputs = request.outputs.unwrap_or(1);
        if let Some(at) = self.find(&request.job_id, request.attempt) {
            let known = &self.usages[at];
            let same = known.cost == request.credits && known.outputs == outputs;
            return if same { Ok(self.shown(at)) } else { Err("USAGE_ALREADY_EXISTS".to_owned()) };
        }
        if self.is_suspended() {
            return Err("ACCOUNT_SUSPENDED".to_owned());
        }
        let order = self.lots.burn();
        let taken = self.lots.take(&order, Bucket::Held, Some(request.credits));
        let taken = taken.ok_or("INSUFFICIENT_CREDITS")?;
        let part = |(lot, held)| Part { lot, held, captured: 0, released: 0, restored: 0 };
        self.usages.push(Usage {
            job_id: request.job_id.clone(),
            attempt: request.attempt,
            stage: UsageStage::Held,
            cost: request.credits,
            outputs,
            delivered: None,
            parts: taken.into_iter().map(part).collect(),
            runs_out_at: self.lots.now + request.ttl.as_ref().unwrap().seconds * 1_000,
            fault: None,
        });
        Ok(self.shown(self.usages.len() - 1))
    }

    fn capture(&mut self, request: &v1::CaptureCreditsRequest) -> Said {
        let at = self.find(&request.job_id, request.attempt).ok_or("USAGE_NOT_FOUND")?;
        let usage = &mut self.usages[at];
        let delivered = request.delivered_outputs.unwrap_or(usage.outputs);
        match usage.stage {
            UsageStage::Captured if usage.delivered == Some(delivered) => return Ok(self.shown(at)),
            UsageStage::Expired => return Err("HOLD_EXPIRED".to_owned()),
            UsageStage::Held if delivered > usage.outputs => return Err("INVALID_FIELD".to_owned()),
            UsageStage::Held => {}
            _ => return Err("USAGE_NOT_HELD".to_owned()),
        }
        let mut charge = usage.cost * i64::from(delivered) / i64::from(usage.outputs);
        for part in &mut usage.parts {
            part.captured = part.held.min(charge);
            part.held -= part.captured;
            charge -= part.captured;
            self.lots.carry(part.lot, Bucket::Held, Bucket::Consumed, part.captured);
        }
        usage.delivered = Some(delivered);
        self.let_go(at, UsageStage::Captured);
        Ok(self.shown(at))
    }

    fn release(&mut self, request: &v1::ReleaseCreditsRequest) -> Said {
        let at = self.find(&request.job_id, request.attempt).ok_or("USAGE_NOT_FOUND")?;
        match self.usages[at].stage {
            UsageStage::Held => self.let_go(at, UsageStage::Released),
            UsageStage::Released | UsageStage::Expired => {}
            _ => return Err("USAGE_NOT_HELD".to_owned()),
        }
        Ok(self.shown(at))
    }

    /// Everything still reserved goes back, last taken first.
    fn let_go(&mut self, at: usize, stage: UsageStage) {
        let usage = &mut self.usages[at];
        usage.stage = stage;
        for part in usage.parts.iter_mut().rev() {
            let credits = std::mem::take(&mut part.held);
            part.released += credits;
            self.lots.give_back(part.lot, Bucket::Held, credits);
        }
    }

    fn fail(&mut self, request: &v1::RestoreCreditsRequest, begun: usize) -> Said {
        let at = self.find(&request.job_id, request.attempt).ok_or("USAGE_NOT_FOUND")?;
        let usage = &mut self.usages[at];
        let told = match CAUSES.iter().position(|cause| *cause == request.cause) {
            Some(0 | 1) => Fault::Platform,
            Some(2) => Fault::Customer,
            _ => Fault::Undetermined,
        };
        // A fault that was found stays; one that nobody knew may be found later.
        let fault = usage.fault.filter(|fault| *fault != Fault::Undetermined).unwrap_or(told);
        usage.fault = Some(fault);
        let charged: i64 = usage.parts.iter().map(|part| part.captured - part.restored).sum();
        let held: i64 = usage.parts.iter().map(|part| part.held).sum();
        let (mut restored, mut released) = (0, 0);
        let (outcome, reason) = match (usage.stage, fault) {
            (UsageStage::Held, _) => {
                released = held;
                self.let_go(at, UsageStage::Failed);
                (Outcome::Released, Reason::Unspecified)
            }
            (UsageStage::Failed, _) => (Outcome::AlreadyRestored, Reason::Unspecified),
            (UsageStage::Captured, _) if charged == 0 => (Outcome::NotRestorable, Reason::NothingCharged),
            (UsageStage::Captured, Fault::Platform) => {
                restored = charged;
                usage.stage = UsageStage::Failed;
                for part in usage.parts.iter_mut().rev() {
                    part.restored = part.captured;
                    self.lots.give_back(part.lot, Bucket::Consumed, part.captured);
                }
                (Outcome::Restored, Reason::Unspecified)
            }
            (UsageStage::Captured, Fault::Customer) => (Outcome::NotRestorable, Reason::CustomerFault),
            (UsageStage::Captured, _) => (Outcome::NotRestorable, Reason::FaultUndetermined),
            _ => (Outcome::NotRestorable, Reason::NothingCharged),
        };
        let mut answer = self.shown(at);
        answer.words.extend([outcome.as_str_name(), reason.as_str_name(), fault.as_str_name()]);
        answer.figures.extend([restored, released]);
        // Credits that expire on this occasion were not the attempt's.
        let own = |moved: &&Move| moved.from != Bucket::Available;
        answer.moves = self.lots.journal[begun..].iter().filter(own).copied().collect();
        Ok(answer)
    }

    /// Ends what is over: holds, the longest overdue first, then credits, unless a suspension keeps them.
    pub(crate) fn sweep(&mut self, now: i64) {
        self.lots.now = now;
        loop {
            let mut due: Vec<usize> = (0..self.usages.len())
                .filter(|at| {
                    self.usages[*at].stage == UsageStage::Held && self.usages[*at].runs_out_at <= now
                })
                .collect();
            due.sort_by_key(|at| {
                let usage = &self.usages[*at];
                (usage.runs_out_at, usage.job_id.clone(), usage.attempt)
            });
            // A transaction gives back so many.
            due.truncate(25);
            for at in &due {
                self.let_go(*at, UsageStage::Expired);
            }
            if !self.is_suspended() {
                self.lots.expire();
            }
            if due.is_empty() {
                break;
            }
        }
    }

    fn find(&self, job_id: &str, attempt: i32) -> Option<usize> {
        self.usages.iter().position(|usage| usage.job_id == job_id && usage.attempt == attempt)
    }

    /// An attempt as an answer shows it.
    fn shown(&self, at: usize) -> Answer {
        let usage = &self.usages[at];
        let sum = |of: fn(&Part) -> i64| usage.parts.iter().map(of).sum::<i64>();
        let mut figures = vec![
            usage.cost,
            i64::from(usage.outputs),
            i64::from(usage.delivered.unwrap_or(-1)),
            sum(|part| part.held),
            sum(|part| part.captured),
            sum(|part| part.released),
            sum(|part| part.restored),
        ];
        for part in &usage.parts {
            let lot = i64::try_from(part.lot).unwrap();
            figures.extend([lot, part.held, part.captured, part.released, part.restored]);
        }
        Answer {
            words: vec![usage.stage.as_str_name()],
            figures,
            balance: Some(self.lots.balance()),
            ..Answer::default()
        }
    }
}

/// What the wishes ask.
impl Auditor {
    pub(crate) fn at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.lots.now).unwrap()
    }

    pub(crate) fn timestamp(&self, after_millis: i64) -> prost_types::Timestamp {
        self.timestamp_of(self.at(), after_millis)
    }

    #[expect(clippy::unused_self, reason = "reads as its sibling")]
    pub(crate) fn timestamp_of(&self, at: DateTime<Utc>, after_millis: i64) -> prost_types::Timestamp {
        crate::service::timestamp(&(at + chrono::TimeDelta::milliseconds(after_millis)).to_rfc3339())
    }

    /// The name of a payment of this account.
    pub(crate) fn payment(&self, payment: u8) -> String {
        let known = if payment < PAYMENTS { "" } else { "never-" };
        format!("pay-{}-{known}{payment}", self.account_id)
    }

    /// A payment to tell of: by an even choice one of all, by an odd one mostly one that was made.
    pub(crate) fn payment_told(&self, choice: u8) -> String {
        let made: Vec<&String> = self.sales.keys().collect();
        match usize::from(choice / 2).checked_rem(made.len()) {
            _ if choice % 16 == 15 => self.payment(PAYMENTS),
            Some(place) if choice % 2 == 1 => made[place].clone(),
            _ => self.payment(choice / 2 % PAYMENTS),
        }
    }

    pub(crate) fn has_usages(&self) -> bool {
        !self.usages.is_empty()
    }

    pub(crate) fn paid_at(&self, payment_id: &str) -> Option<DateTime<Utc>> {
        self.sales.get(payment_id).map(|sale| DateTime::from_timestamp_millis(sale.paid_at).unwrap())
    }

    pub(crate) fn usage(&self, job_id: &str, attempt: i32) -> Option<&Usage> {
        self.find(job_id, attempt).map(|at| &self.usages[at])
    }

    /// One of the last attempts, or one that was never made.
    pub(crate) fn attempt(&self, choice: u8) -> (String, i32) {
        let late = &self.usages[self.usages.len().saturating_sub(6)..];
        let known = usize::from(choice).checked_rem(late.len()).filter(|_| choice % 16 != 15);
        known.map_or_else(|| ("job-unknown".to_owned(), 1), |at| (late[at].job_id.clone(), late[at].attempt))
    }

    /// The next attempt: some jobs have two.
    pub(crate) fn new_attempt(&self) -> (String, i32) {
        let count = self.usages.len();
        (format!("job-{}", count / 2), if count.is_multiple_of(2) { 1 } else { 2 })
    }

    pub(crate) fn refund_ids(&self) -> Vec<String> {
        self.refunds.iter().map(|refund| refund.id.clone()).collect()
    }
}
