//! Reloads when a file of the configuration changes, where the setting `reload_on_change` says so.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use super::Reloader;
use crate::tls::keeper::{Look, look};

/// Looks at the files as long as it is polled. A file is read when it has stayed the same between two
/// looks, so that half of one is not read while it is written; what does not do is told once.
/// The files were read a moment before `started`: one that has changed since then is read again.
pub async fn watch(reloader: Reloader, started: SystemTime) {
    let files = reloader.files();
    let mut last = looks(&files);
    let is_older = |file: &PathBuf| {
        let modified = fs::metadata(file).and_then(|found| found.modified());
        modified.is_ok_and(|modified| modified + READ_BEFORE < started)
    };
    let as_loaded = files.iter().zip(&last);
    let mut loaded: Vec<_> =
        as_loaded.map(|(file, look)| look.clone().filter(|_| is_older(file))).collect();
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

/// From when files are read at the start to when the process serves, and what clocks of file systems
/// lag behind.
const READ_BEFORE: Duration = Duration::from_secs(1);
