//! Connections: how many there are, how long they may take for a request's head, and how they end.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// The most connections at a time. Further clients wait until one ends.
const MOST: usize = 512;
/// What a server without files to open waits before it looks again.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` ends. Then it takes no more connections, and answers what was begun, for `timeout` at the most. Within
/// `timeout` a client has to send a request's head, also on a connection that it keeps.
pub async fn serve(listener: TcpListener, router: Router, timeout: Duration, stop: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(timeout);
    let (open, permits) = (GracefulShutdown::new(), Arc::new(Semaphore::new(MOST)));
    tokio::pin!(stop);
    loop {
        let accept = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = &mut stop => break,
            accepted = accept => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A client that breaks a connection off is no fault of the server's.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(timeout, open.shutdown()).await;
}
