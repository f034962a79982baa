//! Requests and their answers.
//!
//! An answer pairs if its effective time is at most 5 s after its request's; it waits `disorder` (1 s) for a request that a
//! capture put after it; a repeated request is one row; what stays without answer is due at its request + 5 s. Bounded: at the
//! bound the oldest request is given up early, and the caller says so.
//!
//! Time is the packets' own: what is over for one packet may not be over for the next one, which a capture out of order brings
//! later although it was sent before. So nothing is given up here because of another packet's time; the caller gives up what is
//! over once nothing can come in time any more ([`Pairs::expired`], [`Pairs::lapsed`]).
use std::{collections::BTreeMap, hash::Hash};

use hashbrown::HashMap;

/// How long an answer may take, µs.
pub const ANSWER_WITHIN: i64 = 5_000_000;
/// How long an answer waits for a request that comes after it, µs.
pub const DISORDER: i64 = 1_000_000;
/// Requests of one conversation that wait at the same time.
pub const MOST_WAITING: usize = 4096;

/// Requests that wait for their answer, and answers that wait for their request.
#[derive(Debug)]
pub struct Pairs<K, Q, A> {
    waiting: HashMap<K, (i64, u64, Q)>,
    order: BTreeMap<(i64, u64), K>,
    /// Requests that had no answer in time, and whose key another one has taken since.
    over: BTreeMap<(i64, u64), Q>,
    early: HashMap<K, (i64, A)>,
    early_least: i64,
    /// Answers that had no request in time, and whose key another one has taken since.
    alone: Vec<(A, i64)>,
    serial: u64,
}

impl<K, Q, A> Default for Pairs<K, Q, A> {
    fn default() -> Self {
        Self {
            waiting: HashMap::new(),
            order: BTreeMap::new(),
            over: BTreeMap::new(),
            early: HashMap::new(),
            early_least: i64::MAX,
            alone: Vec::new(),
            serial: 0,
        }
    }
}

/// No room was left for an answer that came before its request: those whose time is over made it, each with the time at which it was
/// given up. Where there is none of them the answer itself is lost, and the caller says so.
#[derive(Debug, PartialEq, Eq)]
pub struct Crowded<A>(pub Vec<(A, i64)>);

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked<Q, A> {
    /// It waits.
    Waits,
    /// Its answer came before it: both, and the effective time of the pair.
    Answered(Q, A, i64),
    /// The same request is waiting already.
    Repeated,
    /// It waits, and the oldest one was given up for it.
    Crowded(Q),
}

impl<K: Eq + Hash + Clone, Q, A> Pairs<K, Q, A> {
    /// A request at effective time `eff`.
    pub fn ask(&mut self, key: K, eff: i64, request: Q) -> Asked<Q, A> {
        self.settle(&key, eff);
        if self.waiting.contains_key(&key) {
            return Asked::Repeated;
        }
        let in_time = self.early.get(&key).is_some_and(|(then, _)| eff - then <= DISORDER);
        if let Some((then, answer)) = in_time.then(|| self.early.remove(&key)).flatten() {
            return Asked::Answered(request, answer, eff.max(then));
        }
        self.serial += 1;
        self.order.insert((eff, self.serial), key.clone());
        self.waiting.insert(key, (eff, self.serial, request));
        match self.waiting.len() + self.over.len() > MOST_WAITING {
            true => self.oldest().map_or(Asked::Waits, Asked::Crowded),
            false => Asked::Waits,
        }
    }

    /// An answer at effective time `eff`: the request it belongs to, and when the pair is due. Without one it waits.
    ///
    /// # Errors
    /// If there was no room for it to wait in.
    pub fn answer(&mut self, key: &K, eff: i64, answer: A) -> Result<Option<(Q, A, i64)>, Crowded<A>> {
        self.settle(key, eff);
        if let Some((asked, request)) = self.take(key) {
            return Ok(Some((request, answer, eff.max(asked))));
        }
        let crowded = self.early.len() + self.alone.len() >= MOST_WAITING;
        let gone = if crowded { self.lapsed(eff) } else { Vec::new() };
        if crowded && gone.is_empty() {
            return Err(Crowded(gone));
        }
        self.early_least = self.early_least.min(eff);
        let former = self.early.insert(key.clone(), (eff, answer));
        self.alone.extend(former.filter(|(then, _)| eff - then > DISORDER).map(|(then, a)| (a, then + DISORDER)));
        if crowded { Err(Crowded(gone)) } else { Ok(None) }
    }

