//! Conditions: one property for each fact, with what may be asked of its kind.

use super::{PARAMETER, one_of};
use crate::policy::facts::{FactKind, FactName};
use crate::policy::table::operators;
use serde_json::{Map, Value, json};

/// One alternative of a row: a property for each fact.
pub(super) fn alternative() -> Value {
    let facts = FactName::ALL.iter().filter(|fact| fact.kind() != FactKind::Time);
    let properties: Map<String, Value> =
        facts.map(|fact| (fact.name().to_owned(), condition(*fact))).collect();
    json!({
        "description": "Conditions that must all hold.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn condition(fact: FactName) -> Value {
    let mut of_kind = of_kind(fact.kind());
    if let Some(schema) = of_kind.as_object_mut() {
        schema.insert("description".to_owned(), Value::from(fact.meaning()));
    }
    of_kind
}

fn of_kind(kind: FactKind) -> Value {
    match kind {
        FactKind::Bool => {
            json!({ "anyOf": [{ "type": "boolean" }, operator_table(kind, &json!({ "type": "boolean" }))] })
        }
        FactKind::Word(words) => of_words(kind, &one_of(words)),
        FactKind::Text => of_words(kind, &json!({ "type": "string" })),
        FactKind::Set(words) => set(kind, words),
        FactKind::Count | FactKind::Credits | FactKind::Minor => of_numbers(kind, "#/$defs/count"),
        FactKind::Share => of_numbers(kind, "#/$defs/share"),
        FactKind::Duration => of_numbers(kind, "#/$defs/duration"),
        FactKind::Map => json!({
            "type": "object",
            "minProperties": 1,
            "additionalProperties": of_words(FactKind::Text, &json!({ "type": "string" })),
        }),
        // Instants take no conditions and are left out.
        FactKind::Time => json!(false),
    }
}

fn of_words(kind: FactKind, word: &Value) -> Value {
    json!({ "anyOf": [word, operator_table(kind, &one_or_more(word))] })
}

fn of_numbers(kind: FactKind, bound: &str) -> Value {
    let bound = json!({ "$ref": bound });
    json!({ "anyOf": [bound, operator_table(kind, &bound)] })
}

/// The long form, `{ at_least = 1 }`, in which every operator takes the same.
fn operator_table(kind: FactKind, takes: &Value) -> Value {
    let properties: Map<String, Value> =
        operators(kind).iter().map(|operator| ((*operator).to_owned(), takes.clone())).collect();
    json!({ "type": "object", "minProperties": 1, "additionalProperties": false, "properties": properties })
}

fn set(kind: FactKind, words: &'static [&'static str]) -> Value {
    let takes = |operator: &str| match operator {
        "empty" => json!({ "type": "boolean" }),
        "any_outside" => {
            let same = FactName::ALL.iter().filter(|fact| fact.kind() == FactKind::Set(words));
            one_of(&same.map(|fact| fact.name()).collect::<Vec<_>>())
        }
        _ => one_or_more(&one_of(words)),
    };
    let properties: Map<String, Value> =
        operators(kind).iter().map(|operator| ((*operator).to_owned(), takes(operator))).collect();
    json!({ "type": "object", "minProperties": 1, "additionalProperties": false, "properties": properties })
}

fn one_or_more(word: &Value) -> Value {
    json!({ "anyOf": [word, { "type": "array", "items": word, "minItems": 1 }] })
}

/// A whole number that is not negative, or a parameter.
pub(super) fn count() -> Value {
    json!({
        "description": "A whole number, or a parameter.",
        "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": PARAMETER }],
    })
}

/// A text in a notation, or a parameter.
pub(super) fn literal(description: &str, pattern: &str) -> Value {
    json!({
        "description": description,
        "type": "string",
        "minLength": 2,
        "anyOf": [{ "pattern": pattern }, { "pattern": PARAMETER }],
    })
}
