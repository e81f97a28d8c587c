//! The catalogue of facts against a real database: each scenario brings interesting cases about by calls alone where a
//! call can, and says what the facts then are. Afterwards no case of any fact may be left out.

use crate::by_hand::grant;
use crate::service::{
    Service, capture, delivery, evaluate, hold, instant, later, purchase, refund_result, request_id,
    timestamp, usd, when,
};
use chrono::TimeDelta;
use makegood::clock::new_id;
use makegood::policy::FactName;
use makegood::policy::facts::FactKind;
use makegood::proto::makegood::v1;
use std::collections::{BTreeMap, BTreeSet};
use v1::{ChargebackEventKind as Event, Claim};

const NOON: &str = "2025-03-03T12:00:00Z";

/// What every fact was seen as; `None` where it could not be known.
#[derive(Default)]
struct Seen(BTreeMap<&'static str, BTreeSet<Option<String>>>);

impl Seen {
    /// Asks what would be decided, keeps what the facts are, and compares some.
    #[track_caller]
    fn take(&mut self, facts: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
        for fact in FactName::ALL {
            self.0.entry(fact.name()).or_default().insert(facts.get(fact.name()).cloned());
        }
        for (name, value) in expected {
            assert!(FactName::find(name).is_some(), "`{name}` is no fact");
            let found = facts.get(*name).map_or("", String::as_str);
            assert_eq!((*name, found), (*name, *value), "{facts:#?}");
        }
    }

    fn has(&self, fact: FactName, case: &str) -> bool {
        self.0.get(fact.name()).is_some_and(|seen| {
            seen.iter().any(|value| match (case, value) {
                ("absent", value) => value.is_none(),
                ("present", value) => value.is_some(),
                ("empty", Some(value)) => matches!(value.as_str(), "[]" | "{}" | ""),
                ("filled", Some(value)) => !matches!(value.as_str(), "[]" | "{}" | ""),
                ("nothing", Some(value)) => matches!(value.as_str(), "0" | "0%" | "0s"),
                ("something", Some(value)) => !matches!(value.as_str(), "0" | "0%" | "0s"),
                (word, Some(value)) => value == word,
                (_, None) => false,
            })
        })
    }
}

/// The cases that a fact of a kind has.
fn cases(kind: FactKind) -> Vec<&'static str> {
    match kind {
        FactKind::Bool => vec!["true", "false"],
        FactKind::Word(words) => words.to_vec(),
        FactKind::Text | FactKind::Set(_) | FactKind::Map => vec!["empty", "filled"],
        FactKind::Count | FactKind::Credits | FactKind::Minor | FactKind::Share => {
            vec!["nothing", "something"]
        }
        FactKind::Duration => vec!["something"],
        FactKind::Time => vec!["present"],
    }
}

/// Cases that do not exist: an order has a name, a currency a code, what was bought is something.
const IMPOSSIBLE: [(FactName, &str); 3] =
    [(FactName::OrderId, "empty"), (FactName::Currency, "empty"), (FactName::Bought, "nothing")];

/// Cases that come about after a first answer; the tests of the request's life bring them about.
const AFTER_AN_ANSWER: [(FactName, &str); 2] =
    [(FactName::InformationAsked, "filled"), (FactName::WaitingSince, "present")];

async fn facts(service: &Service, request: v1::EvaluateRequestRequest, at: &str) -> BTreeMap<String, String> {
    let request = v1::EvaluateRequestRequest { validate_only: true, request_id: String::new(), ..request };
    let answer = service.refunds().evaluate_request(when(at, request)).await.unwrap().into_inner();
    answer.decision.unwrap().facts.into_iter().map(|fact| (fact.name, fact.value)).collect()
}

fn hours(hours: i64) -> String {
    later(NOON, TimeDelta::hours(hours))
}

async fn record(service: &Service, told: v1::RecordPurchaseRequest, at: &str) {
    service.credits().record_purchase(when(at, told)).await.unwrap();
}

async fn restrict(service: &Service, account_id: &str, kind: &str) {
    let mut database = service.database().await;
    sqlx::query(
        "INSERT INTO restriction (account_id, restriction_id, kind, clause, imposed_by, since)
         VALUES ($1, $2, $3, '3.3', 'admin:lee', $4)",
    )
    .bind(account_id)
    .bind(new_id(instant(NOON)))
    .bind(kind)
    .bind(instant(NOON))
    .execute(&mut database)
    .await
    .unwrap();
}

