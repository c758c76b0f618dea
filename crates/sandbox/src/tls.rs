//! Certificates for servers that speak TLS.
//!
//! A throwaway authority signs one server certificate for `localhost` and 127.0.0.1. A second,
//! unrelated authority is written beside it, for tests in which verification must fail. Keys are
//! made per server and never leave its folder.

use crate::{Error, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::fs;
use std::path::{Path, PathBuf};

/// The certificate files of one server.
#[derive(Debug)]
pub struct Certificates {
    /// The authority that signed the server's.
    pub ca: PathBuf,
    /// An authority that has nothing to do with it.
    pub unrelated_ca: PathBuf,
    /// The server's certificate.
    pub server: PathBuf,
    /// Its key.
    pub server_key: PathBuf,
}

/// Makes the authority, the server certificate and the unrelated authority in `dir`.
///
/// # Errors
///
/// When a file cannot be written.
pub fn create(dir: &Path) -> Result<Certificates> {
    let files = Certificates {
        ca: dir.join("ca.pem"),
        unrelated_ca: dir.join("unrelated-ca.pem"),
        server: dir.join("server-cert.pem"),
        server_key: dir.join("server-key.pem"),
    };
    let made = generate()
        .map_err(|error| Error::Client { program: "rcgen".into(), message: error.to_string() })?;
    let contents = [
        (&files.ca, made.ca),
        (&files.unrelated_ca, made.unrelated_ca),
        (&files.server, made.server),
        (&files.server_key, made.server_key),
    ];
    for (path, pem) in contents {
        fs::write(path, pem).map_err(Error::path("write", path))?;
    }
    Ok(files)
}

struct Pems {
    ca: String,
    unrelated_ca: String,
    server: String,
    server_key: String,
}

fn generate() -> std::result::Result<Pems, rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let ca_params = authority("sandbox authority")?;
    let ca = ca_params.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca_params, ca_key);
    let unrelated_ca = authority("unrelated authority")?.self_signed(&KeyPair::generate()?)?.pem();

    let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "sandbox server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let server = params.signed_by(&key, &issuer)?.pem();
    Ok(Pems { ca, unrelated_ca, server, server_key: key.serialize_pem() })
}

fn authority(name: &str) -> std::result::Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}
