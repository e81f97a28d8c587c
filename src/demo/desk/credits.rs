//! What payments and workers tell: purchases, deliveries, attempts.

use super::{Desk, Owed, PROVIDER, request_id};
use crate::demo::caller::timestamp;
use crate::demo::teller::Mood;
use crate::demo::words;
use crate::proto::makegood::v1::{self, Bucket};
use crate::reach::reason;
use anyhow::Context;
use v1::deliver_credits_request::Outcome as Delivery;
use v1::purchase_reference::Reference;

/// What is sold.
#[derive(Debug, Clone, Copy)]
pub(in crate::demo) struct Pack {
    credits: i64,
    bonus: i64,
    minor_units: i64,
    currency: &'static str,
}

impl Pack {
    /// A hundred credits.
    pub(in crate::demo) const HUNDRED: Self =
        Self { credits: 100, bonus: 0, minor_units: 999, currency: "USD" };
    /// A hundred credits, and ten on top.
    pub(in crate::demo) const BONUS: Self =
        Self { credits: 100, bonus: 10, minor_units: 999, currency: "USD" };
    /// A hundred credits, paid in yen, which have no cents.
    pub(in crate::demo) const YEN: Self =
        Self { credits: 100, bonus: 0, minor_units: 1_500, currency: "JPY" };

    /// What a purchase of it says, when so many of its credits arrive at once.
    fn arriving(self, arrived: i64) -> String {
        let Self { credits, bonus, .. } = self;
        match (arrived < credits, bonus) {
            (true, _) => format!("{arrived} of {credits} credits arrive"),
            (false, 0) => format!("{credits} credits"),
            (false, _) => format!("{credits} + {bonus} bonus"),
        }
    }
}

/// One attempt at a batch of images.
#[derive(Debug, Clone, Copy)]
pub(in crate::demo) struct Batch {
    /// The job.
    pub(in crate::demo) job: &'static str,
    /// Which attempt at it.
    pub(in crate::demo) attempt: i32,
    /// What it costs.
    pub(in crate::demo) credits: i64,
    /// How many images it makes.
    pub(in crate::demo) images: i32,
}

