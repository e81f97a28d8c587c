//! One account's customer: makes its calls, and holds each answer of the service against the auditor's.

use super::auditor::{Answer, Auditor, Said};
use super::calls::Call;
use super::lots::Move;
use super::restrictions::account;
use super::wishes::Act;
use crate::service::{Service, is_replayed, when};
use makegood::proto::makegood::v1;
use makegood::proto::makegood::v1::account_service_client::AccountServiceClient;
use makegood::proto::makegood::v1::credit_service_client::CreditServiceClient;
use makegood::proto::makegood::v1::refund_service_client::RefundServiceClient;
use std::collections::BTreeMap;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tonic_types::StatusExt;
use v1::Bucket;

#[derive(Clone)]
pub(crate) struct Teller {
    accounts: AccountServiceClient<Channel>,
    credits: CreditServiceClient<Channel>,
    refunds: RefundServiceClient<Channel>,
    pub(crate) auditor: Auditor,
    sent: Vec<Call>,
    /// How often each word was said: stages, outcomes, reasons.
    pub(crate) words: BTreeMap<String, usize>,
}

/// What of a balance is compared.
fn sums(balance: Option<&v1::Balance>) -> Option<[i64; 4]> {
    balance.map(|balance| [balance.available, balance.held, balance.frozen, balance.last_seq])
}

fn minor(money: Option<&v1::Money>) -> i64 {
    money.map_or(-1, |money| money.minor_units)
}

impl Teller {
    pub(crate) fn new(service: &Service, account_id: String) -> Self {
        Self::at(service, Auditor::new(account_id))
    }

    /// A customer whose account has a past.
    pub(crate) fn at(service: &Service, auditor: Auditor) -> Self {
        Self {
            accounts: service.accounts(),
            credits: service.credits(),
            refunds: service.refunds(),
            auditor,
            sent: Vec::new(),
            words: BTreeMap::new(),
        }
    }

    /// Does what is wished, at an instant.
    pub(crate) async fn does(&mut self, now: i64, act: &Act) -> Result<(), String> {
        self.auditor.lots.now = now;
        let Some(call) = act.call(&self.auditor, &self.sent) else { return Ok(()) };
        self.makes(&call).await
    }

    /// Makes a call now, and holds its answer against the auditor's.
    pub(crate) async fn makes(&mut self, call: &Call) -> Result<(), String> {
        let expected = self.auditor.hear(call);
        let said = self.tell(call).await;
        if call.key().is_some() {
            self.sent.push(call.clone());
        }
        self.count(&said.0);
        if said == expected {
            return Ok(());
        }
        let at = self.auditor.at();
        Err(format!("at {at}, to {call:?}\nthe service said {said:?}\nand it should be {expected:?}"))
    }

    fn count(&mut self, said: &Said) {
        let words = match said {
            Ok(answer) => answer.words.iter().map(|word| (*word).to_owned()).collect(),
            Err(reason) => vec![reason.clone()],
        };
        for word in words {
            *self.words.entry(word).or_default() += 1;
        }
    }

    fn when<T>(&self, message: &T) -> Request<T>
    where
        T: Clone,
    {
        when(&self.auditor.at().to_rfc3339(), message.clone())
    }

    /// Makes a call; gives what of its answer is compared, and whether it was a replay.
    pub(crate) async fn tell(&mut self, call: &Call) -> (Said, bool) {
        match call {
            Call::Buy(request) => {
                let answer = self.credits.record_purchase(self.when(request)).await;
                self.said(answer, |_, told| sale(told.purchase.as_ref()))
            }
            Call::Deliver(request) => {
                let answer = self.credits.deliver_credits(self.when(request)).await;
                self.said(answer, |auditor, told| {
                    auditor.lots.learn(&told.lots);
                    let mut answer = sale(told.purchase.as_ref());
                    answer.figures.extend(told.lots.iter().flat_map(|lot| auditor.lots.told(lot)));
                    Answer { balance: sums(told.balance.as_ref()), ..answer }
                })
            }
            Call::Grant(request) => {
                let answer = self.credits.grant_credits(self.when(request)).await;
                self.said(answer, |auditor, told| {
                    let lot = told.lot.clone().unwrap_or_default();
                    auditor.lots.learn(std::slice::from_ref(&lot));
                    let figures = auditor.lots.told(&lot);
                    Answer { figures, balance: sums(told.balance.as_ref()), ..Answer::default() }
                })
            }
            Call::Revoke(request) => {
                let answer = self.credits.revoke_credits(self.when(request)).await;
                self.said(answer, |auditor, told| Answer {
                    figures: vec![told.credits_revoked],
                    moves: moves(auditor, &told.movements),
                    balance: sums(told.balance.as_ref()),
                    ..Answer::default()
                })
            }
            Call::Hold(request) => {
                let answer = self.credits.hold_credits(self.when(request)).await;
                self.said(answer, |auditor, told| usage(auditor, told.usage.as_ref(), told.balance.as_ref()))
            }
            Call::Capture(request) => {
                let answer = self.credits.capture_credits(self.when(request)).await;
                self.said(answer, |auditor, told| usage(auditor, told.usage.as_ref(), told.balance.as_ref()))
            }
            Call::Release(request) => {
                let answer = self.credits.release_credits(self.when(request)).await;
                self.said(answer, |auditor, told| usage(auditor, told.usage.as_ref(), told.balance.as_ref()))
            }
            Call::Fail(request) => {
                let answer = self.credits.restore_credits(self.when(request)).await;
                self.said(answer, failure)
            }
            call => self.tell_of_money(call).await,
        }
    }

