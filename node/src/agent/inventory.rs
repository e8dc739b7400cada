//! Tells the coordinator every shard held, page by page, and deletes what it calls surplus.

use nodio_host::now_ms;
use nodio_wire::api::{HeldShard, Inventory};
use nodio_wire::client::NodeApi;
use nodio_wire::{NodeId, ShardId};

use crate::limits::INVENTORY_PAGE;
use crate::store::Store;

/// Sends the whole inventory. What fails is made good by the next time it is asked for.
pub(crate) async fn send(api: NodeApi, store: Store, node: NodeId) {
    if let Err(error) = send_pages(&api, &store, node).await {
        tracing::warn!("the inventory was not told to its end: {error}");
    }
}

async fn send_pages(api: &NodeApi, store: &Store, node: NodeId) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut after = None;
    let (mut told, mut deleted) = (0, 0);
    loop {
        let page = page(store, node, after);
        let reply = api.inventory(&page).await?;
        // Only what was told of in this very page may be called surplus.
        let named = |id: &ShardId| page.shards.binary_search_by_key(id, |held| held.id).is_ok();
        let surplus: Vec<ShardId> = reply.surplus.into_iter().filter(named).collect();
        deleted += store.delete(&surplus).await?;
        told += page.shards.len();
        after = page.through;
        if after.is_none() {
            tracing::info!(shards = told, surplus = deleted, "told the coordinator the inventory");
            return Ok(());
        }
    }
}

fn page(store: &Store, node: NodeId, after: Option<ShardId>) -> Inventory {
    let now_s = now_ms() / 1000;
    let age_s = |stored_s: u32| u32::try_from(now_s.saturating_sub(stored_s.into())).unwrap_or(u32::MAX);
    let held = store.page(after, INVENTORY_PAGE);
    let shards: Vec<_> = held.into_iter().map(|(id, stored_s)| HeldShard { id, age_s: age_s(stored_s) }).collect();
    let full = shards.len() == INVENTORY_PAGE;
    let through = shards.last().filter(|_| full).map(|held| held.id);
    Inventory { node, after, through, shards }
}
