//! Lists of addresses that a pool trusts.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Addresses and ranges of addresses, and perhaps whoever comes through a unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks {
    ranges: Vec<IpNet>,
    unix: bool,
}

/// Reads addresses, ranges such as `10.0.0.0/8`, and the word `unix`, with blanks or commas in
/// between. The error tells what is wrong; [`REMEDY`] tells what is right.
impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut networks = Self { ranges: Vec::new(), unix: false };
        let words = text.split(|c: char| c == ',' || c.is_whitespace());
        for word in words.filter(|word| !word.is_empty()) {
            let address = || word.parse::<IpAddr>().map(|address| IpNet::from(canonical(address)));
            match word.parse::<IpNet>().or_else(|_| address()) {
                Ok(range) => networks.ranges.push(range.trunc()),
                Err(_) if word == "unix" => networks.unix = true,
                Err(_) => return Err(format!("{word:?} is no address, no range and not \"unix\"")),
            }
        }
        match networks.unix || !networks.ranges.is_empty() {
            true => Ok(networks),
            false => Err("the list is empty".to_owned()),
        }
    }
}

impl Networks {
    /// Whether `address` is among them; `None` is the other end of a unix socket.
    pub fn contain(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address.map(canonical) else { return self.unix };
        self.ranges.iter().any(|range| range.contains(&address))
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self.ranges.iter().map(IpNet::to_string);
        let words: Vec<String> = ranges.chain(self.unix.then(|| "unix".to_owned())).collect();
        f.write_str(&words.join(", "))
    }
}

/// An IPv4 address that came through an IPv6 socket is that IPv4 address.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// What a list of addresses looks like.
pub(crate) const REMEDY: &str =
    "write addresses (10.1.2.3, ::1), ranges (10.0.0.0/8) or unix, with commas in between";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_the_ranges_that_hold_it() {
        let networks = "10.1.2.3/8, 192.168.7.7 fd00::/8,::1".parse::<Networks>().expect("a list");
        assert_eq!(networks.to_string(), "10.0.0.0/8, 192.168.7.7/32, fd00::/8, ::1/128");
        let holds = |text: &str| networks.contain(Some(text.parse().expect("an address")));
        for inside in ["10.255.0.1", "192.168.7.7", "::ffff:10.0.0.1", "fd12::1", "::1"] {
            assert!(holds(inside), "{inside}");
        }
        for outside in ["11.0.0.1", "192.168.7.8", "fe80::1", "::2", "127.0.0.1"] {
            assert!(!holds(outside), "{outside}");
        }
        assert!(!networks.contain(None));
        assert!("unix".parse::<Networks>().is_ok_and(|networks| networks.contain(None)));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", " , ", "localhost", "10.0.0.0/33", "10.0.0", "Unix", "::1/129"] {
            assert!(text.parse::<Networks>().is_err(), "{text:?}");
        }
    }
}
