//! Rows: what each outcome needs and may have, and the remedies.

use super::{list_of, one_of, prose, text_like};
use crate::policy::facts::{CLAIMS, DETAILS, FactKind, FactName};
use crate::policy::table::{Outcome, REMEDIES, countable};
use serde_json::{Value, json};

/// A row of the table.
pub(super) fn row() -> Value {
    let outcomes: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
    let asks: Vec<&str> = DETAILS
        .iter()
        .copied()
        .chain(
            FactName::ALL.iter().filter(|fact| fact.kind() == FactKind::Set(DETAILS)).map(|fact| fact.name()),
        )
        .collect();
    let remedies = json!({ "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/remedy" } });
    json!({
        "description": "A row: the first that speaks to the claim and whose conditions hold decides.",
        "type": "object",
        "additionalProperties": false,
        "required": ["row", "clauses", "outcome", "sentence", "why"],
        "properties": {
            "row": text_like("Its name: a number with at most a letter behind it.", "^[0-9][0-9a-z]{0,15}$"),
            "clauses": {
                "description": "The clauses that it rests on.",
                "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/clause" },
            },
            "claims": {
                "description": "The claims that it speaks to; leave it out for all.",
                "type": "array", "minItems": 1, "items": one_of(CLAIMS),
            },
            "when": {
                "description": "Alternatives, each with conditions that must all hold; leave it out for a row that always holds.",
                "type": "array", "items": { "$ref": "#/$defs/alternative" },
            },
            "outcome": one_of(&outcomes),
            "remedies": remedies,
            "recommend": {
                "description": "What the person who decides is advised to do.",
                "anyOf": [{ "const": "deny" }, remedies],
            },
            "request": list_of("What the customer is asked for.", &one_of(&asks)),
            "sentence": prose("For the customer, citing the clause. `{unused}` is filled in: a fact, a parameter or a figure."),
            "advice": { "description": "For the desk.", "type": "string" },
            "why": prose("How the text of the policy was read."),
        },
        "allOf": [
            only("APPROVE", "remedies", true),
            only("REQUEST_INFORMATION", "request", true),
            only("REVIEW", "recommend", false),
        ],
    })
}

/// A field that belongs to one outcome, and is needed by it or not.
fn only(outcome: &str, field: &str, needed: bool) -> Value {
    let there = json!({ "required": [field] });
    json!({
        "if": { "properties": { "outcome": { "const": outcome } }, "required": ["outcome"] },
        "then": if needed { there.clone() } else { json!(true) },
        "else": { "not": there },
    })
}

/// A remedy, with its figures where it has some.
pub(super) fn remedy() -> Value {
    let plain: Vec<&str> = REMEDIES.iter().filter(|(_, plain)| *plain).map(|(name, _)| *name).collect();
    let with = |name: &str, figures: Value| {
        json!({
            "type": "object", "additionalProperties": false, "required": [name], "properties": { name: figures },
        })
    };
    let facts: Vec<&str> = countable().map(FactName::name).collect();
    json!({
        "description": "What an approval gives.",
        "anyOf": [
            one_of(&plain),
            with("refund_unused", json!({ "$ref": "#/$defs/deductions" })),
            with("refund_full", json!({ "$ref": "#/$defs/deductions" })),
            with("refund_fixed", json!({ "$ref": "#/$defs/amounts" })),
            with("compensate", json!({ "anyOf": [
                { "$ref": "#/$defs/count" },
                {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["share", "of"],
                    "properties": {
                        "share": { "$ref": "#/$defs/share" },
                        "of": one_of(&facts),
                        "at_most": { "$ref": "#/$defs/count" },
                    },
                },
            ] })),
        ],
    })
}

/// What is taken off a refund.
pub(super) fn deductions() -> Value {
    json!({
        "description": "What is taken off a refund, once for each purchase.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": false,
        "properties": {
            "fee": { "$ref": "#/$defs/amounts" },
            "fee_share": { "$ref": "#/$defs/share" },
            "used_at_list_price": {
                "description": "Whether credits that stay with the customer are charged at the list price.",
                "type": "boolean",
            },
        },
    })
}