impl Desk<'_> {
    /// Pays for a pack, of which so many credits arrive at once.
    pub(in crate::demo) async fn buy(
        &mut self,
        order_id: &str,
        pack: Pack,
        arrived: i64,
    ) -> anyhow::Result<()> {
        let price = v1::Money { currency_code: pack.currency.to_owned(), minor_units: pack.minor_units };
        let request = v1::RecordPurchaseRequest {
            request_id: request_id(),
            account_id: self.till.account_id.clone(),
            provider: PROVIDER.to_owned(),
            payment_id: self.payment_id(order_id),
            order_id: order_id.to_owned(),
            package_id: format!("credits-{}", pack.credits),
            kind: v1::PurchaseKind::OneTime.into(),
            price: Some(price),
            credits: pack.credits,
            bonus_credits: pack.bonus,
            paid_at: Some(timestamp(self.now)),
            ..Default::default()
        };
        let answer = self.caller.credits().record_purchase(self.stamped(request)?).await;
        let answer = self.caller.answer("RecordPurchase", answer)?.message;
        let purchase = answer.purchase.context("RecordPurchase answered without the purchase")?;
        self.till.bought(&purchase)?;
        let what = format!("{order_id} paid: {}", pack.arriving(arrived));
        let before = self.till.count(Bucket::Available);
        if arrived > 0 {
            self.deliver(order_id, Delivery::Credits(arrived)).await?;
        }
        let mut line = self.line("payments", &what);
        line.credits = self.gained(before)?;
        line.money = format!("-{}", words::money(purchase.price.as_ref()));
        Ok(self.teller.line(&line)?)
    }

    /// What was bought can never be delivered.
    pub(in crate::demo) async fn give_up_delivery(&mut self, order_id: &str) -> anyhow::Result<()> {
        let never = v1::Undeliverable { reason: "the package was withdrawn from sale".to_owned() };
        self.deliver(order_id, Delivery::Undeliverable(never)).await?;
        let line = self.line("payments", &format!("{order_id} can never be delivered"));
        Ok(self.teller.line(&line)?)
    }

    async fn deliver(&mut self, order_id: &str, outcome: Delivery) -> anyhow::Result<()> {
        let request = v1::DeliverCreditsRequest {
            request_id: request_id(),
            account_id: self.till.account_id.clone(),
            purchase: Some(named(order_id)),
            delivery_id: request_id(),
            outcome: Some(outcome),
            delivered_at: Some(timestamp(self.now)),
        };
        let answer = self.caller.credits().deliver_credits(self.stamped(request)?).await;
        let answer = self.caller.answer("DeliverCredits", answer)?.message;
        self.till.delivered(order_id, &answer.lots)
    }

    /// An attempt reserves its credits, and is charged for the images that it delivers.
    pub(in crate::demo) async fn generate(&mut self, batch: Batch, delivered: i32) -> anyhow::Result<()> {
        let before = self.till.count(Bucket::Available);
        self.hold(batch).await?;
        let request = v1::CaptureCreditsRequest {
            request_id: request_id(),
            account_id: self.till.account_id.clone(),
            job_id: batch.job.to_owned(),
            attempt: batch.attempt,
            delivered_outputs: Some(delivered),
        };
        let answer = self.caller.credits().capture_credits(self.stamped(request)?).await;
        let answer = self.caller.answer("CaptureCredits", answer)?.message;
        let usage = answer.usage.context("CaptureCredits answered without the attempt")?;
        self.till.captured(&usage)?;
        let Batch { job, attempt, images, .. } = batch;
        let what = format!("{job}, attempt {attempt}: {delivered} of {images} images");
        let mut line = self.line("worker", &what);
        line.credits = self.gained(before)?;
        if usage.released > 0 {
            line.note = format!(
                "{} credits were reserved: {} are charged, {} let go.",
                usage.cost, usage.captured, usage.released
            );
        }
        Ok(self.teller.line(&line)?)
    }

    /// An attempt reserves its credits and breaks before anything is charged.
    pub(in crate::demo) async fn crash(
        &mut self,
        batch: Batch,
        cause: &str,
        owed: Owed,
    ) -> anyhow::Result<()> {
        self.hold(batch).await?;
        self.fail(batch, cause, owed).await
    }

    async fn hold(&mut self, batch: Batch) -> anyhow::Result<()> {
        let request = self.holding(batch);
        let answer = self.caller.credits().hold_credits(self.stamped(request)?).await;
        let answer = self.caller.answer("HoldCredits", answer)?.message;
        let usage = answer.usage.context("HoldCredits answered without the attempt")?;
        self.till.held(&usage)
    }

    fn holding(&self, batch: Batch) -> v1::HoldCreditsRequest {
        v1::HoldCreditsRequest {
            request_id: request_id(),
            account_id: self.till.account_id.clone(),
            job_id: batch.job.to_owned(),
            attempt: batch.attempt,
            credits: batch.credits,
            outputs: Some(batch.images),
            ttl: None,
        }
    }

    /// An attempt that the service must refuse to reserve credits for.
    pub(in crate::demo) async fn refused(&mut self, batch: Batch, owed: Owed) -> anyhow::Result<()> {
        let request = self.holding(batch);
        let mut line = self.line("worker", &format!("{} wants {} credits", batch.job, batch.credits));
        match self.caller.credits().hold_credits(self.stamped(request)?).await {
            Err(status) if !reason(&status).is_empty() => {
                line.decision = reason(&status);
                line.mood = Mood::Bad;
                line.note = format!("The worker is told: {}.", status.message());
            }
            answer => {
                let usage = self.caller.answer("HoldCredits", answer)?.message.usage;
                self.till.held(&usage.context("HoldCredits answered without the attempt")?)?;
                "RESERVED".clone_into(&mut line.decision);
            }
        }
        self.tell(&line, owed)
    }

    /// A worker reports that an attempt failed.
    pub(in crate::demo) async fn fail(
        &mut self,
        batch: Batch,
        cause: &str,
        owed: Owed,
    ) -> anyhow::Result<()> {
        let request = v1::RestoreCreditsRequest {
            request_id: request_id(),
            account_id: self.till.account_id.clone(),
            job_id: batch.job.to_owned(),
            attempt: batch.attempt,
            cause: cause.to_owned(),
            error_message: String::new(),
            failed_at: Some(timestamp(self.now)),
        };
        let held = self.till.count(Bucket::Held);
        let before = self.till.count(Bucket::Available);
        let answer = self.caller.credits().restore_credits(self.stamped(request)?).await;
        let answer = self.caller.answer("RestoreCredits", answer)?.message;
        self.till.restored(&answer)?;
        let Batch { job, attempt, .. } = batch;
        let mut line = self.line("worker", &format!("{job}, attempt {attempt} failed: {cause}"));
        (line.decision, line.mood) = words::restoration(&answer);
        // What was reserved a moment ago and is let go again was never spent.
        line.credits =
            self.gained(before)?.checked_sub(held).context("a total is too small to be counted")?;
        line.sentence = answer.sentence;
        self.tell(&line, owed)
    }
}

/// A purchase of the account by its order, as customers name it.
pub(super) fn named(order_id: &str) -> v1::PurchaseReference {
    v1::PurchaseReference { reference: Some(Reference::OrderId(order_id.to_owned())) }
}
