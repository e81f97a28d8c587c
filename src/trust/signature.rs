//! Signatures of tokens, verified by the library that also does our TLS.
//!
//! `jsonwebtoken` leaves the arithmetic to whom it is told. Only public keys are ever used here, and no algorithm with a
//! shared secret exists, so that a public key cannot be taken for one.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::signature as scheme;
use ring::signature::{RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes tokens of this process verified here. Any number of calls do the same as one.
pub(super) fn install() {
    // An error says that it was installed before.
    let _ = PROVIDER.install_default();
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that the library asks for")]
fn signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(ErrorKind::UnsupportedAlgorithm.into())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that the library asks for")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let scheme = Scheme::of(*algorithm).ok_or(ErrorKind::UnsupportedAlgorithm)?;
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(Public { algorithm: *algorithm, scheme, key: key.clone() }))
}

enum Scheme {
    Rsa(&'static RsaParameters),
    Curve(&'static dyn VerificationAlgorithm),
}

impl Scheme {
    fn of(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm {
            Algorithm::RS256 => Self::Rsa(&scheme::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => Self::Rsa(&scheme::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => Self::Rsa(&scheme::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => Self::Rsa(&scheme::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => Self::Rsa(&scheme::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => Self::Rsa(&scheme::RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => Self::Curve(&scheme::ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => Self::Curve(&scheme::ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => Self::Curve(&scheme::ED25519),
            // Those with a shared secret among them.
            _ => return None,
        })
    }
}

/// A public key, and how it is used.
struct Public {
    algorithm: Algorithm,
    scheme: Scheme,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for Public {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = match (&self.scheme, self.key.kind()) {
            (Scheme::Rsa(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            (Scheme::Curve(algorithm), DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(*algorithm, point).verify(message, signature)
            }
            (Scheme::Rsa(_) | Scheme::Curve(_), _) => Err(ring::error::Unspecified),
        };
        verified.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Public {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
