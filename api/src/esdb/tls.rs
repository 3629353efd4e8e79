//! The certificate with which the endpoint shows who it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// TLS cannot be had with these files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} is not a readable PEM file: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The certificate and the key do not serve.
    #[error("the certificate and its key cannot be used")]
    Unfit(#[from] rustls::Error),
}

/// The certificate with which the endpoint shows who it is.
#[derive(Clone)]
pub struct Tls(pub(super) Arc<ServerConfig>);

impl Tls {
    /// Reads a chain of certificates and the key of the first, both in PEM.
    pub fn read(certificates: &Path, key: &Path) -> Result<Self, TlsError> {
        let unreadable = |path: &Path, error: rustls::pki_types::pem::Error| TlsError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let chain = CertificateDer::pem_file_iter(certificates)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable(certificates, error))?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

/// Chooses the cryptography of every TLS connection that does not choose its own. Two are linked
/// in, and without a choice the plain builders panic; a choice that was made before is kept.
pub fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
