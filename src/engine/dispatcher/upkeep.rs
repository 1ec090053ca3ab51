//! What missions leave behind when they leave memory: one more in the store, where the newest thousand stay; holes in the
//! memory of the process; marks of their directories. All of it is done beside the loop, with the heartbeat.
use super::*;

/// Missions that leave memory between two looks at how many the store holds: so many it may hold too many.
const PRUNE_EVERY: usize = 20;
/// Missions forgotten in one transaction. What others write meanwhile waits for that, and each has some hundred records.
const PRUNE_AT_ONCE: u32 = 8;

#[derive(Default)]
pub(super) struct Upkeep {
    /// Missions that have left memory since the last heartbeat, and since the store was last looked at.
    left: usize,
    unpruned: usize,
    pruning: bool,
}

impl Upkeep {
    pub(super) fn left(&mut self) {
        self.left += 1;
    }
}

impl Dispatcher {
    pub(super) fn clean_up(&mut self) {
        let left = std::mem::take(&mut self.upkeep.left);
        if left == 0 {
            return;
        }
        let here: BTreeSet<_> = self.core.missions().map(|m| &m.created.directory).collect();
        // Told once more, a mark is what it was.
        self.marked.retain(|d, _| self.marking.contains(d) || here.contains(d));
        let memory = self.ports.memory.clone();
        self.jobs.spawn(async move {
            memory.give_back().await;
            Done::Input(None)
        });
        self.upkeep.unpruned += left;
        if self.upkeep.unpruned >= PRUNE_EVERY {
            self.prune();
        }
    }

    /// In small transactions, one after the other, so that what missions write in between waits for one of them at most.
    pub(super) fn prune(&mut self) {
        if std::mem::replace(&mut self.upkeep.pruning, true) {
            return;
        }
        self.upkeep.unpruned = 0;
        let (ports, keep) = (self.ports.clone(), self.keep_ended);
        self.jobs.spawn(async move {
            let mut gone = 0;
            loop {
                match ports.store.prune(keep, PRUNE_AT_ONCE, ports.clock.now()).await {
                    Ok(n) => {
                        gone += n;
                        if n < u64::from(PRUNE_AT_ONCE) {
                            break;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "old missions could not be forgotten; tried again later");
                        break;
                    }
                }
            }
            if gone > 0 {
                tracing::info!(gone, "old missions were forgotten");
            }
            Done::Pruned(gone)
        });
    }

    pub(super) fn pruned(&mut self, gone: u64) {
        self.upkeep.pruning = false;
        self.tally.missions_forgotten += gone;
    }

    /// Entries of each table that grows and shrinks with the missions in memory: all of them are back where they were
    /// when these have left.
    pub(super) fn report_held(&self, metrics: &mut Metrics) {
        let tables = [
            ("replies", self.replies.len()),
            ("owned", self.owned.len()),
            ("jobs_by_mission", self.stoppable.values().map(Vec::len).sum()),
            ("jobs_at_the_host", self.acting.len()),
            ("jobs_with_fallback", self.broken.len()),
            ("watches", self.watches.len()),
            ("marked_directories", self.marked.len() + self.marking.len()),
            ("stalled", self.stalled.len() + self.beside.len()),
            ("inputs", self.inbox.len() + self.opens.len()),
        ];
        tables.iter().for_each(|(name, n)| metrics.gauge(&format!("held.{name}"), *n as u64));
        self.core.report_held(&mut metrics.gauges);
        self.index.report_held(&mut metrics.gauges);
    }
}
