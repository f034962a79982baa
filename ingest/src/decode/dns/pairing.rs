//! Questions meet their answers; repeats of both are one row, and an answer that nobody asked for is one too.
use std::collections::BTreeMap;

use hashbrown::HashMap;
use lidr_schema::{Name, table::dns};

use super::{
    message::{Answers, Message, Question},
    names::{kind_name, opcode_name, rcode_name},
};
use crate::{
    decode::{
        Mark, Odd, Rows, Segment,
        pairs::{ANSWER_WITHIN, Asked, DISORDER, MOST_WAITING, Pairs},
    },
    record::Dir,
};

/// Asker, id, question.
type Key = (usize, u16, Question);

/// Who asked what, where.
#[derive(Clone, Debug)]
struct Asker {
    mark: Mark,
    dir: Dir,
    id: u16,
    opcode: u8,
    question: Question,
}

/// Everything of a conversation that waits.
#[derive(Default)]
pub(super) struct Pairing {
    pairs: Pairs<Key, Asker, Answers>,
    /// Answers without a question so far, by when they are given up.
    unasked: BTreeMap<(i64, u64), (Key, Asker, Answers)>,
    unasked_at: HashMap<Key, (i64, u64)>,
    /// When pairs were made: for a while a repeat of either half is no news.
    made: HashMap<Key, i64>,
    serial: u64,
    crowded: bool,
}

impl Pairing {
    /// A message that asks.
    pub(super) fn asked(&mut self, segment: &Segment<'_>, message: Message, rows: &mut Rows<'_>) {
        let eff = segment.last.eff;
        for question in message.questions {
            let key = (segment.dir.index(), message.id, question.clone());
            self.settle(&key, eff, rows);
            if self.is_repeat(&key, eff) {
                continue;
            }
            let mark = rows.mark(segment.dir, segment.first);
            let asker = Asker { mark, dir: segment.dir, id: message.id, opcode: message.opcode, question };
            match self.pairs.ask(key.clone(), eff, asker) {
                Asked::Waits | Asked::Repeated => {}
                Asked::Answered(asker, answers, due) => {
                    self.forget(&key);
                    self.made(key, eff);
                    write(&asker, Some(&answers), "ok", due, rows);
                }
                Asked::Crowded(oldest) => self.crowd(&oldest, segment, rows),
            }
        }
    }

    /// The oldest question was given up for a new one.
    fn crowd(&mut self, oldest: &Asker, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        write(oldest, None, "not_seen", segment.last.eff, rows);
        if !std::mem::replace(&mut self.crowded, true) {
            let mark = rows.mark(segment.dir, segment.first);
            let had = Some(MOST_WAITING as u64);
            rows.odd(mark, segment.last.eff, Odd { kind: "bound", detail: "questions", needed: None, had });
        }
    }

    /// A message that answers.
    pub(super) fn answered(&mut self, segment: &Segment<'_>, message: Message, rows: &mut Rows<'_>) {
        let dir = if segment.dir == Dir::Src { Dir::Dst } else { Dir::Src };
        let eff = segment.last.eff;
        for question in message.questions {
            let key = (dir.index(), message.id, question.clone());
            self.settle(&key, eff, rows);
            if self.is_repeat(&key, eff) || self.unasked_at.contains_key(&key) {
                continue;
            }
            if let Ok(Some((asker, answers, due))) = self.pairs.answer(&key, eff, message.answers.clone()) {
                self.made(key, eff);
                write(&asker, Some(&answers), "ok", due, rows);
                continue;
            }
            // Answers without a question, and those that found no room among the pairs, are kept here, where they become rows.
            let mark = rows.mark(segment.dir, segment.first);
            let asker = Asker { mark, dir, id: message.id, opcode: message.opcode, question };
            self.keep(key, eff, (asker, message.answers.clone()), rows);
        }
    }

