//! The public keys of an issuer, as a JSON Web Key Set (RFC 7517).

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use std::path::PathBuf;

/// Most keys of one set: issuers have two or three, and old ones for a while.
const MAX_KEYS: usize = 100;

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// What was read is no key set.
    #[error("it is no JSON Web Key Set, as in `{{\"keys\": […]}}`")]
    NotAKeySet,
    /// The set is larger than any issuer's.
    #[error("it has more than {MAX_KEYS} keys")]
    TooMany,
    /// Nothing in the set can verify a token.
    #[error(
        "it has no key that may verify a token: each needs a `kid`, and a type that fits the allowed algorithms"
    )]
    Useless,
    /// The keys could not be read.
    #[error("{0}")]
    Source(#[from] super::SourceError),
    /// The file with the keys cannot be used.
    #[error("the keys in {0} cannot be used")]
    File(PathBuf, #[source] Box<KeysError>),
}

/// Keys that may verify tokens.
#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    kid: String,
    algorithms: Vec<Algorithm>,
    public: DecodingKey,
}

/// What is known about a token's key.
pub(super) enum Found<'a> {
    Key(&'a DecodingKey),
    /// There is a key of that id, for other algorithms.
    OtherAlgorithm,
    Nothing,
}

impl Keys {
    /// Reads a key set; keys that cannot verify a token by an allowed algorithm are passed over, as those for encryption.
    pub(super) fn parse(json: &[u8], allowed: &[Algorithm]) -> Result<Self, KeysError> {
        let set: JwkSet = serde_json::from_slice(json).map_err(|_| KeysError::NotAKeySet)?;
        if set.keys.len() > MAX_KEYS {
            return Err(KeysError::TooMany);
        }
        let keys: Vec<Key> = set.keys.iter().filter_map(|jwk| Key::of(jwk, allowed)).collect();
        if keys.is_empty() { Err(KeysError::Useless) } else { Ok(Self(keys)) }
    }

    pub(super) fn find(&self, kid: &str, algorithm: Algorithm) -> Found<'_> {
        let mut found = Found::Nothing;
        for key in self.0.iter().filter(|key| key.kid == kid) {
            if key.algorithms.contains(&algorithm) {
                return Found::Key(&key.public);
            }
            found = Found::OtherAlgorithm;
        }
        found
    }
}

impl Key {
    fn of(jwk: &Jwk, allowed: &[Algorithm]) -> Option<Self> {
        let kid = jwk.common.key_id.clone().filter(|kid| !kid.is_empty())?;
        let for_signatures = match &jwk.common.public_key_use {
            None | Some(PublicKeyUse::Signature) => true,
            Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_)) => false,
        };
        let operations = jwk.common.key_operations.as_ref();
        let verifies = operations.is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        let mut algorithms = fitting(&jwk.algorithm).to_vec();
        algorithms.retain(|algorithm| allowed.contains(algorithm));
        if let Some(told) = jwk.common.key_algorithm {
            let told = Algorithm::try_from(told).ok()?;
            algorithms.retain(|algorithm| *algorithm == told);
        }
        if !for_signatures || !verifies || algorithms.is_empty() {
            return None;
        }
        Some(Self { kid, algorithms, public: DecodingKey::from_jwk(jwk).ok()? })
    }
}

/// The algorithms that a type of key can be used with; none for shared secrets.
fn fitting(parameters: &AlgorithmParameters) -> &'static [Algorithm] {
    match parameters {
        AlgorithmParameters::RSA(_) => &[
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            &[Algorithm::EdDSA]
        }
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
