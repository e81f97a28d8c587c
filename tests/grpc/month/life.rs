//! One account's month: what is on its agenda, and what it knows of what became of it.

use super::bank::Quarrel;
use super::books::Books;
use super::chance::Chance;
use super::desk::Case;
use super::refunds::Payback;
use super::shop::Payment;
use crate::service::{Service, when};
use chrono::{DateTime, Utc};
use makegood::proto::makegood::v1;
use std::collections::BTreeMap;
use std::sync::Arc;
use tonic::{Request, Status};
use tonic_types::StatusExt;
use v1::Claim;

/// What happens at an instant. Numbers are places in the life's lists.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// The shop tells of a payment, late or not.
    Record {
        payment: usize,
    },
    Deliver {
        payment: usize,
        credits: i64,
    },
    /// The shop finds that the rest will never arrive.
    GiveUp {
        payment: usize,
    },
    /// Credits that run out soon.
    Gift,
    Work {
        job: i64,
        ends: Ends,
    },
    Ask {
        claim: Claim,
        payment: Option<usize>,
    },
    Reply {
        case: usize,
    },
    TakeBack {
        case: usize,
    },
    /// Somebody at support opens the case.
    Look {
        case: usize,
    },
    /// The payments backend sends a refund.
    PayOut {
        payback: usize,
    },
    /// The processor tells of a refund, for the first time or again.
    Tell {
        payback: usize,
        news: v1::RecordRefundResultRequest,
    },
    /// The money that was sent comes home.
    Bounce {
        payback: usize,
    },
    Dispute {
        quarrel: usize,
    },
    /// The bank decides.
    Decide {
        quarrel: usize,
        for_customer: bool,
    },
    /// The processor tells of a dispute, for the first time or again.
    Hear {
        quarrel: usize,
        news: v1::RecordChargebackRequest,
    },
}

/// How an attempt ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ends {
    Charged,
    /// Charged, and reported as failed through our fault.
    Failed,
    Released,
    /// Nobody ends it.
    Forgotten,
}

/// One account.
pub(crate) struct Life {
    pub(crate) service: Arc<Service>,
    pub(crate) account_id: String,
    pub(crate) currency: &'static str,
    pub(crate) chance: Chance,
    pub(crate) now: DateTime<Utc>,
    /// Nobody at support works from then on.
    pub(crate) holidays_from: DateTime<Utc>,
    agenda: BTreeMap<(DateTime<Utc>, usize), Event>,
    noted: usize,
    pub(crate) books: Books,
    pub(crate) payments: Vec<Payment>,
    pub(crate) cases: Vec<Case>,
    pub(crate) paybacks: Vec<Payback>,
    pub(crate) quarrels: Vec<Quarrel>,
    /// What was answered, by how often.
    pub(crate) words: BTreeMap<String, usize>,
}

impl Life {
    pub(crate) fn new(
        service: Arc<Service>,
        (number, currency): (u64, &'static str),
        chance: Chance,
        (begins, holidays_from): (DateTime<Utc>, DateTime<Utc>),
    ) -> Self {
        Self {
            service,
            account_id: format!("account-{number}"),
            currency,
            chance,
            now: begins,
            holidays_from,
            agenda: BTreeMap::new(),
            noted: 0,
            books: Books::default(),
            payments: Vec::new(),
            cases: Vec::new(),
            paybacks: Vec::new(),
            quarrels: Vec::new(),
            words: BTreeMap::new(),
        }
    }

    /// Notes what will happen; what is past happens now.
    pub(crate) fn note(&mut self, at: DateTime<Utc>, event: Event) {
        self.noted += 1;
        self.agenda.insert((at.max(self.now), self.noted), event);
    }

    /// Notes what will happen between so many hours from now.
    pub(crate) fn note_within(&mut self, (from, to): (i64, i64), event: Event) {
        let at = self.now + self.chance.hours(from, to);
        self.note(at, event);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.agenda.is_empty()
    }

    pub(crate) async fn live_until(&mut self, end: DateTime<Utc>) {
        while let Some(next) = self.agenda.first_entry() {
            if next.key().0 >= end {
                return;
            }
            self.now = next.key().0;
            let event = next.remove();
            self.live(event).await;
        }
    }

    async fn live(&mut self, event: Event) {
        match event {
            Event::Record { payment } => self.record(payment).await,
            Event::Deliver { payment, credits } => self.deliver(payment, credits).await,
            Event::GiveUp { payment } => self.give_up(payment).await,
            Event::Gift => self.gift().await,
            Event::Work { job, ends } => self.work(job, ends).await,
            Event::Ask { claim, payment } => self.ask(claim, payment).await,
            Event::Reply { case } => self.reply(case).await,
            Event::TakeBack { case } => self.take_back(case).await,
            Event::Look { case } => self.look(case).await,
            Event::PayOut { payback } => self.pay_out(payback).await,
            Event::Tell { payback, news } => self.tell(payback, news).await,
            Event::Bounce { payback } => self.bounce(payback).await,
            Event::Dispute { quarrel } => self.open(quarrel).await,
            Event::Decide { quarrel, for_customer } => self.decide(quarrel, for_customer).await,
            Event::Hear { quarrel, news } => self.hear(quarrel, news).await,
        }
    }

    /// The instant, as calls tell it.
    pub(crate) fn at(&self) -> String {
        self.now.to_rfc3339()
    }

    /// A call of somebody, now.
    pub(crate) fn by<T>(&self, caller: &str, message: T) -> Request<T> {
        let mut request = when(&self.at(), message);
        request.metadata_mut().insert("makegood-test-caller", caller.parse().unwrap());
        request
    }

    /// Counts a word that was answered.
    pub(crate) fn said(&mut self, word: &str) {
        *self.words.entry(word.to_owned()).or_default() += 1;
    }

    /// The reason of a refusal, which must be one that may be given here.
    pub(crate) fn refused(&mut self, status: &Status, allowed: &[&str]) -> String {
        let reason = status.get_details_error_info().unwrap().reason;
        assert!(allowed.contains(&reason.as_str()), "{} at {}: {status:?}", self.account_id, self.now);
        self.said(&reason);
        reason
    }
}
