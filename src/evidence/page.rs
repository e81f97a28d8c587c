//! The pack as one page of HTML: no scripts, nothing from elsewhere, fit for print.

use super::markup::Markup;
use super::records::{Records, Request};
use super::texts::{self, Texts};
use super::words::{charge, charged_at, clauses, counted, flat, instant, outcome, outputs, plain};
use crate::domain::money::Money;

/// Most attempts that the page shows; what somebody at a bank may read, in a file that processors take. The rest is counted.
const MAX_ATTEMPTS: usize = 2_500;

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<style>
body { font: 11pt/1.4 serif; color: #000; background: #fff; max-width: 60em; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; }
h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #999; break-after: avoid; }
h3 { font-size: 1em; break-after: avoid; }
table { border-collapse: collapse; width: 100%; margin: 0.5em 0; }
th, td { border: 1px solid #999; padding: 0.2em 0.5em; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
.facts th { width: 14em; }
p, pre { white-space: pre-wrap; overflow-wrap: anywhere; }
pre { font: 9pt/1.4 monospace; }
@page { margin: 2cm; }
</style>
";

/// The whole page.
pub(super) fn html(records: &Records, texts: &Texts) -> String {
    let mut page = Markup::new();
    let title = format!(
        "Evidence on dispute {} over payment {}",
        records.chargeback.dispute_id, records.chargeback.payment_id
    );
    page.raw(HEAD);
    page.element(("<title>", "</title>\n"), &title);
    page.raw("</head>\n<body>\n");
    page.element(("<h1>", "</h1>\n"), &title);
    page.paragraph("Compiled from the merchant's own records. All times are UTC.");
    dispute(&mut page, records);
    purchase(&mut page, records, texts);
    delivery(&mut page, records, texts);
    usage(&mut page, records);
    requests(&mut page, records, texts);
    refunds(&mut page, records, texts);
    others(&mut page, texts);
    policy(&mut page, records, texts);
    page.raw("</body>\n</html>\n");
    page.finish()
}

fn heading(page: &mut Markup, title: &'static str) {
    page.element(("<h2>", "</h2>\n"), title);
}

fn dispute(page: &mut Markup, records: &Records) {
    let dispute = &records.chargeback;
    heading(page, "The dispute");
    page.facts(&[
        ("Processor", dispute.provider.to_string()),
        ("Dispute", dispute.dispute_id.to_string()),
        ("Payment", dispute.payment_id.to_string()),
        ("Amount in dispute", dispute.amount.to_string()),
        ("Stage", dispute.stage.to_string()),
        ("Phase", plain(dispute.phase.name())),
        ("Status at the processor", dispute.provider_status.clone()),
        ("Reason given by the bank", dispute.reason_code.clone()),
        ("Opened", instant(dispute.opened_at)),
        ("Closed", dispute.closed_at.map(instant).unwrap_or_default()),
    ]);
    let events = records.events.iter().map(|event| {
        [
            instant(event.occurred_at),
            event.event.to_string(),
            plain(event.phase.name()),
            event.provider_status.clone(),
            event.amount.to_string(),
        ]
    });
    page.table(["When", "Event", "Phase", "Status", "Amount"], events);
}

fn purchase(page: &mut Markup, records: &Records, texts: &Texts) {
    let purchase = &records.purchase;
    let money = |minor_units| Money { currency: purchase.price.currency, minor_units }.to_string();
    heading(page, "The purchase");
    page.paragraph(&texts.product_description);
    page.facts(&[
        ("Customer", texts.customer_reference.clone()),
        ("Order", purchase.order_id.to_string()),
        ("Package", purchase.package_id.to_string()),
        ("Plan", purchase.plan.clone()),
        ("Kind", plain(purchase.kind.name())),
        ("Paid", purchase.price.to_string()),
        ("List price", purchase.list_price.map(|price| price.to_string()).unwrap_or_default()),
        ("Paid on", instant(purchase.paid_at)),
        ("Recorded on", instant(records.recorded_at)),
        ("Credits bought", purchase.credits.to_string()),
        ("Bonus credits", purchase.bonus_credits.to_string()),
        ("Credits delivered", purchase.delivered_credits.to_string()),
        ("Credits paid back", purchase.refunded_credits.to_string()),
        ("Paid back", money(purchase.refunded_minor)),
        ("On its way back", money(purchase.pending_minor)),
        ("Returned by banks", money(purchase.returned_minor)),
    ]);
}

fn delivery(page: &mut Markup, records: &Records, texts: &Texts) {
    heading(page, "Delivery and use");
    page.paragraph(&texts.service_documentation);
    let deliveries = records.deliveries.iter().map(|delivery| {
        [
            instant(delivery.delivered_at),
            delivery.delivery_id.to_string(),
            delivery.credits.to_string(),
            delivery.bonus_credits.to_string(),
        ]
    });
    page.table(["Delivered", "Delivery", "Credits", "Bonus credits"], deliveries);
    left_out(page, records.deliveries.len(), records.deliveries_in_all, "delivery");
}

fn usage(page: &mut Markup, records: &Records) {
    heading(page, "Use of exactly these credits");
    let shown = records.attempts.len().min(MAX_ATTEMPTS);
    let attempts = records.attempts.iter().take(shown).map(|attempt| {
        let (charged, restored) = charge(attempt);
        [
            instant(charged_at(attempt)),
            attempt.attempt.job_id.to_string(),
            attempt.attempt.number.to_string(),
            outputs(attempt),
            charged.to_string(),
            restored.to_string(),
        ]
    });
    let heads = ["When", "Job", "Attempt", "Delivered", "Credits charged", "Credits given back"];
    page.table(heads, attempts);
    left_out(page, shown, records.attempts_in_all, "attempt");
}

/// Says how many more there are than are shown.
fn left_out(page: &mut Markup, shown: usize, in_all: usize, thing: &str) {
    let more = in_all.saturating_sub(shown);
    if more > 0 {
        page.paragraph(&format!(
            "{} of {in_all} in all, not shown here.",
            counted(more, &format!("more {thing}"))
        ));
    }
}

fn requests(page: &mut Markup, records: &Records, texts: &Texts) {
    heading(page, "Refund requests");
    if records.requests.is_empty() {
        page.paragraph("No refund of this purchase was requested.");
    }
    for Request { request, answers } in &records.requests {
        let title = format!(
            "{}: {} ({})",
            instant(request.received_at),
            plain(request.claim.name()),
            plain(request.stage().name())
        );
        page.element(("<h3>", "</h3>\n"), &title);
        let rows = answers.iter().map(|answer| {
            [instant(answer.at), outcome(answer).to_owned(), clauses(&answer.clauses), flat(&answer.sentence)]
        });
        page.table(["When", "Answer", "Clauses", "What the customer read"], rows);
    }
    if !texts.refund_refusal_explanation.is_empty() {
        page.element(("<h3>", "</h3>\n"), "Why a refund was refused");
        page.paragraph(&texts.refund_refusal_explanation);
    }
}

fn refunds(page: &mut Markup, records: &Records, texts: &Texts) {
    heading(page, "Money paid back");
    page.paragraph(&texts.uncategorized_text);
    let refunds = records.refunds.iter().map(|refund| {
        [
            instant(refund.created_at),
            refund.amount.to_string(),
            refund.credits.to_string(),
            refund.stage().to_string(),
            refund.provider_refund_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            refund.life.settled_at().map(instant).unwrap_or_default(),
        ]
    });
    let heads = ["Decided", "Amount", "Credits", "Stage", "Refund at the processor", "Settled"];
    page.table(heads, refunds);
}

fn others(page: &mut Markup, texts: &Texts) {
    if !texts.duplicate_charge_explanation.is_empty() {
        heading(page, "No duplicate");
        page.paragraph(&texts.duplicate_charge_explanation);
    }
    if !texts.cancellation_rebuttal.is_empty() {
        heading(page, "The subscription");
        page.paragraph(&texts.cancellation_policy);
        page.paragraph(&texts.cancellation_rebuttal);
    }
}

fn policy(page: &mut Markup, records: &Records, texts: &Texts) {
    let version = &records.policy;
    heading(page, "The refund policy at the purchase");
    page.facts(&[
        ("Version", version.version.clone()),
        ("In force from", instant(version.effective_from)),
        ("In force until", version.effective_until.map(instant).unwrap_or_default()),
        ("SHA-256", version.sha256.clone()),
    ]);
    page.paragraph(&texts.refund_policy_disclosure);
    page.element(("<pre>", "</pre>\n"), &texts::policy(version));
}
