//! The settings of access: who is recognised, and how connections are protected.

use super::{duration, set};
use crate::domain::role::Role;
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The signature algorithms that may be allowed: those that verify with a public key.
const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// Longest name of a client certificate: with its role it must fit the name of an actor.
const MAX_NAME_BYTES: usize = 200;

/// Who is recognised, and how connections are protected.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Access")]
pub struct AccessSettings {
    /// The server's certificate and the chain above it, in PEM; read again when it changes
    #[arg(long, value_name = "FILE", env = "MAKEGOOD_TLS_CERTIFICATE")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key, in PEM
    #[arg(long, value_name = "FILE", env = "MAKEGOOD_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// The authorities whose client certificates are accepted, in PEM
    #[arg(long, value_name = "FILE", env = "MAKEGOOD_TLS_CLIENT_CA")]
    tls_client_ca: Option<PathBuf>,
    /// A URI or DNS name of a client certificate and its role, as `spiffe://shop/render=worker`; may be repeated
    #[arg(long = "client", value_name = "NAME=ROLE", env = "MAKEGOOD_CLIENTS", value_delimiter = ',')]
    #[arg(value_parser = client)]
    pub clients: Vec<(String, Role)>,
    /// Serve without TLS although others can reach the address: where something in front of this process ends it
    #[arg(long, env = "MAKEGOOD_PLAINTEXT")]
    pub plaintext: bool,
    /// The keys that verify tokens, a JSON Web Key Set: a file, or an https:// URL
    #[arg(long, value_name = "FILE|URL", env = "MAKEGOOD_JWT_KEYS")]
    jwt_keys: Option<String>,
    /// The authorities that vouch for the server of the URL, in PEM [default: the public ones]
    #[arg(long, value_name = "FILE", env = "MAKEGOOD_JWT_KEYS_CA")]
    jwt_keys_ca: Option<PathBuf>,
    /// Who must have issued a token: its `iss`, letter by letter
    #[arg(long, value_name = "ISSUER", env = "MAKEGOOD_JWT_ISSUER")]
    jwt_issuer: Option<String>,
    /// Whom a token must be for: one of its `aud`
    #[arg(long, value_name = "AUDIENCE", env = "MAKEGOOD_JWT_AUDIENCE")]
    jwt_audience: Option<String>,
    /// The algorithms that may sign a token
    #[arg(long, value_name = "NAME", env = "MAKEGOOD_JWT_ALGORITHMS", value_delimiter = ',')]
    #[arg(default_values = ["RS256", "ES256", "EdDSA"], value_parser = PossibleValuesParser::new(ALGORITHMS))]
    pub jwt_algorithms: Vec<String>,
    /// The claim with the role
    #[arg(long, value_name = "CLAIM", env = "MAKEGOOD_JWT_ROLE_CLAIM", default_value = "makegood_role")]
    pub jwt_role_claim: String,
    /// The claim with the account that a frontend acts for
    #[arg(
        long,
        value_name = "CLAIM",
        env = "MAKEGOOD_JWT_ACCOUNT_CLAIM",
        default_value = "makegood_account"
    )]
    pub jwt_account_claim: String,
    /// How often the keys are read again
    #[arg(long, value_name = "TIME", env = "MAKEGOOD_JWT_KEYS_REFRESH", default_value = "5m")]
    #[arg(value_parser = duration)]
    pub jwt_keys_refresh: Duration,
    /// How long keys are trusted that could not be read again
    #[arg(long, value_name = "TIME", env = "MAKEGOOD_JWT_KEYS_MAX_AGE", default_value = "60m")]
    #[arg(value_parser = duration)]
    pub jwt_keys_max_age: Duration,
}

/// The files of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsPaths<'a> {
    /// The certificate and its chain.
    pub certificate: &'a Path,
    /// Its key.
    pub key: &'a Path,
    /// The authorities of client certificates.
    pub client_ca: Option<&'a Path>,
}

/// The settings without which no token is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSettings<'a> {
    /// Where the keys are.
    pub keys: KeysAt<'a>,
    /// `iss`.
    pub issuer: &'a str,
    /// `aud`.
    pub audience: &'a str,
}

/// Where keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysAt<'a> {
    /// In a file.
    File(&'a Path),
    /// At a URL, with the authorities that vouch for its server, if they are not the public ones.
    Url(&'a str, Option<&'a Path>),
}

