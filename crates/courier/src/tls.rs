//! Trust: which authorities, and what to say when a certificate is refused.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, InvalidMessage, RootCertStore};

use crate::failure::{Failure, FailureKind};

/// HTTP/2 in the handshake (RFC 9113, section 3.2).
pub(crate) const H2: &[u8] = b"h2";

/// Client configuration, built at the first https request: plain http never pays for it.
pub(crate) struct Tls {
    extra_ca_file: Option<PathBuf>,
    /// when the file was last changed, so that a reload notices a new version of it
    changed: Option<SystemTime>,
    built: Mutex<Option<Arc<ClientConfig>>>,
}

impl Tls {
    /// The process's own, as long as the file is the same: loading the system's authorities takes milliseconds, and a
    /// fetch would do it each time. A change of the system's authorities is noticed at the next start.
    pub(crate) fn shared(extra_ca_file: Option<PathBuf>) -> Arc<Tls> {
        static LAST: Mutex<Option<Arc<Tls>>> = Mutex::new(None);
        let changed = changed(&extra_ca_file);
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(tls) if tls.extra_ca_file == extra_ca_file && tls.changed == changed => tls.clone(),
            _ => last.insert(Arc::new(Tls { extra_ca_file, changed, built: Mutex::new(None) })).clone(),
        }
    }

    /// Errors when the extra file cannot be read or holds no certificate: trust that was asked for must not be missing silently.
    pub(crate) fn client(&self) -> Result<Arc<ClientConfig>, Failure> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*built {
            return Ok(client.clone());
        }
        let client = Arc::new(self.build().map_err(|why| Failure::new(FailureKind::Tls, why))?);
        *built = Some(client.clone());
        Ok(client)
    }

    fn build(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            // a bare container image has no ca-certificates
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        if let Some(path) = &self.extra_ca_file {
            let unusable = |why: &dyn std::fmt::Display| format!("cannot use CA file \"{}\": {why}", path.display());
            let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
                .and_then(|certificates| certificates.collect())
                .map_err(|e| unusable(&e))?;
            if roots.add_parsable_certificates(certificates).0 == 0 {
                return Err(unusable(&"it holds no certificate"));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
        Ok(client)
    }
}

fn changed(path: &Option<PathBuf>) -> Option<SystemTime> {
    std::fs::metadata(path.as_ref()?).and_then(|file| file.modified()).ok()
}

/// A failed handshake.
pub(crate) fn handshake_failure(error: &io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(tls) => Failure::new(FailureKind::Tls, format!("TLS handshake failed: {}", explain(tls))),
        None => Failure::from_io(error, "during the TLS handshake"),
    }
}

/// Says what is wrong in the words of whoever has to renew the certificate.
pub(crate) fn explain(error: &rustls::Error) -> String {
    use CertificateError::*;
    let certificate = match error {
        rustls::Error::InvalidCertificate(certificate) => certificate,
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => return "this is not a TLS port".into(),
        other => return other.to_string(),
    };
    match certificate {
        Expired | ExpiredContext { .. } => "the certificate has expired".into(),
        NotValidYet | NotValidYetContext { .. } => "the certificate is not valid yet".into(),
        NotValidForName | NotValidForNameContext { .. } => "the certificate is for another name".into(),
        UnknownIssuer => "the certificate is self-signed or from an unknown authority".into(),
        Revoked => "the certificate is revoked".into(),
        Other(other) if other.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) => {
            "the certificate is a self-signed authority's own (CA:TRUE), which cannot be a server's".into()
        }
        other => format!("the certificate cannot be verified: {other}"),
    }
}
