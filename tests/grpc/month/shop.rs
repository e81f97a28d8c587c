//! The shop and the workers: payments told late and twice, deliveries in parts, attempts that end in every way.

use super::life::{Ends, Event, Life};
use crate::canary::words;
use crate::service::{capture, delivery, hold, purchase, release, request_id, restore, timestamp};
use chrono::{DateTime, TimeDelta, Utc};
use makegood::proto::makegood::v1;
use v1::deliver_credits_request::Outcome;

/// A payment as the processor took it.
#[derive(Debug, Clone)]
pub(crate) struct Payment {
    pub(crate) id: String,
    pub(crate) minor: i64,
    pub(crate) credits: i64,
    pub(crate) is_renewal: bool,
    pub(crate) paid_at: DateTime<Utc>,
    /// After how many days its credits run out.
    pub(crate) lasts_days: Option<i64>,
}

/// Prices in each currency: three that a machine may pay back, and one that it may not.
pub(crate) fn prices(currency: &str) -> [i64; 4] {
    match currency {
        "USD" => [999, 1_501, 4_999, 12_000],
        "JPY" => [150, 1_501, 6_000, 20_000],
        "KWD" => [3_075, 4_501, 12_345, 40_001],
        other => panic!("{other} has no prices"),
    }
}

impl Life {
    /// Pays; when the shop tells of it is another matter.
    pub(crate) fn pay(&mut self, minor: i64, is_renewal: bool, lasts_days: Option<i64>) -> usize {
        let id = format!("{}-pay-{}", self.account_id, self.payments.len());
        self.books.pay(&id, minor);
        let paid_at = self.now;
        self.payments.push(Payment { id, minor, credits: 100, is_renewal, paid_at, lasts_days });
        self.payments.len() - 1
    }

    pub(crate) async fn record(&mut self, payment: usize) {
        let paid = self.payments[payment].clone();
        let at = paid.paid_at.to_rfc3339();
        let kind = if paid.is_renewal { v1::PurchaseKind::Subscription } else { v1::PurchaseKind::OneTime };
        let request = v1::RecordPurchaseRequest {
            package_id: format!("pack-{}", paid.minor),
            kind: kind.into(),
            renewal: paid.is_renewal,
            price: Some(v1::Money { currency_code: self.currency.to_owned(), minor_units: paid.minor }),
            credits: paid.credits,
            bonus_credits: if paid.minor % 2 == 0 { 10 } else { 0 },
            credits_expire_at: paid
                .lasts_days
                .map(|days| timestamp(&(paid.paid_at + TimeDelta::days(days)).to_rfc3339())),
            ..purchase(&self.account_id, &paid.id, &at)
        };
        let request = self.by("payments:hook", request);
        let recorded = self.service.credits().record_purchase(request).await.unwrap().into_inner();
        assert_eq!(recorded.purchase.unwrap().price.unwrap().minor_units, paid.minor);
    }

    pub(crate) async fn deliver(&mut self, payment: usize, credits: i64) {
        let request = delivery(&self.account_id, &self.payments[payment].id, credits, &self.at());
        let answer = self.service.credits().deliver_credits(self.by("payments:hook", request)).await;
        if let Err(status) = answer {
            self.refused(&status, &["PURCHASE_REFUNDED", "DELIVERY_EXCEEDS_PURCHASE"]);
        }
    }

    pub(crate) async fn give_up(&mut self, payment: usize) {
        let never = v1::Undeliverable { reason: words("the queue lost it") };
        let request = v1::DeliverCreditsRequest {
            outcome: Some(Outcome::Undeliverable(never)),
            ..delivery(&self.account_id, &self.payments[payment].id, 1, &self.at())
        };
        self.service.credits().deliver_credits(self.by("payments:hook", request)).await.unwrap();
    }

    pub(crate) async fn gift(&mut self) {
        let expires = self.now + TimeDelta::days(3);
        let request = v1::GrantCreditsRequest {
            request_id: request_id(),
            account_id: self.account_id.clone(),
            source: v1::LotSource::Promotion.into(),
            credits: 25,
            expires_at: Some(timestamp(&expires.to_rfc3339())),
            reason: words("spring"),
            ..Default::default()
        };
        self.service.credits().grant_credits(self.by("admin:root", request)).await.unwrap();
    }

    pub(crate) async fn work(&mut self, job: i64, ends: Ends) {
        let job_id = format!("job-{job}");
        let credits = 5 + self.chance.below(30);
        let request = self.by("worker:mill", hold(&self.account_id, &job_id, credits));
        let mut worker = self.service.credits();
        if let Err(status) = worker.hold_credits(request).await {
            self.refused(&status, &["INSUFFICIENT_CREDITS", "ACCOUNT_SUSPENDED", "ACCOUNT_NOT_FOUND"]);
            return;
        }
        match ends {
            Ends::Charged | Ends::Failed => {
                let request = self.by("worker:mill", capture(&self.account_id, &job_id));
                worker.capture_credits(request).await.unwrap();
            }
            Ends::Released => {
                let request = self.by("worker:mill", release(&self.account_id, &job_id));
                worker.release_credits(request).await.unwrap();
            }
            Ends::Forgotten => {}
        }
        if matches!(ends, Ends::Failed) {
            let request = restore(&self.account_id, &job_id, "gpu_error", &self.at());
            let answer = worker.restore_credits(self.by("worker:mill", request)).await.unwrap().into_inner();
            self.said(answer.outcome().as_str_name());
        }
    }

    /// A delivery of everything at once, some minutes after it was told of.
    pub(crate) fn note_delivery(&mut self, at: DateTime<Utc>, payment: usize, credits: i64) {
        self.note(at, Event::Record { payment });
        self.note(at + TimeDelta::minutes(1), Event::Deliver { payment, credits });
    }
}
