//! What donors say they have done, and why that is to be believed.
//!
//! ```text
//!   stored here     proof of a slice that was drawn when the work was handed out     ┐ checked ──► map::record
//!   stored there    the receiving donor's receipt for the ticket that was given      ┘ wrong ────► blamed, mended by another
//!   bad sources     the accused donor is asked for its list and about the shard; forgotten at once only if the segment stays at its write
//!                   quorum
//! ```

use nodio_meta::StoreError;
use nodio_wire::NodeId;
use nodio_wire::api::{BadSource, Evidence, Outcome, StoredShard, TaskReport};
use nodio_wire::ticket::receipt;
use subtle::ConstantTimeEq;

use super::{Coordinator, ServiceError};
use crate::map::deletes;
use crate::map::forget::Fault;
use crate::map::record::{Rebuilt, Recorded, record};
use crate::state::State;
use crate::state::repair::at_quorum;
use crate::state::tasks::{Aim, Check, Entry, How, Job, Mending};

impl Coordinator {
    /// Takes the report on one piece of work. Reports on what isn't known (any more) are no error.
    ///
    /// # Errors
    /// When it can't be recorded; then it counts when it is sent again.
    pub async fn complete_task(&self, node: NodeId, report: TaskReport) -> Result<(), ServiceError> {
        let Some(entry) = self.state().tasks.claim(node, report.id) else { return Ok(()) };
        let claim = Claim { coordinator: self, id: report.id };
        self.take_outcome(node, &entry, report.outcome).await?;
        claim.through();
        Ok(())
    }

    async fn take_outcome(&self, node: NodeId, entry: &Entry, outcome: Outcome) -> Result<(), StoreError> {
        match (&entry.job, outcome) {
            (Job::Mend(mending), Outcome::Done { stored, bad }) => {
                self.take_stored(entry, mending, &stored).await?;
                self.take_bad_sources(entry, mending, &bad).await?;
            }
            (Job::Mend(mending), Outcome::Failed { reason, bad }) => {
                tracing::info!(%node, segment = %mending.segment, reason, "mending failed");
                let receivers = mending.targets.iter().map(|aim| aim.node).filter(|_| !mending.is_rebuild());
                let now = self.now();
                self.state().tasks.setbacks.note(mending.segment, receivers.chain([node]), now);
                self.take_bad_sources(entry, mending, &bad).await?;
            }
            (Job::Delete(shards), Outcome::Done { .. }) => deletes::settle(&*self.store, node, shards).await?,
            (Job::Delete(_), Outcome::Failed { reason, .. }) => tracing::info!(%node, reason, "a delete failed"),
        }
        Ok(())
    }

    async fn take_stored(&self, entry: &Entry, mending: &Mending, stored: &[StoredShard]) -> Result<(), StoreError> {
        let (proven, lies) = sift(&self.state(), entry, mending, stored);
        for lie in &lies {
            self.blame(entry.node, lie);
        }
        for aim in &proven {
            self.place(mending, aim).await?;
        }
        let failed = mending.targets.iter().filter(|aim| !proven.contains(aim)).map(|aim| aim.node);
        let nodes: Vec<NodeId> = failed.chain((!lies.is_empty()).then_some(entry.node)).collect();
        let (now, mut state) = (self.now(), self.state());
        match nodes.is_empty() {
            true => state.tasks.setbacks.clear(&mending.segment),
            false => state.tasks.setbacks.note(mending.segment, nodes, now),
        }
        Ok(())
    }

    async fn place(&self, mending: &Mending, aim: &Aim) -> Result<(), StoreError> {
        let &Mending { segment, relieves: replaces, shard_bytes, .. } = mending;
        let done = Rebuilt { segment, position: aim.position, shard: aim.shard, node: aim.node, replaces };
        let recorded = record(&*self.store, &done, |id| self.view(id), self.now()).await?;
        let mut state = self.state();
        state.stored(aim.node, shard_bytes);
        if let (Recorded::Placed, Some(old)) = (recorded, replaces) {
            state.tasks.moved += 1;
            if let Some(old) = state.nodes.get_mut(old) {
                old.moved_away(shard_bytes);
            }
        } else if recorded == Recorded::Placed {
            state.tasks.rebuilt += 1;
            state.tasks.rebuilt_bytes += u64::from(shard_bytes);
        }
        Ok(())
    }

