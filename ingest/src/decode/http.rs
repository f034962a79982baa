//! HTTP/1.0 and 1.1 (RFC 9112): requests paired with answers in order; bodies passed over, but for those that order interception.
//!
//! Read: the head of each message, lengths of bodies by Content-Length and chunks, and bodies up to 1 MiB whose first octets show
//! an order to intercept (X1, HI1), whatever their content type says. Not read: HTTP/2, WebSocket, anything after an upgrade or CONNECT, content
//! codings. Queries, bodies, cookies and credentials are not kept. A stream that begins in the middle, or lost octets, is read
//! from the next head on; from there answers belong to the request that waits longest, because numbers no longer tell.
mod body;
mod head;
mod pairing;
mod search;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use body::Chunked;
use head::{Framing, Head};
use lidr_schema::{Name, table::http};
use pairing::give_up;
use search::Found;

use super::{
    Decoder, Odd, Progress, Protocol, Segment, Transport, Verdict, hi1,
    pairs::{Asked, Crowded, Pairs},
    rows::{Mark, Rows},
    x1,
};
use crate::record::Dir;

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "http",
    transport: Transport::Stream,
    ports: &[80, 8080, 8000, 8081, 8082, 8008, 8888, 3128],
    probe: |data, _| search::probe(data),
    start: || Box::<Http>::default(),
};

/// Most octets of a head.
const MOST_HEAD: usize = 64 * 1024;
/// Most octets of a body that is read.
const MOST_BODY: usize = 1 << 20;
/// A length that no body has.
const ABSURD: u64 = 1 << 48;
/// Methods of requests whose answers are awaited.
const MOST_METHODS: usize = 4096;

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    /// A body of known length whose first octets tell whether it is read.
    Peek(u64),
    /// A body of known length that is read.
    Body(usize),
    /// Chunks.
    Chunks(Chunked),
    /// Lines after the last chunk.
    Trailer(Chunked),
    /// Out of step: the next head is searched for; octets searched so far.
    Lost(usize),
    /// Something else is spoken from here on.
    Over,
}

#[derive(Debug, Default)]
struct Side {
    state: State,
    head: Option<(Mark, Head)>,
    /// Messages read so far: a request and its answer have one number.
    count: u64,
    /// This end has sent answers.
    answers: bool,
}

#[derive(Debug)]
struct Request {
    mark: Mark,
    dir: Dir,
    /// Moved from place to place while it waits: only its address.
    row: Box<http::Row>,
    orders: Orders<(Mark, x1::Message), (Mark, hi1::Action)>,
}

#[derive(Debug)]
struct Response {
    head: Head,
    bytes: u64,
    orders: Orders<x1::Message, hi1::Action>,
    /// Its body was seen to its end.
    whole: bool,
}

/// What a body orders or answers.
#[derive(Debug)]
struct Orders<X, H> {
    x1: Vec<X>,
    hi1: Vec<H>,
}

/// The octets of a message after its head.
#[derive(Clone, Copy, Debug)]
struct Content<'a> {
    bytes: u64,
    /// Those that are read.
    octets: &'a [u8],
    whole: bool,
}

#[derive(Debug, Default)]
struct Http {
    sides: [Side; 2],
    pairs: Pairs<(u64, bool), Request, Response>,
    /// Whether requests whose answer is to come are HEAD, in their order.
    methods: VecDeque<bool>,
    /// An answer that came before its request was whole, with its number and time.
    early: Option<((u64, bool), Response, i64)>,
    /// Octets were lost: messages can no longer be counted.
    loose: bool,
}

impl Decoder for Http {
    fn decode(&mut self, s: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        if s.gap > 0 {
            self.gap(s, rows);
        }
        let Some(side) = self.sides.get_mut(s.dir.index()) else { return Progress::Done };
        match std::mem::take(&mut side.state) {
            State::Over => {
                side.state = State::Over;
                Progress::Done
            }
            State::Head => self.head(s, false, rows),
            State::Peek(length) => self.peek(length, s, rows),
            State::Body(length) => self.body(length, s, rows),
            State::Chunks(chunked) => self.chunk(chunked, s, rows),
            State::Trailer(chunked) => self.trailer(chunked, s, rows),
            State::Lost(searched) => self.search(searched, s, rows),
        }
    }

    fn deadline(&self) -> Option<i64> {
        self.pairs.deadline()
    }

    fn expire(&mut self, now: i64, rows: &mut Rows<'_>) {
        for (request, deadline) in self.pairs.expired(now) {
            give_up(request, deadline, true, rows);
        }
        drop(self.pairs.lapsed(now));
    }

    fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        for dir in [Dir::Src, Dir::Dst] {
            self.cut_short(dir, now, rows);
        }
        for (request, due, over) in self.pairs.flush(now) {
            give_up(request, due, over || rows.closed, rows);
        }
    }
}

impl Http {
    fn set(&mut self, dir: Dir, state: State) {
        if let Some(side) = self.sides.get_mut(dir.index()) {
            side.state = state;
        }
    }

    /// Octets were lost: what was begun is void, and so are requests whose answers may be among them.
    fn gap(&mut self, s: Segment<'_>, rows: &mut Rows<'_>) {
        let Some(side) = self.sides.get_mut(s.dir.index()) else { return };
        if matches!(side.state, State::Over) {
            return;
        }
        side.state = State::Lost(0);
        side.head = None;
        self.loose = true;
        self.methods.clear();
        self.early = None;
        if side.answers {
            for (request, ..) in self.pairs.flush(s.last.eff) {
                give_up(request, s.last.eff, false, rows);
            }
        }
    }

    /// `searching`: octets that were taken for a head and are none say nothing.
    fn head(&mut self, s: Segment<'_>, searching: bool, rows: &mut Rows<'_>) -> Progress {
        let (head, taken) = match head::parse(s.data) {
            Ok(Some(found)) => found,
            Ok(None) if s.data.len() > MOST_HEAD => return self.lost("head too long", s, rows),
            Ok(None) => {
                self.set(s.dir, if searching { State::Lost(0) } else { State::Head });
                return Progress::NeedMore(s.data.len() + 1);
            }
            Err(_) if searching => {
                self.set(s.dir, State::Lost(1));
                return Progress::Taken(1);
            }
            Err(detail) => return self.lost(detail, s, rows),
        };
        let mark = rows.mark(s.dir, s.first);
        let bodyless = match head.method() {
            Some(method) => {
                self.asked(method == "HEAD", s, rows);
                false
            }
            // An informational answer is followed by the real one.
            None if head.informational() => {
                self.set(s.dir, State::Head);
                return Progress::Taken(taken);
            }
            None => self.answers_head(s.dir) || head.bodyless(),
        };
        let over = head.switches();
        let may = body::may_be_order(head.media());
        let framing = if bodyless { Framing::None } else { head.framing() };
        if let Some(side) = self.sides.get_mut(s.dir.index()) {
            side.answers |= head.method().is_none();
            side.head = Some((mark, head));
        }
        self.framed(framing, taken, over, may, s, rows)
    }

    fn framed(
        &mut self,
        framing: Framing,
        taken: usize,
        over: bool,
        may: bool,
        s: Segment<'_>,
        rows: &mut Rows<'_>,
    ) -> Progress {
        match framing {
            Framing::Length(n) if n > ABSURD => {
                let mark = rows.mark(s.dir, s.first);
                rows.odd(
                    mark,
                    s.last.eff,
                    Odd { kind: "malformed", detail: "content length", needed: Some(ABSURD), had: Some(n) },
                );
                self.message(s, Content { bytes: 0, octets: &[], whole: false }, rows);
                self.set(s.dir, State::Over);
                Progress::Taken(taken)
            }
            Framing::Length(n) if may && n > 0 => {
                self.set(s.dir, State::Peek(n));
                Progress::Taken(taken)
            }
            Framing::Length(n) => {
                self.message(s, Content { bytes: n, octets: &[], whole: true }, rows);
                Progress::Skip(taken as u64 + n)
            }
            Framing::Chunked => {
                self.set(s.dir, State::Chunks(Chunked::new(may)));
                Progress::Taken(taken)
            }
            Framing::None | Framing::UntilClose => {
                self.message(s, Content { bytes: 0, octets: &[], whole: true }, rows);
                let ends = over || framing == Framing::UntilClose;
                self.set(s.dir, if ends { State::Over } else { State::Head });
                Progress::Taken(taken)
            }
        }
    }

    /// Notes whether a request is HEAD, until its answer tells its length.
    fn asked(&mut self, is_head: bool, s: Segment<'_>, rows: &mut Rows<'_>) {
        if self.loose {
            return;
        }
        if self.methods.len() < MOST_METHODS {
            return self.methods.push_back(is_head);
        }
        self.loose = true;
        self.methods.clear();
        let mark = rows.mark(s.dir, s.first);
        let had = Some(MOST_METHODS as u64);
        rows.odd(mark, s.last.eff, Odd { kind: "bound", detail: "requests waiting", needed: None, had });
    }

