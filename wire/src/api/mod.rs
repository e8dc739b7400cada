//! What donors and operators say to the coordinator, as JSON under `/api`.
//!
//! ```text
//!   POST /api/nodes/register                  joining or node    Register  -> Registered
//!   POST /api/nodes/heartbeat                 node               Heartbeat -> HeartbeatReply
//!   POST /api/nodes/digests                   node               Digests -> DigestsReply
//!   POST /api/nodes/inventory                 node               Inventory -> InventoryReply
//!   POST /api/nodes/leave                     node               Leave -> Standing
//!   POST /api/nodes/standing                  node               Ask -> Standing
//!   POST /api/replication-tasks/{id}/complete node               TaskReport -> {}   (also taken inside a heartbeat)
//!   POST /api/shards/placement-plan           gateway, operator  fleet::GrantRequest -> [fleet::Grant]
//!   GET  /api/files/{part}/manifest           gateway, operator  -> [fleet::Located]
//!   GET  /api/status                          operator           -> Status
//!   POST /api/drain                           operator           Drain -> Standing
//!   POST /api/inspect                         operator           Inspect -> [SegmentView]
//!   POST /api/audit                           operator           AuditAsk -> AuditRun       audits all of some parts now
//!   POST /api/audit/progress                  operator           AuditPoll -> AuditRun
//!   POST /api/repair                          operator           RepairAsk -> RepairRun     mends some parts now
//!   GET  /api/health                          any signed role    -> {"status":"ok"}
//!   POST /fleet/{grant,commit,locate,release,report,parts,summary}   gateway   postcard, see client::HttpFleet
//! ```
//! Every request is signed ([`crate::auth`]). Errors are `{"error": "..."}` with an HTTP status.

mod beat;
mod operator;
mod reconcile;
mod standing;
mod work;

pub use beat::*;
pub use operator::*;
pub use reconcile::*;
pub use standing::*;
pub use work::*;
