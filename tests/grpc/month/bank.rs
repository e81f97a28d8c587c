//! The banks: disputes over the whole or a part, decided either way and then the other, and told of late, twice and in
//! any order.

use super::life::{Event, Life};
use crate::service::{chargeback, request_id};
use makegood::proto::makegood::v1;
use v1::{ChargebackEventKind as News, ChargebackStage};

/// A dispute as the bank knows it.
#[derive(Debug)]
pub(crate) struct Quarrel {
    id: String,
    payment: usize,
    minor: i64,
    opening: Option<v1::RecordChargebackRequest>,
    /// A loss that is told only after what came next.
    loss: Option<v1::RecordChargebackRequest>,
    /// Where the service last said that it is.
    heard: Option<ChargebackStage>,
}

impl Life {
    pub(crate) fn quarrel(&mut self, payment: usize, minor: i64) -> usize {
        let id = format!("{}-dp-{}", self.account_id, self.quarrels.len());
        self.quarrels.push(Quarrel { id, payment, minor, opening: None, loss: None, heard: None });
        self.quarrels.len() - 1
    }

    fn of_dispute(&self, quarrel: usize, event: News, minor: i64) -> v1::RecordChargebackRequest {
        let Quarrel { id, payment, .. } = &self.quarrels[quarrel];
        v1::RecordChargebackRequest {
            amount: Some(v1::Money { currency_code: self.currency.to_owned(), minor_units: minor }),
            provider_event_id: format!("{id}-{}-{}", event.as_str_name(), self.now.timestamp()),
            ..chargeback(&self.payments[*payment].id, id, event, &self.at())
        }
    }

    /// The same news later: as it was sent, or told anew.
    fn note_again(&mut self, quarrel: usize, news: &v1::RecordChargebackRequest) {
        if self.chance.percent(25) {
            let is_anew = self.chance.percent(50);
            let request_id = if is_anew { request_id() } else { news.request_id.clone() };
            let news = v1::RecordChargebackRequest { request_id, ..news.clone() };
            self.note_within((1, 200), Event::Hear { quarrel, news });
        }
    }

    pub(crate) async fn open(&mut self, quarrel: usize) {
        let news = self.of_dispute(quarrel, News::Opened, self.quarrels[quarrel].minor);
        if self.chance.percent(15) {
            // The end will be heard before the beginning.
            self.quarrels[quarrel].opening = Some(news);
        } else {
            self.note_again(quarrel, &news);
            self.hear(quarrel, news).await;
        }
        match self.chance.below(100) {
            0..55 => self.note_within((60, 250), Event::Decide { quarrel, for_customer: true }),
            55..90 => self.note_within((60, 250), Event::Decide { quarrel, for_customer: false }),
            // The bank takes its time. What is still to be told of it is told.
            _ => {
                if let Some(news) = self.quarrels[quarrel].opening.take() {
                    self.note_within((1, 60), Event::Hear { quarrel, news });
                }
            }
        }
    }

    pub(crate) async fn decide(&mut self, quarrel: usize, for_customer: bool) {
        let Quarrel { id, payment, minor, .. } = &self.quarrels[quarrel];
        let (id, minor) = (id.clone(), *minor);
        let payment_id = self.payments[*payment].id.clone();
        // A bank that is shown that the customer has the money already takes none.
        let taken = if for_customer { self.books.lose(&id, &payment_id, minor) } else { 0 };
        let news = if taken > 0 {
            self.of_dispute(quarrel, News::Lost, taken)
        } else {
            self.books.win(&id);
            let event = self.chance.pick(&[News::Won, News::Won, News::Withdrawn]);
            self.of_dispute(quarrel, event, minor)
        };
        let was_heard_of = self.quarrels[quarrel].heard.is_some();
        let turns = taken > 0 && self.chance.percent(30);
        if turns {
            self.note_within((30, 120), Event::Decide { quarrel, for_customer: false });
        }
        if turns && was_heard_of && self.chance.percent(50) {
            self.quarrels[quarrel].loss = Some(news);
            return;
        }
        self.note_again(quarrel, &news);
        self.hear(quarrel, news).await;
        let Quarrel { opening, loss, .. } = &mut self.quarrels[quarrel];
        for news in [opening.take(), loss.take()].into_iter().flatten() {
            self.note_within((1, 60), Event::Hear { quarrel, news });
        }
    }

    pub(crate) async fn hear(&mut self, quarrel: usize, news: v1::RecordChargebackRequest) {
        let payment_id = news.payment_id.clone();
        let request = self.by("payments:hook", news);
        let answer = self.service.refunds().record_chargeback(request).await.unwrap();
        let is_replayed = crate::service::is_replayed(&answer);
        let answer = answer.into_inner();
        if is_replayed {
            return self.said("replayed");
        }
        let after = answer.chargeback.as_ref().unwrap().stage();
        self.said(after.as_str_name());
        if answer.account.is_none() {
            self.said("unmatched");
        }
        let before = self.quarrels[quarrel].heard.replace(after);
        let is_against_us = |stage| matches!(stage, ChargebackStage::Open | ChargebackStage::Lost);
        let enters = before != Some(after) && before != Some(ChargebackStage::Open) && is_against_us(after);
        if !enters {
            assert!(answer.canceled_refund_ids.is_empty(), "{answer:?}");
            return;
        }
        let mut cases: Vec<usize> = self
            .paybacks
            .iter()
            .filter(|payback| payback.is_of(&payment_id) && payback.is_on_its_way())
            .map(|payback| payback.case)
            .collect();
        cases.dedup();
        for case in cases {
            self.reopened(case).await;
        }
    }
}
