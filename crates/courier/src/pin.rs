//! Certificate pins: the receiver's own key must be one that is known, whoever vouches for it.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use sha2::{Digest, Sha256};

/// SHA-256 of a SubjectPublicKeyInfo, as in RFC 7469, section 2.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pin(pub(crate) [u8; 32]);

impl Pin {
    pub(crate) fn parse(text: &str) -> Option<Pin> {
        let bytes = STANDARD.decode(text.strip_prefix("sha256/")?).ok()?;
        bytes.try_into().ok().map(Pin)
    }

    /// Of the certificate's key.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Pin> {
        let key = ParsedCertificate::try_from(certificate).ok()?.subject_public_key_info();
        Some(Pin(Sha256::digest(key.as_ref()).into()))
    }
}

/// What [`crate::tls::explain`] says when no pin fits.
#[derive(Debug)]
pub(crate) struct NotPinned(Option<Pin>);

impl fmt::Display for NotPinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(Pin(hash)) => write!(f, "the receiver's key sha256/{} is not pinned", STANDARD.encode(hash)),
            None => write!(f, "the receiver's key cannot be read"),
        }
    }
}

impl std::error::Error for NotPinned {}

/// Verifies as everywhere, and then the key. Of the chain only the receiver's own certificate counts: what else it sends
/// need not be a part of what was verified.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) verifier: Arc<WebPkiServerVerifier>,
    pub(crate) pins: Vec<Pin>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let key = Pin::of(end_entity);
        match key.is_some_and(|key| self.pins.contains(&key)) {
            true => Ok(verified),
            false => Err(CertificateError::Other(OtherError(Arc::new(NotPinned(key)))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
