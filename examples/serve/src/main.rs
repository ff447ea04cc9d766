//! Serves predictions of a trained network over HTTP: pictures in, class names and probabilities out.
//!
//! ```text
//! serve --train-digits digits.safetensors
//! serve --model digits.safetensors &
//! curl --data-binary @seven.png http://127.0.0.1:8080/predict
//! ```

mod connections;
mod digits;
mod metrics;
mod options;
#[path = "../../program/mod.rs"]
mod program;
mod routes;

use options::Options;
use program::{Outcome, say};
use std::time::Duration;
use tokio::net::TcpListener;
use wgrad::predict::PredictorOptions;
use wgrad::{Device, DeviceOptions};

fn main() -> std::process::ExitCode {
    program::end(run())
}

fn run() -> Outcome<()> {
    let Some(options) = Options::read()? else {
        say!("{}", options::HELP.trim_end());
        return Ok(());
    };
    let mut adapter = DeviceOptions::default();
    if let Some(name) = &options.adapter {
        adapter = adapter.adapter(name);
    }
    let device = Device::open_with(&adapter)?;
    say!("{}", device.summary());
    if let Some(path) = &options.train_digits {
        return digits::train(&device, path);
    }
    let Some(model) = &options.model else {
        return Err("expected --model FILE, or --train-digits FILE to make one; see --help".into());
    };
    let predictor = PredictorOptions::new()
        .batch_sizes(options.batch_sizes.iter().copied())
        .batching(options.batching)
        .load(&device, model)?;
    // Answers come from the first request on as fast as they will.
    predictor.open_all()?;
    let routes = routes::Routes::new(predictor, &options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener =
            TcpListener::bind(&options.listen).await.map_err(|e| format!("{}: {e}", options.listen))?;
        say!("{} at http://{}/predict", routes.describe(), listener.local_addr()?);
        // Requests that were begun are answered; no new ones are taken.
        let stopped = async {
            stop().await;
            say!("stops");
        };
        connections::serve(listener, routes.router(), options.timeout, stopped).await;
        say!("{}", routes.summary());
        Ok::<(), Box<dyn std::error::Error>>(())
    })?;
    // What decodes a picture for a client that has gone may run on.
    runtime.shutdown_timeout(Duration::from_secs(5));
    Ok(())
}

/// Waits for an interrupt, or on Unix for SIGTERM.
async fn stop() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = terminate.recv() => return,
            Ok(()) = tokio::signal::ctrl_c() => return,
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