    fn keep(&mut self, key: Key, eff: i64, (asker, answers): (Asker, Answers), rows: &mut Rows<'_>) {
        if self.unasked.len() >= MOST_WAITING {
            self.give_up(eff, rows);
        }
        self.serial += 1;
        let place = (eff + DISORDER, self.serial);
        self.unasked_at.insert(key.clone(), place);
        self.unasked.insert(place, (key, asker, answers));
    }

    fn forget(&mut self, key: &Key) {
        if let Some(place) = self.unasked_at.remove(key) {
            self.unasked.remove(&place);
        }
    }

    /// An answer that waits for that question has waited too long for a message at `eff`.
    fn settle(&mut self, key: &Key, eff: i64, rows: &mut Rows<'_>) {
        let Some(place) = self.unasked_at.get(key).copied().filter(|(until, _)| *until < eff) else { return };
        if let Some(unasked) = self.unasked.remove(&place) {
            self.lapse(place.0, unasked, rows);
        }
    }

    /// Writes the oldest answer that nobody asked for, due at `now` at the latest.
    fn give_up(&mut self, now: i64, rows: &mut Rows<'_>) {
        if let Some(((until, _), unasked)) = self.unasked.pop_first() {
            self.lapse(until.min(now), unasked, rows);
        }
    }

    fn lapse(&mut self, due: i64, (key, asker, answers): (Key, Asker, Answers), rows: &mut Rows<'_>) {
        self.unasked_at.remove(&key);
        write(&asker, Some(&answers), "ok", due, rows);
        self.made(key, due - DISORDER);
    }

    fn is_repeat(&self, key: &Key, now: i64) -> bool {
        self.made.get(key).is_some_and(|then| now - then <= ANSWER_WITHIN)
    }

    fn made(&mut self, key: Key, now: i64) {
        if self.made.len() >= MOST_WAITING {
            self.made.retain(|_, then| now - *then <= ANSWER_WITHIN);
        }
        if self.made.len() < MOST_WAITING {
            self.made.insert(key, now);
        }
    }

    pub(super) fn deadline(&self) -> Option<i64> {
        let unasked = self.unasked.first_key_value().map(|((until, _), _)| *until);
        self.pairs.deadline().into_iter().chain(unasked).min()
    }

    pub(super) fn expire(&mut self, now: i64, rows: &mut Rows<'_>) {
        for (asker, due) in self.pairs.expired(now) {
            write(&asker, None, "unanswered", due, rows);
        }
        drop(self.pairs.lapsed(now));
        while self.unasked.first_key_value().is_some_and(|((until, _), _)| *until < now) {
            self.give_up(now, rows);
        }
    }

    pub(super) fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        for (asker, due, over) in self.pairs.flush(now) {
            write(&asker, None, if over || rows.closed { "unanswered" } else { "not_seen" }, due, rows);
        }
        while !self.unasked.is_empty() {
            self.give_up(now, rows);
        }
    }
}

/// `otherwise` is the outcome where there is no answer, or no fault in it.
fn write(asker: &Asker, answers: Option<&Answers>, otherwise: &'static str, due: i64, rows: &mut Rows<'_>) {
    let refused = answers.is_some_and(|a| !matches!(a.rcode, 0 | 3));
    let row = dns::Row {
        query_id: asker.id,
        qname: asker.question.name.clone().into(),
        qtype: kind_name(asker.question.kind),
        opcode: opcode_name(asker.opcode),
        rcode: answers.map(|a| rcode_name(a.rcode)),
        outcome: Name::Borrowed(if refused { "refused" } else { otherwise }),
        answers: answers.map_or(0, |a| a.count),
        answer_ip: answers.and_then(|a| a.ip),
        answer_name: answers.and_then(|a| a.name.clone()).map(Name::from),
        min_ttl: answers.and_then(|a| a.min_ttl),
        answer_bytes: answers.map_or(0, |a| a.octets),
        truncated: answers.is_some_and(|a| a.truncated),
    };
    let ends = rows.ends_from(asker.dir);
    rows.push_between(asker.mark, due, ends, row);
}
