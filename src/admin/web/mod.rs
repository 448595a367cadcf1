//! The admin address: what people, Prometheus and scripts ask over HTTP.
//!
//! Off unless the setting `admin_addr` names an address. It serves on the control thread, beside
//! heartbeats and signals: nothing here may compute for long, and whatever workers know is asked of
//! them ([`Shared::ask_all`](crate::worker::Shared::ask_all)).

pub mod query;
pub mod site;
mod visitors;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::upgrade::inherited::Inherited;
pub use site::{Page, Site, other_method, page, text};
pub use visitors::Names;

/// Visitors served at a time; more wait in the listen queue.
pub const MAX_VISITORS: usize = 64;

/// How long a visitor may take to say what it wants.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a visitor's connection is kept, whatever it does.
pub const VISIT: Duration = Duration::from_secs(300);

/// Listens on `address`, a host and a port.
///
/// # Errors
/// A sentence for the operator when the address cannot be had.
pub async fn listen(address: &str, inherited: &mut Inherited) -> Result<TcpListener, String> {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let handed = port.parse().ok().and_then(|port| inherited.take_tcp(host, port, None).ok()?);
    let opened = match handed {
        Some(handed) => TcpListener::from_std(handed.socket.into()),
        None => TcpListener::bind(address).await,
    };
    opened.map_err(|error| {
        format!(
            "the admin address {address} cannot be listened on: {error}; write another one, as \
             127.0.0.1:22223, as setting admin_addr, or nothing, for none"
        )
    })
}

/// Serves whoever connects, until dropped. Runs in a `LocalSet`.
pub async fn serve(listener: TcpListener, site: Site) {
    let site = Arc::new(site);
    let seats = Arc::new(Semaphore::new(MAX_VISITORS));
    while let Ok(seat) = Arc::clone(&seats).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let visit = visit(stream, Arc::clone(&site));
                tokio::task::spawn_local(async move {
                    let _ = timeout(VISIT, visit).await;
                    drop(seat);
                });
            }
            Err(error) => {
                warn!("the admin address cannot accept: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn visit(stream: TcpStream, site: Arc<Site>) {
    let service = service_fn(move |request| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(request).await) }
    });
    // A visitor that leaves in the middle is no fault.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// When there are no file descriptors left, asking again at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
