//! Where an issuer's keys come from: a file, or a URL that is asked by HTTPS.

use http::Uri;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// Largest key set, in bytes: a hundred keys with their certificate chains.
const MAX_BYTES: usize = 512 * 1024;

/// How long an issuer may take to answer.
const FETCH_LIMIT: Duration = Duration::from_secs(5);

/// Where keys are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file, which may be replaced at any time.
    File(PathBuf),
    /// A URL of the issuer, with the certificates of the authorities that vouch for its server: the public ones where
    /// no file is named.
    Url(Uri, Option<PathBuf>),
}

/// Why keys could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file cannot be read.
    #[error("{0} cannot be read: {1}")]
    File(PathBuf, io::Error),
    /// The file of authorities holds no certificate.
    #[error("{0} holds no certificate in PEM form")]
    Authorities(PathBuf),
    /// The issuer did not answer.
    #[error("the issuer does not answer")]
    Silent,
    /// The issuer answered with something else than keys.
    #[error("the issuer answered with status {0}")]
    Status(u16),
    /// More was sent than keys can be.
    #[error("it is larger than {MAX_BYTES} bytes, or was cut short")]
    TooLarge,
}

impl KeySource {
    /// Reads the keys, within [`FETCH_LIMIT`].
    pub(super) async fn read(&self) -> Result<Vec<u8>, SourceError> {
        let read = async {
            match self {
                Self::File(path) => read_file(path).await,
                Self::Url(uri, authorities) => ask(uri, authorities.as_deref()).await,
            }
        };
        tokio::time::timeout(FETCH_LIMIT, read).await.unwrap_or(Err(SourceError::Silent))
    }
}

async fn read_file(path: &Path) -> Result<Vec<u8>, SourceError> {
    let unreadable = |error| SourceError::File(path.to_owned(), error);
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).await.map_err(unreadable)?;
    if bytes.len() > MAX_BYTES { Err(SourceError::TooLarge) } else { Ok(bytes) }
}

/// Asks once. Everything is made anew, so that authorities may be replaced and no connection waits for the next time;
/// redirections are not followed, since nobody was told to trust where they lead.
async fn ask(uri: &Uri, authorities: Option<&Path>) -> Result<Vec<u8>, SourceError> {
    let connector = connector(authorities).await?;
    let client: Client<_, Empty<&'static [u8]>> = Client::builder(TokioExecutor::new()).build(connector);
    let response = client.get(uri.clone()).await.map_err(|_| SourceError::Silent)?;
    if response.status() != http::StatusCode::OK {
        return Err(SourceError::Status(response.status().as_u16()));
    }
    let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
    Ok(body.map_err(|_| SourceError::TooLarge)?.to_bytes().to_vec())
}

async fn connector(authorities: Option<&Path>) -> Result<HttpsConnector<HttpConnector>, SourceError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let pem = read_file(path).await?;
            let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
            let (added, _) = roots.add_parsable_certificates(certificates);
            if added == 0 {
                return Err(SourceError::Authorities(path.to_owned()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| SourceError::Silent)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Which URLs may be plain HTTP is decided where they are configured.
    Ok(HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build())
}
