//! TLS, with its certificate, key and authorities read again whenever their files change.
//!
//! The files are compared by content, not by time: secrets are replaced by renaming a folder, certificate tools write key
//! and certificate one after the other, and clocks are coarse. What cannot be used is left where it is, said once, and
//! tried again; the connections go on with what was good.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The protocol that gRPC needs.
const HTTP_2: &[u8] = b"h2";

/// What gRPC-Web may come over besides.
const HTTP_1: &[u8] = b"http/1.1";

/// The files of TLS, and how often they are looked at.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The server's certificate and the chain above it, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authorities of client certificates, PEM; without them nobody is asked for one.
    pub client_ca: Option<PathBuf>,
    /// How often the files are looked at.
    pub look_every: Duration,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{0} cannot be read")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// A file holds no certificate.
    #[error("{0} holds no certificate in PEM form")]
    NoCertificate(PathBuf),
    /// A file holds no private key.
    #[error("{0} holds no private key in PEM form")]
    NoKey(PathBuf),
    /// The authorities cannot be used.
    #[error("the certificates in {0} are no authorities of clients")]
    Authorities(PathBuf),
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error("certificate and key do not go together, or are of a kind that is not supported")]
    Unfit(#[source] rustls::Error),
}

/// The present configuration.
#[derive(Debug)]
pub(super) struct Tls {
    files: TlsFiles,
    /// What may be spoken.
    protocols: &'static [&'static [u8]],
    present: RwLock<Present>,
}

#[derive(Debug, Clone)]
struct Present {
    digest: [u8; 32],
    config: Arc<ServerConfig>,
}

/// What is in the files.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Tls {
    pub(super) async fn open(files: TlsFiles, grpc_web: bool) -> Result<Arc<Self>, TlsError> {
        let protocols: &[&[u8]] = if grpc_web { &[HTTP_2, HTTP_1] } else { &[HTTP_2] };
        let contents = Contents::read(&files).await?;
        let present = Present { digest: contents.digest(), config: contents.config(&files, protocols)? };
        Ok(Arc::new(Self { files, protocols, present: RwLock::new(present) }))
    }

    /// What the next connection is served with.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.present.read().unwrap_or_else(PoisonError::into_inner).config.clone()
    }

    /// Looks at the files until it is told to end.
    pub(super) async fn follow(self: Arc<Self>) {
        let mut refused = None;
        loop {
            tokio::time::sleep(self.files.look_every).await;
            let (digest, config) = match Contents::read(&self.files).await {
                Ok(contents) => (contents.digest(), contents.config(&self.files, self.protocols)),
                Err(error) => ([0; 32], Err(error)),
            };
            let present = self.present.read().unwrap_or_else(PoisonError::into_inner).digest;
            match config {
                Ok(config) if digest != present => {
                    *self.present.write().unwrap_or_else(PoisonError::into_inner) =
                        Present { digest, config };
                    refused = None;
                    tracing::info!("the TLS files were read again");
                }
                Ok(_) => refused = None,
                Err(error) if refused != Some(digest) => {
                    refused = Some(digest);
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "the TLS files cannot be used; those read before still are");
                }
                Err(_) => {}
            }
        }
    }
}

impl Contents {
    async fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let client_ca = match &files.client_ca {
            Some(path) => Some(read(path).await?),
            None => None,
        };
        Ok(Self { certificate: read(&files.certificate).await?, key: read(&files.key).await?, client_ca })
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [&self.certificate, &self.key].into_iter().chain(&self.client_ca) {
            digest.update(Sha256::digest(part));
        }
        digest.finalize().into()
    }

    fn config(&self, files: &TlsFiles, protocols: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = certificates(&self.certificate);
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(files.certificate.clone()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| TlsError::NoKey(files.key.clone()))?;
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unfit)?;
        let builder = match (&self.client_ca, &files.client_ca) {
            (Some(authorities), Some(path)) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates(authorities));
                // Who has no certificate may still bring a token, or ask for the service's health.
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(|_| TlsError::Authorities(path.clone()))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Unfit)?;
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    tokio::fs::read(path).await.map_err(|error| TlsError::Unreadable(path.to_owned(), error))
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    use super::{HTTP_1, HTTP_2, Tls, TlsFiles};
    use std::time::Duration;

    #[tokio::test]
    async fn http_1_is_offered_where_browsers_may_call_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let files = TlsFiles { certificate, key, client_ca: None, look_every: Duration::from_secs(1) };
        for (grpc_web, offered) in [(false, vec![HTTP_2]), (true, vec![HTTP_2, HTTP_1])] {
            let tls = Tls::open(files.clone(), grpc_web).await.unwrap();
            assert_eq!(tls.config().alpn_protocols, offered);
        }
    }
}
