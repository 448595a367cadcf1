//! Whether all shards are served again, and what their counters say then.

use std::time::{Duration, Instant};

use super::connection::{Broken, Connection};
use super::fleet::Member;
use super::run::Pool;
use super::shared::{COUNTERS, Shared};
use crate::harness::Reply;

impl Pool {
    /// Waits until requests for all shards succeed.
    pub async fn serves(&self) -> Result<(), String> {
        let start = Instant::now();
        let mut last = String::new();
        while start.elapsed() < PATIENCE {
            match self.all_succeed().await {
                Ok(()) => return Ok(()),
                Err(why) => last = why,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(last)
    }

    async fn all_succeed(&self) -> Result<(), String> {
        let told = |broken: Broken| format!("{broken:?}");
        let mut connection = self.stage.open().await.map_err(told)?;
        for number in 0..60 {
            let key = format!("probe{number}");
            let reply = connection.ask(&["SET", &key, "x"]).await.map_err(told)?;
            if reply != Reply::ok() {
                return Err(reply.to_string());
            }
        }
        // An ejected shard serves nothing: it has its part again when all keys are at home.
        for member in &self.members {
            let keys = member.ask(&["EXISTS", "probe0", "probe1"]).await;
            keys.map_err(told)?;
        }
        Ok(())
    }

    pub async fn reckon_shared(&self) {
        for counter in 0..COUNTERS {
            let key = Shared::key(counter);
            let Ok(mut connection) = self.stage.open().await else {
                continue;
            };
            let value = match connection.ask(&["GET", &key]).await {
                Ok(Reply::Bulk(digits)) => String::from_utf8_lossy(&digits).parse().unwrap_or(-1),
                _ => 0,
            };
            if let Err(wrong) = self.stage.shared.judge(counter, value) {
                self.stage.book.accuse("shared counters", &wrong);
            }
        }
    }
}

impl Member {
    /// Asks the shard itself.
    pub async fn ask(&self, words: &[&str]) -> Result<Reply, Broken> {
        let host = self.address.ip().to_string();
        Connection::open(&host, self.address.port(), PATIENCE).await?.ask(words).await
    }
}

/// How long shards may take to be served again once all is mended.
const PATIENCE: Duration = Duration::from_secs(40);
