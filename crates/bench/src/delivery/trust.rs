//! An authority of our own, and a certificate of it for the receiver.

use std::path::PathBuf;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// Files in a directory that is gone when dropped.
pub struct Trust {
    dir: PathBuf,
}

impl Trust {
    pub fn make() -> Result<Trust> {
        let trust = Trust { dir: std::env::temp_dir().join(format!("frontdesk-trust-{}", std::process::id())) };
        std::fs::create_dir_all(&trust.dir)?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_string()])?.signed_by(&key, &issuer)?;
        for (name, text) in [("ca", issuer.pem()), ("certificate", certificate.pem()), ("key", key.serialize_pem())] {
            std::fs::write(trust.path(name), text)
                .with_context(|| format!("writing {}", trust.path(name).display()))?;
        }
        Ok(trust)
    }

    /// The file of the authority, for frontdesk.ca_file.
    pub fn authority(&self) -> String {
        self.text("ca")
    }

    /// What the receiver is started with.
    pub fn receiver(&self) -> [String; 4] {
        ["--tls-cert".into(), self.text("certificate"), "--tls-key".into(), self.text("key")]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.pem"))
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

impl Drop for Trust {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
