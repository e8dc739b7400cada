//! A small listener of its own for Prometheus: `GET /metrics`.
//!
//! ```text
//!   scraper ─► /metrics ─► page younger than METRICS_MS? ─ yes ─► the same bytes
//!                                                      └── no ──► status ─► gauges ─► text
//! ```
//! Promises: it answers nothing but the figures of the status page, to whoever reaches it, which is why it is off unless an address is
//! configured. However many scrape, a page is made by one of them at a time and at most once in METRICS_MS.

mod gauges;
mod text;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use nodio_host::{ServeOptions, Shutdown};
use nodio_meta::StoreError;
use nodio_wire::UnixMs;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::limits::{METRICS_CONNECTIONS_MAX, METRICS_MS};
use crate::service::Coordinator;

/// Prometheus' text format, as its documentation names it.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves metrics until `shutdown`.
pub(crate) async fn serve(coordinator: Arc<Coordinator>, listener: TcpListener, shutdown: Shutdown) {
    let page = Arc::new(Page { coordinator, last: Mutex::default() });
    let routes = Router::new().route("/metrics", get(metrics)).with_state(page);
    let options = ServeOptions { connections_max: METRICS_CONNECTIONS_MAX, ..ServeOptions::default() };
    nodio_host::serve(listener, routes, options, shutdown).await;
}

/// The page made last.
struct Page {
    coordinator: Arc<Coordinator>,
    last: Mutex<Option<(UnixMs, Arc<str>)>>,
}

impl Page {
    /// Others wait while one makes a page, and then take the same.
    async fn text(&self) -> Result<Arc<str>, StoreError> {
        let mut last = self.last.lock().await;
        let now = self.coordinator.now();
        if let Some((made, text)) = &*last
            && now < made.saturating_add(METRICS_MS)
        {
            return Ok(text.clone());
        }
        let text: Arc<str> = gauges::of(&self.coordinator.status().await?).into();
        *last = Some((now, text.clone()));
        Ok(text)
    }
}

async fn metrics(State(page): State<Arc<Page>>) -> Response {
    match page.text().await {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text.to_string()).into_response(),
        Err(error) => {
            tracing::error!("{error}");
            (StatusCode::SERVICE_UNAVAILABLE, "the coordinator's store failed\n").into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::World;

    #[tokio::test]
    async fn a_page_is_made_once_in_a_while_however_often_it_is_scraped() {
        let world = World::new(3).await;
        let page = Page { coordinator: world.coordinator.clone(), last: Mutex::default() };
        let (first, at_once) = tokio::join!(page.text(), page.text());
        let first = first.expect("made");
        assert!(Arc::ptr_eq(&first, &at_once.expect("made")), "two scrapers, one page");
        world.commit(0, 2, &[1, 2, 3]).await;
        world.pass(METRICS_MS - 1);
        assert_eq!(page.text().await.expect("kept"), first);
        world.pass(1);
        let next = page.text().await.expect("made");
        assert!(next.contains("\nnodio_segments{health=\"full\"} 1\n"), "{next}");
        assert!(first.contains("\nnodio_segments{health=\"full\"} 0\n"), "{first}");
    }
}
