//! A stored decision made again: the same bytes under its own version, or a list of what differs.

use super::decision::{Decision, decide};
use super::document::Document;
use super::facts::{Carrier, FactName, Facts};
use serde_json::Value;
use std::collections::BTreeSet;

/// Most differences that are named: past them somebody must look at the whole anyway.
pub const MAX_DIFFERENCES: usize = 100;

/// What differs between a stored decision, as its canonical bytes, and the same one made again: the paths of the
/// fields, such as `remedies[0].money`, at most [`MAX_DIFFERENCES`]; none when the bytes are the same.
#[must_use]
pub fn differences(stored: &str, replayed: &str) -> Vec<String> {
    if stored == replayed {
        return Vec::new();
    }
    let mut found = Vec::new();
    match (serde_json::from_str(stored), serde_json::from_str(replayed)) {
        (Ok(stored), Ok(replayed)) => compare(String::new(), &stored, &replayed, &mut found),
        _ => found.push("canonical".to_owned()),
    }
    if found.is_empty() {
        // The same values, written otherwise.
        found.push("canonical".to_owned());
    }
    found.truncate(MAX_DIFFERENCES);
    found
}

fn compare(path: String, one: &Value, other: &Value, found: &mut Vec<String>) {
    if one == other || found.len() >= MAX_DIFFERENCES {
        return;
    }
    match (one, other) {
        (Value::Object(fields), Value::Object(others)) => {
            let names: BTreeSet<&String> = fields.keys().chain(others.keys()).collect();
            for name in names {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let [one, other] = [fields, others].map(|map| map.get(name).unwrap_or(&Value::Null));
                compare(below, one, other, found);
            }
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            for (index, (one, other)) in items.iter().zip(others).enumerate() {
                compare(format!("{path}[{index}]"), one, other, found);
            }
        }
        _ => found.push(path),
    }
}

/// What another document says of stored facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Otherwise {
    /// This, from these facts.
    Decided(Box<Decision>, Box<Facts>),
    /// Nobody knows: it depends on these facts, which were not stored.
    Depends(BTreeSet<FactName>),
}

/// Decides the facts of a decision under another document than its own. `catalogue` is the number of the catalogue of
/// facts that it was made with.
#[must_use]
pub fn decide_otherwise(own: &Document, other: &Document, facts: Facts, catalogue: i32) -> Otherwise {
    let carried = Carrier::new(own.parameters(), other.parameters()).carry(facts, catalogue);
    match super::decision::answer(other, &carried.facts, &carried.unknown) {
        Ok(_) => Otherwise::Decided(Box::new(decide(other, &carried.facts)), Box::new(carried.facts)),
        Err(names) => Otherwise::Depends(names),
    }
}

#[cfg(test)]
mod tests {
    use super::differences;

    #[test]
    fn the_same_bytes_have_no_differences() {
        assert!(differences(r#"{"row":"14"}"#, r#"{"row":"14"}"#).is_empty());
    }

    #[test]
    fn differences_are_named_by_their_paths() {
        let one = r#"{"outcome":"DENY","remedies":[{"money":{"minor_units":5}}],"rows":[1,2]}"#;
        let other = r#"{"outcome":"DENY","remedies":[{"money":{"minor_units":6}}],"rows":[1],"row":"2"}"#;
        assert_eq!(differences(one, other), ["remedies[0].money.minor_units", "row", "rows"]);
    }

    #[test]
    fn what_differs_in_its_writing_alone_differs_all_the_same() {
        assert_eq!(differences(r#"{"row":"14"}"#, r#"{"row": "14"}"#), ["canonical"]);
        assert_eq!(differences("no json", "{}"), ["canonical"]);
    }
}