    /// A packet at `eff` has to do with that key: a request whose answer it cannot be any more makes room.
    pub fn settle(&mut self, key: &K, eff: i64) {
        if self.waiting.get(key).is_none_or(|(asked, ..)| eff - asked <= ANSWER_WITHIN) {
            return;
        }
        if let Some((asked, serial, request)) = self.waiting.remove(key) {
            self.order.remove(&(asked, serial));
            self.over.insert((asked, serial), request);
        }
    }

    fn take(&mut self, key: &K) -> Option<(i64, Q)> {
        let (asked, serial, request) = self.waiting.remove(key)?;
        self.order.remove(&(asked, serial));
        Some((asked, request))
    }

    fn oldest(&mut self) -> Option<Q> {
        let (over, waiting) =
            (self.over.first_key_value().map(|(at, _)| at), self.order.first_key_value().map(|(at, _)| at));
        if over.is_some_and(|over| waiting.is_none_or(|waiting| over < waiting)) {
            return self.over.pop_first().map(|(_, request)| request);
        }
        let (_, key) = self.order.pop_first()?;
        self.waiting.remove(&key).map(|(_, _, request)| request)
    }

    /// The key of the request that waits longest among those that `of` chooses.
    pub fn first(&self, of: impl Fn(&K) -> bool) -> Option<&K> {
        self.order.values().find(|key| of(key))
    }

    /// The least deadline, µs.
    #[must_use]
    pub fn deadline(&self) -> Option<i64> {
        let over = self.over.first_key_value().map(|((asked, _), _)| asked);
        let waiting = self.order.first_key_value().map(|((asked, _), _)| asked);
        over.into_iter().chain(waiting).min().map(|asked| asked + ANSWER_WITHIN)
    }

    /// Requests whose deadline is before `now`, in order, each with its deadline; no packet may come before `now` any more.
    pub fn expired(&mut self, now: i64) -> Vec<(Q, i64)> {
        let mut out = Vec::new();
        while let Some(deadline) = self.deadline().filter(|d| *d < now) {
            out.extend(self.oldest().map(|request| (request, deadline)));
        }
        out
    }

    /// Everything that waits, in order, each with min(deadline, now) and whether its deadline had come.
    pub fn flush(&mut self, now: i64) -> Vec<(Q, i64, bool)> {
        let mut out = Vec::new();
        while let Some(deadline) = self.deadline() {
            out.extend(self.oldest().map(|request| (request, deadline.min(now), deadline <= now)));
        }
        out
    }

    /// When the oldest answer without request has waited long enough, µs; it may name a time at which there is none any more.
    #[must_use]
    pub fn early_deadline(&self) -> Option<i64> {
        let alone = self.alone.iter().map(|(_, until)| *until);
        let early = (!self.early.is_empty()).then(|| self.early_least.saturating_add(DISORDER));
        early.into_iter().chain(alone).min()
    }

    /// Answers whose request did not come before `now`, each with the time at which it was given up.
    pub fn lapsed(&mut self, now: i64) -> Vec<(A, i64)> {
        if self.early_deadline().is_none_or(|least| least >= now) {
            return Vec::new();
        }
        let late = |eff: i64| eff.saturating_add(DISORDER) < now;
        let mut out: Vec<(A, i64)> = self.alone.extract_if(.., |(_, until)| *until < now).collect();
        out.extend(self.early.extract_if(|_, (eff, _)| late(*eff)).map(|(_, (eff, a))| (a, eff + DISORDER)));
        self.early_least = self.early.values().map(|(eff, _)| *eff).min().unwrap_or(i64::MAX);
        out
    }

    /// A request that waits is given up for another one with its key.
    pub fn give_up(&mut self, key: &K) -> Option<Q> {
        self.take(key).map(|(_, request)| request)
    }

