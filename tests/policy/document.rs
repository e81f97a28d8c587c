//! Documents that must be refused, with the words that help whoever wrote them; and what a loaded one answers.

use super::desk::{received_at, shipped};
use makegood::domain::book::RestoreOutcome;
use makegood::domain::fault::Fault;
use makegood::domain::ids::Cause;
use makegood::domain::money::Currency;
use makegood::domain::request::{Claim, Detail};
use makegood::policy::document::{Guardrail, MAX_BYTES};
use makegood::policy::facts::Value;
use makegood::policy::{
    Document, FactName, Facts, Outcome, RemedyKind, ReviewReason, RowOutcome, SHIPPED, decide,
};

/// The shipped document's head with these rows instead of its own.
pub(super) fn with_rows(rows: &str) -> String {
    let head = SHIPPED.split("[[rows]]").next().unwrap();
    format!("{head}\n{rows}")
}

/// One row in which every field can be replaced; the last of two equal fields is kept.
pub(super) fn row(changes: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("row", r#""1""#),
        ("clauses", r#"["2.1"]"#),
        ("outcome", r#""DENY""#),
        ("sentence", r#""No (§2.1).""#),
        ("why", r#""Because.""#),
    ];
    for (name, text) in changes {
        fields.retain(|(known, _)| known != name);
        fields.push((name, text));
    }
    let lines: Vec<_> = fields.iter().map(|(name, text)| format!("{name} = {text}")).collect();
    format!("[[rows]]\n{}\n", lines.join("\n"))
}

pub(super) fn refusal(text: &str) -> String {
    match Document::parse(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    }
}

pub(super) fn row_refusal(changes: &[(&str, &str)]) -> String {
    refusal(&with_rows(&row(changes)))
}

#[test]
fn a_plain_row_is_accepted() {
    assert!(Document::parse(&with_rows(&row(&[]))).is_ok());
}

#[test]
fn a_condition_that_does_not_fit_is_refused_by_row_field_and_name() {
    for (when, problem) in [
        ("[{ unusd = 0 }]", "row `1`, `when[0].unusd`: there is no fact `unusd` (did you mean `unused`?)"),
        ("[{ unused = true }]", "row `1`, `when[0].unused`: must be a whole number"),
        ("[{ unused = { atleast = 1 } }]", "`atleast` is no condition for it (did you mean `at_least`?)"),
        ("[{ unused = \"$claim_window\" }]", "`7d` is of another kind"),
        ("[{ unused = -1 }]", "`-1` is of another kind"),
        ("[{ purchase_age = 7 }]", "`when[0].purchase_age`: must be a length of time such as `7d`"),
        ("[{ purchase_age = \"7 days\" }]", "must be a length of time"),
        (
            "[{ purchase_age = { at_most = \"$claim_windw\" } }]",
            "no parameter `claim_windw` (did you mean `claim_window`?)",
        ),
        ("[{ used_share = 50 }]", "must be a share such as `50%`"),
        ("[{ dispute = \"opened\" }]", "`when[0].dispute`: unknown word `opened` (did you mean `open`?)"),
        ("[{ renewal = \"yes\" }]", "`when[0].renewal`: must be true or false"),
        ("[{ standing = \"suspended\" }]", "a set needs `has`"),
        ("[{ standing = { has = \"suspnded\" } }]", "did you mean `suspended`?"),
        ("[{ standing = { has = [] } }]", "must be a word or a list of words"),
        ("[{ missing_details = { any_outside = \"standing\" } }]", "`standing` is no set of the same words"),
        ("[{ missing_details = { any_outside = \"unused\" } }]", "`unused` is no set of the same words"),
        ("[{ paid_at = \"2024-12-19\" }]", "an instant takes no conditions"),
        ("[{ attributes = \"DE\" }]", "needs a key, such as `attributes.country`"),
        ("[{ unused = {} }]", "the condition is empty"),
        ("[{}]", "always holds"),
    ] {
        let refusal = row_refusal(&[("when", when)]);
        assert!(refusal.contains(problem), "{when}: {refusal}");
    }
}

#[test]
fn a_row_whose_fields_contradict_each_other_is_refused() {
    for (field, text, problem) in [
        ("row", r#""""#, "row ``, `row`: must be a number"),
        ("row", r#""none""#, "`row`: must be a number"),
        ("clauses", "[]", "row `1`, `clauses`: must not be empty"),
        ("clauses", r#"["two"]"#, "`clauses[0]`: `two` is no clause"),
        ("claims", "[]", "`claims`: must not be empty"),
        ("claims", r#"["duplicate"]"#, "there is no claim `duplicate`"),
        ("outcome", r#""APPROVE""#, "`remedies`: an approval needs a remedy"),
        (
            "outcome",
            r#""REQUEST_INFORMATION""#,
            "`request`: a request for information must say what it asks for",
        ),
        ("outcome", r#""MAYBE""#, "row `1`, `outcome`: unknown variant `MAYBE`"),
        ("remedies", r#"["refund_full"]"#, "`remedies`: belong to approvals"),
        ("remedies", r#"["refund_everything"]"#, "`remedies[0]`: there is no remedy `refund_everything`"),
        ("recommend", r#""deny""#, "`recommend`: belongs to reviews"),
        ("request", r#"["logs"]"#, "`request`: belongs to requests for information"),
        ("sentence", r#""""#, "`sentence`: must not be empty"),
        ("sentence", r#""No (§3.1).""#, "`sentence`: cites §3.1, which is not among `clauses`"),
        ("sentence", r#""{unusd}""#, "there is nothing called `{unusd}` (did you mean `unused`?)"),
        ("sentence", r#""{amount}""#, "`{amount}` has no value where this text is used"),
        ("sentence", r#""{requested}""#, "`{requested}` has no value"),
        ("sentence", r#""{unused""#, "a `{` is not closed"),
        ("sentence", r#""unused}""#, "a `}` was not opened"),
        ("advice", r#""{amount}""#, "`advice`: `{amount}` has no value"),
        ("why", r#"" ""#, "`why`: must say how the text was read"),
        ("colour", r#""red""#, "row `1`, `colour`: unknown field `colour`"),
    ] {
        let refusal = row_refusal(&[(field, text)]);
        assert!(refusal.contains(problem), "{field} = {text}: {refusal}");
    }
    let asks = [("outcome", r#""REQUEST_INFORMATION""#), ("request", r#"["statment"]"#)];
    assert!(row_refusal(&asks).contains("there is no detail `statment` (did you mean `statement`?)"));
    let advises = [("outcome", r#""REVIEW""#), ("recommend", r#""approve""#)];
    assert!(row_refusal(&advises).contains("must be \"deny\" or a list of remedies"));
}

#[test]
fn two_rows_of_one_name_or_no_rows_are_refused() {
    let twice = format!("{}{}", row(&[]), row(&[]));
    assert!(refusal(&with_rows(&twice)).ends_with("row `1`, `row`: there are two rows of this name"));
    assert!(refusal(&format!("rows = []\n{}", with_rows(""))).contains("`rows`: must be 1 to"));
}

#[test]
fn a_head_that_does_not_hold_together_is_refused() {
    for (from, to, problem) in [
        ("version = \"2024-12-19\"", "version = \"\"", "`version`: must not be empty"),
        ("title = \"Z-Image.win Refund Policy\"", "title = \" \"", "`title`: must not be empty"),
        (
            "outage_failures = 3 ",
            "outage_failures = 0 ",
            "`parameters`: needs `outage_failures`, a count above 0",
        ),
        ("duplicate_window = \"24h\"", "duplicate_window = 24", "needs `duplicate_window`, a length of time"),
        (
            "    \"heavily_used\"",
            "    \"heavly_used\"",
            "no parameter `heavly_used` (did you mean `heavily_used`?)",
        ),
        ("weekend = [\"saturday\", \"sunday\"]", "weekend = [\"funday\"]", "line "),
        ("respond_within_business_days = 3", "respond_within_business_days = 0", "must be 1 to"),
        ("respond_within_business_days = 3", "respond_within_business_days = 61", "must be 1 to 60"),
        ("respond_within_business_days = 3", "respond_within_hours = 1_441", "must be 1 to 1440"),
        (
            "respond_within_business_days = 3",
            "respond_within_business_days = 3\nrespond_within_hours = 48",
            "not in both",
        ),
        (
            "respond_within_business_days = 3",
            "respond_within_busines_days = 3",
            "did you mean `respond_within_business_days`?",
        ),
        ("time_zone = \"UTC\"", "time_zone = \"Mars/Olympus\"", "line "),
        ("worker_crash = \"platform\"", "worker_crash = \"nobody\"", "unknown variant `nobody`"),
        ("other = [\"order_id\"]", "other = [\"order\"]", "there is no detail `order`"),
        ("\"pay_for_used_credits\"", "\"pay_for_nothing\"", "unknown variant `pay_for_nothing`"),
        ("USD = 10_000", "USD = -1", "`limits.approve_at_most.USD`: must not be negative"),
        ("USD = 10_000", "USX = 10_000", "ISO 4217"),
        ("heavily_used = \"50%\"", "heavily_used = \"half\"", "line "),
        (
            "by {respond_by}.\"\n\n[parameters]",
            "by {amount}.\"\n\n[parameters]",
            "`referral`: `{amount}` has no value",
        ),
        (
            "[reports.restored]\nclause = \"2.2\"",
            "[reports.restored]\nclause = \"\"",
            "`reports.restored`: needs a clause",
        ),
    ] {
        let text = SHIPPED.replacen(from, to, 1);
        assert_ne!(text, SHIPPED, "{from}");
        let refusal = refusal(&text);
        assert!(refusal.contains(problem), "{to}: {refusal}");
    }
    let all_week = "weekend = [\"monday\", \"tuesday\", \"wednesday\", \"thursday\", \"friday\", \"saturday\", \"sunday\"]";
    let no_business = SHIPPED.replacen("weekend = [\"saturday\", \"sunday\"]", all_week, 1);
    assert!(refusal(&no_business).contains("`weekend` leaves no business day"));
    assert!(refusal(&"#".repeat(MAX_BYTES.saturating_add(1))).contains("is longer than"));
}

#[test]
fn the_digest_is_of_the_bytes_as_given() {
    let document = shipped();
    let spaced = Document::parse(&format!("{SHIPPED}\n")).unwrap();
    assert_eq!(document.sha256().len(), 64);
    assert_ne!(document.sha256(), spaced.sha256());
}

#[test]
fn causes_have_faults_and_faults_have_clauses() {
    let document = shipped();
    let fault = |cause: &str| document.fault_of(&Cause::parse(cause).unwrap());
    assert_eq!(fault("worker_crash"), Fault::Platform);
    assert_eq!(fault("content_blocked"), Fault::Customer);
    assert_eq!(fault("unknown"), Fault::Undetermined);
    assert_eq!(fault("never_heard_of"), Fault::Undetermined);
    for outcome in RestoreOutcome::ALL {
        let rule = document.report_rule(outcome).unwrap();
        assert!(rule.sentence.contains(&format!("(§{})", rule.clause)), "{}", rule.sentence);
    }
}

#[test]
fn the_shipped_numbers_are_those_of_the_text() {
    let document = shipped();
    let parameters = document.parameters();
    let shown = |name: &str| parameters.get(name).unwrap().to_string();
    assert_eq!(shown("claim_window"), "7d");
    assert_eq!(shown("renewal_window"), "48h");
    assert!(!parameters.is_discretionary("claim_window"));
    assert!(parameters.is_discretionary("heavily_used"));
    assert!(parameters.required_details(Claim::ChangeOfMind).is_empty());
    assert!(parameters.required_details(Claim::Other).contains(&Detail::OrderId));
    assert_eq!(document.never().len(), 4);
    assert!(document.never().contains(&Guardrail::PayForUsedCredits));
    assert_eq!(document.version(), "2024-12-19");
    assert_eq!(document.effective_from().to_rfc3339(), "2024-12-19T00:00:00+00:00");
    assert!(!document.title().is_empty());
}

fn facts(claim: Claim, set: &[(FactName, Value)]) -> Facts {
    let mut facts = Facts::new(claim, received_at());
    for (name, value) in set {
        facts.set(*name, value.clone()).unwrap();
    }
    facts
}

#[test]
fn a_table_with_a_gap_leaves_the_case_to_a_person() {
    let document = Document::parse(&with_rows(&row(&[("claims", r#"["other"]"#)]))).unwrap();
    let decision = decide(&document, &facts(Claim::TechnicalIssue, &[]));
    assert_eq!((decision.outcome, decision.row.as_str()), (Outcome::Review, "none"));
    assert_eq!(decision.review_reason, Some(ReviewReason::NoRow));
    assert_eq!(decision.rows[0].result, RowOutcome::NotApplicable);
}

#[test]
fn no_document_can_pay_while_the_bank_decides() {
    let pays = row(&[
        ("outcome", r#""APPROVE""#),
        ("remedies", r#"["refund_full"]"#),
        ("sentence", r#""{amount} (§2.1).""#),
    ]);
    let document = Document::parse(&with_rows(&pays)).unwrap();
    let paid = [
        (FactName::Currency, Value::Text("USD".to_owned())),
        (FactName::PriceMinor, Value::Number(1999)),
        (FactName::Bought, Value::Number(100)),
        (FactName::Unused, Value::Number(100)),
    ];
    let decision = decide(&document, &facts(Claim::Other, &paid));
    assert_eq!(decision.sentence, "19.99 USD (§2.1).");
    for barrier in [
        (FactName::Dispute, Value::Text("open".to_owned())),
        (FactName::Dispute, Value::Text("lost".to_owned())),
        (FactName::Violation, Value::Text("confirmed".to_owned())),
        (FactName::Standing, Value::Set(["terminated".to_owned()].into())),
    ] {
        let mut facts = facts(Claim::Other, &paid);
        facts.set(barrier.0, barrier.1).unwrap();
        let decision = decide(&document, &facts);
        assert_eq!(decision.review_reason, Some(ReviewReason::Guardrail));
        assert!(decision.remedies.is_empty() && decision.recommendation.is_none());
    }
}

#[test]
fn no_machine_pays_the_whole_price_of_credits_that_are_gone() {
    let pays = row(&[
        ("outcome", r#""APPROVE""#),
        ("remedies", r#"["refund_full"]"#),
        ("sentence", r#""{amount} (§2.1).""#),
    ]);
    let document = Document::parse(&with_rows(&pays)).unwrap();
    let decided = |used: i64| {
        let figures = [
            (FactName::Currency, Value::Text("USD".to_owned())),
            (FactName::PriceMinor, Value::Number(1999)),
            (FactName::Bought, Value::Number(100)),
            (FactName::Unused, Value::Number(60)),
            (FactName::Used, Value::Number(used)),
        ];
        decide(&document, &facts(Claim::Other, &figures))
    };
    assert_eq!(decided(40).outcome, Outcome::Approve);
    let gone = decided(39);
    assert_eq!((gone.outcome, gone.review_reason), (Outcome::Review, Some(ReviewReason::CreditsGone)));
    assert!(gone.remedies.is_empty() && gone.recommendation.is_some());
}

#[test]
fn fixed_refunds_and_compensations_take_their_figures_from_the_row() {
    let gives = row(&[
        ("outcome", r#""APPROVE""#),
        ("remedies", "[{ refund_fixed = { USD = 500 } }, { compensate = 20 }]"),
        ("sentence", r#""{amount} and {credits_given} (§2.1).""#),
        ("when", "[{ attributes.country = \"DE\" }]"),
    ]);
    let document = Document::parse(&with_rows(&gives)).unwrap();
    let german = (FactName::Attributes, Value::Map([("country".to_owned(), "DE".to_owned())].into()));
    let dollars = (FactName::Currency, Value::Text("USD".to_owned()));
    let decision = decide(
        &document,
        &facts(Claim::Other, &[german.clone(), dollars.clone(), (FactName::PriceMinor, Value::Number(300))]),
    );
    assert_eq!(decision.sentence, "3.00 USD and 20 credits (§2.1).");
    assert_eq!(decision.money().unwrap().currency, Currency::parse("USD").unwrap());
    assert_eq!(decision.remedies[1].kind, RemedyKind::Compensate);
    assert_eq!(decision.credits_given().get(), 20);

    let elsewhere = decide(&document, &facts(Claim::Other, &[dollars]));
    let RowOutcome::NoHit { failed } = &elsewhere.rows[0].result else { panic!("hit") };
    assert_eq!((failed[0].fact.as_str(), failed[0].found.as_deref()), ("attributes.country", None));
}
