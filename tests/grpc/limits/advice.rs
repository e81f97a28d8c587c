//! The service config that clients are given: one that they can read, about methods and codes that exist.

use makegood::grpc::access::METHODS;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// The codes that say that nothing happened, or that sending the same again is safe and may help.
const WORTH_REPEATING: [&str; 3] = ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED"];

fn config() -> Value {
    let page = include_str!("../../../docs/clients.md");
    let json = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    serde_json::from_str(json).unwrap()
}

fn seconds(value: &Value) -> Duration {
    let digits = value.as_str().and_then(|text| text.strip_suffix('s')).unwrap();
    Duration::from_secs_f64(digits.parse().unwrap())
}

#[test]
fn the_service_config_names_every_service_and_only_what_exists() {
    let known = |service: &str, method: Option<&str>| {
        let Some(service) = service.strip_prefix("makegood.v1.") else { return false };
        let mut rows = METHODS.iter().filter_map(|(row, _)| row.split_once('/'));
        rows.any(|(known, name)| known == service && method.is_none_or(|method| method == name))
    };
    let config = config();
    let mut whole = BTreeSet::new();
    for name in
        config["methodConfig"].as_array().unwrap().iter().flat_map(|part| part["name"].as_array().unwrap())
    {
        let service = name["service"].as_str().unwrap();
        let method = name.get("method").map(|method| method.as_str().unwrap());
        assert!(known(service, method), "{name}");
        if method.is_none() {
            assert!(whole.insert(service), "{service} has two");
        }
    }
    let services: BTreeSet<_> =
        METHODS.iter().filter_map(|(row, _)| row.split_once('/')).map(|row| row.0).collect();
    assert_eq!(whole.len(), services.len());
}

#[test]
fn the_service_config_repeats_what_is_worth_repeating_and_waits_longer_each_time() {
    let config = config();
    for part in config["methodConfig"].as_array().unwrap() {
        assert!(!seconds(&part["timeout"]).is_zero());
        // Streams go on where they were by a new call, not by a repeated one.
        let Some(policy) = part.get("retryPolicy") else { continue };
        let codes: Vec<_> = policy["retryableStatusCodes"].as_array().unwrap().iter().collect();
        assert_eq!(codes, WORTH_REPEATING);
        // More than five attempts are read as five.
        assert_eq!(policy["maxAttempts"], 5);
        assert!(seconds(&policy["initialBackoff"]) <= seconds(&policy["maxBackoff"]));
        assert!(seconds(&policy["maxBackoff"]) <= seconds(&part["timeout"]));
    }
}