/// What the customer claims and tells, and how our records answer.
async fn the_claim(service: &Service, seen: &mut Seen) {
    service.bought("claims", "pay-claims", NOON).await;
    for claim in [
        Claim::DuplicatePurchase,
        Claim::TechnicalIssue,
        Claim::CreditsNotDelivered,
        Claim::UnintendedRenewal,
        Claim::Dissatisfied,
        Claim::ChangeOfMind,
        Claim::UnauthorisedPayment,
        Claim::DefectiveOutput,
        Claim::Other,
    ] {
        let found = facts(service, evaluate("claims", "pay-claims", claim), &hours(1)).await;
        let word = claim.as_str_name().strip_prefix("CLAIM_").unwrap().to_lowercase();
        let expected = [
            ("claim", word.as_str()),
            ("received_at", "2025-03-03T13:00:00.000000Z"),
            ("details_given", "[\"order_id\"]"),
            ("missing_details", "[]"),
            ("mismatched_details", "[]"),
            ("information_asked", "[]"),
            ("evidence_given", "false"),
            ("evidence_reused", "false"),
        ];
        seen.take(&found, &expected);
    }
    let mut request = evaluate("claims", "pay-claims", Claim::Other);
    request.details = Some(v1::RequestDetails {
        account_email: "ada@example.com".to_owned(),
        purchased_at: Some(timestamp(&later(NOON, TimeDelta::days(-3)))),
        amount_paid: usd(998),
        explanation: "twice".to_owned(),
        attempted_at: Some(timestamp(NOON)),
        attempt: None,
    });
    let found = facts(service, request, &hours(1)).await;
    let given = "[\"account_email\",\"attempted_at\",\"explanation\",\"order_id\"]";
    seen.take(
        &found,
        &[("mismatched_details", "[\"amount_paid\",\"purchased_at\"]"), ("details_given", given)],
    );

    let paper = |byte: u8, account: &str, payment: &str| v1::EvaluateRequestRequest {
        evidence: vec![v1::Evidence {
            kind: v1::EvidenceKind::Statement.into(),
            uri: format!("evidence://papers/{byte}"),
            sha256: vec![byte; 32],
            size_bytes: 1_000,
        }],
        ..evaluate(account, payment, Claim::Other)
    };
    let found = facts(service, paper(1, "claims", "pay-claims"), &hours(1)).await;
    seen.take(&found, &[("evidence_given", "true"), ("evidence_reused", "false")]);
    let opened = paper(1, "claims", "pay-claims");
    service.refunds().evaluate_request(when(&hours(1), opened)).await.unwrap();
    let found = facts(service, paper(1, "claims", "pay-claims"), &hours(2)).await;
    seen.take(&found, &[("evidence_given", "true"), ("evidence_reused", "true")]);

    let nameless = v1::EvaluateRequestRequest { purchase: None, ..evaluate("claims", "", Claim::Other) };
    let found = facts(service, nameless, &hours(1)).await;
    let expected = [
        ("purchase_known", "false"),
        ("missing_details", "[\"order_id\"]"),
        ("details_given", "[]"),
        ("purchase_age", ""),
        ("unused", ""),
    ];
    seen.take(&found, &expected);
    let strange = facts(service, evaluate("claims", "pay-of-another", Claim::Other), &hours(1)).await;
    seen.take(&strange, &[("purchase_known", "false"), ("mismatched_details", "[\"order_id\"]")]);
}

