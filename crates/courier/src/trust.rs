//! What one endpoint asks of TLS beside what all share: authorities of its own, the receiver's key, a certificate of ours.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};

use crate::certificate::{Moment, not_after};
use crate::pin::Pin;
use crate::trust_error::{CA, CERTIFICATE, KEY, TrustError};

/// As they are declared: certificates and key are PEM.
#[derive(Clone, Default)]
pub struct TlsOptions {
    /// authorities that are trusted for it, instead of the system's and those of `extra_ca_file`
    pub ca: Option<String>,
    /// `sha256/BASE64` of the public key (SubjectPublicKeyInfo) of the receiver's own certificate; one must fit
    pub pins: Vec<String>,
    /// what the receiver knows us by: our certificate, then those that lead to its authority
    pub client_certificate: Option<String>,
    /// its key
    pub client_key: Option<String>,
}

/// [`TlsOptions`] read and checked. Connections are shared among equal ones only.
#[derive(PartialEq, Eq)]
pub struct Trust {
    pub(crate) authorities: Vec<CertificateDer<'static>>,
    pub(crate) pins: Vec<Pin>,
    pub(crate) identity: Option<Identity>,
}

/// Who we are.
#[derive(PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Trust {
    /// Validity is another question: see [`Trust::check_validity`].
    pub fn parse(options: &TlsOptions) -> Result<Trust, TrustError> {
        let authorities = match &options.ca {
            None => Vec::new(),
            Some(pem) => authorities(pem)?,
        };
        let pins = options.pins.iter().map(|text| Pin::parse(text).ok_or_else(|| TrustError::Pin(text.clone())));
        let pins = pins.collect::<Result<Vec<_>, _>>()?;
        let identity = match (&options.client_certificate, &options.client_key) {
            (None, None) => None,
            (Some(chain), Some(key)) => Some(Identity::parse(chain, key)?),
            (Some(_), None) => return Err(TrustError::Missing(KEY)),
            (None, Some(_)) => return Err(TrustError::Missing(CERTIFICATE)),
        };
        if authorities.is_empty() && pins.is_empty() && identity.is_none() {
            return Err(TrustError::Empty);
        }
        Ok(Trust { authorities, pins, identity })
    }

    /// An error when our certificate, or one that leads to its authority, is not valid any more, or none of the
    /// authorities is.
    pub fn check_validity(&self, now: Moment) -> Result<(), TrustError> {
        let chain = self.identity.iter().flat_map(|identity| &identity.chain);
        let first_to_end = chain.filter_map(|certificate| not_after(certificate)).min();
        if let Some(end) = first_to_end.filter(|end| *end < now) {
            return Err(TrustError::Expired(CERTIFICATE, end));
        }
        let last_to_end = self.authorities.iter().filter_map(|certificate| not_after(certificate)).max();
        match last_to_end.filter(|end| *end < now) {
            Some(end) => Err(TrustError::Expired(CA, end)),
            None => Ok(()),
        }
    }

    /// Its own authorities; `None`: those that all share.
    pub(crate) fn roots(&self) -> Option<RootCertStore> {
        if self.authorities.is_empty() {
            return None;
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.authorities.iter().cloned());
        Some(roots)
    }
}

/// The key is not hashed: equal certificates of two keys do not happen.
impl Hash for Trust {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for certificate in self.authorities.iter().chain(self.identity.iter().flat_map(|identity| &identity.chain)) {
            certificate.as_ref().hash(state);
        }
        self.pins.hash(state);
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_identity = self.identity.is_some();
        write!(f, "Trust({} authorities, {} pins, {has_identity})", self.authorities.len(), self.pins.len())
    }
}

impl Identity {
    fn parse(chain: &str, key: &str) -> Result<Identity, TrustError> {
        let chain = certificates(CERTIFICATE, chain)?;
        let parsed = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| {
            TrustError::Key(match key.contains("ENCRYPTED") {
                true => "it is encrypted with a password",
                false => "it is not a private key in PEM",
            })
        })?;
        let unusable =
            TrustError::Key("a key of this kind cannot be used: only RSA, ECDSA on P-256 or P-384, and Ed25519");
        let signing = provider().key_provider.load_private_key(parsed.clone_key()).map_err(|_| unusable)?;
        match CertifiedKey::new(chain.clone(), signing).keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Identity { chain, key: parsed })
            }
            Err(_) => Err(TrustError::Mismatch),
        }
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn authorities(pem: &str) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let all = certificates(CA, pem)?;
    for (number, certificate) in all.iter().enumerate() {
        let added = RootCertStore::empty().add(certificate.clone());
        added.map_err(|e| TrustError::Certificate(CA, format!("certificate {} cannot be used: {e}", number + 1)))?;
    }
    Ok(all)
}

fn certificates(option: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let wrong = |why: String| TrustError::Certificate(option, why);
    let all = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    // what is told of a PEM that cannot be read could be a part of a key
    let all = all.map_err(|_| wrong("it is not PEM".into()))?;
    if all.is_empty() {
        return Err(wrong("it holds no certificate".into()));
    }
    for (number, certificate) in all.iter().enumerate() {
        ParsedCertificate::try_from(certificate)
            .map_err(|e| wrong(format!("certificate {} cannot be read: {e}", number + 1)))?;
    }
    Ok(all)
}
