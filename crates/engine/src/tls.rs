//! What all encrypted connections have in common: the crypto provider, what is checked of a server's
//! certificate, and what an error means.
//!
//! Promises: no check is ever weaker than the mode asked for. Deliberately not here: handshakes. The
//! driver for MySQL makes its own from the endpoint's options; [`client_config`] is for the others.

use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, Once};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};

use crate::endpoint::{Tls, TlsMode};
use crate::error::{Error, ErrorKind, Result, Side};

/// What a connection checks as `tls` demands, speaking one of `versions`. Where the mode is `Disable`
/// nothing is checked: what is then encrypted, if anything, is so against listeners only.
///
/// Fails if the file of certificates cannot be read.
pub(crate) fn client_config(
    tls: &Tls,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig> {
    install_provider();
    let verifier: Arc<dyn ServerCertVerifier> = match tls.mode {
        TlsMode::Disable | TlsMode::Prefer | TlsMode::Require => {
            Arc::new(Verifier { chain: None, provider: provider() })
        }
        TlsMode::VerifyCa => {
            Arc::new(Verifier { chain: Some(chain_verifier(tls)?), provider: provider() })
        }
        TlsMode::VerifyFull => chain_verifier(tls)?,
    };
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|error| failed(format!("set up encryption: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn failed(text: String) -> Error {
    Error::new(ErrorKind::Tls, Side::Internal, text)
}

/// Checks chain and name.
fn chain_verifier(tls: &Tls) -> Result<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    match &tls.ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let unreadable = |what: String| {
                let text = format!("read the certificates of ca={}: {what}", path.display());
                Error::new(ErrorKind::Usage, Side::Internal, text)
            };
            let certificates = CertificateDer::pem_file_iter(path);
            for certificate in certificates.map_err(|error| unreadable(error.to_string()))? {
                let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
                roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unreadable("there is none in it".to_owned()));
            }
        }
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| failed(format!("set up the check of certificates: {error}")))
}

/// Checks less than all of a certificate: the chain without the name, or nothing.
#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        let verified =
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The name is looked at last, when the chain has been found good.
            Err(error) if is_name_error(&error) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Makes aws-lc-rs the process's crypto provider, unless the program chose one before.
pub(crate) fn install_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // It fails only where a provider is already there, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

/// The TLS error within `error`, if it is one.
pub(crate) fn find_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // `io::Error::source` skips the error it was made of.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// After a handshake failed: was the chain of certificates good and only the host name wrong?
pub(crate) fn is_name_error(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    )
}

/// Says what a TLS error means to an operator.
pub(crate) fn explain(error: &rustls::Error) -> String {
    use rustls::{AlertDescription, Error};
    let hint = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "; ca= must name the authority that signed it (without ca= only public ones count)"
        }
        Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }) => {
            "; host names are compared with the certificate's subject alternative names (SAN), \
             never with its common name"
        }
        Error::InvalidCertificate(_) => {
            "; dbferry wants an X.509 version 3 certificate with a subject alternative name (SAN)"
        }
        Error::AlertReceived(
            AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure,
        )
        | Error::PeerIncompatible(_)
        | Error::InvalidMessage(_) => "; dbferry speaks TLS 1.2 and 1.3 only",
        _ => "",
    };
    format!("{error}{hint}")
}
