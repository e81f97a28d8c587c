//! Tokens that prove nothing, and what their senders are told.

use super::issuer::{Issuer, base64url, seconds_from_now};
use super::{Code, StatusExt, guarded, policies, unrecognised, with};
use crate::service::{purchase, reason, when};
use makegood::proto::makegood::v1::policy_service_client::PolicyServiceClient;
use ring::hmac;
use serde_json::{Value, json};
use tonic::Request;

const NOON: &str = "2025-03-03T12:00:00Z";

/// A token signed with a shared secret, as if the public key were one.
fn signed_with_secret(secret: &[u8], kid: &str, claims: &Value) -> String {
    let header = json!({ "alg": "HS256", "typ": "JWT", "kid": kid });
    let message = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    format!("{message}.{}", base64url(hmac::sign(&key, message.as_bytes())))
}

/// The public key as it is written in files: a `SubjectPublicKeyInfo` in PEM.
fn pem(point: &[u8]) -> String {
    const HEAD: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    use base64::Engine;
    let body = base64::engine::general_purpose::STANDARD.encode([&HEAD[..], point].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n", &body[..64], &body[64..])
}

fn but(name: &str, value: Value) -> Value {
    let mut claims = Issuer::claims("admin", "mallory");
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = Issuer::claims("admin", "mallory");
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// Tokens with a header that takes something in.
fn false_headers(issuer: &Issuer) -> Vec<(&'static str, String)> {
    let claims = Issuer::claims("admin", "mallory");
    let header = |name: &str, value: Value| {
        let mut header = json!({ "alg": "ES256", "typ": "JWT", "kid": issuer.kid });
        header[name] = value;
        header
    };
    let unsigned = |alg: &str| {
        let header = header("alg", json!(alg)).to_string();
        format!("{}.{}.", base64url(header), base64url(claims.to_string()))
    };
    let stranger = Issuer::new(&issuer.kid);
    vec![
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("alg nOnE", unsigned("nOnE")),
        ("no alg", {
            let header = json!({ "kid": issuer.kid }).to_string();
            format!("{}.{}.", base64url(header), base64url(claims.to_string()))
        }),
        ("alg none, signed", issuer.signed(&header("alg", json!("none")), &claims)),
        ("another curve's algorithm", issuer.signed(&header("alg", json!("ES384")), &claims)),
        ("another family's algorithm", issuer.signed(&header("alg", json!("RS256")), &claims)),
        ("HS256 with the key as a point", signed_with_secret(issuer.point(), &issuer.kid, &claims)),
        (
            "HS256 with the key as PEM",
            signed_with_secret(pem(issuer.point()).as_bytes(), &issuer.kid, &claims),
        ),
        ("HS256 with the key as JWK", {
            signed_with_secret(issuer.jwk().to_string().as_bytes(), &issuer.kid, &claims)
        }),
        ("HS256 with nothing", signed_with_secret(b"", &issuer.kid, &claims)),
        ("unknown kid", issuer.signed(&header("kid", json!("another")), &claims)),
        ("no kid", issuer.signed(&json!({ "alg": "ES256" }), &claims)),
        ("kid that is no text", issuer.signed(&header("kid", json!(1)), &claims)),
        ("kid that is a path", issuer.signed(&header("kid", json!("../../dev/null")), &claims)),
        ("another's key under a known kid", stranger.saying(&claims)),
        ("a key of its own", stranger.signed(&header("jwk", stranger.jwk()), &claims)),
        ("a URL of its own", stranger.signed(&header("jku", json!("http://127.0.0.1:1/keys")), &claims)),
        ("something critical", issuer.signed(&header("crit", json!(["exp"])), &claims)),
    ]
}

/// Tokens that are signed well, and say what does not do.
fn false_claims(issuer: &Issuer) -> Vec<(&'static str, String)> {
    let told = [
        ("another issuer", but("iss", json!("https://login.evil.example"))),
        ("an issuer with a slash more", but("iss", json!("https://login.shop.example/"))),
        ("two issuers", but("iss", json!(["https://login.evil.example", "x"]))),
        ("no issuer", without("iss")),
        ("another audience", but("aud", json!("another"))),
        ("other audiences", but("aud", json!(["a", "b"]))),
        ("an audience in part", but("aud", json!("makegoo"))),
        ("no audience", without("aud")),
        ("no one for an audience", but("aud", json!([]))),
        ("expired", but("exp", json!(seconds_from_now(-31)))),
        ("expired long ago", but("exp", json!(1))),
        ("for ever", without("exp")),
        ("an end that is a text", but("exp", json!(seconds_from_now(300).to_string()))),
        ("not yet valid", but("nbf", json!(seconds_from_now(60)))),
        ("no subject", without("sub")),
        ("an empty subject", but("sub", json!(""))),
        ("a subject with a line end", but("sub", json!("maria\nrole=admin"))),
        ("a subject without end", but("sub", json!("m".repeat(300)))),
        ("no role", without("makegood_role")),
        ("a role that is none", but("makegood_role", json!("boss"))),
        ("a role in capitals", but("makegood_role", json!("ADMIN"))),
        ("two roles", but("makegood_role", json!(["agent", "admin"]))),
        ("the system's role", but("makegood_role", json!("system"))),
        ("development's role", but("makegood_role", json!("development"))),
    ];
    told.into_iter().map(|(name, claims)| (name, issuer.saying(&claims))).collect()
}

/// Good tokens with a letter more or less.
fn false_forms(issuer: &Issuer) -> Vec<(&'static str, String)> {
    let good = issuer.token("admin", "mallory");
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let raised = base64url(Issuer::claims("admin", "eve").to_string());
    vec![
        ("no token", " ".to_owned()),
        ("one word", "token".to_owned()),
        ("no signature", message.to_owned()),
        ("an empty signature", format!("{message}.")),
        ("half a signature", format!("{message}.{}", &signature[..43])),
        ("a signature of zeros", format!("{message}.{}", base64url([0; 64]))),
        ("another's claims", format!("{header}.{raised}.{signature}")),
        ("four parts", format!("{good}.{signature}")),
        ("five parts", format!("{header}.{claims}.{claims}.{claims}.{signature}")),
        ("two tokens", format!("{good} {good}")),
        ("padding", format!("{good}==")),
        ("a token without end", format!("{header}.{}.{signature}", "A".repeat(9_000))),
    ]
}

#[tokio::test]
async fn a_token_that_proves_nothing_is_refused_and_nothing_of_it_is_repeated() {
    let (service, issuer) = guarded().await;
    let rows = service.rows().await;
    let good = issuer.token("admin", "mallory");
    service.credits().get_balance(with(&good, balance("ada"))).await.unwrap_err();
    PolicyServiceClient::new(service.channel()).list_policies(with(&good, policies())).await.unwrap();
    let false_ones = [false_headers(&issuer), false_claims(&issuer), false_forms(&issuer)].concat();
    assert_eq!(false_ones.len(), 55);
    for (name, token) in false_ones {
        let request = with(&token, purchase("ada", "pay-1", NOON));
        let refused = service.credits().record_purchase(request).await.unwrap_err();
        assert!(unrecognised(&refused), "{name}: {refused:?}");
        let said = format!("{refused:?}");
        for secret in ["mallory", "admin", "evil", "makegood_", "shop.example", &issuer.kid] {
            assert!(!said.contains(secret), "{name}: {said}");
        }
        assert!(token.len() < 20 || !said.contains(&token), "{name}: {said}");
    }
    assert_eq!(service.rows().await, rows);
    service.stop().await;
}

fn balance(account_id: &str) -> makegood::proto::makegood::v1::GetBalanceRequest {
    makegood::proto::makegood::v1::GetBalanceRequest { account_id: account_id.to_owned() }
}

#[tokio::test]
async fn credentials_come_once_and_in_one_form() {
    let (service, issuer) = guarded().await;
    let good = issuer.token("admin", "maria");
    let mut client = PolicyServiceClient::new(service.channel());
    let header = |values: &[&str]| {
        let mut request = Request::new(policies());
        for value in values {
            request.metadata_mut().append("authorization", value.parse().unwrap());
        }
        request
    };
    // The scheme is written as anybody likes (RFC 9110).
    client.list_policies(header(&[&format!("bearer {good}")])).await.unwrap();
    let bearer = format!("Bearer {good}");
    for values in [
        &[][..],
        &[""],
        &["Bearer"],
        &["Bearer "],
        &[&good],
        &["Basic bWFyaWE6eA=="],
        &[&format!("Basic {good}")],
        &[&format!("Bearer  {good}")],
        &[&bearer, &bearer],
        &[&bearer, "Basic bWFyaWE6eA=="],
    ] {
        let refused = client.list_policies(header(values)).await.unwrap_err();
        assert!(unrecognised(&refused), "{values:?}: {refused:?}");
    }
    service.stop().await;
}

#[tokio::test]
async fn who_is_recognised_is_written_down_as_role_and_subject() {
    let (service, issuer) = guarded().await;
    let pays = issuer.token("payments", "stripe-webhooks");
    let bought = with(&pays, purchase("ada", "pay-1", NOON));
    service.credits().record_purchase(bought).await.unwrap();
    let delivery = crate::service::delivery("ada", "pay-1", 100, NOON);
    service.credits().deliver_credits(with(&pays, delivery)).await.unwrap();
    let actors: Vec<String> = sqlx::query_scalar("SELECT DISTINCT actor FROM entry")
        .fetch_all(&mut service.database().await)
        .await
        .unwrap();
    assert_eq!(actors, ["payments:stripe-webhooks"]);
    service.audited().await;
}

#[tokio::test]
async fn nobody_plays_somebody_else_or_another_time_where_callers_are_recognised() {
    let (service, issuer) = guarded().await;
    let rows = service.rows().await;
    let pays = issuer.token("payments", "stripe");
    let plain = || with(&pays, purchase("ada", "pay-1", NOON));
    let mut played = plain();
    played.metadata_mut().insert("makegood-test-caller", "admin:maria".parse().unwrap());
    let refused = service.credits().record_purchase(played).await;
    assert_eq!(reason(refused), (Code::InvalidArgument, "TEST_CALLER_FORBIDDEN".to_owned()));
    let mut rehearsed = plain();
    rehearsed.metadata_mut().insert("makegood-test-clock", NOON.parse().unwrap());
    let refused = service.credits().record_purchase(rehearsed).await;
    assert_eq!(reason(refused), (Code::InvalidArgument, "TEST_CLOCK_FORBIDDEN".to_owned()));
    let mut acting = plain();
    acting.metadata_mut().insert("makegood-account", "ada".parse().unwrap());
    assert_eq!(crate::service::fields(service.credits().record_purchase(acting).await), ["makegood-account"]);
    // Who nobody knows is told nothing about clocks and plays.
    let mut unknown = when(NOON, purchase("ada", "pay-1", NOON));
    unknown.metadata_mut().insert("makegood-test-caller", "admin:maria".parse().unwrap());
    assert!(unrecognised(&service.credits().record_purchase(unknown).await.unwrap_err()));
    assert_eq!(service.rows().await, rows);
    service.stop().await;
}

#[tokio::test]
async fn an_expired_token_is_told_so_since_its_bearer_can_get_another() {
    let (service, issuer) = guarded().await;
    let mut client = PolicyServiceClient::new(service.channel());
    let late = issuer.saying(&but("exp", json!(seconds_from_now(-60))));
    let refused = client.list_policies(with(&late, policies())).await.unwrap_err();
    assert_eq!(refused.message(), "the token has expired");
    // Not to somebody who made it up.
    let forged = Issuer::new(&issuer.kid).saying(&but("exp", json!(seconds_from_now(-60))));
    let refused = client.list_policies(with(&forged, policies())).await.unwrap_err();
    assert_eq!(refused.message(), "the token does not prove who calls");
    assert!(refused.get_details_error_info().unwrap().metadata.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_token_that_was_good_before_ends_with_its_time() {
    let (service, issuer) = guarded().await;
    let mut client = PolicyServiceClient::new(service.channel());
    // Two seconds are left of the 30 that are forgiven.
    let token = issuer.saying(&but("exp", json!(seconds_from_now(-28))));
    client.list_policies(with(&token, policies())).await.unwrap();
    let asking = async {
        loop {
            if let Err(refused) = client.list_policies(with(&token, policies())).await {
                return refused;
            }
        }
    };
    let refused = tokio::time::timeout(std::time::Duration::from_secs(20), asking).await.unwrap();
    assert!(unrecognised(&refused), "{refused:?}");
    assert_eq!(refused.message(), "the token has expired");
    service.stop().await;
}
