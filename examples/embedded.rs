//! circlet inside another program: a pool over two servers, until Ctrl-C.
//!
//! ```sh
//! cargo run --example embedded -- 127.0.0.1:6379 127.0.0.1:6380
//! redis-cli -p 22121 PING
//! ```

use circlet::server::{Options, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let servers: Vec<String> = std::env::args().skip(1).collect();
    let config = circlet::config::from_servers(&servers)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::start(config, Options::default())?;
        println!("redis-cli -p {}", server.port(0).unwrap_or_default());
        server.run(async { tokio::signal::ctrl_c().await.unwrap_or(()) }).await;
        Ok(())
    })
}