    async fn tell_of_money(&mut self, call: &Call) -> (Said, bool) {
        match call {
            Call::Dispute(request) => {
                let answer = self.refunds.record_chargeback(self.when(request)).await;
                self.said(answer, dispute)
            }
            Call::Ask(request) => {
                let answer = self.refunds.evaluate_request(self.when(request)).await;
                let said = self.said(answer, decision);
                // Credits that a decision delivers are in lots that its answer does not name.
                if self.auditor.lots.all.iter().any(|pot| pot.id.is_empty()) {
                    let told = self.lots().await;
                    self.auditor.lots.learn(&told);
                }
                said
            }
            Call::Settle(request) => {
                let answer = self.refunds.record_refund_result(self.when(request)).await;
                self.said(answer, |_, told| {
                    let refund = told.refund.clone().unwrap_or_default();
                    Answer {
                        words: vec![refund.stage().as_str_name()],
                        figures: vec![minor(refund.amount.as_ref()), refund.credits],
                        balance: sums(told.balance.as_ref()),
                        ..Answer::default()
                    }
                })
            }
            Call::Look(request) => {
                let answer = self.credits.get_balance(self.when(request)).await;
                self.said(answer, |auditor, told| {
                    let balance = told.balance.clone().unwrap_or_default();
                    let figures = balance.lots.iter().flat_map(|lot| auditor.lots.told(lot)).collect();
                    Answer { figures, balance: sums(Some(&balance)), ..Answer::default() }
                })
            }
            call => self.tell_of_suspension(call).await,
        }
    }

    async fn tell_of_suspension(&mut self, call: &Call) -> (Said, bool) {
        match call {
            Call::Impose(request) => {
                let answer = self.accounts.impose_restriction(self.when(request)).await;
                self.said(answer, |auditor, told| {
                    auditor.learn_suspension(told.restriction.as_ref());
                    let figures = account(told.account.as_ref());
                    Answer { figures, balance: sums(told.balance.as_ref()), ..Answer::default() }
                })
            }
            Call::Lift(request) => {
                let answer = self.accounts.lift_restriction(self.when(request)).await;
                self.said(answer, |_, told| Answer {
                    figures: account(told.account.as_ref()),
                    ..Answer::default()
                })
            }
            _ => unreachable!("a call about credits"),
        }
    }

    fn said<T>(
        &mut self,
        answer: Result<Response<T>, Status>,
        compared: fn(&mut Auditor, &T) -> Answer,
    ) -> (Said, bool) {
        match answer {
            Ok(answer) => (Ok(compared(&mut self.auditor, answer.get_ref())), is_replayed(&answer)),
            Err(status) => {
                let replayed = status.metadata().get("idempotency-replayed").is_some();
                let info = status.get_details_error_info();
                (Err(info.map_or_else(|| format!("{status:?}"), |info| info.reason)), replayed)
            }
        }
    }

    /// Every lot, as they were made.
    async fn lots(&mut self) -> Vec<v1::Lot> {
        let account_id = self.auditor.account_id.clone();
        let request = v1::ListLotsRequest { account_id, page_size: 500, ..Default::default() };
        let page = self.credits.list_lots(self.when(&request)).await;
        page.map_or_else(|_| Vec::new(), |page| page.into_inner().lots)
    }

