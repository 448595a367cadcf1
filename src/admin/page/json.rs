//! Answers that scripts read.

use hyper::StatusCode;
use serde::Serialize;

use crate::admin::web::{self, Page};

/// `document` as JSON.
pub fn page(status: StatusCode, document: &impl Serialize) -> Page {
    let body = serde_json::to_vec(document).expect("plain data has no keys that are no text");
    web::page(status, "application/json", body)
}

/// An answer that says why there is none: `{"error": …}`.
pub fn fault(status: StatusCode, why: &str) -> Page {
    page(status, &serde_json::json!({ "error": why }))
}
