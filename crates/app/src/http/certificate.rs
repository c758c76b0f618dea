//! The certificate of the service's own port, which may be replaced while the service runs.
//!
//! Promises: a new certificate is taken only if it can be read and its key fits; else the one before
//! stays, and why is logged once, not at each look. TLS 1.2 and 1.3; nobody is asked for a
//! certificate. No word about it shows what the files hold.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::config::Tls;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Bytes of either file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A certificate with its key, and where they come from.
pub struct Certificate {
    files: Tls,
    current: RwLock<Arc<CertifiedKey>>,
    /// What the files held when they were last looked at; nothing where they could not be read.
    seen: Mutex<Option<[u8; 32]>>,
}

/// What became of a look at the files.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// They are as they were.
    Same,
    /// They hold another certificate, which is used from now on.
    Taken,
    /// They changed, and cannot be used: why. What was there before is used on.
    Refused(String),
}

impl Certificate {
    /// Reads the files.
    pub fn load(files: &Tls) -> Result<Arc<Certificate>, String> {
        let texts = Texts::read(files)?;
        let current = RwLock::new(Arc::new(texts.certified(files)?));
        let seen = Mutex::new(Some(texts.digest()));
        Ok(Arc::new(Certificate { files: files.clone(), current, seen }))
    }

    /// Reads the files again. Blocks as long as the disk does.
    pub fn look(&self) -> Look {
        let texts = Texts::read(&self.files);
        let digest = texts.as_ref().ok().map(Texts::digest);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == digest {
            return Look::Same;
        }
        *seen = digest;
        match texts.and_then(|texts| texts.certified(&self.files)) {
            Ok(certified) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(certified);
                Look::Taken
            }
            Err(error) => Look::Refused(error),
        }
    }

    /// Looks at the files now and then, for as long as it is polled.
    pub async fn watch(self: Arc<Certificate>) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            Arc::clone(&self).look_and_tell().await;
        }
    }

    /// Looks at the files and logs what came of it, unless they are as they were.
    pub async fn look_and_tell(self: Arc<Certificate>) {
        match tokio::task::spawn_blocking(move || self.look()).await {
            Ok(Look::Same) => {}
            Ok(Look::Taken) => tracing::info!("the port's certificate was replaced"),
            Ok(Look::Refused(error)) => {
                tracing::error!(error, "the port's new certificate is not used, the old one is");
            }
            Err(error) => tracing::error!(error = crate::cause::told(&error), "read a certificate"),
        }
    }

    /// What makes connections TLS with whatever certificate there is then.
    pub fn acceptor(self: &Arc<Certificate>) -> Result<TlsAcceptor, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("set up TLS: {error}"))?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Certificate>::clone(self);
        let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// What the two files hold.
struct Texts {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Texts {
    fn read(files: &Tls) -> Result<Texts, String> {
        Ok(Texts { certificate: bytes_of(&files.certificate)?, key: bytes_of(&files.key)? })
    }

    fn digest(&self) -> [u8; 32] {
        use sha2::{Digest, Sha256};
        let mut digest = Sha256::new();
        digest.update((self.certificate.len() as u64).to_le_bytes());
        digest.update(&self.certificate);
        digest.update(&self.key);
        digest.finalize().into()
    }

    fn certified(&self, files: &Tls) -> Result<CertifiedKey, String> {
        let wrong = |path: &Path, what: &str| format!("{}: {what}", path.display());
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| wrong(&files.certificate, "is not a PEM file"))?;
        if chain.is_empty() {
            return Err(wrong(&files.certificate, "holds no certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| match error {
            PemError::NoItemsFound => wrong(&files.key, "holds no key that is not encrypted"),
            _ => wrong(&files.key, "is not a PEM file"),
        })?;
        CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|error| {
            use rustls::Error::{InconsistentKeys, InvalidCertificate};
            match error {
                InconsistentKeys(_) => wrong(&files.key, "is not the key of the certificate"),
                InvalidCertificate(_) => wrong(&files.certificate, "is not a certificate"),
                other => wrong(&files.key, &other.to_string()),
            }
        })
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let told = |error: std::io::Error| format!("read {}: {error}", path.display());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(told)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(told)?;
    match bytes.len() as u64 > FILE_BYTES_MAX {
        true => Err(format!("{}: is larger than {FILE_BYTES_MAX} bytes", path.display())),
        false => Ok(bytes),
    }
}
