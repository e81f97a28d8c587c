//! The texts of the pack, by the names that large payment processors give them.

use super::records::{Policy, Records, Twin};
use super::words::{charge, charged_at, clauses, counted, credits, day, flat, instant, outputs, plain};
use crate::domain::credits::Credits;
use crate::domain::lot::Source;
use crate::domain::purchase::PurchaseKind;
use crate::domain::refund::RefundStage;
use crate::domain::request::Claim;
use crate::policy::{Outcome, show};
use chrono::TimeDelta;

/// Longest text, in bytes: what processors take.
pub const MAX_TEXT_BYTES: usize = 20_000;

/// Room for the line that says what was left out.
const NOTE_BYTES: usize = 100;

/// Attributes of a purchase that say how the policy was shown begin like this, as `refund_policy_shown_at`.
const DISCLOSURE: &str = "refund_policy";

/// The texts, each at most [`MAX_TEXT_BYTES`] long; empty where there is nothing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// What was bought.
    pub product_description: String,
    /// The account.
    pub customer_reference: String,
    /// When credits were first delivered: a date.
    pub service_date: String,
    /// Delivery and use.
    pub service_documentation: String,
    /// The dated attempts, one a line.
    pub access_activity_log: String,
    /// The policy in words.
    pub refund_policy: String,
    /// How the customer was shown it.
    pub refund_policy_disclosure: String,
    /// Why a refund was refused.
    pub refund_refusal_explanation: String,
    /// The payment that this one does not duplicate.
    pub duplicate_charge_id: String,
    /// Why not.
    pub duplicate_charge_explanation: String,
    /// How a subscription is canceled (§7.2).
    pub cancellation_policy: String,
    /// Why a cancellation does not matter to this period.
    pub cancellation_rebuttal: String,
    /// Money and credits paid back, and what was asked for.
    pub uncategorized_text: String,
}

impl Texts {
    pub(super) fn of(records: &Records) -> Self {
        let distinct = records.twin.as_ref().and_then(|twin| Some((twin, why_distinct(records, twin)?)));
        let (duplicate_charge_id, duplicate_charge_explanation) = match distinct {
            Some((twin, why)) => (twin.payment_id.to_string(), why),
            None => (String::new(), String::new()),
        };
        Self {
            product_description: cut(product(records)),
            customer_reference: records.account_id.to_string(),
            service_date: records.deliveries.first().map(|first| day(first.delivered_at)).unwrap_or_default(),
            service_documentation: cut(service(records)),
            access_activity_log: activity(records),
            refund_policy: cut(policy(&records.policy)),
            refund_policy_disclosure: cut(disclosure(records)),
            refund_refusal_explanation: refusals(records),
            duplicate_charge_id,
            duplicate_charge_explanation: cut(duplicate_charge_explanation),
            cancellation_policy: cut(cancellation_policy(records)),
            cancellation_rebuttal: cut(cancellation_rebuttal(records)),
            uncategorized_text: cut(further(records)),
        }
    }
}

/// The policy's text in words, whole.
pub(super) fn policy(policy: &Policy) -> String {
    policy.document.as_ref().map_or_else(|| policy.text.clone(), show::prose)
}

/// A text within its bound.
fn cut(text: String) -> String {
    cut_at(text, MAX_TEXT_BYTES)
}

/// A text of at most so many bytes, cut between two characters, which says how much was left out.
fn cut_at(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let room = most.saturating_sub(NOTE_BYTES);
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= room).last().unwrap_or_default();
    let kept = text.get(..end).unwrap_or_default();
    format!("{kept}…\n[{} more bytes]", text.len().saturating_sub(kept.len()))
}

/// Lines within their bound, whole ones, and how many of all were left out.
fn bounded(lines: impl Iterator<Item = String>, in_all: usize) -> String {
    let most = MAX_TEXT_BYTES.saturating_sub(NOTE_BYTES);
    let (mut text, mut kept) = (String::new(), 0_usize);
    for line in lines {
        let line = cut_at(line, most.saturating_sub(1));
        if text.len().saturating_add(line.len()).saturating_add(1) > most {
            break;
        }
        if kept > 0 {
            text.push('\n');
        }
        text.push_str(&line);
        kept = kept.saturating_add(1);
    }
    match in_all.saturating_sub(kept) {
        0 => text,
        more => format!("{text}\n[{more} more of {in_all}]"),
    }
}

