//! What circlet measures, said once.
//!
//! ```text
//!   workers' counters ─┐                         ┌─► /metrics       text of Prometheus, OpenMetrics
//!   workers' state ────┼─► Reading ─► METRICS ───┼─► /metrics.json
//!   process ───────────┘   (one moment)          ├─► INFO proxy
//!                                                ├─► docs/metrics.md
//!                                                └─► examples/grafana/circlet.json
//! ```
//!
//! A metric is one line of [`METRICS`]: its name, kind and help, and how it is found in a
//! [`Reading`]. Nothing else needs to know it.

mod dashboard;
mod declared;
mod info;
mod json;
mod pages;
mod process;
mod reading;
mod ready;
mod reference;
mod sample;
mod text;

pub use dashboard::text as dashboard;
pub use declared::{From, Kind, METRICS, Metric};
pub use info::fields;
pub use json::json;
pub use pages::answer;
pub use reading::{PoolReading, Reading, ShardReading, read};
pub use ready::ready;
pub use reference::markdown;
pub use sample::{Sample, Value, samples};
pub use text::{Dialect, text};
