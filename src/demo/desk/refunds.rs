//! What customers ask for, and what banks do.

use super::credits::named;
use super::{Desk, Owed, PROVIDER, request_id};
use crate::demo::caller::timestamp;
use crate::demo::teller::Mood;
use crate::demo::words;
use crate::proto::makegood::v1::{self, Bucket, Claim, Outcome};
use anyhow::Context;

/// What a customer asks for.
#[derive(Debug, Clone)]
pub(in crate::demo) struct Ask {
    order_id: String,
    what: String,
    request: v1::EvaluateRequestRequest,
}

impl Desk<'_> {
    /// What a customer says, about an order.
    pub(in crate::demo) fn ask(&self, claim: Claim, order_id: &str, explanation: &str) -> Ask {
        let details = v1::RequestDetails { explanation: explanation.to_owned(), ..Default::default() };
        let request = v1::EvaluateRequestRequest {
            request_id: request_id(),
            account_id: self.till.account_id.clone(),
            claim: claim.into(),
            purchase: Some(named(order_id)),
            details: Some(details),
            ..Default::default()
        };
        Ask {
            order_id: order_id.to_owned(),
            what: format!("{order_id}, {}: “{explanation}”", words::claim(claim)),
            request,
        }
    }

    /// What the answer would be: nothing is written.
    pub(in crate::demo) async fn preview(&mut self, ask: &Ask, owed: Owed) -> anyhow::Result<()> {
        let mut request = ask.request.clone();
        request.validate_only = true;
        let what = format!("{}: what would the answer be?", ask.order_id);
        self.evaluate(ask, request, &what, owed).await?;
        Ok(())
    }

    /// A refund request, and the decision on it. Answers the refunds that were set going.
    pub(in crate::demo) async fn claim(&mut self, ask: &Ask, owed: Owed) -> anyhow::Result<Vec<v1::Refund>> {
        self.evaluate(ask, ask.request.clone(), &ask.what, owed).await
    }

    /// The same call a second time, as after a lost connection.
    pub(in crate::demo) async fn claim_again(&mut self, ask: &Ask, owed: Owed) -> anyhow::Result<()> {
        self.evaluate(ask, ask.request.clone(), "the same call again", owed).await?;
        Ok(())
    }

    async fn evaluate(
        &mut self,
        ask: &Ask,
        request: v1::EvaluateRequestRequest,
        what: &str,
        owed: Owed,
    ) -> anyhow::Result<Vec<v1::Refund>> {
        let is_preview = request.validate_only;
        let before = self.till.count(Bucket::Available);
        let answer = self.caller.refunds().evaluate_request(self.stamped(request)?).await;
        let answer = self.caller.answer("EvaluateRequest", answer)?;
        let (replayed, answer) = (answer.replayed, answer.message);
        let decision = answer.decision.as_ref().context("EvaluateRequest answered without a decision")?;
        let mut line = self.line("frontend", what);
        (line.decision, line.mood) = words::decision(decision);
        line.sentence.clone_from(&decision.sentence);
        if decision.outcome() == Outcome::Review && !decision.advice.is_empty() {
            line.note = format!("For support: {}", decision.advice);
        }
        if replayed {
            line.decision = format!("REPLAYED {}", line.decision);
            line.sentence.clear();
            "The answer says idempotency-replayed: nothing was paid or moved twice."
                .clone_into(&mut line.note);
        } else if is_preview {
            line.sentence.clear();
            "A preview (validate_only): nothing was written.".clone_into(&mut line.note);
        } else {
            let bonus = self.till.approved(&ask.order_id, &answer)?;
            if bonus > 0 {
                line.note = format!("Its {bonus} bonus credits, which had no price, leave with it.");
            }
            let paid = decision.remedies.iter().find_map(|remedy| remedy.amount.as_ref());
            if let Some(money) = paid {
                line.money = format!("+{}", words::money(Some(money)));
            }
        }
        line.credits = self.gained(before)?;
        self.decided_by.clone_from(&decision.policy_version);
        self.tell(&line, owed)?;
        Ok(answer.refund_request.map(|request| request.refunds).unwrap_or_default())
    }

    /// The processor has paid the refunds back (§4.2).
    pub(in crate::demo) async fn settle(&mut self, refunds: &[v1::Refund], owed: Owed) -> anyhow::Result<()> {
        for refund in refunds {
            let request = v1::RecordRefundResultRequest {
                request_id: request_id(),
                account_id: self.till.account_id.clone(),
                refund_id: refund.refund_id.clone(),
                result: v1::RefundResult::Succeeded.into(),
                provider_refund_id: format!("re-{}", refund.refund_id),
                failure_reason: String::new(),
                occurred_at: Some(timestamp(self.now)),
            };
            let answer = self.caller.refunds().record_refund_result(self.stamped(request)?).await;
            let answer = self.caller.answer("RecordRefundResult", answer)?.message;
            let request = answer.refund_request.context("RecordRefundResult answered without the request")?;
            let stage = request.stage().as_str_name();
            let stage = stage.strip_prefix("REFUND_REQUEST_STAGE_").unwrap_or(stage);
            let money = words::money(answer.refund.as_ref().and_then(|refund| refund.amount.as_ref()));
            let mut line = self.line("payments", &format!("the processor paid {money} back"));
            line.decision = format!("{stage} §4.2");
            line.mood = Mood::Good;
            self.tell(&line, owed)?;
        }
        Ok(())
    }

    /// The bank tells of a dispute over an order.
    pub(in crate::demo) async fn dispute(
        &mut self,
        order_id: &str,
        event: v1::ChargebackEventKind,
        what: &str,
        owed: Owed,
    ) -> anyhow::Result<()> {
        let amount = v1::Money { currency_code: self.till.currency.clone(), minor_units: self.till.paid };
        let request = v1::RecordChargebackRequest {
            request_id: request_id(),
            provider: PROVIDER.to_owned(),
            dispute_id: format!("dp-{order_id}-{}", self.mark),
            payment_id: self.payment_id(order_id),
            event: event.into(),
            amount: Some(amount),
            occurred_at: Some(timestamp(self.now)),
            ..Default::default()
        };
        let before = self.till.count(Bucket::Available);
        let answer = self.caller.refunds().record_chargeback(self.stamped(request)?).await;
        let answer = self.caller.answer("RecordChargeback", answer)?.message;
        self.till.moved(&answer.movements)?;
        let mut line = self.line("payments", what);
        (line.decision, line.mood) = words::dispute(&answer);
        line.credits = self.gained(before)?;
        line.note = answer.chargeback.as_ref().map(words::taken).unwrap_or_default();
        self.tell(&line, owed)
    }
}