    /// Any request that waits, changed in place (a repeated answer, a continued body).
    pub fn waiting_mut(&mut self, key: &K) -> Option<&mut Q> {
        self.waiting.get_mut(key).map(|(_, _, request)| request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn answers_pair_until_five_seconds_and_not_after() {
        let mut pairs: Pairs<u8, &str, ()> = Pairs::default();
        assert_eq!(pairs.ask(1, 0, "a"), Asked::Waits);
        assert!(pairs.expired(5 * S).is_empty(), "a deadline is acted on after it");
        assert_eq!(pairs.answer(&1, 5 * S, ()), Ok(Some(("a", (), 5 * S))));
        pairs.ask(2, 0, "b");
        assert_eq!(pairs.expired(5 * S + 1), [("b", 5 * S)]);
        assert_eq!(pairs.answer(&2, 6 * S, ()), Ok(None));
    }

    #[test]
    fn own_times_decide_and_not_those_of_other_packets() {
        let mut pairs: Pairs<u8, &str, &str> = Pairs::default();
        pairs.ask(1, 0, "a");
        pairs.ask(2, 5 * S + 500_000, "b");
        // Captured after the second request, sent before it.
        assert_eq!(pairs.answer(&1, 4 * S + 900_000, "of a"), Ok(Some(("a", "of a", 4 * S + 900_000))));
        pairs.ask(3, 0, "c");
        assert_eq!(pairs.answer(&3, 5 * S + 1, "too late"), Ok(None));
        assert_eq!(
            pairs.ask(3, 7 * S, "c again"),
            Asked::Waits,
            "another request, not a repeat of the one that is over"
        );
        assert_eq!((pairs.deadline(), pairs.answer(&3, 7 * S, "y")), (Some(5 * S), Ok(Some(("c again", "y", 7 * S)))));
        assert_eq!(pairs.answer(&3, 8 * S, "late again"), Ok(None));
        assert_eq!(pairs.expired(6 * S + 1), [("c", 5 * S)]);
        assert_eq!(pairs.lapsed(i64::MAX), [("too late", 6 * S + 1), ("late again", 9 * S)]);
    }

    #[test]
    fn an_answer_waits_for_its_request() {
        let mut pairs: Pairs<u8, &str, &str> = Pairs::default();
        assert_eq!(pairs.answer(&1, 10, "late request"), Ok(None));
        assert_eq!(pairs.ask(1, 20, "q"), Asked::Answered("q", "late request", 20));
    }

    #[test]
    fn an_answer_nobody_asked_for_lapses() {
        let mut pairs: Pairs<u8, (), &str> = Pairs::default();
        assert_eq!(pairs.answer(&1, 10, "alone"), Ok(None));
        assert_eq!(pairs.early_deadline(), Some(10 + DISORDER));
        assert!(pairs.lapsed(10 + DISORDER).is_empty(), "a request at the deadline still pairs");
        assert_eq!(pairs.ask(1, 11 + DISORDER, ()), Asked::Waits, "too late to pair");
        assert_eq!(pairs.lapsed(11 + DISORDER), [("alone", 10 + DISORDER)]);
        assert_eq!(pairs.early_deadline(), None);
        assert_eq!((pairs.give_up(&1), pairs.give_up(&1)), (Some(()), None));
    }

    #[test]
    fn repeats_are_one_and_the_bound_holds() {
        let mut pairs: Pairs<usize, usize, ()> = Pairs::default();
        for key in 0..MOST_WAITING {
            assert_eq!(pairs.ask(key, 0, key), Asked::Waits);
        }
        assert_eq!(pairs.ask(0, 1, 0), Asked::Repeated);
        assert_eq!(pairs.ask(MOST_WAITING, 1, 9), Asked::Crowded(0));
        assert_eq!(pairs.flush(2).len(), MOST_WAITING);
        for key in 0..MOST_WAITING {
            assert_eq!(pairs.answer(&key, 3, ()), Ok(None));
        }
        assert_eq!(pairs.answer(&MOST_WAITING, 3, ()), Err(Crowded(vec![])), "no answer is lost without a word");
        let gone = pairs.answer(&MOST_WAITING, 3 * S, ()).unwrap_err().0;
        assert_eq!(gone, vec![((), 3 + DISORDER); MOST_WAITING], "those whose time is over are handed out");
        assert_eq!(pairs.lapsed(i64::MAX).len(), 1);
    }
}
