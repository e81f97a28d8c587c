//! The catalogue of facts against a real database: each scenario brings interesting cases about by calls alone where a
//! call can, and says what the facts then are. Afterwards no case of any fact may be left out.

mod attempts;
mod purchases;

use crate::canary::words;
use crate::service::{Service, evaluate, later, timestamp, usd, when};
use attempts::attempts;
use chrono::TimeDelta;
use makegood::policy::FactName;
use makegood::policy::facts::FactKind;
use makegood::proto::makegood::v1;
use purchases::{disputes_and_standing, money_back, the_purchase};
use std::collections::{BTreeMap, BTreeSet};
use v1::Claim;

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
        account_email: words("ada@example.com"),
        purchased_at: Some(timestamp(&later(NOON, TimeDelta::days(-3)))),
        amount_paid: usd(998),
        explanation: words("twice"),
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
    // A purchase has one open request, so the other case with the same paper names none.
    let opened = v1::EvaluateRequestRequest { purchase: None, ..paper(1, "claims", "") };
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
