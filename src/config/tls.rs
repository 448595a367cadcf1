//! TLS as configured: what the keys mean, and which of them need each other.

use std::path::PathBuf;

use super::fault::Wrong;
use super::model::{Listen, Pool};

/// TLS of one pool, before clients and before shards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Where clients connect that speak TLS.
    pub listen: Option<Listen>,
    /// The certificate shown to clients, and those that lead from it to an authority.
    pub cert_file: Option<PathBuf>,
    /// Its private key.
    pub key_file: Option<PathBuf>,
    /// The authorities that sign clients' certificates.
    pub ca_cert_file: Option<PathBuf>,
    /// Whether clients have to show a certificate.
    pub auth_clients: AuthClients,
    /// What in a client's certificate is the name of its user.
    pub user: CertificateUser,
    /// The versions of TLS that are spoken, on both sides.
    pub protocols: Protocols,
    /// Whether links speak TLS.
    pub to_shards: bool,
    /// The authorities that sign shards' certificates.
    pub shard_ca_cert_file: Option<PathBuf>,
    /// The certificate shown to shards.
    pub shard_cert_file: Option<PathBuf>,
    /// Its private key.
    pub shard_key_file: Option<PathBuf>,
    /// The name in shards' certificates, where it is not the host's.
    pub shard_name: Option<String>,
    /// What has to be right about a shard's certificate.
    pub verify_shard: VerifyShard,
}

/// Whether clients have to show a certificate that an authority signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthClients {
    /// None is asked for.
    No,
    /// One that is shown has to be right.
    Optional,
    /// They have to.
    #[default]
    Yes,
}

/// What in a client's certificate is the name of the user that it begins as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateUser {
    /// Nothing: who it is the client has to say with AUTH.
    #[default]
    None,
    /// The common name of its subject.
    Cn,
    /// The DNS name among its alternative names.
    Dns,
    /// The e-mail address among them.
    Email,
    /// The URI among them, as in SPIFFE.
    Uri,
}

/// The versions of TLS that are spoken. Older ones are not: nobody should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocols {
    /// The newer that both sides know.
    #[default]
    Both,
    /// TLS 1.2 alone.
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
}

/// What has to be right about a shard's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerifyShard {
    /// An authority signed it, it is not expired, and it bears the shard's name.
    #[default]
    Full,
    /// All of that but the name.
    Ca,
    /// Nothing.
    No,
}

impl Tls {
    /// The files that it is made from, each with its key.
    pub fn files(&self) -> Vec<(&'static str, &PathBuf)> {
        let all = [
            ("tls_cert_file", &self.cert_file),
            ("tls_key_file", &self.key_file),
            ("tls_ca_cert_file", &self.ca_cert_file),
            ("server_tls_ca_cert_file", &self.shard_ca_cert_file),
            ("server_tls_cert_file", &self.shard_cert_file),
            ("server_tls_key_file", &self.shard_key_file),
        ];
        all.into_iter().filter_map(|(key, file)| Some((key, file.as_ref()?))).collect()
    }
}

/// Which keys of a pool need others that are not there, or make no sense beside them.
pub(super) fn faults(pool: &Pool) -> Vec<(&'static str, Wrong)> {
    let mut faults = to_clients(pool);
    faults.extend(to_shards(&pool.tls));
    faults
}

fn to_clients(pool: &Pool) -> Vec<(&'static str, Wrong)> {
    let tls = &pool.tls;
    let mut faults = Vec::new();
    let mut fault = |key, wrong: &str, right: &str| faults.push((key, Wrong::new(wrong, right)));
    if tls.listen.is_none() {
        for (key, is_there) in [
            ("tls_cert_file", tls.cert_file.is_some()),
            ("tls_key_file", tls.key_file.is_some()),
            ("tls_ca_cert_file", tls.ca_cert_file.is_some()),
            ("tls_user", tls.user != CertificateUser::None),
        ] {
            if is_there {
                fault(key, "no client speaks TLS", "write tls_listen, or remove the key");
            }
        }
        return faults;
    }
    for (key, is_there) in
        [("tls_cert_file", tls.cert_file.is_some()), ("tls_key_file", tls.key_file.is_some())]
    {
        if !is_there {
            fault(key, "the key is missing, and tls_listen needs it", "name a file in PEM");
        }
    }
    if tls.auth_clients != AuthClients::No && tls.ca_cert_file.is_none() {
        let right = "name the file of the authorities that sign clients' certificates, or write \
                     tls_auth_clients: no";
        fault("tls_ca_cert_file", "the key is missing, and tls_auth_clients needs it", right);
    }
    if tls.auth_clients == AuthClients::No && tls.user != CertificateUser::None {
        let right = "write tls_auth_clients: yes or optional";
        fault("tls_user", "clients are not asked for a certificate", right);
    }
    if tls.user != CertificateUser::None && pool.who_decides() == super::Auth::Shard {
        let right = "write auth: users or auth: pool and redis_auth, or remove tls_user";
        fault("tls_user", "with auth: shard only a password tells shards who a client is", right);
    }
    faults
}

fn to_shards(tls: &Tls) -> Vec<(&'static str, Wrong)> {
    let mut faults = Vec::new();
    let mut fault = |key, wrong: &str, right: &str| faults.push((key, Wrong::new(wrong, right)));
    if !tls.to_shards {
        for (key, is_there) in [
            ("server_tls_ca_cert_file", tls.shard_ca_cert_file.is_some()),
            ("server_tls_cert_file", tls.shard_cert_file.is_some()),
            ("server_tls_key_file", tls.shard_key_file.is_some()),
            ("server_tls_name", tls.shard_name.is_some()),
            ("server_tls_verify", tls.verify_shard != VerifyShard::Full),
        ] {
            if is_there {
                fault(
                    key,
                    "shards are spoken to plainly",
                    "write server_tls: true, or remove the key",
                );
            }
        }
        return faults;
    }
    if tls.verify_shard != VerifyShard::No && tls.shard_ca_cert_file.is_none() {
        let right = "name the file of the authorities that sign shards' certificates";
        fault("server_tls_ca_cert_file", "the key is missing, and server_tls needs it", right);
    }
    if tls.shard_cert_file.is_some() != tls.shard_key_file.is_some() {
        let right = "write server_tls_cert_file and server_tls_key_file, or neither";
        let lacking = match tls.shard_cert_file {
            None => "server_tls_cert_file",
            Some(_) => "server_tls_key_file",
        };
        fault(lacking, "the key is missing, and the other of the two needs it", right);
    }
    if let Some(name) = &tls.shard_name
        && rustls::pki_types::ServerName::try_from(name.as_str()).is_err()
    {
        fault("server_tls_name", "this is neither a host name nor an address", "write one");
    }
    faults
}
