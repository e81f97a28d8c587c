//! A story of one account in which somebody writes something in every field that takes words.

use super::fields::saying;
use crate::canary::{CANARY, words};
use crate::policy_versions::two_weeks;
use crate::reflected;
use crate::service::request_id;
use prost_reflect::DescriptorPool;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tonic::Status;
use tonic::transport::Channel;

const SHOP: &str = "frontend:shop";
const KIM: &str = "agent:kim";
const LEE: &str = "admin:lee";
const TILL: &str = "payments:till";
const WORKER: &str = "worker:gpu-1";

/// A call that was answered.
pub(crate) struct Said {
    who: String,
    pub(crate) method: String,
    message: Value,
    pub(crate) answer: Value,
}

/// Calls by their names, in JSON, and what they were answered.
pub(crate) struct Story {
    channel: Channel,
    pub(super) pool: DescriptorPool,
    /// What is written where it stays: in attributes, incidents and policies.
    for_good: String,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    at: String,
    /// `Method path` of every field in which the canary was sent.
    pub(super) sent: BTreeSet<String>,
    pub(crate) said: Vec<Said>,
}

impl Story {
    pub(crate) fn new(channel: Channel, for_good: &str) -> Self {
        Self {
            channel,
            pool: reflected::description(),
            for_good: for_good.to_owned(),
            headers: Vec::new(),
            at: "2025-03-03T12:00:00Z".to_owned(),
            sent: BTreeSet::new(),
            said: Vec::new(),
        }
    }

    /// Makes a call now.
    pub(crate) async fn ask(&mut self, who: &str, method: &str, message: &Value) -> Result<Value, Status> {
        let method = reflected::method(&self.pool, &format!("makegood.v1.{method}"));
        let read = reflected::read(method.input(), &message.to_string()).unwrap();
        let mut paths = BTreeSet::new();
        saying(&read, CANARY, "", &mut paths);
        self.sent.extend(paths.into_iter().map(|path| format!("{} {path}", method.name())));
        let more = self.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut headers: Vec<_> = more.collect();
        headers.push(("makegood-test-clock".to_owned(), self.at.clone()));
        headers.push(("makegood-test-caller".to_owned(), who.to_owned()));
        let mut answers = reflected::send(self.channel.clone(), &method, &read, &headers).await?;
        Ok(answers.remove(0))
    }

    /// Makes a call that must be answered, and remembers it.
    async fn say(&mut self, who: &str, method: &str, mut message: Value) -> Value {
        message["requestId"] = request_id().into();
        let answer = self.ask(who, method, &message).await;
        let answer = answer.unwrap_or_else(|status| panic!("{method}: {status:?}"));
        self.said.push(Said {
            who: who.to_owned(),
            method: method.to_owned(),
            message,
            answer: answer.clone(),
        });
        answer
    }

    /// Makes every call that was answered once more.
    pub(crate) async fn again(&mut self) -> Vec<(String, Value, Value)> {
        let mut again = Vec::new();
        for Said { who, method, message, answer } in std::mem::take(&mut self.said) {
            let now = self.ask(&who, &method, &message).await;
            let now = now.unwrap_or_else(|status| panic!("{method}: {status:?}"));
            again.push((method, answer, now));
        }
        again
    }

    pub(crate) fn at(&mut self, at: &str) {
        at.clone_into(&mut self.at);
    }

    /// The whole story. At its end nothing of Ada's is under way.
    pub(crate) async fn told(&mut self) {
        self.of_the_shop().await;
        self.of_the_workers().await;
        self.of_a_paid_claim().await;
        self.of_a_withdrawn_claim().await;
        self.of_a_dispute().await;
        self.of_restrictions().await;
        self.of_the_house().await;
    }

    async fn buy(&mut self, payment: &str) {
        let bought = json!({
            "accountId": "ada", "provider": "stripe", "paymentId": payment, "orderId": format!("order-{payment}"),
            "packageId": "pack-100", "kind": "PURCHASE_KIND_ONE_TIME", "credits": "100", "paidAt": self.at,
            "price": {"currencyCode": "USD", "minorUnits": "999"}, "attributes": {"remark": self.for_good},
        });
        self.say(TILL, "CreditService/RecordPurchase", bought).await;
    }