fn product(records: &Records) -> String {
    let purchase = &records.purchase;
    let bonus = match purchase.bonus_credits {
        Credits::ZERO => String::new(),
        bonus => format!(" and {bonus} bonus credits"),
    };
    let kind = match (purchase.kind, purchase.renewal) {
        (PurchaseKind::OneTime, _) => "bought once",
        (PurchaseKind::Subscription, false) => "one period of a subscription",
        (PurchaseKind::Subscription, true) => "one period of a subscription that renewed itself",
    };
    let plan = if purchase.plan.is_empty() { String::new() } else { format!(", plan {}", purchase.plan) };
    format!(
        "{}{bonus} for an online service, package {}{plan}, {kind}; order {}, {} paid on {}.",
        credits(purchase.credits),
        purchase.package_id,
        purchase.order_id,
        purchase.price,
        instant(purchase.paid_at),
    )
}

fn service(records: &Records) -> String {
    let mut sentences = Vec::new();
    match records.deliveries.len() {
        0 => sentences.push("No credits of this purchase were delivered.".to_owned()),
        listed => {
            let all = records.deliveries.iter().map(|delivery| {
                let bonus = match delivery.bonus_credits {
                    Credits::ZERO => String::new(),
                    bonus => format!(" and {bonus} bonus credits"),
                };
                let at = instant(delivery.delivered_at);
                format!("{}{bonus} were delivered to the account on {at}.", credits(delivery.credits))
            });
            sentences.extend(all);
            let more = records.deliveries_in_all.saturating_sub(listed);
            if more > 0 {
                sentences.push(format!("{} followed.", counted(more, "more delivery")));
            }
        }
    }
    sentences.extend(used(records));
    let fate = records.fate();
    let rest = [
        (fate.left, "are left in the account"),
        (fate.refunded, "were given up for a refund"),
        (fate.revoked, "were revoked"),
        (fate.expired, "expired"),
    ];
    let rest = rest.iter().filter(|(some, _)| !some.is_zero());
    sentences.extend(rest.map(|(some, what)| format!("{} {what}.", credits(*some))));
    sentences.join("\n")
}

/// What was used of the credits, in words; nothing when no attempt was charged.
fn used(records: &Records) -> Option<String> {
    let first = records.attempts.first()?;
    let used = credits(records.fate().used);
    let attempts = counted(records.attempts_in_all, "attempt");
    let began = instant(charged_at(first));
    let last = records.attempts.last().filter(|_| records.attempts.len() == records.attempts_in_all);
    let Some(last) = last else {
        return Some(format!(
            "{used} of this purchase were used; {attempts} were charged, the first on {began}."
        ));
    };
    let restored = Credits::sum(records.attempts.iter().map(|attempt| charge(attempt).1)).unwrap_or_default();
    let back = match restored {
        Credits::ZERO => String::new(),
        restored => format!(", and {} given back after failures", credits(restored)),
    };
    let ended = instant(charged_at(last));
    Some(format!(
        "{used} of this purchase were used; {attempts} were charged between {began} and {ended}{back}."
    ))
}

fn activity(records: &Records) -> String {
    let lines = records.attempts.iter().map(|attempt| {
        let (charged, restored) = charge(attempt);
        let back = match restored {
            Credits::ZERO => String::new(),
            restored => format!(", {restored} of them given back after a failure"),
        };
        format!(
            "{}  job {}, attempt {}: {} delivered, {} charged{back}",
            instant(charged_at(attempt)),
            attempt.attempt.job_id,
            attempt.attempt.number,
            outputs(attempt),
            credits(charged),
        )
    });
    bounded(lines, records.attempts_in_all)
}

fn disclosure(records: &Records) -> String {
    let Policy { version, effective_from, sha256, .. } = &records.policy;
    let mut lines = vec![format!(
        "Version {version} of the refund policy, published with SHA-256 {sha256}, was in force from {} and at the purchase.",
        instant(*effective_from),
    )];
    let shown = records.purchase.attributes.iter().filter(|(name, _)| name.starts_with(DISCLOSURE));
    lines.extend(
        shown.map(|(name, value)| format!("Recorded with the purchase: {}: {}", plain(name), flat(value))),
    );
    lines.join("\n")
}

fn refusals(records: &Records) -> String {
    let denials: Vec<String> = records
        .requests
        .iter()
        .flat_map(|request| &request.answers)
        .filter(|answer| answer.outcome == Outcome::Deny)
        .map(|answer| {
            format!("{} ({}): {}", instant(answer.at), clauses(&answer.clauses), flat(&answer.sentence))
        })
        .collect();
    let in_all = denials.len();
    bounded(denials.into_iter(), in_all)
}

