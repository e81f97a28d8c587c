//! The partition argument put to the test: the check decides sets of cells, and single decisions must agree with it.
//!
//! The shipped document speaks about half of the catalogue, so a second document speaks about all of it.

use super::desk::{before, credits, shipped, usd};
use super::document::with_rows;
use super::plausible::plausible;
use super::properties::{any_facts, likely_facts, seeded};
use chrono::TimeDelta;
use makegood::domain::case_file::{AttemptEnd, AttemptFile, CaseFile, NamedAttemptFile};
use makegood::domain::money::Money;
use makegood::domain::request::EvidenceKind;
use makegood::policy::check::Partition;
use makegood::policy::decision::NO_ROW;
use makegood::policy::facts::{CLAIMS, FactKind, Value};
use makegood::policy::{
    Decision, Document, FactName, Facts, Grant, Recommendation, RemedyKind, ReviewReason, decide,
};
use proptest::prelude::*;
use std::fmt::Write;
use std::sync::LazyLock;

/// A document that cuts every fact that conditions may ask for, numbers at several places, and pays here and there.
fn talkative() -> &'static Document {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| Document::parse(&with_rows(&rows())).unwrap());
    &DOCUMENT
}

fn rows() -> String {
    let conditions = FactName::ALL.iter().flat_map(|fact| conditions(*fact));
    let mut rows = String::new();
    for (number, condition) in conditions.enumerate() {
        let answer = match number.checked_rem(4).unwrap() {
            0 => "outcome = \"APPROVE\"\nremedies = [\"restore_failed\", \"refund_unused\"]",
            1 => "outcome = \"APPROVE\"\nremedies = [\"refund_full\"]",
            2 => "outcome = \"REQUEST_INFORMATION\"\nrequest = [\"missing_details\", \"order_id\", \"logs\"]",
            _ => "outcome = \"DENY\"",
        };
        // Each for one claim, so that no row takes all that is left.
        let claim = CLAIMS[number.checked_rem(CLAIMS.len()).unwrap()];
        writeln!(
            rows,
            "[[rows]]\nrow = \"{number}\"\nclauses = [\"2.1\"]\nclaims = [\"{claim}\"]\nwhen = [{{ {condition} }}]\n{answer}\n\
             sentence = \"So (§2.1).\"\nwhy = \"Because.\"",
        )
        .unwrap();
    }
    rows
}

fn conditions(fact: FactName) -> Vec<String> {
    let name = fact.name();
    match fact.kind() {
        FactKind::Bool => vec![format!("{name} = true"), format!("{name} = false")],
        FactKind::Word(words) => {
            vec![format!("{name} = {{ not = {:?} }}", words[0]), format!("{name} = {:?}", words[1])]
        }
        FactKind::Text => vec![format!("{name} = {{ one_of = [\"USD\", \"order-1\"] }}")],
        FactKind::Set(words) => vec![
            format!("{name} = {{ has = {:?}, lacks = {:?} }}", words[0], words[1]),
            format!("{name} = {{ has_any = [{:?}, {:?}] }}", words[2], words[3]),
            format!("{name} = {{ empty = true }}"),
            format!(
                "{name} = {{ any_outside = \"{}\" }}",
                if words.len() > 6 { "details_given" } else { name }
            ),
        ],
        FactKind::Count | FactKind::Credits | FactKind::Minor => {
            vec![
                format!("{name} = {{ at_least = 1, less_than = 40 }}"),
                format!("{name} = {{ more_than = 100 }}"),
            ]
        }
        FactKind::Share => vec![format!("{name} = {{ at_least = \"50%\" }}"), format!("{name} = \"100%\"")],
        FactKind::Duration => vec![format!("{name} = {{ more_than = \"24h\", at_most = \"7d\" }}")],
        FactKind::Map => vec!["attributes.country = \"DE\"".to_owned()],
        FactKind::Time => vec![],
    }
}