    async fn deliver(&mut self, payment: &str, outcome: (&str, Value)) {
        let mut delivered = json!({
            "accountId": "ada", "purchase": by(payment), "deliveryId": format!("delivery-{payment}"),
            "deliveredAt": self.at,
        });
        delivered[outcome.0] = outcome.1;
        self.say(TILL, "CreditService/DeliverCredits", delivered).await;
    }

    async fn of_the_shop(&mut self) {
        for payment in ["pay-1", "pay-2", "pay-3"] {
            self.buy(payment).await;
            self.deliver(payment, ("credits", "100".into())).await;
        }
        self.buy("pay-4").await;
        self.deliver("pay-4", ("undeliverable", json!({"reason": words("lost with her parcel")}))).await;
        let gift = json!({
            "accountId": "ada", "source": "LOT_SOURCE_PROMOTION", "credits": "10", "reason": words("her birthday"),
        });
        let gift = self.say(LEE, "CreditService/GrantCredits", gift).await;
        let taken = json!({
            "accountId": "ada", "lotId": gift["lot"]["lotId"], "credits": "5", "clause": "3.3",
            "reason": words("not her birthday"),
        });
        self.say(LEE, "CreditService/RevokeCredits", taken).await;
    }

    async fn of_the_workers(&mut self) {
        let job = json!({"accountId": "ada", "jobId": "job-1", "attempt": 1, "credits": "3"});
        self.say(WORKER, "CreditService/HoldCredits", job).await;
        let failed = json!({
            "accountId": "ada", "jobId": "job-1", "attempt": 1, "cause": "gpu_error", "failedAt": self.at,
            "errorMessage": words("her prompt was in memory"),
        });
        self.say(WORKER, "CreditService/RestoreCredits", failed).await;
    }

    async fn claim(&mut self, payment: &str, claim: &str) -> Value {
        let claim = json!({
            "accountId": "ada", "claim": claim, "purchase": by(payment), "details": details("at first"),
            "evidence": [paper(1)],
        });
        self.say(SHOP, "RefundService/EvaluateRequest", claim).await["refundRequest"].clone()
    }

    async fn rule(&mut self, request: &Value, resolution: (&str, Value)) -> Value {
        let asked = json!({"accountId": "ada", "refundRequestId": request["refundRequestId"]});
        let now = self.ask(KIM, "RefundService/GetRefundRequest", &asked).await.unwrap();
        let mut ruling = json!({
            "accountId": "ada", "refundRequestId": request["refundRequestId"], "etag": now["refundRequest"]["etag"],
            "reason": words("spoke with her"), "note": words("she was upset"),
        });
        ruling[resolution.0] = resolution.1;
        self.say(KIM, "RefundService/ResolveRefundRequest", ruling).await
    }

    /// Asked, told, approved by a person; the processor cannot pay, and a person denies.
    async fn of_a_paid_claim(&mut self) {
        let request = self.claim("pay-1", "CLAIM_OTHER").await;
        let question = json!({"requestedDetails": ["logs"], "sentence": words("Which images, Ada?")});
        self.rule(&request, ("ask", question)).await;
        let told = json!({
            "accountId": "ada", "refundRequestId": request["refundRequestId"], "details": details("once more"),
            "evidence": [paper(2)],
        });
        self.say(SHOP, "RefundService/ProvideInformation", told).await;
        self.rule(&request, ("keep", json!({}))).await;
        let yes = json!({
            "remedies": [{"kind": "REMEDY_KIND_REFUND_UNUSED"}], "sentence": words("Dear Ada, yes."),
        });
        let given = self.rule(&request, ("approve", yes)).await;
        assert_eq!(given["decision"]["sentence"], json!(words("Dear Ada, yes.")), "{given}");
        let failed = json!({
            "accountId": "ada", "refundId": given["refundRequest"]["refunds"][0]["refundId"],
            "result": "REFUND_RESULT_FAILED", "failureReason": words("card of A. Lovelace"), "occurredAt": self.at,
        });
        self.say(TILL, "RefundService/RecordRefundResult", failed).await;
        let no = json!({"clauses": ["5.3"], "sentence": words("Dear Ada, no.")});
        self.rule(&request, ("deny", no)).await;
    }

