//! A real haproxy in front, which says whom it speaks for in both versions of the protocol.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;

use super::{LOCAL, addresses, over};
use crate::harness::{Address, Client, Process, Reply, Shard, eventually, free_port};

#[test]
fn clients_behind_haproxy_are_known_by_their_own_address() {
    let shard = Shard::start();
    let proxy = over(&shard, LOCAL);
    for header in ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"]
    {
        let port = free_port();
        let Address::Tcp(circlet) = proxy.address() else { panic!("it is a port") };
        let mut config = tempfile::NamedTempFile::new().expect("a temporary file");
        let text = format!(
            "global\n  maxconn 100\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client \
             30s\n  timeout server 30s\nfrontend f\n  bind 127.0.0.1:{port}\n  unique-id-format \
             %ci-%cp\n  default_backend b\nbackend b\n  server circlet 127.0.0.1:{circlet} check \
             inter 50 {header}\n"
        );
        config.write_all(text.as_bytes()).expect("a file of our own");
        let _haproxy = Process::start("haproxy", |command| {
            command.arg("-db").arg("-f").arg(config.path());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        })
        .expect("haproxy is installed");
        eventually("haproxy listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let mut client = Client::connect(&Address::Tcp(port));
        assert_eq!(client.command(&["SET", "k", header]), Reply::ok());
        assert_eq!(client.command(&["GET", "k"]), Reply::bulk(header));
        let (peer, own) = addresses(&mut client);
        let peer: SocketAddr = peer.parse().expect("an address");
        assert_eq!(peer, client.local_address(), "{header}");
        assert_eq!(own, format!("127.0.0.1:{port}"), "{header}");
    }
    // Its checks came with a header of their own, or left without a word: no fault was told.
    assert!(!proxy.log().contains("client refused"), "{}", proxy.log());
}
