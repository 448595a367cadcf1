//! Reloads when a file of the configuration changes, where the setting `reload_on_change` says so.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::sleep;

use super::Reloader;
use crate::tls::keeper::{Look, look};

/// Looks at the files as long as it is polled. A file is read when it has stayed the same between two
/// looks, so that half of one is not read while it is written; what does not do is told once.
pub async fn watch(reloader: Reloader) {
    let mut loaded = looks(&reloader.files());
    let mut last = loaded.clone();
    loop {
        sleep(LOOK_AGAIN).await;
        let now = looks(&reloader.files());
        if now == last && now != loaded {
            // The reason of one that does not do stands in the log.
            let _ = reloader.reload("the file has changed").await;
            // The configuration may have other files by now.
            loaded = looks(&reloader.files());
            last = loaded.clone();
        } else {
            last = now;
        }
    }
}

fn looks(files: &[PathBuf]) -> Vec<Option<Look>> {
    files.iter().map(look).collect()
}

/// The time between two looks at the files: a handful of system calls.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