/// Why another payment for the same is a purchase of its own; `None` where our records do not show that it is.
fn why_distinct(records: &Records, twin: &Twin) -> Option<String> {
    let purchase = &records.purchase;
    let apart = purchase.paid_at.signed_duration_since(twin.paid_at).abs();
    let window = records.policy.document.as_ref().map(|document| document.parameters().duplicate_window());
    let paid_used = records.lots.iter().filter(|lot| lot.source == Source::Purchase).map(|lot| lot.consumed);
    let used = Credits::sum(paid_used).unwrap_or_default();
    let mut reasons = Vec::new();
    if window.is_some_and(|window| apart > TimeDelta::microseconds(window.micros())) {
        let hours = apart.num_hours();
        reasons.push(format!("it was paid {} apart", counted(hours, "hour")));
    }
    if !used.is_zero() && !twin.used.is_zero() {
        reasons.push(format!(
            "credits of both were used ({} of this purchase, {} of the other)",
            used, twin.used
        ));
    }
    if twin.refunded {
        reasons.push("the other one was paid back".to_owned());
    }
    if reasons.is_empty() {
        return None;
    }
    Some(format!(
        "This payment is no duplicate of payment {} of {} (order {}): {}.",
        twin.payment_id,
        instant(twin.paid_at),
        twin.order_id,
        reasons.join("; "),
    ))
}

fn is_subscription(records: &Records) -> bool {
    records.purchase.kind == PurchaseKind::Subscription
}

/// What the policy answers to whoever did not want a renewal: there it says how a subscription ends.
fn cancellation_policy(records: &Records) -> String {
    let Some(document) = records.policy.document.as_ref().filter(|_| is_subscription(records)) else {
        return String::new();
    };
    let speaks = |claims: &Option<std::collections::BTreeSet<Claim>>| {
        claims.as_ref().is_some_and(|claims| claims.contains(&Claim::UnintendedRenewal))
    };
    let rows = document.rows().iter().filter(|row| row.outcome == Outcome::Deny && speaks(&row.claims));
    rows.map(|row| show::filled(&row.sentence, document.parameters())).collect::<Vec<_>>().join("\n")
}

fn cancellation_rebuttal(records: &Records) -> String {
    if !is_subscription(records) {
        return String::new();
    }
    let purchase = &records.purchase;
    let what = if purchase.renewal { "renewed the subscription" } else { "began a subscription" };
    let paid = format!("The payment of {} {what}.", instant(purchase.paid_at));
    let first = records.requests.iter().map(|request| request.request.received_at).min();
    let opened_at = records.chargeback.opened_at;
    let heard = match first.filter(|first| *first < opened_at) {
        None => format!(
            "Nothing about this period was received before the dispute was opened on {}.",
            instant(opened_at)
        ),
        Some(first) => {
            let hours = first.signed_duration_since(purchase.paid_at).num_hours();
            format!(
                "The first request about this period was received on {}, {} after the payment.",
                instant(first),
                counted(hours, "hour"),
            )
        }
    };
    format!("{paid} {heard}")
}

fn further(records: &Records) -> String {
    let purchase = &records.purchase;
    let money = |minor_units| crate::domain::money::Money { currency: purchase.price.currency, minor_units };
    let mut lines = vec![format!(
        "Of {} paid, {} were paid back, {} are on their way back, and {} were returned by banks.",
        purchase.price,
        money(purchase.refunded_minor),
        money(purchase.pending_minor),
        money(purchase.returned_minor),
    )];
    let arrived = records.refunds.iter().filter(|refund| refund.stage() == RefundStage::Succeeded);
    lines.extend(arrived.map(|refund| {
        let id = refund.provider_refund_id.as_ref().map(|id| format!(" as {id}")).unwrap_or_default();
        let at = refund.life.settled_at().map(instant).unwrap_or_default();
        format!("{} were paid back by {}{id} on {at}.", refund.amount, refund.provider)
    }));
    let opened_at = records.chargeback.opened_at;
    let before = records.requests.iter().filter(|request| request.request.received_at < opened_at).count();
    lines.push(match before {
        0 => format!("No refund was requested before the dispute was opened on {}.", instant(opened_at)),
        before => {
            format!("{} received before the dispute was opened on {}.", received(before), instant(opened_at))
        }
    });
    lines.join("\n")
}

fn received(requests: usize) -> String {
    let was = if requests == 1 { "was" } else { "were" };
    format!("{} {was}", counted(requests, "refund request"))
}
