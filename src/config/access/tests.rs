use crate::config::{Command, KeysAt, Settings, read};
use std::ffi::OsString;
use std::path::Path;

fn told(words: &[&str]) -> Result<Settings, String> {
    let words = std::iter::once("makegood").chain(words.iter().copied()).map(OsString::from);
    match read(words).map_err(|error| error.to_string())? {
        Command::Serve(settings) => Ok(*settings),
        other => panic!("expected serve, got {other:?}"),
    }
}

#[track_caller]
fn refused(words: &[&str], saying: &str) {
    let message = told(words).unwrap_err();
    assert!(message.contains(saying), "{words:?}: {message}");
}

const TOKENS: [&str; 4] = ["--jwt-issuer", "https://login.example", "--jwt-audience", "makegood"];
const TLS: [&str; 4] = ["--tls-certificate", "tls.crt", "--tls-key", "tls.key"];

fn keys<'a>(at: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--jwt-keys", at][..], &TOKENS, more].concat()
}

#[test]
fn without_any_setting_nobody_is_recognised() {
    assert!(!told(&[]).unwrap().access.is_guarded());
    assert!(!told(&["--jwt-keys", ""]).unwrap().access.is_guarded());
}

#[test]
fn keys_are_in_a_file_or_at_a_protected_url() {
    let at = |text: &str| {
        let settings = told(&keys(text, &[])).unwrap();
        let tokens = settings.access.tokens().unwrap();
        assert_eq!((tokens.issuer, tokens.audience), ("https://login.example", "makegood"));
        format!("{:?}", tokens.keys)
    };
    assert_eq!(at("keys.json"), format!("{:?}", KeysAt::File(Path::new("keys.json"))));
    let url = "https://login.example/keys";
    assert_eq!(at(url), format!("{:?}", KeysAt::Url(url, None)));
    assert!(at("http://127.0.0.1:8080/keys").contains("Url"));
    for url in ["http://login.example/keys", "http://localhost.evil.example/", "ftp://x/", "https://"] {
        refused(&keys(url, &[]), "--jwt-keys");
    }
}

#[test]
fn half_of_what_belongs_together_is_refused_with_the_other_half() {
    refused(&["--jwt-keys", "keys.json"], "--jwt-issuer");
    refused(&TOKENS, "--jwt-keys");
    refused(&TLS[..2], "--tls-key");
    refused(&[&TLS[..], &["--tls-client-ca", "ca.crt"]].concat(), "--client");
    refused(&[&TLS[..], &["--client", "a=worker"]].concat(), "--tls-client-ca");
    refused(&["--tls-client-ca", "ca.crt", "--client", "a=worker"], "--tls-certificate");
    refused(&keys("keys.json", &["--jwt-keys-ca", "ca.crt"]), "--jwt-keys-ca");
    refused(&keys("keys.json", &[&TLS[..], &["--plaintext"]].concat()), "--plaintext");
}

#[test]
fn protected_connections_from_nobody_in_particular_are_refused() {
    refused(&TLS, "nobody can be recognised");
    refused(&["--plaintext"], "nobody can be recognised");
}

#[test]
fn a_client_is_a_name_and_a_role() {
    let given = ["--tls-client-ca", "ca.crt", "--client", "spiffe://shop/a=b=worker,desk.example=admin"];
    let settings = told(&[&TLS[..], &given].concat()).unwrap();
    let clients: Vec<String> =
        settings.access.clients.iter().map(|(name, role)| format!("{name} {role}")).collect();
    assert_eq!(clients, ["spiffe://shop/a=b worker", "desk.example admin"]);
    for wrong in ["", "worker", "=worker", "a=boss", "a=Worker"] {
        refused(&[&TLS[..], &["--tls-client-ca", "ca.crt", "--client", wrong]].concat(), "--client");
    }
}

#[test]
fn only_algorithms_with_public_keys_may_be_allowed() {
    let settings = told(&keys("keys.json", &["--jwt-algorithms", "ES384,PS256"])).unwrap();
    assert_eq!(settings.access.jwt_algorithms, ["ES384", "PS256"]);
    for wrong in ["none", "HS256", "RS256,HS256", ""] {
        refused(&keys("keys.json", &["--jwt-algorithms", wrong]), "--jwt-algorithms");
    }
}

#[test]
fn keys_are_trusted_at_least_until_they_are_read_again() {
    refused(&keys("keys.json", &["--jwt-keys-max-age", "1m"]), "--jwt-keys-max-age");
}
