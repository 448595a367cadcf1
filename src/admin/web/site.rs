//! Which path gives what.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};

use super::visitors::{Names, refusal};
use crate::admin::metrics;
use crate::admin::page::{self, Found};
use crate::admin::stats::StatsSource;
use crate::hotkeys;
use crate::journal::pages;
use crate::reload::Reloader;
use crate::server::Server;
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
    /// By which names visitors may call.
    pub names: Names,
    /// What the page need not find out again.
    pub found: Arc<Found>,
    /// Has the configuration reloaded, where there is a file to reload.
    pub reloader: Option<Reloader>,
}

impl Site {
    /// The site of this proxy, for visitors that call by these names.
    pub fn new(server: &Server, names: Names, reloader: Option<Reloader>) -> Self {
        let (stats, shared) = (server.stats(), server.shared());
        Self { stats, shared, names, found: Arc::default(), reloader }
    }

    /// The answer to one request.
    pub async fn answer(&self, request: Request<Incoming>) -> Page {
        if let Some(refusal) = refusal(&request, &self.names) {
            return refusal;
        }
        let (method, path) = (request.method().clone(), request.uri().path());
        if let Some(page) = pages::answer(&method, request.uri(), &self.shared).await {
            return page;
        }
        match (method, path) {
            (Method::GET | Method::HEAD, "/healthz") => text(StatusCode::OK, "ok\n"),
            (Method::GET | Method::HEAD, "/hotkeys") => {
                let query = request.uri().query().unwrap_or_default();
                page(
                    StatusCode::OK,
                    "application/json",
                    hotkeys::json::answer(&self.shared, query).await,
                )
            }
            (_, "/hotkeys") => other_method("GET"),
            (Method::GET | Method::HEAD, path @ ("/metrics" | "/metrics.json" | "/readyz")) => {
                metrics::answer(path, request.headers(), &self.shared).await
            }
            (Method::POST, "/reload") => self.reload().await,
            (_, "/reload") => other_method("POST"),
            (_, "/healthz" | "/metrics" | "/metrics.json" | "/readyz") => other_method("GET"),
            (Method::GET | Method::HEAD, path) => {
                let query = request.uri().query().unwrap_or_default();
                let found = page::answer(&self.shared, &self.found, path, query).await;
                found.unwrap_or_else(|| nothing(path))
            }
            (_, path) => nothing(path),
        }
    }

    /// What a reload has changed, or why the configuration does not do.
    async fn reload(&self) -> Page {
        let Some(reloader) = &self.reloader else {
            return text(StatusCode::NOT_FOUND, "this circlet has no file that could change\n");
        };
        match reloader.reload("POST /reload").await {
            Ok(report) => text(StatusCode::OK, report.to_string()),
            Err(why) => text(StatusCode::UNPROCESSABLE_ENTITY, format!("{}\n", why.trim_end())),
        }
    }
}

fn nothing(path: &str) -> Page {
    let told = format!(
        "there is nothing at {path}; there are /, /healthz, /readyz, /metrics and /metrics.json\n"
    );
    text(StatusCode::NOT_FOUND, told)
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
    for (name, value) in HEADERS {
        headers.insert(name, hyper::header::HeaderValue::from_static(value));
    }
    page
}

/// The path exists, the method does not.
pub fn other_method(allowed: &'static str) -> Page {
    let mut page = text(StatusCode::METHOD_NOT_ALLOWED, format!("ask with {allowed}\n"));
    page.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static(allowed));
    page
}

/// What holds for every answer: it is of this moment, of the kind that it says, and for nobody's
/// frame or script but ours.
const HEADERS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
