//! Who calls: a token or a client certificate, each to a role and a name. What a role may do is the wire's table.
//!
//! A token that is sent decides, whatever certificate the connection has; a token that is wrong is never forgiven
//! because of a certificate that is right.

mod certificate;
mod fetch;
mod jwt;
mod key_ring;
mod keys;
mod signature;

use crate::domain::ids::{AccountId, Actor};
use crate::domain::role::Role;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::sync::Arc;

pub use certificate::{Certificates, Peer};
pub use fetch::{KeySource, SourceError};
pub use jwt::{Claims, algorithms};
pub use key_ring::{KeyPace, TokenRules};
pub use keys::KeysError;

use key_ring::KeyRing;

/// Longest token that is looked at, in bytes: real ones have one or two thousand.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Who was recognised, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// Who acts: role and name.
    pub actor: Actor,
    /// What it is.
    pub role: Role,
    /// How it was recognised.
    pub by: Proof,
}

/// What proved who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A token, with the account that it names, if any.
    Token(Option<AccountId>),
    /// A client certificate.
    Certificate,
}

/// Why a caller was not recognised. Holds nothing that the caller sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Neither token nor certificate.
    #[error("no credentials")]
    Missing,
    /// The header or the token has the wrong form.
    #[error("the token has the wrong form")]
    Malformed,
    /// The token is signed by an algorithm that is not allowed, or not its key's.
    #[error("the algorithm is not allowed, or not its key's")]
    Algorithm,
    /// No key has the token's key id.
    #[error("no key has this key id")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("the signature is wrong")]
    Signature,
    /// Somebody else issued the token.
    #[error("another issuer")]
    Issuer,
    /// The token is for somebody else.
    #[error("another audience")]
    Audience,
    /// The token's time is over.
    #[error("expired")]
    Expired,
    /// The token's time has not come.
    #[error("not yet valid")]
    NotYetValid,
    /// A claim is missing or cannot be read; the role and the name are among them.
    #[error("a claim is missing or cannot be read")]
    Claims,
    /// The certificate is good, and none of its names, or more than one, has a role.
    #[error("not exactly one name of the certificate has a role")]
    UnknownCertificate,
    /// No keys are at hand, or they are too old to be trusted.
    #[error("the keys are not at hand, or too old")]
    KeysUnavailable,
}

/// Everything by which callers are recognised.
#[derive(Debug)]
pub struct Trust {
    tokens: Option<KeyRing>,
    certificates: Certificates,
}

impl Trust {
    /// Trust in the tokens of an issuer and in client certificates, one of them or both.
    ///
    /// # Errors
    /// [`KeysError`] when the keys are in a file that cannot be used. A URL that does not answer is asked again later.
    pub async fn new(tokens: Option<TokenRules>, certificates: Certificates) -> Result<Self, KeysError> {
        let tokens = match tokens {
            Some(rules) => Some(KeyRing::open(rules).await?),
            None => None,
        };
        Ok(Self { tokens, certificates })
    }

    /// Who calls.
    ///
    /// # Errors
    /// [`Fault`] for everybody who cannot prove it.
    pub async fn recognise(
        &self,
        headers: &HeaderMap,
        peer: Option<&Peer>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Recognised>, Fault> {
        match (bearer(headers)?, &self.tokens) {
            (Some(token), Some(ring)) => ring.recognise(token, now).await,
            // Nobody vouches for tokens here.
            (Some(_), None) => Err(Fault::Malformed),
            (None, _) => self.certificates.recognise(peer).map(Arc::new),
        }
    }

    /// Keeps the keys fresh until the last clone of this trust is gone.
    pub(crate) fn keep_fresh(trust: &Arc<Self>) {
        let Some(pace) = trust.tokens.as_ref().map(KeyRing::pace) else { return };
        let trust = Arc::downgrade(trust);
        tokio::spawn(async move {
            let mut wait = pace.retry;
            loop {
                tokio::time::sleep(wait).await;
                let Some(trust) = trust.upgrade() else { return };
                let Some(ring) = &trust.tokens else { return };
                wait = if ring.refresh().await { pace.refresh } else { pace.retry.min(pace.refresh) };
            }
        });
    }
}

/// The token of an `authorization: Bearer …` header; `None` where there is no such header.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| text.len() <= MAX_TOKEN_BYTES);
    let (scheme, token) = text.and_then(|text| text.split_once(' ')).ok_or(Fault::Malformed)?;
    let alone = values.next().is_none();
    if alone && scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        Ok(Some(token))
    } else {
        Err(Fault::Malformed)
    }
}
