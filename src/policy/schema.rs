//! A JSON Schema of the document format, for editors: it knows every fact with its words, so that they complete it.
//!
//! It is made from the catalogue and from the lists that the parser reads by, and says what a schema can say. What it
//! cannot (a `$parameter` that exists, a cited clause that is listed) is for the parser alone.

mod conditions;
mod head;
mod rows;

use serde_json::{Value, json};

/// The schema, as the text that is kept in `policies/schema.json`.
#[must_use]
pub fn text() -> String {
    // Cannot fail: the schema is a value without numbers that JSON lacks.
    let mut text = serde_json::to_string_pretty(&schema()).unwrap_or_default();
    text.push('\n');
    text
}

/// The schema, by JSON Schema 2020-12.
#[must_use]
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A refund policy as a decision table",
        "type": "object",
        "additionalProperties": false,
        "required": head::REQUIRED,
        "properties": head::properties(),
        "$defs": {
            "alternative": conditions::alternative(),
            "amounts": amounts(),
            "clause": text_like("A clause as the text numbers them, such as `2.1`.", CLAUSE),
            "count": conditions::count(),
            "deductions": rows::deductions(),
            "duration": conditions::literal("A length of time such as `7d`, or a parameter.", SPAN),
            "remedy": rows::remedy(),
            "row": rows::row(),
            "share": conditions::literal("A share such as `50%`, or a parameter.", SHARE),
        },
    })
}

const CLAUSE: &str = r"^[0-9]{1,3}(\.[0-9]{1,3}){0,2}$";
const SPAN: &str = r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?([0-9]+us)?$";
const SHARE: &str = r"^([0-9]{1,2}(\.[0-9]{1,2})?|100(\.0{1,2})?)%$";
const PARAMETER: &str = r"^\$[a-z0-9_]+$";

fn text_like(description: &str, pattern: &str) -> Value {
    json!({ "description": description, "type": "string", "pattern": pattern, "minLength": 1 })
}

fn prose(description: &str) -> Value {
    json!({ "description": description, "type": "string", "minLength": 1 })
}

fn one_of(words: &[&str]) -> Value {
    json!({ "enum": words })
}

/// A list of words, each at most once where it stands for a set.
fn list_of(description: &str, item: &Value) -> Value {
    json!({ "description": description, "type": "array", "items": item, "uniqueItems": true })
}

fn amounts() -> Value {
    json!({
        "description": "Minor units by ISO 4217 currency, such as `{ USD = 500 }`.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": false,
        "patternProperties": { "^[A-Z]{3}$": { "type": "integer", "minimum": 0 } },
    })
}