    async fn of_a_withdrawn_claim(&mut self) {
        let request = self.claim("pay-2", "CLAIM_OTHER").await;
        let withdrawn = json!({
            "accountId": "ada", "refundRequestId": request["refundRequestId"], "reason": words("found a use for it"),
        });
        self.say(SHOP, "RefundService/WithdrawRefundRequest", withdrawn).await;
    }

    async fn of_a_dispute(&mut self) {
        let event = |event: &str| {
            json!({
                "provider": "stripe", "disputeId": "dp-1", "paymentId": "pay-3", "event": event,
                "amount": {"currencyCode": "USD", "minorUnits": "999"}, "occurredAt": self.at,
            })
        };
        let (opened, won) = (event("CHARGEBACK_EVENT_KIND_OPENED"), event("CHARGEBACK_EVENT_KIND_WON"));
        let opened = self.say(TILL, "RefundService/RecordChargeback", opened).await;
        self.say(TILL, "RefundService/RecordChargeback", won).await;
        let found = json!({
            "accountId": "ada", "chargebackId": opened["chargeback"]["chargebackId"],
            "determination": "CHARGEBACK_DETERMINATION_LEGITIMATE", "reason": words("her brother paid"),
        });
        self.say(LEE, "RefundService/DetermineChargeback", found).await;
    }

    async fn of_restrictions(&mut self) {
        let imposed = json!({
            "accountId": "ada", "kind": "RESTRICTION_KIND_PURCHASE_BLOCKED", "cause": "RESTRICTION_CAUSE_OTHER",
            "clause": "3.3", "reason": words("her card was stolen"),
        });
        let imposed = self.say(LEE, "AccountService/ImposeRestriction", imposed).await;
        let lifted = json!({
            "accountId": "ada", "restrictionId": imposed["restriction"]["restrictionId"],
            "reason": words("her card was found"),
        });
        self.say(LEE, "AccountService/LiftRestriction", lifted).await;
    }

    /// What is no account's, and stays; and an erasure of somebody else's account.
    async fn of_the_house(&mut self) {
        let declared = json!({"title": self.for_good, "startTime": self.at, "reason": self.for_good});
        let declared = self.say(KIM, "IncidentService/DeclareIncident", declared).await;
        let over = json!({
            "incidentId": declared["incident"]["incidentId"], "endTime": self.at, "reason": self.for_good,
        });
        self.say(KIM, "IncidentService/ResolveIncident", over).await;
        let published = json!({
            "document": two_weeks("2025-09-01"), "effectiveFrom": "2025-09-01T00:00:00Z", "approver": "legal:sam",
            "reason": self.for_good,
        });
        self.say(LEE, "PolicyService/PublishPolicy", published).await;
        let other = json!({
            "accountId": "eve", "source": "LOT_SOURCE_PROMOTION", "credits": "10", "reason": self.for_good,
        });
        self.say(LEE, "CreditService/GrantCredits", other).await;
        self.say(LEE, "AccountService/EraseAccount", json!({"accountId": "eve", "reason": self.for_good}))
            .await;
    }
}

fn by(payment: &str) -> Value {
    json!({"payment": {"provider": "stripe", "paymentId": payment}})
}

fn details(when: &str) -> Value {
    json!({"accountEmail": words("ada@example.com"), "explanation": words(when)})
}

fn paper(byte: u8) -> Value {
    use base64::Engine;
    let sha256 = base64::engine::general_purpose::STANDARD.encode([byte; 32]);
    json!({
        "kind": "EVIDENCE_KIND_LOG", "uri": words("https://example.com/ada"), "sha256": sha256, "sizeBytes": "9",
    })
}
