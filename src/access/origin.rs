//! Protected mode: a pool that wants no password serves clients of its own network alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a client from there may be let in without a password in protected mode: it is on this
/// machine or in a private network, from which no stranger of the internet can come.
///
/// Loopback, RFC 1918, RFC 6598 (carriers' networks, used inside of clouds), link-local, RFC 4193.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    address.is_loopback() || address.is_private() || address.is_link_local() || is_shared
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
}

/// What a client from a public address reads: Redis's text, with circlet's remedies.
pub const DENIED: &str = "DENIED circlet is running in protected mode because protected mode is \
    enabled and this pool wants no password of anybody. In this mode connections are only accepted \
    from the loopback interface, from unix sockets and from private networks. If you want to \
    connect from public addresses you may adopt one of the following solutions: 1) Set a password \
    with the key redis_auth of the pool, or users with passwords with its key users. 2) \
    Alternatively disable protected mode with protected_mode: false in the pool's configuration, \
    and restart circlet; MAKE SURE the pool is not publicly accessible from internet if you do so. \
    3) Set up an authentication password for the default user of the shards, if the pool leaves it \
    to them who may come in. NOTE: You only need to do one of the above things in order for the \
    pool to start accepting connections from the outside.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_one_s_own_are_told_from_the_internet() {
        let private = "127.0.0.1 127.255.0.9 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 \
             192.168.0.1 169.254.1.1 100.64.0.1 100.127.255.255 ::1 fc00::1 fdff::1 fe80::1 \
             febf::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1";
        for address in private.split_whitespace() {
            assert!(is_private(address.parse().expect(address)), "{address}");
        }
        let public = "1.1.1.1 9.255.255.255 11.0.0.1 172.15.255.255 172.32.0.1 192.167.255.255 \
             192.169.0.1 169.253.0.1 100.63.255.255 100.128.0.0 126.0.0.1 128.0.0.1 203.0.113.7 \
             0.0.0.0 :: 2001:db8::1 fe00::1 fec0::1 2606:4700::1111 ::ffff:8.8.8.8 \
             ::8.8.8.8 64:ff9b::a00:1";
        for address in public.split_whitespace() {
            assert!(!is_private(address.parse().expect(address)), "{address}");
        }
    }
}
