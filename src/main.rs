//! The circlet program.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let config = match circlet::config::load(args[1].as_ref()) {
        Ok(c) => c,
        Err(e) => {
            eprintln!("{e}");
            return ExitCode::FAILURE;
        }
    };
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let threads = args.get(2).and_then(|t| t.parse().ok()).unwrap_or(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = circlet::server::Server::start(config, threads).unwrap();
        server.run(async { tokio::signal::ctrl_c().await.unwrap() }).await;
    });
    ExitCode::SUCCESS
}