    /// Holds every lot and every entry against the auditor's.
    pub(crate) async fn settles_up(&mut self) -> Result<(), String> {
        let told = self.lots().await;
        let told: Vec<_> = told.iter().map(|lot| self.auditor.lots.told(lot)).collect();
        let kept: Vec<_> = (0..self.auditor.lots.all.len()).map(|lot| self.auditor.lots.line(lot)).collect();
        if told != kept {
            return Err(format!("the service lists the lots {told:?}\nand they should be {kept:?}"));
        }
        let mut token = String::new();
        let mut journal = Vec::new();
        loop {
            let request = v1::ListEntriesRequest {
                account_id: self.auditor.account_id.clone(),
                page_size: 500,
                page_token: token,
                ..Default::default()
            };
            // An account that was never opened has no entries.
            let Ok(page) = self.credits.list_entries(self.when(&request)).await else { break };
            let page = page.into_inner();
            journal.extend(page.entries.iter().map(|entry| {
                let lot = self.auditor.lots.place(&entry.lot_id);
                (entry.seq, moved(lot, entry.from_bucket(), entry.to_bucket(), entry.credits))
            }));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        let kept: Vec<_> = (1_i64..).zip(self.auditor.lots.journal.iter().copied()).collect();
        let first = journal.iter().zip(&kept).position(|(told, kept)| told != kept);
        if journal.len() == kept.len() && first.is_none() {
            return Ok(());
        }
        let first = first.unwrap_or_else(|| journal.len().min(kept.len()));
        let (told, kept) = (&journal[first..], &kept[first..]);
        Err(format!("from entry {first} the service lists {told:?}\nand it should be {kept:?}"))
    }
}

const fn moved(lot: usize, from: Bucket, to: Bucket, credits: i64) -> Move {
    Move { lot, from, to, credits }
}

fn moves(auditor: &Auditor, told: &[v1::LotMovement]) -> Vec<Move> {
    let place = |told: &v1::LotMovement| auditor.lots.place(&told.lot_id);
    told.iter().map(|told| moved(place(told), told.from_bucket(), told.to_bucket(), told.credits)).collect()
}

fn sale(told: Option<&v1::Purchase>) -> Answer {
    let told = told.cloned().unwrap_or_default();
    let [refunded, pending, returned] =
        [&told.refunded, &told.refund_pending, &told.returned_by_bank].map(|money| minor(money.as_ref()));
    Answer {
        words: vec![told.dispute().as_str_name()],
        figures: vec![
            told.credits,
            told.delivered_credits,
            told.refunded_credits,
            refunded,
            pending,
            returned,
        ],
        ..Answer::default()
    }
}

fn usage(auditor: &Auditor, told: Option<&v1::Usage>, balance: Option<&v1::Balance>) -> Answer {
    let told = told.cloned().unwrap_or_default();
    let mut figures = vec![
        told.cost,
        i64::from(told.outputs),
        i64::from(told.delivered_outputs.unwrap_or(-1)),
        told.held,
        told.captured,
        told.released,
        told.restored,
    ];
    for part in &told.allocations {
        let lot = i64::try_from(auditor.lots.place(&part.lot_id)).unwrap();
        figures.extend([lot, part.held, part.captured, part.released, part.restored]);
    }
    Answer { words: vec![told.stage().as_str_name()], figures, moves: Vec::new(), balance: sums(balance) }
}

fn failure(auditor: &mut Auditor, told: &v1::RestoreCreditsResponse) -> Answer {
    let mut answer = usage(auditor, told.usage.as_ref(), told.balance.as_ref());
    answer.words.extend([
        told.outcome().as_str_name(),
        told.not_restorable_reason().as_str_name(),
        told.fault().as_str_name(),
    ]);
    answer.figures.extend([told.credits_restored, told.credits_released]);
    answer.moves = moves(auditor, &told.movements);
    answer
}

fn dispute(auditor: &mut Auditor, told: &v1::RecordChargebackResponse) -> Answer {
    let dispute = told.chargeback.clone().unwrap_or_default();
    Answer {
        words: vec![dispute.stage().as_str_name()],
        figures: vec![
            minor(dispute.amount.as_ref()),
            dispute.frozen_credits,
            dispute.revoked_credits,
            dispute.unfrozen_credits,
            dispute.shortfall_credits,
            i64::try_from(told.canceled_refund_ids.len()).unwrap(),
        ],
        moves: moves(auditor, &told.movements),
        balance: sums(told.balance.as_ref()),
    }
}

fn decision(auditor: &mut Auditor, told: &v1::EvaluateRequestResponse) -> Answer {
    let outcome = told.decision.as_ref().map(|decision| decision.outcome().as_str_name());
    let refunds = told.refund_request.as_ref().map_or(&[][..], |request| &request.refunds);
    for refund in refunds {
        if let Some(new) = auditor.refunds.iter_mut().find(|known| known.id.is_empty()) {
            new.id.clone_from(&refund.refund_id);
        }
    }
    Answer {
        words: outcome.into_iter().collect(),
        figures: refunds.iter().flat_map(|refund| [minor(refund.amount.as_ref()), refund.credits]).collect(),
        ..Answer::default()
    }
}
