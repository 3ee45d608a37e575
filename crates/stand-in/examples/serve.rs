//! Serves the stand-in alone: `serve --listen 127.0.0.1:8090 --data-dir DIR`.

use std::process::ExitCode;

use layer_stand_in::{Options, open};

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let listen = option("--listen").unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let data_dir = option("--data-dir").ok_or("--data-dir DIR is needed")?.into();
    let router = open(Options { data_dir })?;
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    println!("stand-in for Turbopuffer on http://{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}

fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}
