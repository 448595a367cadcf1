//! Whose requests are not answered: those that another site makes a browser send.
//!
//! A browser on an operator's machine reaches the admin address as the operator does. Two ways
//! lead from a hostile site through it, and both are closed for all paths:
//!
//! - **DNS rebinding.** The site's own name is made to mean our address, so that the browser lets
//!   the site read what we say. The name then stands in `Host`: only an IP address, `localhost`, the
//!   name in `admin_addr` and those in `admin_names` are answered.
//! - **Cross-site requests.** The site sends a form here. The browser tells where it comes from:
//!   what is to change something must come from our own pages, or from no browser at all.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderName, ORIGIN};
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Method, Request, StatusCode};

use super::site::{Page, text};

/// The names by which visitors may call the admin address, beside IP addresses and `localhost`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(Vec<String>);

impl Names {
    /// The host of the address listened on, and what the setting `admin_names` lists between
    /// commas or spaces.
    pub fn new(address: &str, listed: &str) -> Self {
        let host = address.parse::<Authority>().map(|address| address.host().to_owned());
        let listed = listed.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned);
        Self(host.into_iter().chain(listed).collect())
    }

    fn include(&self, host: &str) -> bool {
        // A dot at the end is how a full name may be written.
        let host = host.strip_suffix('.').unwrap_or(host);
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        bare.parse::<IpAddr>().is_ok()
            || host.eq_ignore_ascii_case("localhost")
            || self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// The answer to a request that is not to be answered.
pub fn refusal<B>(request: &Request<B>, names: &Names) -> Option<Page> {
    let headers = request.headers();
    // Only programs leave it out: no browser does.
    let host = header(headers, HOST);
    if let Some(host) = host
        && !host.parse::<Authority>().is_ok_and(|host| names.include(host.host()))
    {
        let told = format!(
            "{host:?} is not a name of this admin address: call it by its IP address, or list the \
             name in the setting admin_names\n"
        );
        return Some(text(StatusCode::FORBIDDEN, told));
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    (changes && !is_own(headers, host)).then(|| {
        let told = "this came from another site's page: use the page of this address, or a \
                    program that sends no Origin\n";
        text(StatusCode::FORBIDDEN, told)
    })
}

/// Whether a request comes from our own page, or from no browser.
fn is_own(headers: &HeaderMap, host: Option<&str>) -> bool {
    match (header(headers, ORIGIN), header(headers, FETCH_SITE)) {
        (Some(origin), _) => {
            let origin = origin.split_once("://").map(|(_, authority)| authority);
            origin.is_some() && origin == host
        }
        (None, Some(site)) => matches!(site, "same-origin" | "none"),
        (None, None) => true,
    }
}

/// What is no text counts as a text that fits nothing.
fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or(""))
}

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: Method, lines: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let names = Names::new("cache.example:22223", "ring.example, proxy-7");
        refusal(&request.body(()).expect("a request"), &names).is_some()
    }

    #[test]
    fn a_name_that_is_not_ours_is_refused() {
        for host in [
            "127.0.0.1:22223",
            "10.1.2.3",
            "[::1]:22223",
            "localhost:1",
            "LOCALHOST",
            "cache.example",
            "Cache.Example:22223",
            "ring.example.",
            "proxy-7:80",
        ] {
            assert!(!refused(Method::GET, &[("host", host)]), "{host}");
        }
        for host in [
            "evil.example:22223",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "cache.example.evil",
            "",
            "user@evil.example",
            "evil example",
        ] {
            assert!(refused(Method::GET, &[("host", host)]), "{host}");
        }
        assert!(!refused(Method::GET, &[]), "a program that names no host");
    }

    #[test]
    fn what_changes_something_comes_from_our_own_page_or_from_a_program() {
        let host = ("host", "10.0.0.1:22223");
        let asked = |more: &[(&str, &str)]| refused(Method::POST, &[&[host], more].concat());
        assert!(!asked(&[]), "curl");
        assert!(!asked(&[("origin", "http://10.0.0.1:22223")]));
        assert!(!asked(&[("origin", "https://10.0.0.1:22223")]), "TLS may end before us");
        assert!(!asked(&[("sec-fetch-site", "same-origin")]));
        assert!(asked(&[("origin", "http://10.0.0.1")]), "another port is another site");
        assert!(asked(&[("origin", "http://evil.example")]));
        assert!(asked(&[("origin", "null")]));
        assert!(asked(&[("sec-fetch-site", "cross-site")]));
        assert!(asked(&[("sec-fetch-site", "same-site")]));
        assert!(refused(Method::POST, &[("origin", "http://10.0.0.1:22223")]), "no host to match");
        assert!(!refused(Method::GET, &[host, ("origin", "http://evil.example")]), "only reads");
    }
}
