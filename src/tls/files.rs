//! Certificates and keys from files to what handshakes need.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use zeroize::Zeroizing;

use super::verify::{AnyName, Anyone};
use super::{TlsError, provider, versions};
use crate::config::{Address, AuthClients, Pool, VerifyShard};

/// What a handshake with a shard takes.
#[derive(Debug, Clone)]
pub struct Connector {
    /// Whom to trust and what to show.
    pub config: Arc<ClientConfig>,
    /// `server_tls_name`: the name to ask for and to check, where it is not the host.
    pub name: Option<ServerName<'static>>,
}

impl Connector {
    /// The name that the shard's certificate has to bear; `None` when the host cannot be one.
    pub fn name_of(&self, address: &Address) -> Option<ServerName<'static>> {
        match (&self.name, address) {
            (Some(name), _) => Some(name.clone()),
            (None, Address::Tcp { host, .. }) => ServerName::try_from(host.clone()).ok(),
            (None, Address::Unix(_)) => None,
        }
    }
}

/// What handshakes with the pool's clients need; `None` where no address speaks TLS.
pub fn acceptor(pool: &Pool) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    let tls = &pool.tls;
    if tls.listen.is_none() {
        return Ok(None);
    }
    let (Some(cert), Some(key)) = (&tls.cert_file, &tls.key_file) else {
        return Ok(None);
    };
    let files = Files { pool: &pool.name, keys: ["tls_cert_file", "tls_key_file"] };
    let identity = files.identity(cert, key)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(tls.protocols))
        .map_err(|error| TlsError::new(&pool.name, "tls_protocols", cert, error.to_string()))?;
    let builder = match (&tls.ca_cert_file, tls.auth_clients) {
        (_, AuthClients::No) | (None, _) => builder.with_no_client_auth(),
        (Some(authority), wanted) => {
            let roots = Arc::new(files.authorities("tls_ca_cert_file", authority)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            let verifier = match wanted {
                AuthClients::Yes => verifier,
                _ => verifier.allow_unauthenticated(),
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| {
                TlsError::new(&pool.name, "tls_ca_cert_file", authority, error.to_string())
            })?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
    match tls.auth_clients {
        // A session taken up again would not have its certificate looked at anew.
        AuthClients::Yes | AuthClients::Optional => {
            config.send_tls13_tickets = 0;
            config.session_storage = Arc::new(NoServerSessionStorage {});
        }
        AuthClients::No => {
            if let Ok(ticketer) = rustls::crypto::ring::Ticketer::new() {
                config.ticketer = ticketer;
            }
        }
    }
    Ok(Some(Arc::new(config)))
}

/// What handshakes with the pool's shards need; `None` where shards speak plainly.
pub fn connector(pool: &Pool) -> Result<Option<Connector>, TlsError> {
    let tls = &pool.tls;
    if !tls.to_shards {
        return Ok(None);
    }
    let keys = ["server_tls_cert_file", "server_tls_key_file"];
    let files = Files { pool: &pool.name, keys };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(tls.protocols))
        .map_err(|error| {
            TlsError::new(&pool.name, "tls_protocols", Path::new(""), error.to_string())
        })?;
    let builder = match (&tls.shard_ca_cert_file, tls.verify_shard) {
        (_, VerifyShard::No) | (None, _) => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone))
        }
        (Some(authority), VerifyShard::Full) => {
            builder.with_root_certificates(files.authorities(SHARD_CA, authority)?)
        }
        (Some(authority), VerifyShard::Ca) => {
            let roots = Arc::new(files.authorities(SHARD_CA, authority)?);
            let verifier =
                rustls::client::WebPkiServerVerifier::builder_with_provider(roots, provider())
                    .build()
                    .map_err(|error| {
                        TlsError::new(&pool.name, SHARD_CA, authority, error.to_string())
                    })?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName(verifier)))
        }
    };
    let config = match (&tls.shard_cert_file, &tls.shard_key_file) {
        (Some(cert), Some(key)) => {
            let identity = files.identity(cert, key)?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
        }
        _ => builder.with_no_client_auth(),
    };
    let name = tls.shard_name.as_ref().and_then(|name| ServerName::try_from(name.clone()).ok());
    Ok(Some(Connector { config: Arc::new(config), name }))
}

/// Where files are named, for errors: the pool, and the keys of certificate and private key.
struct Files<'a> {
    pool: &'a str,
    keys: [&'static str; 2],
}

impl Files<'_> {
    /// A certificate, those that vouch for it, and its private key.
    fn identity(&self, cert: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
        let [of_cert, of_key] = self.keys;
        let certs = self.certificates(of_cert, cert)?;
        let text = Zeroizing::new(self.read(of_key, key)?);
        let mut der = PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
            let wrong = match error {
                pem::Error::NoItemsFound => NO_KEY.to_owned(),
                // Nothing that stands in the file.
                _ => format!("is not valid PEM; {NO_KEY}"),
            };
            TlsError::new(self.pool, of_key, key, wrong)
        })?;
        let signer = any_supported_type(&der);
        zeroize::Zeroize::zeroize(&mut der);
        let signer = signer.map_err(|_| TlsError::new(self.pool, of_key, key, STRANGE_KEY))?;
        let identity = CertifiedKey::new(certs, signer);
        match identity.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
                Ok(identity)
            }
            Err(_) => {
                let wrong = format!("is not the key of the certificate in {}", cert.display());
                Err(TlsError::new(self.pool, of_key, key, wrong))
            }
        }
    }

    fn authorities(&self, named: &'static str, file: &Path) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates(named, file)? {
            roots
                .add(certificate)
                .map_err(|error| TlsError::new(self.pool, named, file, explain(&error)))?;
        }
        Ok(roots)
    }

    fn certificates(
        &self,
        named: &'static str,
        file: &Path,
    ) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let text = self.read(named, file)?;
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match read {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            Ok(_) => Err(TlsError::new(self.pool, named, file, NO_CERTIFICATE)),
            Err(_) => {
                let wrong = format!("is not valid PEM; {NO_CERTIFICATE}");
                Err(TlsError::new(self.pool, named, file, wrong))
            }
        }
    }

    fn read(&self, named: &'static str, file: &Path) -> Result<Vec<u8>, TlsError> {
        let told = |error: io::Error| {
            TlsError::new(self.pool, named, file, format!("cannot be read: {error}"))
        };
        if fs::metadata(file).map_err(told)?.len() > MAX_FILE {
            return Err(TlsError::new(self.pool, named, file, "is larger than 16 MiB"));
        }
        fs::read(file).map_err(told)
    }
}

/// rustls's errors in words.
fn explain(error: &rustls::Error) -> String {
    format!("holds a certificate that cannot be used: {error}")
}

const SHARD_CA: &str = "server_tls_ca_cert_file";
const NO_KEY: &str = "holds no private key in PEM that can be read; one with a passphrase has to be \
     decrypted first: openssl pkey -in FILE -out NEW";
const STRANGE_KEY: &str = "holds a private key of a kind that is not supported: take ECDSA (P-256, \
     P-384), Ed25519 or RSA of 2048 bits and more";
const NO_CERTIFICATE: &str = "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)";
/// All the world's authorities together have less than 1 MiB.
const MAX_FILE: u64 = 16 << 20;
