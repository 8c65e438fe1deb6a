//! Serves the API on bound sockets until the node stops.

use super::{Context, router};
use crate::tasks::Tasks;
use std::io;
use std::net::SocketAddr;

/// Binds every address and serves the API there; returns the bound addresses.
///
/// # Errors
/// An address is in use or may not be bound.
pub async fn serve(ctx: Context, tasks: &Tasks) -> io::Result<Vec<SocketAddr>> {
    let mut bound = Vec::new();
    let addresses = ctx.settings.listen.clone();
    let router = router::build(ctx);
    for address in addresses {
        let listener = tokio::net::TcpListener::bind(address).await?;
        bound.push(listener.local_addr()?);
        let stopping = tasks.stopping();
        let service = router.clone().into_make_service_with_connect_info::<std::net::SocketAddr>();
        tasks.spawn("api", async move {
            let served = axum::serve(listener, service)
                .with_graceful_shutdown(stopping.cancelled_owned())
                .await;
            if let Err(error) = served {
                tracing::error!(%error, "the HTTP listener ended");
            }
        });
    }
    Ok(bound)
}
