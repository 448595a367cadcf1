//! What the admin address shows of the metrics.

use hyper::StatusCode;
use hyper::header::{ACCEPT, HeaderMap};

use super::{Dialect, Reading, json, ready, text};
use crate::admin::web::site::{self, Page};
use crate::worker::Shared;

/// The page at `path`: `/metrics`, `/metrics.json` or `/readyz`.
pub async fn answer(path: &str, headers: &HeaderMap, shared: &Shared) -> Page {
    let Some(reading) = super::read(shared).await else {
        let why = "a worker has not answered for 2 s: it is stuck, or the machine is\n";
        return site::text(StatusCode::SERVICE_UNAVAILABLE, why);
    };
    match path {
        "/metrics" => metrics(headers, &reading),
        "/metrics.json" => json_page(&reading),
        _ => readiness(&reading),
    }
}

fn metrics(headers: &HeaderMap, reading: &Reading) -> Page {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let dialect = Dialect::accepted(accept);
    site::page(StatusCode::OK, dialect.media_type(), text(reading, dialect))
}

fn json_page(reading: &Reading) -> Page {
    site::page(StatusCode::OK, "application/json", json(reading).to_string())
}

fn readiness(reading: &Reading) -> Page {
    match ready(reading) {
        Ok(()) => site::text(StatusCode::OK, "ready\n"),
        Err(why) => site::text(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}
