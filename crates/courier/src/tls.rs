//! Trust: which authorities, and what to say when a certificate is refused.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{AlertDescription, CertificateError, ClientConfig, InvalidMessage, RootCertStore};

use crate::failure::{Failure, FailureKind};
use crate::pin::{NotPinned, Pinned};
use crate::target::Http;
use crate::trust::{Trust, provider};

/// HTTP/2 in the handshake (RFC 9113, section 3.2), and HTTP/1.1 (RFC 7301, section 6).
pub(crate) const H2: &[u8] = b"h2";
const H1: &[u8] = b"http/1.1";

/// Receivers whose sessions are remembered, so that the next connection to them costs no signature.
const SESSIONS: usize = 4096;

/// Configurations that are kept: one for each of what endpoints ask for.
const MOST_KINDS: usize = 4096;

/// What a connection is opened with, beside what all have in common.
type Kind = (Option<Arc<Trust>>, Http);

/// Client configurations, built at the first https request: plain http never pays for it.
pub(crate) struct Tls {
    extra_ca_file: Option<PathBuf>,
    /// when the file was last changed, so that a reload notices a new version of it
    changed: Option<SystemTime>,
    roots: Mutex<Option<Arc<RootCertStore>>>,
    /// each has the sessions of its own: what was verified under other conditions is not resumed
    built: Mutex<HashMap<Kind, Arc<ClientConfig>>>,
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
            _ => last
                .insert(Arc::new(Tls { extra_ca_file, changed, roots: Mutex::default(), built: Mutex::default() }))
                .clone(),
        }
    }

    /// Errors when the extra file cannot be read or holds no certificate: trust that was asked for must not be missing silently.
    pub(crate) fn client(&self, trust: &Option<Arc<Trust>>, http: Http) -> Result<Arc<ClientConfig>, Failure> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = (trust.clone(), http);
        if let Some(client) = built.get(&kind) {
            return Ok(client.clone());
        }
        let client = self.build(trust.as_deref(), http).map_err(|why| Failure::new(FailureKind::Tls, why))?;
        let client = Arc::new(client);
        if built.len() >= MOST_KINDS {
            built.clear();
        }
        built.insert(kind, client.clone());
        Ok(client)
    }

    fn build(&self, trust: Option<&Trust>, http: Http) -> Result<ClientConfig, String> {
        let roots = match trust.and_then(Trust::roots) {
            Some(own) => Arc::new(own),
            None => self.roots()?,
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?;
        let builder = match trust.map(|trust| &trust.pins).filter(|pins| !pins.is_empty()) {
            None => builder.with_root_certificates(roots),
            Some(pins) => {
                let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
                let pinned = Pinned { verifier: verifier.map_err(|e| e.to_string())?, pins: pins.clone() };
                builder.dangerous().with_custom_certificate_verifier(Arc::new(pinned))
            }
        };
        let mut client = match trust.and_then(|trust| trust.identity.as_ref()) {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|e| e.to_string())?,
        };
        client.resumption = Resumption::in_memory_sessions(SESSIONS);
        client.alpn_protocols = match http {
            Http::Auto => vec![H2.to_vec(), H1.to_vec()],
            Http::One => vec![H1.to_vec()],
            Http::Two => vec![H2.to_vec()],
        };
        Ok(client)
    }

    /// The system's authorities and those of the extra file.
    fn roots(&self) -> Result<Arc<RootCertStore>, String> {
        let mut known = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roots) = &*known {
            return Ok(roots.clone());
        }
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
        Ok(known.insert(Arc::new(roots)).clone())
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
        rustls::Error::AlertReceived(alert) => return told(*alert),
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
        Other(other) if other.0.is::<NotPinned>() => other.0.to_string(),
        other => format!("the certificate cannot be verified: {other}"),
    }
}

/// What the receiver has against us.
fn told(alert: AlertDescription) -> String {
    use AlertDescription::*;
    match alert {
        NoApplicationProtocol => "the receiver does not speak the version of HTTP that is asked for".into(),
        CertificateRequired => "the receiver asks for a client certificate".into(),
        BadCertificate
        | UnsupportedCertificate
        | CertificateRevoked
        | CertificateExpired
        | CertificateUnknown
        | UnknownCA
        | AccessDenied
        | DecryptError => format!("the receiver refuses the client certificate ({alert:?})"),
        other => format!("the receiver ended it with alert {other:?}"),
    }
}
