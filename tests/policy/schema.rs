//! The JSON Schema of the format: kept beside the policies, true of every document that ships, and false of documents
//! that the parser refuses for what a schema can say.

use makegood::policy::{Document, FactName, SHIPPED, schema};
use serde_json::Value;
use std::path::Path;

fn json(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
}

fn problems(text: &str) -> Vec<String> {
    let validator = jsonschema::draft202012::new(&schema::schema()).unwrap();
    validator.iter_errors(&json(text)).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Every document that ships, by its file's name.
pub(super) fn documents() -> Vec<(String, String)> {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut documents = Vec::new();
    for folder in [policies.clone(), policies.join("examples")] {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                documents.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    documents.sort();
    documents
}

#[test]
fn the_kept_schema_is_the_one_that_the_parser_goes_by() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/schema.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == schema::text(), "renew it: cargo run -- policy schema > policies/schema.json");
}

#[test]
fn the_schema_is_a_schema() {
    jsonschema::draft202012::meta::validate(&schema::schema()).unwrap();
}

#[test]
fn every_document_that_ships_fits_the_schema() {
    let documents = documents();
    assert!(documents.len() >= 4, "{documents:?}");
    for (name, text) in documents {
        assert!(Document::parse(&text).is_ok(), "{name}");
        assert_eq!(problems(&text), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn every_fact_that_takes_conditions_is_in_the_schema_with_its_words() {
    let schema = schema::schema();
    let facts = schema.pointer("/$defs/alternative/properties").unwrap();
    for fact in FactName::ALL {
        let text = facts.get(fact.name()).map(ToString::to_string);
        let timeless = fact.kind() != makegood::policy::facts::FactKind::Time;
        assert_eq!(text.is_some(), timeless, "{}", fact.name());
        if let (Some(text), makegood::policy::facts::FactKind::Word(words)) = (text, fact.kind()) {
            assert!(words.iter().all(|word| text.contains(&format!("\"{word}\""))), "{}", fact.name());
        }
    }
}

#[test]
fn a_broken_document_fits_neither_schema_nor_parser() {
    for (from, to) in [
        ("version = \"2024-12-19\"", "versoin = \"2024-12-19\""),
        ("\"pay_for_used_credits\"", "\"pay_for_nothing\""),
        ("weekend = [\"saturday\", \"sunday\"]", "weekend = [\"funday\"]"),
        ("respond_within_business_days = 3", "respond_within_business_days = 0"),
        ("respond_within_business_days = 3", "respond_within_business_days = 3\nrespond_within_hours = 48"),
        ("respond_within_business_days = 3", ""),
        ("heavily_used = \"50%\"", "heavily_used = \"half\""),
        ("outage_failures = 3 ", "outage_failures = 0 "),
        ("duplicate_window = \"24h\"", "duplicate_window = 24"),
        ("USD = 10_000", "USD = -1"),
        ("USD = 10_000", "usd = 1"),
        ("worker_crash = \"platform\"", "worker_crash = \"nobody\""),
        ("other = [\"order_id\"]", "other = [\"order\"]"),
        ("[reports.restored]", "[reports.restred]"),
        ("[chargebacks.abusive]", "[chargebacks.legitimate]"),
        ("revoke_credits = true", "revoke_credits = \"yes\""),
        ("\"purchase_blocked\"]", "\"banned\"]"),
        ("[\"terminated\", \"violation_confirmed\"]", "[\"terminated\", \"terminated\"]"),
        ("clause = \"6\"", "clause = \"six\""),
        ("row = \"1\"", "row = \"one\""),
        ("clauses = [\"3.3\"]", "clauses = [\"three\"]"),
        ("outcome = \"DENY\"", "outcome = \"MAYBE\""),
        ("outcome = \"DENY\"", "outcome = \"APPROVE\""),
        ("outcome = \"DENY\"", "outcome = \"DENY\"\nrequest = [\"logs\"]"),
        ("outcome = \"DENY\"", "outcome = \"DENY\"\nrecommend = \"deny\""),
        ("outcome = \"DENY\"", "outcome = \"DENY\"\ncolour = \"red\""),
        ("{ dispute = \"lost\" }", "{ dispute = \"gone\" }"),
        ("{ dispute = \"lost\" }", "{ disputed = \"lost\" }"),
        ("{ dispute = \"lost\" }", "{ unused = \"many\" }"),
        ("{ dispute = \"lost\" }", "{ unused = { atleast = 1 } }"),
        ("{ dispute = \"lost\" }", "{ purchase_age = { at_most = 7 } }"),
        ("{ dispute = \"lost\" }", "{ purchase_age = { at_most = \"7 days\" } }"),
        ("{ dispute = \"lost\" }", "{ used_share = \"101%\" }"),
        ("{ dispute = \"lost\" }", "{ standing = \"suspended\" }"),
        ("{ dispute = \"lost\" }", "{ missing_details = { any_outside = \"standing\" } }"),
        ("{ dispute = \"lost\" }", "{ paid_at = \"2024-12-19\" }"),
        ("{ dispute = \"lost\" }", "{}"),
        ("remedies = [\"restore_undelivered\"]", "remedies = [\"restore_all\"]"),
        ("remedies = [\"restore_undelivered\"]", "remedies = [\"compensate\"]"),
        ("remedies = [\"restore_undelivered\"]", "remedies = [{ compensate = -1 }]"),
        ("remedies = [\"restore_undelivered\"]", "remedies = [{ compensate = { share = \"5%\" } }]"),
        ("remedies = [\"restore_undelivered\"]", "remedies = [{ refund_full = {} }]"),
        ("remedies = [\"restore_undelivered\"]", "remedies = [{ refund_full = { fees = { USD = 1 } } }]"),
    ] {
        let text = SHIPPED.replacen(from, to, 1);
        assert_ne!(text, SHIPPED, "{from}");
        assert!(Document::parse(&text).is_err(), "the parser accepts {to}");
        assert_ne!(problems(&text), Vec::<String>::new(), "the schema accepts {to}");
    }
}
