//! Whether this circlet should get clients.

use super::reading::Reading;

/// Nothing when it should; otherwise why not, in a line for each reason.
pub fn ready(reading: &Reading) -> Result<(), String> {
    let mut reasons = String::new();
    if reading.process.is_draining {
        reasons += "the process is about to end: its clients leave\n";
    }
    for pool in reading.pools.iter().filter(|pool| pool.live() == 0) {
        reasons += &format!("pool '{}': none of its shards is in\n", pool.config.name);
        for shard in &pool.shards {
            reasons += &format!("  shard '{}': {}\n", shard.name, shard.health.cause);
        }
    }
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}
