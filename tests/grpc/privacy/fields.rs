//! Which fields hold words of persons, as the service's description says (`debug_redact`).

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor};
use prost_reflect::{MethodDescriptor, Value};
use std::collections::{BTreeSet, HashMap};

/// Texts that callers send and that are no words: ids that a platform or a processor made, names of ours, and figures.
/// What is new must be marked, or named here.
const PLAIN: &[&str] = &[
    "account_id",
    "account_ids",
    "approver",
    "assignee",
    "cause",
    "causes",
    "chargeback_id",
    "clause",
    "clauses",
    "currency_code",
    "decided_under",
    "decision_id",
    "delivery_id",
    "dispute_id",
    "document",
    "etag",
    "incident_id",
    "job_id",
    "lot_id",
    "order_id",
    "other_version",
    "package_id",
    "page_token",
    "payment_id",
    "person",
    "plan",
    "provider",
    "provider_event_id",
    "provider_refund_id",
    "provider_status",
    "purchase_id",
    "reason_code",
    "reference",
    "refund_id",
    "refund_request_id",
    "request_id",
    "requested_details",
    "restriction_id",
    "resume_token",
    "row",
    "sha256",
    "version",
];

pub(super) fn is_discreet(field: &FieldDescriptor) -> bool {
    let options = field.options();
    options.get_field_by_name("debug_redact").and_then(|value| value.as_bool()).unwrap_or(false)
}

fn methods(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    let ours = pool.services().filter(|service| service.package_name() == "makegood.v1");
    ours.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// Hands on every field of a message and of those in it, with its path.
fn walk(message: &MessageDescriptor, path: &str, visit: &mut dyn FnMut(&str, &FieldDescriptor)) {
    for field in message.fields() {
        let path = format!("{path}{}", field.name());
        visit(&path, &field);
        if let (Kind::Message(inner), false) = (field.kind(), field.is_map()) {
            walk(&inner, &format!("{path}."), visit);
        }
    }
}

/// `Method path` of every field in which a caller can write words.
pub(super) fn discreet_fields(pool: &DescriptorPool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for method in methods(pool) {
        walk(&method.input(), "", &mut |path, field| {
            if is_discreet(field) {
                found.insert(format!("{} {path}", method.name()));
            }
        });
    }
    found
}

/// The methods that take words.
pub(super) fn discreet_methods(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    let takes = discreet_fields(pool);
    let takes =
        |method: &MethodDescriptor| takes.iter().any(|it| it.split(' ').next() == Some(method.name()));
    methods(pool).into_iter().filter(takes).collect()
}

/// Texts that nobody has said anything about.
pub(super) fn unclassified(pool: &DescriptorPool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for method in methods(pool) {
        walk(&method.input(), "", &mut |path, field| {
            let is_text = matches!(field.kind(), Kind::String | Kind::Bytes) || field.is_map();
            if is_text && !is_discreet(field) && !PLAIN.contains(&field.name()) {
                found.insert(format!("{} {path}", method.name()));
            }
        });
    }
    found
}

/// A message with words in each of its fields for them, and nothing else.
pub(super) fn filled(message: &MessageDescriptor, words: &str) -> DynamicMessage {
    let mut filled = DynamicMessage::new(message.clone());
    for field in message.fields() {
        let value = match field.kind() {
            _ if is_discreet(&field) && field.is_map() => {
                let said = Value::String(words.to_owned());
                Value::Map(HashMap::from([(MapKey::String("noted".to_owned()), said)]))
            }
            _ if is_discreet(&field) => Value::String(words.to_owned()),
            Kind::Message(inner) if inner.package_name() == "makegood.v1" => {
                let inner = Value::Message(self::filled(&inner, words));
                if field.is_list() { Value::List(vec![inner]) } else { inner }
            }
            _ => continue,
        };
        filled.set_field(&field, value);
    }
    filled
}

/// The paths in a message whose words hold a text.
pub(super) fn saying(message: &DynamicMessage, text: &str, path: &str, found: &mut BTreeSet<String>) {
    for (field, value) in message.fields() {
        let path = format!("{path}{}", field.name());
        let inner = match value {
            Value::List(values) => values.iter().collect(),
            value => vec![value],
        };
        for value in inner {
            match value {
                Value::Message(inner) => saying(inner, text, &format!("{path}."), found),
                value if is_discreet(&field) && format!("{value:?}").contains(text) => {
                    found.insert(path.clone());
                }
                _ => {}
            }
        }
    }
}