    /// A donor's word about others counts only for the sources it was told to read, and at once only while the segment stays at its write
    /// quorum without them: it may lie. The accused is asked what it holds, and to read the shard, and that decides. Its word about itself is taken.
    async fn take_bad_sources(&self, entry: &Entry, mending: &Mending, bad: &[BadSource]) -> Result<(), StoreError> {
        let fault = |bad: &BadSource| Fault { segment: mending.segment, shard: bad.shard, node: bad.node, corrupt: false };
        let (own, others): (Vec<Fault>, Vec<Fault>) =
            bad.iter().filter(|bad| was_told(entry, mending, bad)).map(fault).partition(|fault| fault.node == entry.node);
        self.accuse(&others);
        self.shun(mending, &others);
        self.forget(&own, |_, _| true).await?;
        self.forget(&others, |row, _| at_quorum(row, |id| self.presence(id))).await.map(drop)
    }

    /// A source of the last resort that was of no use: reading `k - 1` others in vain with every try would be for ever.
    fn shun(&self, mending: &Mending, faults: &[Fault]) {
        let (now, mut state) = (self.now(), self.state());
        let useless: Vec<NodeId> = faults.iter().map(|fault| fault.node).filter(|id| state.nodes.view(*id).dismissed).collect();
        if !useless.is_empty() {
            state.tasks.setbacks.note(mending.segment, useless, now);
        }
    }
}

/// A report being taken. Dropped before it is through, by an error or because the donor hung up, it counts when it is sent again.
struct Claim<'a> {
    coordinator: &'a Coordinator,
    id: u64,
}

impl Claim<'_> {
    fn through(self) {
        self.coordinator.state().close(self.id);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.coordinator.state().tasks.unclaim(self.id);
    }
}

fn was_told(entry: &Entry, mending: &Mending, bad: &BadSource) -> bool {
    match &mending.how {
        How::Rebuild { sources, .. } => sources.iter().any(|source| source.node == bad.node && source.shard == bad.shard),
        How::Push => bad.node == entry.node && mending.targets.iter().any(|aim| aim.shard == bad.shard),
    }
}

/// The targets that are shown to be done, and what was said without showing it.
fn sift(state: &State, entry: &Entry, mending: &Mending, stored: &[StoredShard]) -> (Vec<Aim>, Vec<&'static str>) {
    let (mut proven, mut lies) = (Vec::new(), Vec::new());
    for said in stored {
        let asked = mending.targets.iter().zip(&entry.checks).find(|(aim, _)| aim.position == said.position);
        match asked {
            None => lies.push("it stored what nobody asked for"),
            Some((aim, _)) if proven.contains(aim) => {}
            Some((aim, check)) => match verify(state, aim, mending.shard_bytes, *check, &said.evidence) {
                Ok(()) => proven.push(*aim),
                Err(lie) => lies.push(lie),
            },
        }
    }
    (proven, lies)
}

fn verify(state: &State, aim: &Aim, shard_bytes: u32, check: Check, evidence: &Evidence) -> Result<(), &'static str> {
    match (check, evidence) {
        (Check::Probe(slice), Evidence::Proof(proof)) if proof.proves(&aim.shard, shard_bytes, slice) => Ok(()),
        (Check::Probe(_), _) => Err("it could not prove a shard that it says it rebuilt"),
        (Check::Nonce(nonce), Evidence::Receipt(said)) => {
            let want = state.nodes.get(aim.node).map(|node| receipt(&node.secret, &aim.shard, nonce));
            let same = want.is_some_and(|want| bool::from(want.as_bytes().ct_eq(said.as_bytes())));
            same.then_some(()).ok_or("it showed a receipt that its receiver never gave")
        }
        (Check::Nonce(_), Evidence::Proof(_)) => Err("it showed no receipt for a shard that it says it pushed"),
    }
}
