//! A certificate authority and a server's certificate, for tls.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::process::{self, Folder};

/// Files in the folder of a server.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// What a client trusts.
    pub authority: PathBuf,
    /// For 127.0.0.1 and localhost.
    pub server: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    pub fn write(folder: &Folder) -> Self {
        let [authority, server, key] = ["authority.pem", "server.pem", "key.pem"].map(|name| folder.join(name));
        let authority_key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = parameters.self_signed(&authority_key).expect("an authority");
        let issuer = Issuer::new(parameters, authority_key);

        let server_key = KeyPair::generate().expect("a key");
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let parameters = CertificateParams::new(names).expect("parameters");
        let certificate = parameters.signed_by(&server_key, &issuer).expect("a certificate");

        fs::write(&authority, root.pem()).expect("a file");
        fs::write(&server, certificate.pem()).expect("a file");
        fs::write(&key, server_key.serialize_pem()).expect("a file");
        // PostgreSQL refuses a key that others may read.
        process::run(process::command(&["chmod".to_owned(), "600".to_owned(), key.display().to_string()]));
        Self { authority, server, key }
    }
}
