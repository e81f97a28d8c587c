//! An issuer of tokens, honest or not, and the server that shows its keys.

use super::authority::Authority;
use super::{AUDIENCE, ISSUER};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use makegood::clock::Clock;
use makegood::trust::KeySource;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds from now, as tokens tell time.
pub(super) fn seconds_from_now(seconds: i64) -> i64 {
    Clock::system().now().timestamp() + seconds
}

/// Who signs tokens with a key on the curve P-256.
pub(crate) struct Issuer {
    pub(super) kid: String,
    key: EcdsaKeyPair,
}

impl Issuer {
    pub(crate) fn new(kid: &str) -> Self {
        let (random, scheme) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(scheme, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(scheme, key.as_ref(), &random).unwrap();
        Self { kid: kid.to_owned(), key }
    }

    /// The public key, as an uncompressed point.
    pub(super) fn point(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    pub(super) fn jwk(&self) -> Value {
        let (x, y) = self.point()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.kid,
                "x": base64url(x), "y": base64url(y) })
    }

    /// What a token for a caller says.
    pub(super) fn claims(role: &str, subject: &str) -> Value {
        json!({ "iss": ISSUER, "aud": [AUDIENCE, "another"], "sub": subject, "exp": seconds_from_now(300),
                "nbf": seconds_from_now(-5), "iat": seconds_from_now(-5), "makegood_role": role })
    }

    /// A good token.
    pub(crate) fn token(&self, role: &str, subject: &str) -> String {
        self.saying(&Self::claims(role, subject))
    }

    /// A good token of a frontend for one account.
    pub(super) fn for_account(&self, account_id: &str) -> String {
        let mut claims = Self::claims("frontend", "shop");
        claims["makegood_account"] = account_id.into();
        self.saying(&claims)
    }

    /// A signed token with these claims, good or not.
    pub(super) fn saying(&self, claims: &Value) -> String {
        self.signed(&json!({ "alg": "ES256", "typ": "JWT", "kid": self.kid }), claims)
    }

    /// A signed token with any header.
    pub(super) fn signed(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", base64url(signature))
    }
}

/// What a key server does when it is asked.
#[derive(Clone)]
enum Answer {
    Keys(String),
    Status(u16),
    HangUp,
}

/// A server of keys on loopback, by plain HTTP.
#[derive(Clone)]
pub(super) struct KeyServer {
    port: u16,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
}

impl KeyServer {
    pub(super) async fn start(issuers: &[&Issuer]) -> Self {
        Self::start_with(issuers, None).await
    }

    /// A server whose answers are protected by a certificate for `localhost`.
    pub(super) async fn protected(issuers: &[&Issuer], authority: &Authority) -> Self {
        let (certificate, key) = authority.certificate(&["localhost"]);
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
        Self::start_with(issuers, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn start_with(issuers: &[&Issuer], tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(Mutex::new(Answer::Keys(key_set(issuers))));
        let server = Self { port, answer, asked: Arc::default() };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.asked.fetch_add(1, Ordering::SeqCst);
                let answer = serving.answer.lock().unwrap().clone();
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => give(stream, answer).await,
                        // Who does not trust us goes away.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                give(stream, answer).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    pub(super) fn source(&self) -> KeySource {
        KeySource::Url(format!("http://127.0.0.1:{}/keys.json", self.port).parse().unwrap(), None)
    }

    /// Where it is asked if its answers are protected, by whom these trust.
    pub(super) fn protected_source(&self, host: &str, authorities: &Path) -> KeySource {
        let url = format!("https://{host}:{}/keys.json", self.port).parse().unwrap();
        KeySource::Url(url, Some(authorities.to_owned()))
    }

    /// How often it was asked.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(super) fn shows(&self, issuers: &[&Issuer]) {
        *self.answer.lock().unwrap() = Answer::Keys(key_set(issuers));
    }

    pub(super) fn fails(&self) {
        *self.answer.lock().unwrap() = Answer::Status(503);
    }

    pub(super) fn hangs_up(&self) {
        *self.answer.lock().unwrap() = Answer::HangUp;
    }
}

pub(crate) fn key_set(issuers: &[&Issuer]) -> String {
    let keys: Vec<Value> = issuers.iter().map(|issuer| issuer.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

async fn give(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Answer) {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => asked.push(byte),
            Err(_) => return,
        }
    }
    let (status, body) = match answer {
        Answer::Keys(keys) => (200, keys),
        Answer::Status(status) => (status, "no".to_owned()),
        Answer::HangUp => return,
    };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // Who asked may be gone.
    drop(stream.write_all((head + &body).as_bytes()).await);
    drop(stream.shutdown().await);
}
