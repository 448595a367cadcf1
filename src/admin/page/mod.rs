//! The page on the admin address, for people: what the pools do now, and where a key lives.
//!
//! ```text
//!   GET /            index.html, /page/*: styles and scripts, from this program
//!   GET /api/state   one pool at this moment    ─► app.js, once a second while it is looked at
//!   GET /api/explain a key's way                ─► way.js, as one types
//! ```
//!
//! There is no build step, and nothing comes from elsewhere. What clients chose (names, keys) is
//! any bytes: [`shown`] makes text of it, which the scripts put on the page as text and nothing else.

mod fleet;
mod json;
mod lately;
mod portion;
mod shown;
mod stand_ins;
mod state;
mod way;

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};

use super::web::{Page, page};
use crate::worker::Shared;
pub use shown::shown;
pub use stand_ins::Found;

/// What there is to GET at `path`, if it is a part of the page.
pub async fn answer(shared: &Shared, found: &Arc<Found>, path: &str, query: &str) -> Option<Page> {
    match path {
        "/api/state" => Some(state::answer(shared, found, query).await),
        "/api/explain" => Some(way::answer(shared, query).await),
        _ => FILES.iter().find(|file| file.path == path).map(File::page),
    }
}

/// A file of the page, in this program.
struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

impl File {
    fn page(&self) -> Page {
        let mut page = page(StatusCode::OK, self.kind, self.text);
        let policy = HeaderValue::from_static(POLICY);
        page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        page
    }
}

/// Only what this address itself serves, nowhere to send anything to, no text made code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! file {
    ($path:literal, $kind:expr, $name:literal) => {
        File { path: $path, kind: $kind, text: include_str!(concat!("site/", $name)) }
    };
}

static FILES: &[File] = &[
    file!("/", HTML, "index.html"),
    file!("/page/page.css", CSS, "page.css"),
    file!("/page/parts.css", CSS, "parts.css"),
    file!("/page/icon.svg", "image/svg+xml", "icon.svg"),
    file!("/page/app.js", SCRIPT, "app.js"),
    file!("/page/build.js", SCRIPT, "build.js"),
    file!("/page/clients.js", SCRIPT, "clients.js"),
    file!("/page/rates.js", SCRIPT, "rates.js"),
    file!("/page/ring.js", SCRIPT, "ring.js"),
    file!("/page/shards.js", SCRIPT, "shards.js"),
    file!("/page/way.js", SCRIPT, "way.js"),
];
