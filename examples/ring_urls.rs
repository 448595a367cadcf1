//! The ring without Redis: which cache or CDN origin serves a URL.
//!
//! ```text
//! cargo run --example ring_urls -- https://example.org/a.png https://example.org/b.png
//! ```

use circlet::route::RingSpec;

fn main() {
    let origins = [("cache-ams.example.org", 2), ("cache-fra.example.org", 2), ("cache-lon", 1)];
    let ring = RingSpec::new(&origins).build();
    let mut urls: Vec<String> = std::env::args().skip(1).collect();
    if urls.is_empty() {
        urls = (1..=8).map(|n| format!("https://example.org/images/{n}.png")).collect();
    }

    println!("shares: {:.3?}", ring.shares());
    let without_ams = ring.with_live(&[false, true, true]);
    for url in &urls {
        let name = |shard: Option<usize>| shard.map_or("nobody", |shard| origins[shard].0);
        let (home, now) = (ring.shard(url.as_bytes()), without_ams.shard(url.as_bytes()));
        println!("{url}: {}, while cache-ams is out: {}", name(home), name(now));
    }
}
