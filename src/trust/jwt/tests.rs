//! Tokens at the edges of what holds. Attacks over the wire are in `tests/grpc/trust`.

use super::{Claims, algorithms};
use crate::trust::keys::Keys;
use crate::trust::{Fault, Proof, Recognised, signature};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::Algorithm;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

const NOW: i64 = 1_741_003_200;

fn claims() -> Claims {
    Claims {
        issuer: "https://login.shop.example".to_owned(),
        audience: "makegood".to_owned(),
        role: "makegood_role".to_owned(),
        account: "makegood_account".to_owned(),
    }
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What becomes of a token with these claims, signed with Ed25519, at [`NOW`] and some seconds.
fn verified(told: &Value, seconds: i64) -> Result<(Recognised, DateTime<Utc>), Fault> {
    signature::install();
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let jwk = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": base64url(key.public_key().as_ref()) }] });
    let keys = Keys::parse(jwk.to_string().as_bytes(), &[Algorithm::EdDSA]).unwrap();
    let header = json!({ "alg": "EdDSA", "kid": "k" }).to_string();
    let message = format!("{}.{}", base64url(header.as_bytes()), base64url(told.to_string().as_bytes()));
    let token = format!("{message}.{}", base64url(key.sign(message.as_bytes()).as_ref()));
    claims().verify(&token, &keys, &[Algorithm::EdDSA], at(NOW.saturating_add(seconds)))
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn good() -> Value {
    json!({ "iss": "https://login.shop.example", "aud": "makegood", "sub": "maria", "exp": NOW + 300,
            "nbf": NOW, "makegood_role": "agent" })
}

fn but(name: &str, value: Value) -> Value {
    let mut told = good();
    told[name] = value;
    told
}

#[test]
fn a_token_holds_from_its_beginning_to_its_end_give_or_take_the_leeway() {
    let (who, until) = verified(&good(), 0).unwrap();
    assert_eq!((who.actor.as_str(), who.by), ("agent:maria", Proof::Token(None)));
    assert_eq!(until, at(NOW + 330));
    assert!(verified(&good(), 329).is_ok());
    assert_eq!(verified(&good(), 330), Err(Fault::Expired));
    assert!(verified(&good(), -30).is_ok());
    assert_eq!(verified(&good(), -31), Err(Fault::NotYetValid));
}

#[test]
fn a_time_that_is_none_is_refused_and_never_taken_for_for_ever() {
    for time in [json!(i64::MAX), json!(i64::MIN), json!("soon"), json!(1e300), json!(null), json!([1])] {
        assert_eq!(verified(&but("exp", time.clone()), 0), Err(Fault::Claims), "exp {time}");
        if !time.is_null() {
            assert_eq!(verified(&but("nbf", time.clone()), 0), Err(Fault::Claims), "nbf {time}");
        }
    }
    let mut told = good();
    told.as_object_mut().unwrap().remove("exp");
    assert_eq!(verified(&told, 0), Err(Fault::Claims));
}

#[test]
fn only_a_frontend_acts_for_an_account() {
    let mut told = but("makegood_account", json!("ada"));
    assert_eq!(verified(&told, 0).unwrap().0.by, Proof::Token(None));
    told["makegood_role"] = json!("frontend");
    let Proof::Token(Some(account)) = verified(&told, 0).unwrap().0.by else { panic!("for nobody") };
    assert_eq!(account.as_str(), "ada");
    for wrong in [json!(""), json!(7), json!(["ada"]), json!("a\u{0}b"), json!("a".repeat(129))] {
        told["makegood_account"] = wrong.clone();
        assert_eq!(verified(&told, 0), Err(Fault::Claims), "{wrong}");
    }
}

#[test]
fn rsa_signatures_are_verified_by_the_padding_that_was_allowed() {
    signature::install();
    let stored: Value = serde_json::from_str(include_str!("rsa.json")).unwrap();
    let keys = json!({ "keys": [stored["jwk"]] }).to_string();
    let who = |name: &str, allowed: &str| {
        let allowed = algorithms([allowed]).unwrap();
        let keys = Keys::parse(keys.as_bytes(), &allowed).unwrap();
        let who = claims().verify(stored[name].as_str().unwrap(), &keys, &allowed, at(NOW));
        who.map(|(who, _)| who.actor.to_string())
    };
    assert_eq!(who("RS256", "RS256"), Ok("agent:maria".to_owned()));
    assert_eq!(who("PS256", "PS256"), Ok("agent:maria".to_owned()));
    assert_eq!(who("RS256", "PS256"), Err(Fault::Algorithm));
    assert_eq!(who("PS256", "RS256"), Err(Fault::Algorithm));
    let far = at(NOW) + TimeDelta::days(365 * 80);
    let allowed = algorithms(["RS256"]).unwrap();
    let keys = Keys::parse(keys.as_bytes(), &allowed).unwrap();
    assert_eq!(claims().verify(stored["RS256"].as_str().unwrap(), &keys, &allowed, far), Err(Fault::Expired));
}

#[test]
fn a_signature_over_something_else_is_wrong() {
    signature::install();
    let stored: Value = serde_json::from_str(include_str!("rsa.json")).unwrap();
    let keys = json!({ "keys": [stored["jwk"]] }).to_string();
    let keys = Keys::parse(keys.as_bytes(), &[Algorithm::RS256]).unwrap();
    let token = stored["RS256"].as_str().unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let told = but("makegood_role", json!("admin")).to_string();
    let raised = format!("{}.{}.{}", parts[0], base64url(told.as_bytes()), parts[2]);
    let verify = |token: &str| claims().verify(token, &keys, &[Algorithm::RS256], at(NOW)).map(|_| ());
    assert_eq!(verify(token), Ok(()));
    assert_eq!(verify(&raised), Err(Fault::Signature));
    assert_eq!(verify(&format!("{}.{}.", parts[0], parts[1])), Err(Fault::Signature));
}

#[test]
fn no_algorithm_with_a_shared_secret_can_be_named() {
    for name in ["HS256", "HS384", "HS512", "none", "NONE", "", "rs256"] {
        assert_eq!(algorithms([name]), Err(name.to_owned()));
    }
}
