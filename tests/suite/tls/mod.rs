//! TLS on both sides: who is let in, what passes, and what the log says of those who are not.

mod certificates;
mod clients;
mod drain;
mod links;
mod refusals;
mod reload;
mod secrets;
mod traffic;
mod users;

use std::fmt::Write;
use std::io;
use std::sync::Arc;

use rustls::ClientConfig;

use self::certificates::{Authority, Papers};
use crate::harness::{Address, Circlet, Client, Proxy, Shard, free_port};

/// circlet with a TLS address and a plain one, over shards.
struct Scene {
    authority: Authority,
    /// circlet's own certificate before clients.
    papers: Papers,
    shards: Vec<Shard>,
    proxy: Proxy,
}

impl Scene {
    /// Over two shards that speak plainly; `settings` are further lines of the pool.
    fn start(settings: &str) -> Scene {
        let shards = Shard::several(2);
        let servers: Vec<String> = shards.iter().map(|shard| shard.server(1, None)).collect();
        let authority = Authority::new();
        Scene::over(authority, shards, &servers, settings)
    }

    /// Over two shards that speak TLS, and want a certificate.
    fn on_both_sides(settings: &str) -> Scene {
        let authority = Authority::new();
        let papers = authority.sign("shard", &["127.0.0.1", "localhost"]);
        let link = authority.sign("link", &[]);
        let shards: Vec<(Shard, String)> =
            (0..2).map(|_| tls_shard(&authority, &papers, &[])).collect();
        let (shards, servers): (Vec<Shard>, Vec<String>) = shards.into_iter().unzip();
        let more = format!("{}\n{settings}", to_shards(&authority, &link));
        Scene::over(authority, shards, &servers, &more)
    }

    fn over(authority: Authority, shards: Vec<Shard>, servers: &[String], settings: &str) -> Scene {
        let papers = authority.sign("circlet", &["127.0.0.1", "localhost"]);
        let text = pool(&authority, &papers, servers, settings);
        let proxy = Circlet::with_arguments(&text, &["-v", "6", "--threads", "2"]);
        Scene { authority, papers, shards, proxy }
    }

    fn address(&self) -> Address {
        self.proxy.address_of("tls")
    }

    /// A client without a certificate.
    fn client(&self) -> Client {
        self.client_with(&self.authority.client(None)).expect("a handshake")
    }

    fn client_with(&self, config: &Arc<ClientConfig>) -> io::Result<Client> {
        Client::try_connect_tls(&self.address(), config, "localhost")
    }
}

/// A pool's text, patient with its shards. Clients need no certificate unless `settings` say so.
fn pool(authority: &Authority, papers: &Papers, servers: &[String], settings: &str) -> String {
    let mut text = String::from(
        "pool:\n  listen: 127.0.0.1:{port:pool}\n  tls_listen: 127.0.0.1:{port:tls}\n",
    );
    let wants = if settings.contains("tls_auth_clients") { "" } else { "tls_auth_clients: no" };
    // A machine that does much else must not fail a shard that is well.
    let patience = ["connect_timeout", "heartbeat_timeout"];
    let patience = patience.iter().filter(|key| !settings.contains(**key));
    let patience: String = patience.map(|key| format!("\n{key}: 20000")).collect();
    let (cert, key) = (papers.cert.display(), papers.key.display());
    let (file, shown) = (authority.file(), settings.trim());
    let lines = format!(
        "redis: true\ntls_cert_file: {cert}\ntls_key_file: {key}\ntls_ca_cert_file: {}\n{wants}\n\
         {shown}{patience}",
        file.display()
    );
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let _ = writeln!(text, "  {line}");
    }
    text += "  servers:\n";
    for server in servers {
        let _ = writeln!(text, "    - {server}");
    }
    text
}

/// The lines of a pool whose shards speak TLS and want to see `link`.
fn to_shards(authority: &Authority, link: &Papers) -> String {
    format!(
        "server_tls: true\nserver_tls_ca_cert_file: {}\nserver_tls_cert_file: {}\n\
         server_tls_key_file: {}",
        authority.file().display(),
        link.cert.display(),
        link.key.display()
    )
}

/// A shard that speaks TLS at a port of its own, beside the plain one, and the line that names it.
fn tls_shard(authority: &Authority, papers: &Papers, arguments: &[&str]) -> (Shard, String) {
    let port = free_port().to_string();
    let (cert, key) = (papers.cert.display().to_string(), papers.key.display().to_string());
    let authority = authority.file().display().to_string();
    let mut all = vec!["--tls-port", &port, "--tls-cert-file", &cert, "--tls-key-file", &key];
    all.extend(["--tls-ca-cert-file", &authority]);
    all.extend(arguments);
    let shard = Shard::with(&all);
    (shard, format!("127.0.0.1:{port}:1"))
}