/// What was bought, for how much, and by whom.
async fn the_purchase(service: &Service, seen: &mut Seen) {
    let other = Claim::Other;
    service.bought("buyer", "pay-first", NOON).await;
    let plain = facts(service, evaluate("buyer", "pay-first", other), &hours(49)).await;
    let expected = [
        ("purchase_known", "true"),
        ("order_id", "order-pay-first"),
        ("first_purchase", "true"),
        ("purchase_kind", "one_time"),
        ("renewal", "false"),
        ("plan", ""),
        ("attributes", "{}"),
        ("list_price_minor", ""),
        ("price_reduced", ""),
        ("paid_at", "2025-03-03T12:00:00.000000Z"),
        ("purchase_age", "49h"),
        ("currency", "USD"),
        ("price_minor", "999"),
        ("refunded", "none"),
        ("dispute", "none"),
        ("bought", "100"),
        ("delivered", "100"),
        ("delivered_at", "2025-03-03T12:00:00.000000Z"),
        ("unused", "100"),
        ("untouched", "true"),
        ("undelivered", "0"),
        ("undelivered_for", ""),
        ("restoration_possible", "true"),
    ];
    seen.take(&plain, &expected);
    let renewed = v1::RecordPurchaseRequest {
        kind: v1::PurchaseKind::Subscription.into(),
        renewal: true,
        plan: "monthly".to_owned(),
        list_price: usd(1499),
        attributes: [("country".to_owned(), "DE".to_owned())].into(),
        ..purchase("buyer", "pay-renewal", &hours(1))
    };
    record(service, renewed, &hours(1)).await;
    let found = facts(service, evaluate("buyer", "pay-renewal", other), &hours(2)).await;
    let expected = [
        ("first_purchase", "false"),
        ("purchase_kind", "subscription"),
        ("renewal", "true"),
        ("plan", "monthly"),
        ("attributes", "{\"country\":\"DE\"}"),
        ("list_price_minor", "1499"),
        ("price_reduced", "true"),
        ("delivered", "0"),
        ("delivered_at", ""),
        ("unused", "0"),
        ("undelivered", "100"),
        ("undelivered_for", "1h"),
        ("untouched", "true"),
    ];
    seen.take(&found, &expected);
    let free = v1::RecordPurchaseRequest {
        list_price: usd(0),
        price: usd(0),
        ..purchase("buyer", "pay-free", &hours(1))
    };
    record(service, free, &hours(1)).await;
    let found = facts(service, evaluate("buyer", "pay-free", other), &hours(2)).await;
    seen.take(&found, &[("price_minor", "0"), ("price_reduced", "false"), ("list_price_minor", "0")]);
    let never = v1::Undeliverable { reason: "the package was withdrawn".to_owned() };
    let request = v1::DeliverCreditsRequest {
        outcome: Some(v1::deliver_credits_request::Outcome::Undeliverable(never)),
        ..delivery("buyer", "pay-renewal", 100, &hours(2))
    };
    service.credits().deliver_credits(when(&hours(2), request)).await.unwrap();
    let found = facts(service, evaluate("buyer", "pay-renewal", other), &hours(3)).await;
    seen.take(&found, &[("restoration_possible", "false"), ("undelivered", "100")]);
}

/// Use, holds, failures and the attempt that a claim names.
async fn attempts(service: &Service, seen: &mut Seen) {
    let named = |job: &str| {
        let attempt = v1::AttemptReference { job_id: job.to_owned(), attempt: 1 };
        let details = v1::RequestDetails { attempt: Some(attempt), ..Default::default() };
        v1::EvaluateRequestRequest {
            details: Some(details),
            ..evaluate("worker", "pay-worker", Claim::DefectiveOutput)
        }
    };
    service.bought("worker", "pay-worker", NOON).await;
    let idle = facts(service, named("never-ran"), &hours(1)).await;
    let expected = [
        ("attempt_known", "false"),
        ("attempt_result", ""),
        ("attempt_credits", ""),
        ("attempt_age", ""),
        ("used", "0"),
        ("used_share", "0%"),
        ("held", "0"),
        ("failed_credits", "0"),
        ("failed_of_purchase", "0"),
        ("platform_failures", "0"),
        ("account_used_credits", "0"),
        ("account_available", "100"),
        ("outage", "none"),
        ("outage_lasted", ""),
        ("outage_ended_ago", ""),
        ("outage_compensated", ""),
    ];
    seen.take(&idle, &expected);

    service.used("worker", "good", 10, &hours(1)).await;
    let found = facts(service, named("good"), &hours(3)).await;
    let expected = [
        ("attempt_known", "true"),
        ("attempt_result", "success"),
        ("attempt_credits", "10"),
        ("attempt_age", "2h"),
        ("used", "10"),
        ("used_share", "10%"),
        ("unused", "90"),
        ("untouched", "false"),
        ("account_used_credits", "10"),
        ("account_available", "90"),
    ];
    seen.take(&found, &expected);

    service.credits().hold_credits(when(&hours(3), hold("worker", "running", 90))).await.unwrap();
    let found = facts(service, named("running"), &hours(3)).await;
    let expected = [
        ("attempt_result", "running"),
        ("attempt_credits", "0"),
        ("attempt_age", ""),
        ("held", "90"),
        ("unused", "0"),
        ("account_available", "0"),
    ];
    seen.take(&found, &expected);
    service.credits().capture_credits(when(&hours(3), capture("worker", "running"))).await.unwrap();
    service.failed("worker", "running", "gpu_error", &hours(3)).await;
    let found = facts(service, named("running"), &hours(4)).await;
    let expected =
        [("attempt_result", "platform_failure"), ("attempt_credits", "0"), ("platform_failures", "1")];
    seen.take(&found, &expected);

    service.used("worker", "blocked", 5, &hours(4)).await;
    service.failed("worker", "blocked", "content_blocked", &hours(4)).await;
    let found = facts(service, named("blocked"), &hours(4)).await;
    seen.take(&found, &[("attempt_result", "other_failure"), ("attempt_credits", "5"), ("used", "15")]);

    // Nobody knew whose fault it was, until an incident covered it.
    service.used("worker", "unclear", 7, &hours(5)).await;
    service.failed("worker", "unclear", "unknown", &hours(5)).await;
    outages(service, seen, named("unclear")).await;
}

