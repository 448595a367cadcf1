//! What the admin address shows of the journal, and how it changes what is logged.

use std::collections::HashMap;

use hyper::{Method, StatusCode, Uri};
use serde::Serialize;
use serde_json::json;

use super::errors;
use crate::admin::log::{LogFilter, Logging};
use crate::admin::web::site::{Page, other_method, page, text};
use crate::worker::Shared;

/// The page at `uri`, if it is one of ours: `/slowlog` and `/errors`, each with `?count=n`, and
/// `/log`, with `?filter=…` in a POST.
pub async fn answer(method: &Method, uri: &Uri, shared: &Shared) -> Option<Page> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let asked = Asked::of(uri);
    Some(match uri.path() {
        "/slowlog" | "/errors" if !reads => other_method("GET"),
        "/slowlog" => {
            let newest = shared.journal.newest_slow(asked.count());
            json_page(&newest.iter().map(slow).collect::<Vec<_>>())
        }
        "/errors" => {
            let told = shared.ask_all(|worker| worker.journal.errors.records(None)).await;
            json_page(&errors::newest(told, asked.count()))
        }
        "/log" => log(method, &asked),
        _ => return None,
    })
}

fn slow(request: &super::slow::SlowRequest) -> serde_json::Value {
    let mut fields = json!(request);
    fields["proxy_us"] = json!(request.proxy_us());
    fields
}

fn log(method: &Method, asked: &Asked) -> Page {
    let Some(logging) = Logging::running() else {
        return text(StatusCode::NOT_FOUND, "circlet has no log of its own here\n");
    };
    match (method, asked.0.get("filter").map(|filter| filter.parse::<LogFilter>())) {
        (&Method::GET | &Method::HEAD, _) => text(StatusCode::OK, logging.filter() + "\n"),
        (&Method::POST, Some(Ok(filter))) => {
            logging.set_filter(filter);
            tracing::warn!(filter = logging.filter(), "what is logged was changed by POST /log");
            text(StatusCode::OK, logging.filter() + "\n")
        }
        (&Method::POST, Some(Err(wrong))) => text(StatusCode::BAD_REQUEST, wrong + "\n"),
        (&Method::POST, None) => {
            text(StatusCode::BAD_REQUEST, "say what to log: POST /log?filter=info,shard=debug\n")
        }
        _ => other_method("GET, POST"),
    }
}

/// The fields of a query.
struct Asked(HashMap<String, String>);

impl Asked {
    fn of(uri: &Uri) -> Self {
        let fields = uri.query().unwrap_or_default().split('&');
        let pairs = fields.filter_map(|field| field.split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), plain(value))).collect())
    }

    fn count(&self) -> usize {
        self.0.get("count").and_then(|count| count.parse().ok()).unwrap_or(SHOWN)
    }
}

/// A value without its `%2C`s.
fn plain(value: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), value.as_bytes());
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (byte, code.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(meant)) => {
                bytes.push(meant);
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn json_page(what: &impl Serialize) -> Page {
    page(StatusCode::OK, "application/json", json!(what).to_string())
}

/// Entries without a count.
const SHOWN: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read() {
        let asked = Asked::of(&"/log?filter=info%2Cshard%3Ddebug&count=7&x".parse().unwrap());
        assert_eq!((&asked.0["filter"][..], asked.count()), ("info,shard=debug", 7));
        let plainly = Asked::of(&"/log?filter=info,shard=debug%".parse().unwrap());
        assert_eq!((&plainly.0["filter"][..], plainly.count()), ("info,shard=debug%", SHOWN));
    }
}
