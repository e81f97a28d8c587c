//! Everything above the rows: parameters, limits, calendar, required details, causes, guardrails.

use super::{SHARE, SPAN, list_of, one_of, prose, text_like};
use crate::domain::book::RestoreOutcome;
use crate::domain::fault::Fault;
use crate::policy::document::Guardrail;
use crate::policy::facts::{CLAIMS, DETAILS, RESTRICTIONS, word};
use serde_json::{Map, Value, json};

/// The fields that every document has.
pub(super) const REQUIRED: [&str; 13] = [
    "version",
    "title",
    "effective_from",
    "discretionary",
    "never",
    "referral",
    "parameters",
    "limits",
    "calendar",
    "required_details",
    "causes",
    "reports",
    "rows",
];

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

pub(super) fn properties() -> Value {
    let never: Vec<String> = Guardrail::ALL.iter().map(word).collect();
    let never: Vec<&str> = never.iter().map(String::as_str).collect();
    json!({
        "version": prose("Its version, such as `2024-12-19`."),
        "title": prose("Its title, for people."),
        "effective_from": {
            "description": "From when on it decides requests that are received, in RFC 3339.",
            "type": "string", "format": "date-time",
        },
        "discretionary": list_of("Parameters that stand for vague words of the text.", &json!({ "type": "string" })),
        "never": list_of("What no decision may do, whatever the table says.", &one_of(&never)),
        "referral": prose("What a customer is told when a person takes over from the table."),
        "parameters": parameters(),
        "limits": limits(),
        "chargebacks": chargebacks(),
        "calendar": calendar(),
        "required_details": by_name(CLAIMS, &list_of("Details without which the claim cannot be judged.", &one_of(DETAILS))),
        "causes": causes(),
        "reports": reports(),
        "rows": { "type": "array", "minItems": 1, "maxItems": 500, "items": { "$ref": "#/$defs/row" } },
    })
}

/// The ones that facts are computed with are needed; any other can be stated for the rows and their sentences.
fn parameters() -> Value {
    let duration = |description: &str| text_like(description, SPAN);
    json!({
        "description": "Windows, thresholds and other numbers; the notation says the kind: `7d`, `50%`, 3.",
        "type": "object",
        "required": ["duplicate_window", "purchase_date_tolerance", "outage_failures", "expired_credits_grace"],
        "properties": {
            "duplicate_window": duration("How far apart two payments for the same thing may be to count as duplicates."),
            "purchase_date_tolerance": duration("How far the date that a customer remembers may be from the payment."),
            "outage_failures": {
                "description": "How many failures of ours in a row, with no success between them, count as an outage.",
                "type": "integer", "minimum": 1,
            },
            "expired_credits_grace": duration("How long credits stay usable that come back after they expired."),
        },
        "propertyNames": { "pattern": "^[a-z0-9_]+$" },
        "additionalProperties": {
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "minLength": 2, "anyOf": [{ "pattern": SPAN }, { "pattern": SHARE }] },
            ],
        },
    })
}

fn limits() -> Value {
    json!({
        "description": "What a machine may approve by itself.",
        "type": "object",
        "additionalProperties": false,
        "required": ["approve_at_most", "recent_refunds_at_most", "recent_refund_window"],
        "properties": {
            "approve_at_most": {
                "description": "Most money that one decision may pay, in minor units; other currencies go to a person.",
                "type": "object",
                "additionalProperties": false,
                "patternProperties": { "^[A-Z]{3}$": { "type": "integer", "minimum": 0 } },
            },
            "recent_refunds_at_most": {
                "description": "Most refunds that an account may have had lately; more go to a person.",
                "type": "integer", "minimum": 0,
            },
            "recent_refund_window": text_like("How long a refund counts as recent.", SPAN),
        },
    })
}

/// Optional: where nothing is said, a determination is recorded and nothing follows by itself.
fn chargebacks() -> Value {
    let rule = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["clause"],
        "properties": {
            "clause": { "$ref": "#/$defs/clause" },
            "impose": list_of("Restrictions that the account is put under.", &one_of(RESTRICTIONS)),
            "revoke_credits": {
                "description": "Whether the account's available credits are revoked; left out: no.",
                "type": "boolean",
            },
        },
    });
    let mut rules = by_name(&["fraudulent", "abusive"], &rule);
    if let Some(schema) = rules.as_object_mut() {
        let said = "What follows when a person finds a chargeback fraudulent or abusive; left out: nothing.";
        schema.insert("description".to_owned(), json!(said));
    }
    rules
}

fn calendar() -> Value {
    json!({
        "description": "Until when a request is answered.",
        "type": "object",
        "additionalProperties": false,
        "required": ["time_zone", "weekend", "holidays"],
        "properties": {
            "time_zone": {
                "description": "Where the desk is, as the IANA database names it.",
                "type": "string", "examples": ["UTC", "Europe/Berlin", "America/New_York"],
            },
            "weekend": list_of("Days of the week without business.", &one_of(&WEEKDAYS)),
            "holidays": list_of(
                "Dates without business.",
                &json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
            ),
            "respond_within_business_days": { "type": "integer", "minimum": 1, "maximum": 60 },
            "respond_within_hours": { "type": "integer", "minimum": 1, "maximum": 1440 },
        },
        "oneOf": [
            { "required": ["respond_within_business_days"] },
            { "required": ["respond_within_hours"] },
        ],
    })
}

fn causes() -> Value {
    let faults: Vec<String> = Fault::ALL.iter().map(|fault| fault.name().to_owned()).collect();
    let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
    json!({
        "description": "Whose fault a failed attempt is, by its cause; a cause that is not listed is undetermined.",
        "type": "object",
        "propertyNames": { "minLength": 1, "maxLength": 64 },
        "additionalProperties": one_of(&faults),
    })
}

fn reports() -> Value {
    let names = RestoreOutcome::ALL.map(RestoreOutcome::name);
    let told = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["clause", "sentence"],
        "properties": {
            "clause": { "$ref": "#/$defs/clause" },
            "sentence": prose("For the customer or the worker's log, without placeholders."),
        },
    });
    let mut reports = by_name(&names, &told);
    if let Some(schema) = reports.as_object_mut() {
        schema.insert("required".to_owned(), json!(names));
        schema.insert(
            "description".to_owned(),
            json!("What is said about a reported failure, by what it came to."),
        );
    }
    reports
}

/// A table whose keys are these.
fn by_name(names: &[&str], value: &Value) -> Value {
    let properties: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}