/// An incident that is open, over, and made good.
async fn outages(service: &Service, seen: &mut Seen, request: v1::EvaluateRequestRequest) {
    let incident = v1::DeclareIncidentRequest {
        request_id: request_id(),
        title: "render farm down".to_owned(),
        start_time: Some(timestamp(&later(NOON, TimeDelta::minutes(270)))),
        end_time: None,
        scope: None,
        reason: "power cut".to_owned(),
    };
    let declared =
        service.incidents().declare_incident(when(&hours(6), incident)).await.unwrap().into_inner();
    let found = facts(service, request.clone(), &hours(6)).await;
    let expected = [
        ("outage", "open"),
        ("outage_lasted", "1h30m"),
        ("outage_ended_ago", ""),
        ("outage_compensated", "false"),
        ("failed_credits", "7"),
        ("failed_of_purchase", "7"),
        ("platform_failures", "2"),
        ("attempt_result", "platform_failure"),
        ("attempt_credits", "7"),
        ("recent_compensations", "0"),
    ];
    seen.take(&found, &expected);
    let resolution = v1::ResolveIncidentRequest {
        request_id: request_id(),
        incident_id: declared.incident.unwrap().incident_id,
        end_time: Some(timestamp(&hours(6))),
        reason: "power is back".to_owned(),
    };
    service.incidents().resolve_incident(when(&hours(7), resolution)).await.unwrap();
    let found = facts(service, request.clone(), &hours(8)).await;
    seen.take(&found, &[("outage", "over"), ("outage_lasted", "1h30m"), ("outage_ended_ago", "2h")]);
    let gift = grant("worker", v1::LotSource::Compensation, 20);
    service.credits().grant_credits(when(&hours(8), gift)).await.unwrap();
    let found = facts(service, request, &hours(9)).await;
    seen.take(&found, &[("outage_compensated", "true"), ("recent_compensations", "1")]);
}

