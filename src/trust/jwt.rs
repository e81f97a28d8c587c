//! One token: its signature, whom it is for, when it holds, and whom it makes of its bearer.

use super::keys::{Found, Keys};
use super::{Fault, Proof, Recognised};
use crate::domain::ids::AccountId;
use crate::domain::role::Role;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};

/// How far the clocks of issuer and service may be apart, in seconds.
const LEEWAY_SECONDS: i64 = 30;

/// What a token must say, and where it says who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `iss`, letter by letter.
    pub issuer: String,
    /// One of `aud`.
    pub audience: String,
    /// The claim with the role.
    pub role: String,
    /// The claim with the account that a frontend acts for.
    pub account: String,
}

/// The claims that are read beside those of the settings. Floating seconds and other forms are refused.
#[derive(Deserialize)]
struct Told {
    sub: String,
    exp: i64,
    nbf: Option<i64>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// The algorithms of these names, as `RS256`. Only those that verify with a public key exist here.
///
/// # Errors
/// The name that is none.
pub fn algorithms<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Vec<Algorithm>, String> {
    let algorithm = |name: &str| {
        Some(match name {
            "RS256" => Algorithm::RS256,
            "RS384" => Algorithm::RS384,
            "RS512" => Algorithm::RS512,
            "PS256" => Algorithm::PS256,
            "PS384" => Algorithm::PS384,
            "PS512" => Algorithm::PS512,
            "ES256" => Algorithm::ES256,
            "ES384" => Algorithm::ES384,
            "EdDSA" => Algorithm::EdDSA,
            _ => return None,
        })
    };
    names.into_iter().map(|name| algorithm(name).ok_or_else(|| name.to_owned())).collect()
}

impl Claims {
    /// Whose token it is, and until when. Everything but its time is the same at every look, as long as the keys are.
    pub(super) fn verify(
        &self,
        token: &str,
        keys: &Keys,
        allowed: &[Algorithm],
        now: DateTime<Utc>,
    ) -> Result<(Recognised, DateTime<Utc>), Fault> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Fault::Malformed)?;
        // What must be understood, by `crit`, is not.
        if header.crit.is_some() {
            return Err(Fault::Malformed);
        }
        if !allowed.contains(&header.alg) {
            return Err(Fault::Algorithm);
        }
        let key = match keys.find(header.kid.as_deref().ok_or(Fault::Malformed)?, header.alg) {
            Found::Key(key) => key,
            Found::OtherAlgorithm => return Err(Fault::Algorithm),
            Found::Nothing => return Err(Fault::UnknownKey),
        };
        let told = jsonwebtoken::decode::<Told>(token, key, &self.validation(header.alg));
        let told = told.map_err(|error| fault_of(error.kind()))?.claims;
        let until = within_its_time(&told, now)?;
        Ok((self.bearer_of(&told)?, until))
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        // Held against our own clock, which says as well how long the answer may be remembered.
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        validation
    }

    fn bearer_of(&self, told: &Told) -> Result<Recognised, Fault> {
        let role = told.others.get(&self.role).and_then(Value::as_str).and_then(Role::parse);
        let role = role.ok_or(Fault::Claims)?;
        let actor = role.played_by(&told.sub).map_err(|_| Fault::Claims)?;
        let account = match told.others.get(&self.account) {
            // Others act for no account, whatever their tokens say besides.
            Some(account) if role == Role::Frontend => {
                let account = account.as_str().ok_or(Fault::Claims)?;
                Some(AccountId::parse(account).map_err(|_| Fault::Claims)?)
            }
            Some(_) | None => None,
        };
        Ok(Recognised { actor, role, by: Proof::Token(account) })
    }
}

/// Until when the token holds, if it does now: `nbf` included, `exp` excluded, each with the leeway.
fn within_its_time(told: &Told, now: DateTime<Utc>) -> Result<DateTime<Utc>, Fault> {
    let leeway = TimeDelta::seconds(LEEWAY_SECONDS);
    let instant = |seconds| DateTime::from_timestamp(seconds, 0).ok_or(Fault::Claims);
    let until = instant(told.exp)?.checked_add_signed(leeway).ok_or(Fault::Claims)?;
    if let Some(from) = told.nbf
        && now < instant(from)?.checked_sub_signed(leeway).ok_or(Fault::Claims)?
    {
        return Err(Fault::NotYetValid);
    }
    if now < until { Ok(until) } else { Err(Fault::Expired) }
}

fn fault_of(error: &ErrorKind) -> Fault {
    match error {
        ErrorKind::InvalidSignature => Fault::Signature,
        ErrorKind::InvalidIssuer => Fault::Issuer,
        ErrorKind::InvalidAudience => Fault::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => Fault::Claims,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Fault::Algorithm,
        _ => Fault::Malformed,
    }
}

#[cfg(test)]
mod tests;
