//! Which path gives what.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};

use crate::admin::metrics;
use crate::admin::stats::StatsSource;
use crate::hotkeys;
use crate::worker::Shared;

/// An answer, whole.
pub type Page = Response<Full<Bytes>>;

/// What the answers are made from.
#[derive(Debug)]
pub struct Site {
    /// The counters.
    pub stats: StatsSource,
    /// The workers.
    pub shared: Arc<Shared>,
}

impl Site {
    /// The answer to one request.
    pub async fn answer(&self, request: Request<Incoming>) -> Page {
        let method = request.method().clone();
        match (method, request.uri().path()) {
            (Method::GET | Method::HEAD, "/healthz") => text(StatusCode::OK, "ok\n"),
            (Method::GET | Method::HEAD, path @ ("/metrics" | "/metrics.json" | "/readyz")) => {
                metrics::answer(path, request.headers(), &self.shared).await
            }
            (_, "/healthz" | "/metrics" | "/metrics.json" | "/readyz") => other_method("GET"),
            (Method::GET | Method::HEAD, "/hotkeys") => {
                let query = request.uri().query().unwrap_or_default();
                page(
                    StatusCode::OK,
                    "application/json",
                    hotkeys::json::answer(&self.shared, query).await,
                )
            }
            (_, "/hotkeys") => other_method("GET"),
            (_, path) => {
                let told = format!(
                    "there is nothing at {path}; there are /healthz, /readyz, /metrics, \
                     /metrics.json and /hotkeys\n"
                );
                text(StatusCode::NOT_FOUND, told)
            }
        }
    }
}

/// A page for people and scripts.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Page {
    page(status, "text/plain; charset=utf-8", body)
}

/// A page of any kind, never kept by who reads it: all of them are of this moment.
pub fn page(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Page {
    let mut page = Response::new(Full::new(body.into()));
    *page.status_mut() = status;
    let headers = page.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    page
}

/// The path exists, the method does not.
pub fn other_method(allowed: &'static str) -> Page {
    let mut page = text(StatusCode::METHOD_NOT_ALLOWED, format!("ask with {allowed}\n"));
    page.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static(allowed));
    page
}
