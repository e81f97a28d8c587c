//! What a document says of determined chargebacks (§6, §3.3).

use super::desk::shipped;
use super::document::refusal;
use makegood::domain::chargeback::Determination;
use makegood::domain::restriction::RestrictionKind;
use makegood::policy::{Document, SHIPPED, show};

#[test]
fn the_shipped_consequences_are_those_that_the_text_allows() {
    let parameters = shipped().parameters();
    assert_eq!(parameters.chargeback_rule(Determination::Legitimate), None);
    let fraud = parameters.chargeback_rule(Determination::Fraudulent).unwrap();
    assert_eq!(fraud.impose, [RestrictionKind::Terminated, RestrictionKind::ViolationConfirmed]);
    assert_eq!((fraud.clause.as_str(), fraud.revoke_credits), ("6", true));
    let misuse = parameters.chargeback_rule(Determination::Abusive).unwrap();
    assert_eq!(misuse.impose, [RestrictionKind::ViolationConfirmed, RestrictionKind::PurchaseBlocked]);
    assert_eq!((misuse.clause.as_str(), misuse.revoke_credits), ("6", false), "left out: nothing is revoked");
}

#[test]
fn a_document_that_says_nothing_of_chargebacks_has_no_consequences() {
    let (before, rest) = SHIPPED.split_once("[chargebacks.fraudulent]").unwrap();
    let (_, after) = rest.split_once("[calendar]").unwrap();
    let silent = Document::parse(&format!("{before}[calendar]{after}")).unwrap();
    for determination in Determination::ALL {
        assert_eq!(silent.parameters().chargeback_rule(*determination), None, "{determination}");
    }
    assert!(!show::terminal(&silent).contains("What follows a chargeback"));
}

#[test]
fn consequences_that_do_not_hold_together_are_refused_where_they_stand() {
    for (from, to, said) in [
        ("clause = \"6\"", "clause = \"six\"", "`chargebacks.fraudulent.clause`: is no clause such as `3.3`"),
        (
            "[\"terminated\", \"violation_confirmed\"]",
            "[\"terminated\", \"terminated\"]",
            "`chargebacks.fraudulent.impose[1]`: is named twice",
        ),
        ("[chargebacks.abusive]", "[chargebacks.legitimate]", "unknown field `legitimate`"),
        ("[chargebacks.abusive]", "[chargebacks.abusiv]", "did you mean `abusive`?"),
        ("\"purchase_blocked\"]", "\"purchases_blocked\"]", "did you mean `purchase_blocked`?"),
        ("revoke_credits = true", "revoke_credit = true", "did you mean `revoke_credits`?"),
        ("[chargebacks.fraudulent]\nclause = \"6\"", "[chargebacks.fraudulent]", "missing field `clause`"),
    ] {
        let text = SHIPPED.replacen(from, to, 1);
        assert_ne!(text, SHIPPED, "{from}");
        let refused = refusal(&text);
        assert!(refused.contains(said), "{to}: {refused}");
        assert!(refused.starts_with("line "), "{refused}");
    }
}