impl AccessSettings {
    /// The files of TLS, if connections are protected here.
    #[must_use]
    pub fn tls(&self) -> Option<TlsPaths<'_>> {
        let (certificate, key) = (set(self.tls_certificate.as_deref())?, set(self.tls_key.as_deref())?);
        Some(TlsPaths { certificate, key, client_ca: set(self.tls_client_ca.as_deref()) })
    }

    /// How tokens are recognised, if they are.
    #[must_use]
    pub fn tokens(&self) -> Option<TokenSettings<'_>> {
        let keys = told(self.jwt_keys.as_ref())?;
        let is_url = keys.contains("://");
        let keys = if is_url {
            KeysAt::Url(keys, set(self.jwt_keys_ca.as_deref()))
        } else {
            KeysAt::File(Path::new(keys))
        };
        let (issuer, audience) = (told(self.jwt_issuer.as_ref())?, told(self.jwt_audience.as_ref())?);
        Some(TokenSettings { keys, issuer, audience })
    }

    /// Whether anybody can be recognised.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.tokens().is_some() || !self.clients.is_empty()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.check_tokens()?;
        let (certificate, key) = (self.tls_certificate.as_deref(), self.tls_key.as_deref());
        if set(certificate).is_some() != set(key).is_some() {
            return Err("--tls-certificate and --tls-key go together".to_owned());
        }
        let has_authorities = set(self.tls_client_ca.as_deref()).is_some();
        if has_authorities && self.tls().is_none() {
            return Err("--tls-client-ca needs --tls-certificate and --tls-key".to_owned());
        }
        if has_authorities == self.clients.is_empty() {
            return Err(
                "--tls-client-ca and --client go together: the one says whose client certificates are \
                        good, the other which role a name in them has"
                    .to_owned(),
            );
        }
        if self.plaintext && self.tls().is_some() {
            return Err("--plaintext contradicts --tls-certificate".to_owned());
        }
        if !self.is_guarded() && (self.plaintext || self.tls().is_some()) {
            return Err("nobody can be recognised: name the keys of tokens with --jwt-keys, or client \
                        certificates with --tls-client-ca and --client"
                .to_owned());
        }
        Ok(())
    }

    fn check_tokens(&self) -> Result<(), String> {
        let told =
            [&self.jwt_keys, &self.jwt_issuer, &self.jwt_audience].map(|setting| told(setting.as_ref()));
        if told.iter().any(Option::is_some) && !told.iter().all(Option::is_some) {
            return Err(
                "--jwt-keys, --jwt-issuer and --jwt-audience go together: a token without all three \
                        would prove nothing"
                    .to_owned(),
            );
        }
        if self.jwt_keys_max_age < self.jwt_keys_refresh {
            return Err("--jwt-keys-max-age must not be shorter than --jwt-keys-refresh".to_owned());
        }
        match self.tokens().map(|tokens| tokens.keys) {
            Some(KeysAt::Url(url, _)) => check_url(url),
            Some(KeysAt::File(_)) if set(self.jwt_keys_ca.as_deref()).is_some() => {
                Err("--jwt-keys-ca is about a URL, and --jwt-keys is a file".to_owned())
            }
            Some(KeysAt::File(_)) | None => Ok(()),
        }
    }
}

/// Who can change an answer on its way could vouch for anybody; on this machine there is no way.
fn check_url(url: &str) -> Result<(), String> {
    let uri: http::Uri = url.parse().map_err(|_| "--jwt-keys is no URL".to_owned())?;
    let is_near = uri.host().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host));
    match uri.scheme_str() {
        Some("https") if uri.host().is_some() => Ok(()),
        Some("http") if is_near => Ok(()),
        _ => Err("--jwt-keys must be a file or an https:// URL; http:// is for this machine only".to_owned()),
    }
}

fn told(setting: Option<&String>) -> Option<&str> {
    setting.map(String::as_str).filter(|text| !text.is_empty())
}

/// `name=role`.
fn client(text: &str) -> Result<(String, Role), String> {
    let (name, role) =
        text.rsplit_once('=').ok_or("write a name and a role, as `render.shop.example=worker`")?;
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return Err(format!("the name must have 1 to {MAX_NAME_BYTES} bytes"));
    }
    let role = Role::parse(role).ok_or_else(|| {
        let roles: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
        format!("the role must be one of {}", roles.join(", "))
    })?;
    Ok((name.to_owned(), role))
}

#[cfg(test)]
mod tests;
