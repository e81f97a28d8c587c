//! What whoever writes a document reads of a slip: where it is, and what was meant.

use super::document::{refusal, row, row_refusal, with_rows};
use makegood::policy::{Document, SHIPPED};

#[test]
fn every_kind_of_name_that_is_nearly_right_is_suggested() {
    let approves = |remedy: &str| row_refusal(&[("outcome", r#""APPROVE""#), ("remedies", remedy)]);
    for (refusal, near) in [
        (row_refusal(&[("when", "[{ unusd = 0 }]")]), "unused"),
        (row_refusal(&[("when", "[{ unused = { atleast = 1 } }]")]), "at_least"),
        (row_refusal(&[("when", "[{ dispute = \"opened\" }]")]), "open"),
        (
            row_refusal(&[("when", "[{ missing_details = { any_outside = \"informaton_asked\" } }]")]),
            "information_asked",
        ),
        (row_refusal(&[("when", "[{ purchase_age = \"$claim_windw\" }]")]), "claim_window"),
        (row_refusal(&[("claims", r#"["disatisfied"]"#)]), "dissatisfied"),
        (row_refusal(&[("outcome", r#""DENNY""#)]), "DENY"),
        (row_refusal(&[("outcome", r#""REVIEW""#), ("recommend", r#""deni""#)]), "deny"),
        (row_refusal(&[("sentence", r#""{unusd} (§2.1).""#)]), "unused"),
        (row_refusal(&[("sentence", r#""No (§2.2).""#)]), "2.1"),
        (row_refusal(&[("sentense", r#""No.""#)]), "sentence"),
        (approves(r#"["refund_ful"]"#), "refund_full"),
        (approves(r#"[{ refund_full = { fee_shar = "5%" } }]"#), "fee_share"),
        (approves(r#"[{ compensate = { share = "5%", of = "boght" } }]"#), "bought"),
        (
            refusal(&SHIPPED.replacen("\"pay_for_used_credits\"", "\"pay_for_used_credit\"", 1)),
            "pay_for_used_credits",
        ),
        (
            refusal(&SHIPPED.replacen("worker_crash = \"platform\"", "worker_crash = \"platfrom\"", 1)),
            "platform",
        ),
        (refusal(&SHIPPED.replacen("other = [\"order_id\"]", "other = [\"order\"]", 1)), "order_id"),
        (refusal(&SHIPPED.replacen("[reports.restored]", "[reports.restord]", 1)), "restored"),
        (refusal(&SHIPPED.replacen("technical_issue = [", "tecnical_issue = [", 1)), "technical_issue"),
        (refusal(&SHIPPED.replacen("outage_failures = 3", "outage_failure = 3", 1)), "outage_failure"),
        (refusal(&SHIPPED.replacen("title = ", "titel = ", 1)), "title"),
    ] {
        assert!(refusal.ends_with(&format!(" (did you mean `{near}`?)")), "{refusal}");
    }
}

#[test]
fn an_error_names_line_row_and_field_apart_for_editors() {
    let text = SHIPPED.replacen(
        "undelivered = { more_than = 0 }, restoration",
        "undeliverd = { more_than = 0 }, restoration",
        1,
    );
    let line = 1 + text[..text.find("undeliverd").unwrap()].matches('\n').count();
    let error = Document::parse(&text).unwrap_err();
    assert_eq!((error.line, error.row.as_deref()), (Some(line), Some("10")));
    assert_eq!(error.field, "rows[10].when[0].undeliverd");
    let shown = format!(
        "line {line}, row `10`, `when[0].undeliverd`: there is no fact `undeliverd` (did you mean `undelivered`?)"
    );
    assert_eq!(error.to_string(), shown);

    // What the TOML reader refuses is placed in the same way.
    let text = SHIPPED.replacen("row = \"14\"", "row = \"14\"\nclaim = [\"other\"]", 1);
    let error = Document::parse(&text).unwrap_err();
    assert_eq!((error.row.as_deref(), error.field.as_str()), (Some("14"), "rows[14].claim"));
    assert_eq!(text.lines().nth(error.line.unwrap() - 1), Some("claim = [\"other\"]"));

    let text = SHIPPED.replacen("USD = 10_000", "USD = \"much\"", 1);
    let error = Document::parse(&text).unwrap_err();
    assert_eq!((error.row.as_deref(), error.field.as_str()), (None, "limits.approve_at_most.USD"));

    let error = Document::parse("version = \n").unwrap_err();
    assert_eq!((error.line, error.field.as_str()), (Some(1), ""));
}

#[test]
fn remedies_whose_figures_do_not_fit_or_that_give_the_same_twice_are_refused() {
    for (remedies, problem) in [
        (r#"["refund_fixed"]"#, "needs amounts, as { refund_fixed = { USD = 500 } }"),
        (r#"["compensate"]"#, "needs credits, as { compensate = 20 }"),
        ("[{ compensate = 0 }]", "must be 1 to"),
        ("[{ compensate = \"$claim_window\" }]", "`7d` is of another kind"),
        (r#"[{ compensate = { share = "5%" } }]"#, "needs `share` and `of`"),
        (r#"[{ compensate = { share = "0%", of = "bought" } }]"#, "must be more than nothing"),
        (r#"[{ compensate = { share = "5%", of = "price_minor" } }]"#, "no fact that counts credits"),
        ("[{ refund_full = {} }]", "takes nothing off"),
        ("[{ refund_full = { fee = {} } }]", "`remedies[0].refund_full.fee`: must be amounts"),
        ("[{ refund_full = { fee = { USX = 1 } } }]", "ISO 4217"),
        ("[{ refund_full = { fee = { USD = 0 } } }]", "must be minor units, more than 0"),
        ("[{ refund_full = { used_at_list_price = 1 } }]", "must be true or false"),
        ("[{ restore_failed = { fee = { USD = 1 } } }]", "has no figures"),
        ("[{ refund_full = true }]", "must be a table of figures"),
        ("[1]", "must be a remedy"),
        ("[{ refund_fixed = { USD = 1 }, compensate = 1 }]", "one name with its figures"),
        (r#"["refund_unused", "refund_unused"]"#, "`remedies[1]`: is there already"),
        (r#"["refund_unused", "refund_full"]"#, "pays money by one remedy only"),
        (r#"["refund_unused", "restore_failed"]"#, "restored before money is paid"),
        (r#"["restore_attempt", "restore_failed"]"#, "goes with no other remedy"),
        (r#"["restore_attempt", "refund_unused"]"#, "goes with no other remedy"),
    ] {
        let refusal = row_refusal(&[("outcome", r#""APPROVE""#), ("remedies", remedies)]);
        assert!(refusal.contains(problem), "{remedies}: {refusal}");
    }
}

#[test]
fn a_vague_word_leads_to_a_person_and_never_to_a_silent_denial() {
    let denies = |sentence: &str| {
        row(&[
            ("sentence", sentence),
            ("when", r#"[{ outage_lasted = { at_most = "$outage_reasonable_time" } }]"#),
        ])
    };
    let reviews = row(&[
        ("row", r#""2""#),
        ("outcome", r#""REVIEW""#),
        ("when", r#"[{ outage_lasted = { more_than = "$outage_reasonable_time" } }]"#),
    ]);
    let told = r#""It ended within {outage_reasonable_time} (§2.1).""#;
    assert!(Document::parse(&with_rows(&format!("{}{reviews}", denies(told)))).is_ok());
    let silent = refusal(&with_rows(&format!("{}{reviews}", denies(r#""No (§2.1).""#))));
    let wanted = "row `1`, `sentence`: denies by the discretionary `outage_reasonable_time` and must tell it";
    assert!(silent.contains(wanted), "{silent}");
    let alone = refusal(&with_rows(&denies(told)));
    assert!(alone.contains("row `1`, `when`: denies by the discretionary"), "{alone}");
    // A measure that the text states is no judgement.
    let stated = row(&[("when", r#"[{ purchase_age = { more_than = "$claim_window" } }]"#)]);
    assert!(Document::parse(&with_rows(&stated)).is_ok());
}

#[test]
fn a_parameter_has_a_name_of_its_own() {
    let renamed = |name: &str| refusal(&SHIPPED.replacen("claim_window = ", &format!("{name} = "), 1));
    assert!(renamed("unused").contains("`parameters.unused`: is the name of a fact"));
    assert!(renamed("Claim-Window").contains("small letters, digits and `_` only"));
}
