use super::{Found, Keys, KeysError};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

const ALLOWED: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

fn rsa(kid: &str) -> Value {
    json!({ "kty": "RSA", "kid": kid, "n": "sXch", "e": "AQAB" })
}

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

fn parse(keys: &[Value]) -> Result<Keys, KeysError> {
    Keys::parse(json!({ "keys": keys }).to_string().as_bytes(), &ALLOWED)
}

#[test]
fn keys_that_may_not_verify_are_passed_over() {
    let useless = [
        with(rsa("k"), "use", json!("enc")),
        with(rsa("k"), "key_ops", json!(["sign"])),
        with(rsa("k"), "alg", json!("RSA-OAEP")),
        // Not among the allowed ones.
        with(rsa("k"), "alg", json!("RS512")),
        with(rsa("k"), "alg", json!("HS256")),
        json!({ "kty": "RSA", "n": "sXch", "e": "AQAB" }),
        rsa(""),
        json!({ "kty": "oct", "kid": "k", "k": "c2VjcmV0" }),
        json!({ "kty": "oct", "kid": "k", "alg": "RS256", "k": "c2VjcmV0" }),
        json!({ "kty": "EC", "kid": "k", "crv": "P-384", "x": "AA", "y": "AA" }),
    ];
    for key in useless {
        assert!(matches!(parse(std::slice::from_ref(&key)), Err(KeysError::Useless)), "{key}");
        // Nor do they disturb those that may.
        assert!(parse(&[key, rsa("good")]).is_ok());
    }
}

#[test]
fn a_key_is_found_by_its_id_and_for_its_algorithms() {
    let curve = json!({ "kty": "EC", "kid": "both", "crv": "P-256", "x": "AA", "y": "AA" });
    let keys = parse(&[rsa("one"), rsa("both"), curve]).unwrap();
    let found = |kid, algorithm| match keys.find(kid, algorithm) {
        Found::Key(_) => "a key",
        Found::OtherAlgorithm => "another algorithm",
        Found::Nothing => "nothing",
    };
    assert_eq!(found("one", Algorithm::RS256), "a key");
    assert_eq!(found("one", Algorithm::ES256), "another algorithm");
    assert_eq!(found("both", Algorithm::ES256), "a key");
    assert_eq!(found("two", Algorithm::RS256), "nothing");
}

#[test]
fn what_is_no_key_set_is_refused() {
    for text in ["", "[]", "{}", "<html></html>", "{\"keys\": 7}"] {
        assert!(matches!(Keys::parse(text.as_bytes(), &ALLOWED), Err(KeysError::NotAKeySet)), "{text}");
    }
    assert!(matches!(parse(&[]), Err(KeysError::Useless)));
    let many: Vec<Value> = (0..101).map(|number| rsa(&format!("key-{number}"))).collect();
    assert!(matches!(parse(&many), Err(KeysError::TooMany)));
}