    /// Whether the answer that begins is one to HEAD.
    fn answers_head(&mut self, dir: Dir) -> bool {
        if !self.loose {
            return self.methods.pop_front().unwrap_or(false);
        }
        let from_src = dir == Dir::Dst;
        let key = self.pairs.first(|key| key.1 == from_src).copied();
        key.and_then(|key| self.pairs.waiting_mut(&key)).is_some_and(|request| request.row.method == "HEAD")
    }

    fn lost(&mut self, detail: &'static str, s: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        let untouched = self.sides.iter().all(|side| side.count == 0 && side.head.is_none());
        if untouched && !self.loose {
            return Progress::NotMine;
        }
        let mark = rows.mark(s.dir, s.first);
        rows.odd(mark, s.last.eff, Odd { kind: "malformed", detail, needed: None, had: Some(s.data.len() as u64) });
        self.loose = true;
        self.methods.clear();
        if let Some(side) = self.sides.get_mut(s.dir.index()) {
            side.head = None;
            side.state = State::Lost(1);
        }
        Progress::Taken(1)
    }

    fn search(&mut self, searched: usize, s: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        match search::next_head(s.data) {
            Found::At(0) => self.head(s, true, rows),
            Found::At(place) => {
                self.set(s.dir, State::Lost(searched.saturating_add(place)));
                Progress::Taken(place)
            }
            Found::Keep(kept) => {
                let passed = s.data.len() - kept;
                let searched = searched.saturating_add(passed);
                self.set(s.dir, if searched > MOST_BODY { State::Over } else { State::Lost(searched) });
                if passed > 0 { Progress::Taken(passed) } else { Progress::NeedMore(s.data.len() + 1) }
            }
        }
    }

    fn peek(&mut self, length: u64, s: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        let enough = usize::try_from(length).unwrap_or(usize::MAX).min(body::PEEK);
        let Some(first) = s.data.get(..enough) else {
            self.set(s.dir, State::Peek(length));
            return Progress::NeedMore(enough);
        };
        let is_order = body::is_order(first);
        match usize::try_from(length).ok().filter(|n| is_order && *n <= MOST_BODY) {
            Some(length) => self.body(length, s, rows),
            None => {
                if is_order {
                    body::too_long(length, s, rows);
                }
                self.message(s, Content { bytes: length, octets: &[], whole: true }, rows);
                Progress::Skip(length)
            }
        }
    }

    fn body(&mut self, length: usize, s: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        let Some(octets) = s.data.get(..length) else {
            self.set(s.dir, State::Body(length));
            return Progress::NeedMore(length);
        };
        self.message(s, Content { bytes: length as u64, octets, whole: true }, rows);
        Progress::Taken(length)
    }

    fn chunk(&mut self, mut chunked: Chunked, s: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        /// Octets of a line with the length of a chunk, extensions included.
        const MOST_LINE: usize = 1024;
        let Some(line) = s.data.windows(2).position(|w| matches!(w, [b'\r', b'\n'])) else {
            if s.data.len() > MOST_LINE {
                return self.lost("chunk", s, rows);
            }
            self.set(s.dir, State::Chunks(chunked));
            return Progress::NeedMore(s.data.len() + 1);
        };
        let digits = s.data.get(..line).and_then(|l| std::str::from_utf8(l).ok()).and_then(|l| l.split(';').next());
        let Some(size) = digits.and_then(|d| u32::from_str_radix(d.trim(), 16).ok()) else {
            return self.lost("chunk", s, rows);
        };
        if size == 0 {
            self.set(s.dir, State::Trailer(chunked));
            // The line end stays: without trailers it is half of the empty line that ends the message.
            return Progress::Taken(line);
        }
        let (from, whole) = (line + 2, line + 2 + size as usize + 2);
        if !chunked.wants(size, s, rows) {
            chunked.total += u64::from(size);
            self.set(s.dir, State::Chunks(chunked));
            return Progress::Skip(whole as u64);
        }
        let Some(part) = s.data.get(from..from + size as usize) else {
            self.set(s.dir, State::Chunks(chunked));
            return Progress::NeedMore(whole);
        };
        chunked.add(part);
        self.set(s.dir, State::Chunks(chunked));
        Progress::Skip(whole as u64)
    }

    fn trailer(&mut self, chunked: Chunked, s: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        let Some(end) = s.data.windows(4).position(|w| matches!(w, [b'\r', b'\n', b'\r', b'\n'])) else {
            if s.data.len() > MOST_HEAD {
                return self.lost("trailer", s, rows);
            }
            self.set(s.dir, State::Trailer(chunked));
            return Progress::NeedMore(s.data.len() + 1);
        };
        self.message(s, Content { bytes: chunked.total, octets: chunked.octets(), whole: true }, rows);
        Progress::Taken(end + 4)
    }
}
