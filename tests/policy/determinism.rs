//! Same version, same facts, same bytes: whatever order the facts came in, and however often.

use super::desk::{before, case_file, observe, shipped};
use super::golden::{cases, facts};
use makegood::domain::case_file::{AttemptEnd, AttemptFile, IncidentFile, TwinFile};
use makegood::domain::ids::PurchaseId;
use makegood::domain::purchase::DisputeState;
use makegood::domain::request::Claim;
use makegood::policy::{Document, Facts, SHIPPED, decide};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::Value;

fn shuffle<T>(items: &mut [T], rng: &mut TestRng) {
    for last in (1..items.len()).rev() {
        let below = u32::try_from(last.saturating_add(1)).unwrap();
        let other = rng.next_u32().checked_rem(below).unwrap();
        items.swap(last, usize::try_from(other).unwrap());
    }
}

/// The same JSON with the keys of every object, and the words of every set, in another order.
fn shuffled(value: &Value, rng: &mut TestRng) -> String {
    match value {
        Value::Object(fields) => {
            let mut parts: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key:?}:{}", shuffled(value, rng))).collect();
            shuffle(&mut parts, rng);
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => {
            let mut parts: Vec<String> = items.iter().map(|item| shuffled(item, rng)).collect();
            shuffle(&mut parts, rng);
            format!("[{}]", parts.join(","))
        }
        other => other.to_string(),
    }
}

#[test]
fn facts_in_any_order_are_decided_to_the_same_bytes() {
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let again = Document::parse(SHIPPED).unwrap();
    let mut reordered = 0_usize;
    for (name, case) in cases() {
        let facts = facts(&case).unwrap();
        let decision = decide(shipped(), &facts);
        let text = shuffled(&serde_json::to_value(&facts).unwrap(), &mut rng);
        reordered = reordered.saturating_add(usize::from(text != facts.canonical_json()));
        let read: Facts = serde_json::from_str(&text).unwrap();
        assert_eq!(read.canonical_json(), facts.canonical_json(), "{name}");
        assert_eq!(decide(&again, &read).canonical_bytes(), decision.canonical_bytes(), "{name}");
        assert_eq!(decide(shipped(), &facts).canonical_bytes(), decision.canonical_bytes(), "{name}");
    }
    assert!(reordered > 100, "nothing was shuffled");
}

#[test]
fn records_in_any_order_make_the_same_facts() {
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut file = case_file(Claim::DuplicatePurchase);
    file.twins = (1..6_u128)
        .map(|number| TwinFile {
            purchase_id: PurchaseId(uuid::Uuid::from_u128(number)),
            paid_at: before(if number < 3 { "47h" } else { "49h" }),
            refunded: number == 5,
            dispute: if number == 4 { DisputeState::Open } else { DisputeState::None },
        })
        .collect();
    file.incidents = ["30h", "30h", "9h"]
        .map(|from| IncidentFile { started_at: before(from), ended_at: Some(before("6h")) })
        .into();
    file.attempts = vec![AttemptFile { at: before("1h"), end: AttemptEnd::PlatformFailure }; 3];
    file.account.refunds_at = vec![before("1d"), before("2d"), before("100d")];
    file.account.compensated_at = vec![before("5h"), before("40h")];
    let facts = observe(&file).canonical_json();
    for _ in 0..50 {
        shuffle(&mut file.twins, &mut rng);
        shuffle(&mut file.incidents, &mut rng);
        shuffle(&mut file.account.refunds_at, &mut rng);
        shuffle(&mut file.account.compensated_at, &mut rng);
        assert_eq!(observe(&file).canonical_json(), facts);
    }
}
