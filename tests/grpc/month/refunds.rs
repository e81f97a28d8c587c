//! The payments backend and its processor: it says that it is about to call, calls, and is told late, twice and in any
//! order what came of it.

use super::life::{Event, Life};
use crate::service::{refund_result, request_id};
use makegood::proto::makegood::v1;
use v1::{RefundResult, RefundStage};

/// Money that is to go back, as the backend knows it.
#[derive(Debug)]
pub(crate) struct Payback {
    id: String,
    pub(crate) key: String,
    pub(crate) case: usize,
    payment_id: String,
    minor: i64,
    pub(crate) stage: RefundStage,
}

impl Payback {
    /// Whether its money may still arrive.
    pub(crate) const fn is_on_its_way(&self) -> bool {
        matches!(self.stage, RefundStage::Pending | RefundStage::Submitted | RefundStage::Unknown)
    }

    pub(crate) fn is_of(&self, payment_id: &str) -> bool {
        self.payment_id == payment_id
    }
}

impl Life {
    /// Finds what is new to pay.
    pub(crate) fn find_paybacks(&mut self, case: usize, request: &v1::RefundRequest) {
        for refund in &request.refunds {
            if let Some(known) = self.paybacks.iter_mut().find(|known| known.id == refund.refund_id) {
                known.stage = refund.stage();
                continue;
            }
            self.paybacks.push(Payback {
                id: refund.refund_id.clone(),
                key: refund.idempotency_key.clone(),
                case,
                payment_id: refund.payment_id.clone(),
                minor: refund.amount.as_ref().unwrap().minor_units,
                stage: refund.stage(),
            });
            let payback = self.paybacks.len() - 1;
            self.note_within((1, 40), Event::PayOut { payback });
        }
    }

    fn news(&self, payback: usize, result: RefundResult) -> v1::RecordRefundResultRequest {
        refund_result(&self.account_id, &self.paybacks[payback].id, result, &self.at())
    }

    /// News that arrives between so many hours from now, now and then twice: as it was sent, or told anew.
    fn note_news(&mut self, payback: usize, news: &v1::RecordRefundResultRequest, hours: (i64, i64)) {
        self.note_within(hours, Event::Tell { payback, news: news.clone() });
        if self.chance.percent(20) {
            let is_anew = self.chance.percent(50);
            let request_id = if is_anew { request_id() } else { news.request_id.clone() };
            let news = v1::RecordRefundResultRequest { request_id, ..news.clone() };
            self.note_within((hours.0, hours.1 + 60), Event::Tell { payback, news });
        }
    }

    pub(crate) async fn pay_out(&mut self, payback: usize) {
        let news = self.news(payback, RefundResult::Submitted);
        if self.send(payback, news.clone()).await.is_err() {
            // It was stopped: nobody calls the processor.
            return;
        }
        self.note_news(payback, &news, (1, 150));
        let fails = self.chance.percent(15);
        if self.chance.percent(10) {
            let news = self.news(payback, RefundResult::Unknown);
            self.note_news(payback, &news, (0, 1));
        }
        if fails {
            let news = self.news(payback, RefundResult::Failed);
            self.note_news(payback, &news, (2, 100));
            return;
        }
        let Payback { key, payment_id, minor, .. } = &self.paybacks[payback];
        self.books.pay_back(key, payment_id, *minor);
        let news = self.news(payback, RefundResult::Succeeded);
        self.note_news(payback, &news, (2, 100));
        if self.chance.percent(8) {
            // The customer's bank does not take it; told before the success, or after it.
            self.note_within((1, 150), Event::Bounce { payback });
        }
    }

    pub(crate) async fn bounce(&mut self, payback: usize) {
        self.books.bounce(&self.paybacks[payback].key);
        let news = self.news(payback, RefundResult::Failed);
        self.tell(payback, news).await;
    }

    pub(crate) async fn tell(&mut self, payback: usize, news: v1::RecordRefundResultRequest) {
        _ = self.send(payback, news).await;
    }

    async fn send(&mut self, payback: usize, news: v1::RecordRefundResultRequest) -> Result<(), String> {
        let before = self.paybacks[payback].stage;
        let request = self.by("payments:hook", news);
        let answer = match self.service.refunds().record_refund_result(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Err(self.refused(&status, &["REFUND_STAGE_CONFLICT"])),
        };
        let (case, replayed) = (self.paybacks[payback].case, answer.refund.unwrap().stage());
        self.said(replayed.as_str_name());
        // An answer that was kept tells of then; what is so now is read.
        let request = self.read(case).await;
        let told = request.refunds.iter().find(|refund| refund.refund_id == self.paybacks[payback].id);
        let after = told.unwrap().stage();
        if after == RefundStage::Failed && before != RefundStage::Failed {
            self.reopened(case).await;
        } else {
            self.follow(case, &request);
        }
        Ok(())
    }
}
