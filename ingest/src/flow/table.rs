//! The flow table: tagged indices over a slab, and a lazy timer wheel.
//!
//! The wheel has buckets of one second. Nothing is done per packet: a flow whose deadline has moved is found in its old bucket and
//! put into the new one. It only reclaims what is past its deadline; where a row ends is decided by the flow's own packets.
use std::collections::BTreeMap;

use hashbrown::HashTable;

use super::Flow;
use crate::record::FlowKey;

const SECOND: i64 = 1_000_000;
/// Places kept for flows to come.
const MOST_SPARE: usize = 4096;

/// An index into the slab that was valid when it was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    slot: u32,
    generation: u32,
}

#[derive(Debug)]
struct Slot {
    /// What the wheel was last told: kept here, so that an older ticket is known without a look at the flow.
    scheduled: i64,
    generation: u32,
    flow: Option<Box<Flow>>,
}

/// The place of a flow that is over.
#[derive(Debug)]
struct Spare(Box<Flow>);

/// All live flows of one worker.
#[derive(Debug, Default)]
pub(crate) struct FlowTable {
    index: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    wheel: BTreeMap<i64, Vec<Ticket>>,
    /// Places of flows that are over, for those to come.
    spare: Vec<Spare>,
    /// Most flows at once so far.
    pub(crate) peak: usize,
}

impl FlowTable {
    /// Number of live flows.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The flow of that key.
    pub(crate) fn find(&self, hash: u64, key: &FlowKey) -> Option<u32> {
        let is = |slot: &u32| self.get(*slot).is_some_and(|flow| flow.key == *key);
        self.index.find(hash, is).copied()
    }

    /// The flow in that slot.
    pub(crate) fn get(&self, slot: u32) -> Option<&Flow> {
        self.slots.get(slot as usize)?.flow.as_deref()
    }

    /// The flow in that slot.
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Flow> {
        self.slots.get_mut(slot as usize)?.flow.as_deref_mut()
    }

    /// Adds a flow whose key is not there.
    pub(crate) fn insert(&mut self, flow: Flow) -> u32 {
        let hash = flow.hash;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(Slot { scheduled: i64::MAX, generation: 0, flow: None });
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        if let Some(place) = self.slots.get_mut(slot as usize) {
            place.scheduled = i64::MAX;
            place.flow = Some(match self.spare.pop() {
                Some(Spare(mut spare)) => {
                    *spare = flow;
                    spare
                }
                None => Box::new(flow),
            });
        }
        let slots = &self.slots;
        let hash_of = |slot: &u32| slots.get(*slot as usize).and_then(|s| s.flow.as_ref()).map_or(0, |f| f.hash);
        self.index.insert_unique(hash, slot, hash_of);
        self.peak = self.peak.max(self.index.len());
        slot
    }

    /// Takes a flow out.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<Box<Flow>> {
        let place = self.slots.get_mut(slot as usize)?;
        let flow = place.flow.take()?;
        place.generation = place.generation.wrapping_add(1);
        if let Ok(entry) = self.index.find_entry(flow.hash, |s| *s == slot) {
            entry.remove();
        }
        self.free.push(slot);
        Some(flow)
    }

    /// When the flow is looked at again; `i64::MAX` for one that was never scheduled.
    pub(crate) fn scheduled(&self, slot: u32) -> i64 {
        self.slots.get(slot as usize).map_or(i64::MAX, |place| place.scheduled)
    }

    /// Whether the flow is to be looked at in the second of `until` or before.
    pub(crate) fn is_due(&self, slot: u32, until: i64) -> bool {
        self.scheduled(slot).div_euclid(SECOND) <= until.div_euclid(SECOND)
    }

    /// A flow that was taken out is over.
    pub(crate) fn recycle(&mut self, flow: Box<Flow>) {
        if self.spare.len() < MOST_SPARE {
            self.spare.push(Spare(flow));
        }
    }

    /// Looks at the flow again once the clock has passed that time, and no earlier.
    pub(crate) fn schedule(&mut self, slot: u32, at: i64) {
        let Some(place) = self.slots.get_mut(slot as usize) else { return };
        place.scheduled = at;
        let ticket = Ticket { slot, generation: place.generation };
        self.wheel.entry(at.div_euclid(SECOND)).or_default().push(ticket);
    }

    /// Flows whose look-at time has come: everything scheduled up to the second of `until`. Some of them may come twice.
    pub(crate) fn due(&mut self, until: i64) -> Vec<u32> {
        let mut out = Vec::new();
        let last = until.div_euclid(SECOND);
        while let Some(bucket) = self.wheel.first_entry().filter(|b| *b.key() <= last) {
            out.extend(bucket.remove());
        }
        let is_live = |t: &Ticket| {
            self.slots.get(t.slot as usize).is_some_and(|s| s.generation == t.generation && s.flow.is_some())
        };
        out.retain(|t| is_live(t) && self.is_due(t.slot, until));
        out.into_iter().map(|t| t.slot).collect()
    }

    /// The flow that would be looked at first: what makes room at the bound.
    pub(crate) fn oldest(&mut self) -> Option<u32> {
        loop {
            let mut bucket = self.wheel.first_entry()?;
            let Some(ticket) = bucket.get_mut().pop() else {
                bucket.remove();
                continue;
            };
            let live = self
                .slots
                .get(ticket.slot as usize)
                .is_some_and(|s| s.generation == ticket.generation && s.flow.is_some());
            if live {
                return Some(ticket.slot);
            }
        }
    }

    /// Every live slot, in the order of first packets: what the end of the input closes.
    pub(crate) fn all(&self) -> Vec<u32> {
        let mut live: Vec<u32> = self.index.iter().copied().collect();
        live.sort_unstable_by_key(|s| self.get(*s).map(|f| (f.first.input, f.first.frame, f.layer)));
        live
    }
}