fn partition(document: &'static Document) -> &'static Partition {
    static SHIPPED: LazyLock<Partition> = LazyLock::new(|| Partition::of(shipped()));
    static TALKATIVE: LazyLock<Partition> = LazyLock::new(|| Partition::of(talkative()));
    let partition = if std::ptr::eq(document, shipped()) { &SHIPPED } else { &TALKATIVE };
    assert!(partition.is_whole());
    partition
}

fn kinds(grants: &[Grant]) -> Vec<RemedyKind> {
    grants.iter().map(|grant| grant.kind).collect()
}

fn recommended(decision: &Decision) -> Option<Vec<RemedyKind>> {
    match &decision.recommendation {
        Some(Recommendation::Approve(grants)) => Some(kinds(grants)),
        Some(Recommendation::Deny) => Some(Vec::new()),
        None => None,
    }
}

/// Only figures can part a case from what stands for its cell: a remedy worth nothing or above a limit, or credits that
/// are nowhere.
fn by_figures(decision: &Decision) -> bool {
    use ReviewReason::{AboveApprovalLimit, CreditsGone, NothingToGive};
    matches!(decision.review_reason, Some(NothingToGive | AboveApprovalLimit | CreditsGone))
}

/// What must hold between the check's cells and the decision about one case.
fn agrees(document: &'static Document, facts: &Facts) -> Result<(), TestCaseError> {
    let partition = partition(document);
    let decision = decide(document, facts);
    prop_assert_eq!(partition.row_of(facts).unwrap_or(NO_ROW), &decision.row);
    let standing_for = decide(document, &partition.representative(facts));
    prop_assert_eq!(&standing_for.row, &decision.row);
    if !by_figures(&decision) && !by_figures(&standing_for) {
        prop_assert_eq!(standing_for.outcome, decision.outcome);
        prop_assert_eq!(standing_for.review_reason, decision.review_reason);
        prop_assert_eq!(kinds(&standing_for.remedies), kinds(&decision.remedies));
        // Nothing is recommended where a remedy is worth nothing, which figures decide.
        if let (Some(one), Some(other)) = (recommended(&standing_for), recommended(&decision)) {
            prop_assert_eq!(one, other);
        }
    }
    if decision.money().is_some() {
        prop_assert!(partition.may_pay(facts));
    }
    if decision.review_reason == Some(ReviewReason::Guardrail) {
        prop_assert!(partition.may_be_barred(facts));
    }
    Ok(())
}

/// A case file that could be, with everything that [`plausible`] leaves plain.
fn any_file() -> impl Strategy<Value = CaseFile> {
    let told = (
        prop::option::weighted(0.2, any::<bool>()),
        prop::option::weighted(0.2, prop::sample::select(vec!["1d", "5d", "60d"])),
        any::<(bool, bool, bool)>(),
        prop::collection::btree_set(
            prop::sample::select(vec![EvidenceKind::OrderIds, EvidenceKind::Screenshot, EvidenceKind::Other]),
            0..2,
        ),
    );
    (plausible(), told, 0_i64..100, prop::option::weighted(0.5, 0_i64..72)).prop_map(
        |(mut file, (amount, date, (explains, attempted, named), papers), others, delay)| {
            let price = file.purchase.as_ref().map(|known| known.purchase.price);
            let price = price.unwrap_or(Money::zero(usd(0).currency));
            file.details.amount_paid =
                amount.map(|fits| if fits { price } else { Money::zero(price.currency) });
            file.details.purchased_at = date.map(before);
            file.details.explanation = explains.then(|| "it broke".to_owned().into());
            file.details.attempted_at = attempted.then(|| before("1h"));
            file.names_purchase = named || file.purchase.is_some();
            file.evidence.extend(papers);
            file.evidence_reused = explains && !file.evidence.is_empty();
            let (unused, used) =
                file.purchase.as_ref().map_or((0, 0), |known| (known.unused.get(), known.used.get()));
            file.account.available_credits = credits(unused.saturating_add(others));
            file.account.used_credits = credits(used.saturating_add(others));
            file.account.refunds_ever = i64::try_from(file.account.refunds_at.len()).unwrap();
            let delay = TimeDelta::hours(delay.unwrap_or(0));
            file.decided_at = file.received_at.checked_add_signed(delay).unwrap();
            let ended = named.then(|| AttemptFile { at: before("1h"), end: AttemptEnd::Success });
            file.attempt = attempted.then(|| NamedAttemptFile { ended, charged: credits(others) });
            file.account.compensated_at = explains.then(|| before("1h")).into_iter().collect();
            if let Some(known) = &mut file.purchase {
                let list = known.purchase.price.minor_units.saturating_add(others).saturating_sub(50).max(0);
                known.purchase.list_price =
                    attempted.then_some(Money { minor_units: list, ..known.purchase.price });
            }
            file
        },
    )
}

proptest! {
    #![proptest_config(seeded(600))]

    #[test]
    fn any_facts_are_decided_as_the_check_decides_their_cell(facts in any_facts()) {
        agrees(shipped(), &facts)?;
        agrees(talkative(), &facts)?;
    }

    #[test]
    fn likely_facts_are_decided_as_the_check_decides_their_cell(facts in likely_facts()) {
        agrees(shipped(), &facts)?;
        agrees(talkative(), &facts)?;
    }

    #[test]
    fn every_case_falls_into_a_cell_that_the_check_holds_to_occur(file in any_file()) {
        for document in [shipped(), talkative()] {
            let facts = Facts::observe(&file, document.parameters());
            prop_assert!(partition(document).can_occur(&facts), "{}", facts.canonical_json());
            agrees(document, &facts)?;
        }
    }

    #[test]
    fn what_no_case_can_be_is_set_aside(file in any_file()) {
        let facts = Facts::observe(&file, shipped().parameters());
        let mut twisted = facts.clone();
        if facts.is_true(FactName::PurchaseKnown) {
            twisted.set(FactName::Untouched, Value::Bool(true)).unwrap();
            twisted.set(FactName::Used, Value::Number(3)).unwrap();
            prop_assert!(!partition(shipped()).can_occur(&twisted), "untouched and used");
        }
        twisted = facts;
        let missing = Value::Set(["logs".to_owned()].into());
        twisted.set(FactName::MissingDetails, missing).unwrap();
        prop_assert!(!partition(shipped()).can_occur(&twisted), "no claim requires logs");
    }
}