/// Duplicates, refunds of them, and money on its way.
async fn money_back(service: &Service, seen: &mut Seen) {
    let duplicate = Claim::DuplicatePurchase;
    service.bought("twice", "pay-one", NOON).await;
    let found = facts(service, evaluate("twice", "pay-one", duplicate), &hours(1)).await;
    let expected = [
        ("duplicates_found", "0"),
        ("twin_disputed", "false"),
        ("twin_paid_at", ""),
        ("recent_refunds", "0"),
        ("refunds_ever", "0"),
        ("refunded_minor", "0"),
        ("pending_minor", "0"),
        ("returned_minor", "0"),
        ("credits_refunded", "0"),
    ];
    seen.take(&found, &expected);
    service.bought("twice", "pay-two", &hours(1)).await;
    let found = facts(service, evaluate("twice", "pay-two", duplicate), &hours(2)).await;
    seen.take(&found, &[("duplicates_found", "1"), ("twin_paid_at", "2025-03-03T12:00:00.000000Z")]);
    let answer = service.claim("twice", "pay-two", duplicate, &hours(2)).await;
    let refund = answer.refund_request.unwrap().refunds.remove(0);
    let found = facts(service, evaluate("twice", "pay-two", duplicate), &hours(3)).await;
    let expected = [
        ("refunded", "full"),
        ("pending_minor", "999"),
        ("refunded_minor", "0"),
        ("credits_refunded", "100"),
        ("recent_refunds", "1"),
        ("refunds_ever", "1"),
        ("untouched", "false"),
        ("restoration_possible", "false"),
    ];
    seen.take(&found, &expected);
    let settled = refund_result("twice", &refund.refund_id, v1::RefundResult::Succeeded, &hours(4));
    service.refunds().record_refund_result(when(&hours(4), settled)).await.unwrap();
    let found = facts(service, evaluate("twice", "pay-two", duplicate), &hours(5)).await;
    seen.take(&found, &[("refunded", "full"), ("pending_minor", "0"), ("refunded_minor", "999")]);
    let much_later = later(NOON, TimeDelta::days(91));
    let found = facts(service, evaluate("twice", "pay-one", duplicate), &much_later).await;
    seen.take(&found, &[("recent_refunds", "0"), ("refunds_ever", "1"), ("duplicates_found", "0")]);

    // A part: what was unused was paid for, and what was used was not.
    service.bought("part", "pay-part", NOON).await;
    service.used("part", "job", 40, NOON).await;
    for job in ["out-1", "out-2", "out-3"] {
        service.credits().hold_credits(when(&hours(1), hold("part", job, 1))).await.unwrap();
        service.failed("part", job, "gpu_error", &hours(1)).await;
    }
    service.claim("part", "pay-part", Claim::TechnicalIssue, &hours(26)).await;
    let found = facts(service, evaluate("part", "pay-part", Claim::TechnicalIssue), &hours(27)).await;
    seen.take(&found, &[("refunded", "part"), ("pending_minor", "599"), ("credits_refunded", "60")]);
}

/// The bank's side, and the account's standing.
async fn disputes_and_standing(service: &Service, seen: &mut Seen) {
    let ask = |payment: &str| evaluate("bank", payment, Claim::DuplicatePurchase);
    service.bought("bank", "pay-a", NOON).await;
    service.bought("bank", "pay-b", &hours(1)).await;
    service.dispute("pay-a", "dp-a", Event::Opened, &hours(2)).await;
    let found = facts(service, ask("pay-a"), &hours(3)).await;
    seen.take(&found, &[("dispute", "open"), ("standing", "[\"suspended\"]"), ("violation", "none")]);
    let found = facts(service, ask("pay-b"), &hours(3)).await;
    seen.take(&found, &[("dispute", "none"), ("twin_disputed", "true"), ("duplicates_found", "0")]);
    service.dispute("pay-a", "dp-a", Event::Lost, &hours(4)).await;
    let found = facts(service, ask("pay-a"), &hours(5)).await;
    seen.take(&found, &[("dispute", "lost"), ("returned_minor", "999"), ("restoration_possible", "false")]);
    service.dispute("pay-a", "dp-a", Event::Won, &hours(6)).await;
    let found = facts(service, ask("pay-a"), &hours(7)).await;
    seen.take(&found, &[("dispute", "won"), ("returned_minor", "0"), ("standing", "[]")]);

    for (kind, violation) in [
        ("purchase_blocked", "none"),
        ("refund_blocked", "none"),
        ("violation_suspected", "suspected"),
        ("violation_confirmed", "confirmed"),
        ("terminated", "confirmed"),
    ] {
        restrict(service, "bank", kind).await;
        let found = facts(service, ask("pay-b"), &hours(8)).await;
        assert!(found["standing"].contains(kind), "{found:?}");
        seen.take(&found, &[("violation", violation)]);
    }
    seen.take(&facts(service, ask("pay-b"), &hours(8)).await, &[("restoration_possible", "false")]);
}

#[tokio::test]
async fn every_fact_is_computed_in_each_of_its_cases() {
    let service = Service::start().await;
    let mut seen = Seen::default();
    the_claim(&service, &mut seen).await;
    the_purchase(&service, &mut seen).await;
    attempts(&service, &mut seen).await;
    money_back(&service, &mut seen).await;
    disputes_and_standing(&service, &mut seen).await;
    service.stop().await;

    let mut missed = Vec::new();
    for fact in FactName::ALL {
        for case in cases(fact.kind()) {
            let left_out = IMPOSSIBLE.contains(&(*fact, case)) || AFTER_AN_ANSWER.contains(&(*fact, case));
            if seen.has(*fact, case) == left_out {
                missed.push(format!("{} {case}{}", fact.name(), if left_out { ", after all" } else { "" }));
            }
        }
    }
    assert!(missed.is_empty(), "cases that no scenario brought about: {missed:#?}");
}
