//! Which messages of the broker windows to come still need, and what about them a second reading could not find out.
//!
//! A snapshot keeps no rows: after a restart they are read again (contracts: restart of `watch`). Three things a second reading
//! would get wrong are kept here while they matter: which messages came behind the watermark and behind which one, rows that were
//! made beside the messages (a broken message becomes a row of `oddity`), and from where on a partition has to be read at all.
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use arrow::array::RecordBatch;
use lidr_schema::TableId;
use serde::{Deserialize, Serialize};

use crate::BrokerOrigin;

/// How far ahead of the watermark a row may be due and still be read again for its sake, µs.
const MOST_AHEAD: i64 = 86_400_000_000;
/// Rows made beside the messages that are kept.
const MOST_NOTES: usize = 4_096;

/// Topic and partition.
pub(crate) type Place = (String, i32);

#[derive(Debug)]
struct Message {
    offset: i64,
    table: TableId,
    /// Greatest `due` of its rows, as they were judged.
    last: i64,
    /// The watermark that it came behind.
    late: Option<i64>,
}

/// Rows that no message holds.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) table: TableId,
    pub(crate) batch: RecordBatch,
    pub(crate) broker: Option<Arc<BrokerOrigin>>,
    /// The watermark when it came.
    pub(crate) watermark: i64,
    last: i64,
}

/// A message whose rows came behind the watermark.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Late {
    topic: String,
    partition: i32,
    offset: i64,
    watermark: i64,
}

/// Messages and notes whose rows are still held.
#[derive(Debug, Default)]
pub(crate) struct Held {
    messages: BTreeMap<Place, VecDeque<Message>>,
    notes: VecDeque<Note>,
    /// Notes that went at the bound: a restart does not bring their rows back.
    pub(crate) forgotten: u64,
}

impl Held {
    /// Rows have come; `dues` is the least and greatest of them, `watermark` what it was then.
    pub(crate) fn push(
        &mut self,
        table: TableId,
        batch: &RecordBatch,
        broker: Option<&Arc<BrokerOrigin>>,
        (least, most): (i64, i64),
        watermark: i64,
    ) {
        let last = most.max(watermark.saturating_add(1));
        // One row of a far future must not have everything after it read again.
        let last = if watermark == i64::MIN { last } else { last.min(watermark.saturating_add(MOST_AHEAD)) };
        let Some(of) = broker.filter(|b| !b.beside) else {
            let (batch, broker) = (batch.clone(), broker.cloned());
            self.notes.push_back(Note { table, batch, broker, watermark, last });
            if self.notes.len() > MOST_NOTES {
                self.notes.pop_front();
                self.forgotten += 1;
            }
            return;
        };
        let late = (least <= watermark).then_some(watermark);
        let messages = self.messages.entry((of.topic.clone(), of.partition)).or_default();
        match messages.back_mut().filter(|m| m.offset == of.first_offset) {
            Some(same) => (same.last, same.late) = (same.last.max(last), same.late.or(late)),
            None => messages.push_back(Message { offset: of.first_offset, table, last, late }),
        }
    }

    /// Lets go of what is due before the time that its table is needed from.
    pub(crate) fn forget(&mut self, needed: impl Fn(TableId) -> i64) {
        for messages in self.messages.values_mut() {
            while messages.front().is_some_and(|m| m.last < needed(m.table)) {
                messages.pop_front();
            }
        }
        self.messages.retain(|_, messages| !messages.is_empty());
        self.notes.retain(|note| note.last >= needed(note.table));
    }

    /// The first message of each partition that has to be read again.
    pub(crate) fn first(&self) -> BTreeMap<Place, i64> {
        let first = |messages: &VecDeque<Message>| messages.front().map(|m| m.offset);
        self.messages.iter().filter_map(|(place, messages)| Some((place.clone(), first(messages)?))).collect()
    }

    /// Messages that came behind the watermark.
    pub(crate) fn late(&self) -> Vec<Late> {
        let of = |(topic, partition): &Place, m: &Message| {
            let (topic, partition, offset) = (topic.clone(), *partition, m.offset);
            m.late.map(|watermark| Late { topic, partition, offset, watermark })
        };
        self.messages.iter().flat_map(|(place, messages)| messages.iter().filter_map(move |m| of(place, m))).collect()
    }

    /// Rows that no message holds, in the order in which they came.
    pub(crate) const fn notes(&self) -> &VecDeque<Note> {
        &self.notes
    }
}

impl Late {
    /// Its place in the broker, and the watermark it came behind.
    pub(crate) fn entry(&self) -> ((String, i32, i64), i64) {
        ((self.topic.clone(), self.partition, self.offset), self.watermark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(offset: i64, beside: bool) -> Arc<BrokerOrigin> {
        Arc::new(BrokerOrigin { topic: "t".into(), partition: 1, first_offset: offset, beside })
    }

    #[test]
    fn what_is_behind_the_edge_is_let_go_from_the_front() {
        let (mut held, empty) = (Held::default(), RecordBatch::new_empty(TableId::Dns.def().schema()));
        let mut push = |offset, dues, watermark| {
            held.push(TableId::Dns, &empty, Some(&origin(offset, false)), dues, watermark);
        };
        push(3, (5, 9), i64::MIN);
        push(4, (1, 2), 20);
        push(4, (30, 31), 20);
        push(5, (40, 50), 20);
        assert_eq!(held.first(), BTreeMap::from([(("t".to_owned(), 1), 3)]));
        held.forget(|_| 10);
        assert_eq!(held.first().values().copied().collect::<Vec<_>>(), [4]);
        assert_eq!(held.late().iter().map(Late::entry).collect::<Vec<_>>(), [(("t".to_owned(), 1, 4), 20)]);
        held.forget(|_| 32);
        assert_eq!((held.first().values().copied().collect::<Vec<_>>(), held.late()), (vec![5], vec![]));
        held.forget(|_| 51);
        assert!(held.first().is_empty());
    }

    #[test]
    fn rows_made_beside_the_messages_are_kept_themselves() {
        let (mut held, empty) = (Held::default(), RecordBatch::new_empty(TableId::Oddity.def().schema()));
        held.push(TableId::Oddity, &empty, Some(&origin(7, true)), (5, 5), 4);
        held.push(TableId::Oddity, &empty, None, (8, 8), 4);
        assert!(held.first().is_empty() && held.notes().len() == 2, "nothing to read again");
        held.forget(|_| 6);
        assert_eq!(held.notes().iter().map(|n| n.last).collect::<Vec<_>>(), [8]);
    }
}
