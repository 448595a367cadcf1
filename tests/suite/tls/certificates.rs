//! Certificates made for one test, in files as an operator has them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;

/// An authority whose word counts, and the certificates that it signed.
pub struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
#[derive(Debug, Clone)]
pub struct Papers {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Authority {
        let directory = tempfile::Builder::new().prefix("circlet-tls-").tempdir();
        let directory = directory.expect("a temporary directory");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names are good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = directory.path().display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        let own = params.self_signed(&key).expect("a certificate");
        fs::write(directory.path().join("ca.crt"), own.pem()).expect("our own directory");
        Authority { directory, issuer: Issuer::new(params, key) }
    }

    /// Its own certificate.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("ca.crt")
    }

    /// Where its certificates lie.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Signs a certificate for these names or addresses, with the file's name as common name.
    pub fn sign(&self, file: &str, names: &[&str]) -> Papers {
        self.sign_as(file, names, |_| {})
    }

    /// The same, changed before it is signed.
    pub fn sign_as(
        &self,
        file: &str,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Papers {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names of hosts");
        params.distinguished_name.push(DnType::CommonName, file);
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        self.papers(file, &signed.pem(), &key.serialize_pem())
    }

    /// One that was good long ago.
    pub fn expired(&self, file: &str, names: &[&str]) -> Papers {
        self.sign_as(file, names, |params| {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        })
    }

    fn papers(&self, file: &str, cert: &str, key: &str) -> Papers {
        let at = |end: &str| self.directory.path().join(format!("{file}.{end}"));
        let papers = Papers { cert: at("crt"), key: at("key") };
        // Renamed into place, as whoever renews certificates should.
        for (text, to) in [(key, &papers.key), (cert, &papers.cert)] {
            let new = to.with_extension("new");
            fs::write(&new, text).expect("our own directory");
            fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("our own file");
            fs::rename(&new, to).expect("our own directory");
        }
        papers
    }

    /// A client that trusts this authority, and shows `papers` if it has any.
    pub fn client(&self, papers: Option<&Papers>) -> Arc<ClientConfig> {
        self.client_of(papers, rustls::ALL_VERSIONS)
    }

    /// The same that speaks these versions alone.
    pub fn client_of(
        &self,
        papers: Option<&Papers>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let own = CertificateDer::from_pem_file(self.file()).expect("our own file");
        roots.add(own).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions that there are")
            .with_root_certificates(roots);
        let config = match papers {
            None => builder.with_no_client_auth(),
            Some(papers) => {
                let cert = CertificateDer::from_pem_file(&papers.cert).expect("our own file");
                let key = PrivateKeyDer::from_pem_file(&papers.key).expect("our own file");
                builder.with_client_auth_cert(vec![cert], key).expect("they belong together")
            }
        };
        Arc::new(config)
    }
}

/// A URI among the alternative names.
pub fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().expect("ASCII"))
}
