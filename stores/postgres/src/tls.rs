//! TLS, with rustls and ring.

use std::sync::Arc;

use http_session_store::error::ConnectError;
use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, WantsVerifier,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connector::Connector;

/// `sslmode=prefer`: TLS if the server offers it. No certificate is checked: an attacker who can show a wrong one can just as
/// well say that there is no TLS, which this mode accepts.
pub(super) fn preferred() -> Result<Connector, ConnectError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = AnyCertificate(Arc::clone(&provider));
    let builder = builder(provider)?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(connector(builder))
}

/// `sslmode=require` and stricter: a certificate for the host's name, issued by an authority in the file, or without a file by
/// one that the system trusts.
pub(super) fn required(authorities: Option<&str>) -> Result<Connector, ConnectError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(file) => {
            let unreadable =
                || ConnectError::InvalidUrl("its `sslrootcert` is not a readable file of certificates in PEM format");
            for certificate in CertificateDer::pem_file_iter(file).map_err(|_| unreadable())? {
                let certificate = certificate.map_err(|_| unreadable())?;
                roots.add(certificate).map_err(|_| unreadable())?;
            }
        }
        // A certificate that cannot be read is not trusted.
        None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    if roots.is_empty() {
        return Err(ConnectError::InvalidUrl(
            "its `sslmode` needs TLS, and the system trusts no certificate authority: name a file with `sslrootcert`",
        ));
    }
    Ok(connector(builder(Arc::new(ring::default_provider()))?.with_root_certificates(roots)))
}

/// Names the provider, because the process may have another default, or two providers and no default.
fn builder(provider: Arc<CryptoProvider>) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, ConnectError> {
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.map_err(|_| ConnectError::InvalidUrl("TLS could not be set up"))
}

fn connector(builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> Connector {
    Connector::Tls(MakeRustlsConnect::new(builder.with_no_client_auth()))
}

/// Accepts every certificate whose key the server has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
