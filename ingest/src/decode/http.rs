//! HTTP/1.0 and 1.1 (RFC 9112): requests paired with answers in order; bodies passed over, but for those that may be X1.
//!
//! Read: the head of each message, lengths of bodies by Content-Length and chunks, bodies of XML up to 1 MiB. Not read: HTTP/2,
//! WebSocket, anything after an upgrade or CONNECT, content codings. Queries, bodies, cookies and credentials are not kept. A
//! stream that begins in the middle is read from the next segment that begins with a head.
mod head;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use head::{Framing, Head};
use lidr_schema::{Name, table::http};

use super::{
    Decoder, Odd, Progress, Protocol, Segment, Transport, Verdict,
    pairs::{Asked, Pairs},
    rows::{Mark, Rows},
    x1::{self, Answer, Message},
};
use crate::record::Dir;

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "http",
    transport: Transport::Stream,
    ports: &[80, 8080, 8000, 8081, 8082, 8008, 8888, 3128],
    probe,
    start: || Box::<Http>::default(),
};

/// Most octets of a head.
const MOST_HEAD: usize = 64 * 1024;
/// Most octets of a body that is read.
const MOST_BODY: usize = 1 << 20;
/// Methods of requests whose answers are awaited.
const MOST_METHODS: usize = 4096;

const METHODS: [&[u8]; 9] =
    [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"PATCH ", b"TRACE "];

fn probe(data: &[u8], _: Dir) -> Verdict {
    let begins = |start: &[u8]| data.starts_with(start) || start.starts_with(data) && data.len() >= 3;
    if begins(b"HTTP/1.") || METHODS.iter().any(|m| begins(m)) { Verdict::Certain } else { Verdict::No }
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    /// A body of known length that is read.
    Body(usize),
    /// Chunks; the octets of them if they are read.
    Chunks(Option<Vec<u8>>),
    /// Lines after the last chunk.
    Trailer(Option<Vec<u8>>),
    /// Something else is spoken from here on.
    Over,
}

#[derive(Debug, Default)]
struct Side {
    state: State,
    head: Option<(Mark, Head)>,
    /// Messages read so far: a request and its answer have one number.
    count: u64,
}

#[derive(Debug)]
struct Request {
    mark: Mark,
    dir: Dir,
    row: http::Row,
    x1: Vec<(Mark, Message)>,
}

#[derive(Debug)]
struct Response {
    head: Head,
    bytes: u64,
    x1: Vec<Message>,
}

#[derive(Debug, Default)]
struct Http {
    sides: [Side; 2],
    pairs: Pairs<(u64, bool), Request, Response>,
    methods: VecDeque<bool>,
}

impl Decoder for Http {
    fn decode(&mut self, s: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        let Some(side) = self.sides.get_mut(s.dir.index()) else { return Progress::Done };
        if s.gap > 0 {
            side.state = State::Head;
            side.head = None;
        }
        match std::mem::take(&mut side.state) {
            State::Over => {
                side.state = State::Over;
                Progress::Done
            }
            State::Head => self.head(s, rows),
            State::Body(length) => self.body(length, s, rows),
            State::Chunks(kept) => self.chunk(kept, s, rows),
            State::Trailer(kept) => self.trailer(kept, s, rows),
        }
    }

    fn deadline(&self) -> Option<i64> {
        self.pairs.deadline()
    }

    fn expire(&mut self, now: i64, rows: &mut Rows<'_>) {
        for (request, deadline) in self.pairs.expired(now) {
            give_up(request, deadline, true, rows);
        }
    }

    fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        for (request, due, over) in self.pairs.flush(now) {
            give_up(request, due, over, rows);
        }
    }
}

impl Http {
    fn set(&mut self, dir: Dir, state: State) {
        if let Some(side) = self.sides.get_mut(dir.index()) {
            side.state = state;
        }
    }

    fn head(&mut self, s: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        let (head, taken) = match head::parse(s.data) {
            Ok(Some(found)) => found,
            Ok(None) if s.data.len() > MOST_HEAD => return self.lost("head too long", s, rows),
            Ok(None) => return Progress::NeedMore(s.data.len() + 1),
            Err(detail) => return self.lost(detail, s, rows),
        };
        let mark = rows.mark(s.dir, s.first);
        let bodyless = match head.method() {
            Some(method) => {
                if self.methods.len() < MOST_METHODS {
                    self.methods.push_back(method == "HEAD");
                }
                false
            }
            // An informational answer is followed by the real one.
            None if head.informational() => {
                self.set(s.dir, State::Head);
                return Progress::Taken(taken);
            }
            None => self.methods.pop_front().unwrap_or(false) || head.bodyless(),
        };
        let over = head.switches();
        let read = head.may_be_xml();
        let framing = if bodyless { Framing::None } else { head.framing() };
        if let Some(side) = self.sides.get_mut(s.dir.index()) {
            side.head = Some((mark, head));
        }
        match framing {
            Framing::Length(n) if read && n > 0 && n <= MOST_BODY as u64 => {
                self.set(s.dir, State::Body(usize::try_from(n).unwrap_or(MOST_BODY)));
                Progress::Taken(taken)
            }
            Framing::Length(n) => {
                self.message(s, n, &[], rows);
                Progress::Skip(taken as u64 + n)
            }
            Framing::Chunked => {
                self.set(s.dir, State::Chunks(read.then(Vec::new)));
                Progress::Taken(taken)
            }
            Framing::None | Framing::UntilClose => {
                self.message(s, 0, &[], rows);
                let ends = over || framing == Framing::UntilClose;
                self.set(s.dir, if ends { State::Over } else { State::Head });
                Progress::Taken(taken)
            }
        }
    }

    fn lost(&mut self, detail: &'static str, s: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        let untouched = self.sides.iter().all(|side| side.count == 0);
        if untouched && s.gap == 0 {
            return Progress::NotMine;
        }
        let mark = rows.mark(s.dir, s.first);
        rows.odd(mark, s.last.eff, Odd { kind: "malformed", detail, needed: None, had: Some(s.data.len() as u64) });
        self.set(s.dir, State::Over);
        Progress::Done
    }

    fn body(&mut self, length: usize, s: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        let Some(body) = s.data.get(..length) else {
            self.set(s.dir, State::Body(length));
            return Progress::NeedMore(length);
        };
        self.message(s, length as u64, body, rows);
        Progress::Taken(length)
    }

    fn chunk(&mut self, mut kept: Option<Vec<u8>>, s: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        /// Octets of a line with the length of a chunk, extensions included.
        const MOST_LINE: usize = 1024;
        let Some(line) = s.data.windows(2).position(|w| w == b"\r\n") else {
            if s.data.len() > MOST_LINE {
                return self.lost("chunk", s, rows);
            }
            self.set(s.dir, State::Chunks(kept));
            return Progress::NeedMore(s.data.len() + 1);
        };
        let digits = s.data.get(..line).and_then(|l| std::str::from_utf8(l).ok()).and_then(|l| l.split(';').next());
        let Some(size) = digits.and_then(|d| u32::from_str_radix(d.trim(), 16).ok()) else { return self.lost("chunk", s, rows) };
        if size == 0 {
            self.set(s.dir, State::Trailer(kept));
            // The line end stays: without trailers it is half of the empty line that ends the message.
            return Progress::Taken(line);
        }
        let whole = line + 2 + size as usize + 2;
        let held = kept.as_ref().map_or(0, Vec::len);
        if held + size as usize > MOST_BODY {
            kept = None;
        }
        let Some(octets) = &mut kept else {
            self.set(s.dir, State::Chunks(None));
            return Progress::Skip(whole as u64);
        };
        let Some(part) = s.data.get(line + 2..line + 2 + size as usize) else {
            self.set(s.dir, State::Chunks(kept));
            return Progress::NeedMore(whole);
        };
        octets.extend_from_slice(part);
        self.set(s.dir, State::Chunks(kept));
        Progress::Skip(whole as u64)
    }

    fn trailer(&mut self, kept: Option<Vec<u8>>, s: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        let Some(end) = s.data.windows(4).position(|w| w == b"\r\n\r\n") else {
            if s.data.len() > MOST_HEAD {
                return self.lost("trailer", s, rows);
            }
            self.set(s.dir, State::Trailer(kept));
            return Progress::NeedMore(s.data.len() + 1);
        };
        let body = kept.unwrap_or_default();
        self.message(s, body.len() as u64, &body, rows);
        Progress::Taken(end + 4)
    }

    /// A message is complete.
    fn message(&mut self, s: Segment<'_>, bytes: u64, body: &[u8], rows: &mut Rows<'_>) {
        let Some(side) = self.sides.get_mut(s.dir.index()) else { return };
        side.state = State::Head;
        let Some((mark, head)) = side.head.take() else { return };
        let number = side.count;
        side.count += 1;
        let messages = read_x1(body, mark, s.last.eff, rows);
        // Requests of one end and answers of the other share their numbers.
        let from_src = (s.dir == Dir::Src) == head.method().is_some();
        let key = (number, from_src);
        let due = s.last.eff;
        if head.method().is_none() {
            if let Some((request, response, due)) = self.pairs.answer(&key, due, Response { head, bytes, x1: messages }) {
                answered(request, &response, due, rows);
            }
            return;
        }
        let x1: Vec<(Mark, Message)> = messages.into_iter().map(|m| (rows.mark(s.dir, mark.stamp), m)).collect();
        let mut row = head.request_row(bytes);
        if !x1.is_empty() {
            row.body_kind = Some("x1".into());
        }
        match self.pairs.ask(key, mark.stamp.eff, Request { mark, dir: s.dir, row, x1 }) {
            Asked::Waits | Asked::Repeated => {}
            Asked::Answered(request, response, due) => answered(request, &response, due, rows),
            Asked::Crowded(request) => {
                let mark = request.mark;
                rows.odd(mark, due, Odd { kind: "bound", detail: "requests waiting", needed: None, had: None });
                give_up(request, due, true, rows);
            }
        }
    }
}

fn read_x1(body: &[u8], mark: Mark, due: i64, rows: &mut Rows<'_>) -> Vec<Message> {
    match x1::parse(body) {
        None => Vec::new(),
        Some(Ok(messages)) => messages,
        Some(Err(detail)) => {
            let odd = rows.mark(Dir::Src, mark.stamp);
            let before = rows.decoder;
            rows.decoder = "x1";
            rows.odd(odd, due, Odd { kind: "malformed", detail, needed: None, had: Some(body.len() as u64) });
            rows.decoder = before;
            Vec::new()
        }
    }
}

fn answered(request: Request, response: &Response, due: i64, rows: &mut Rows<'_>) {
    let mut row = request.row;
    response.head.complete(&mut row, response.bytes);
    finish(request.mark, request.dir, row, &request.x1, Answer::Messages(&response.x1), due, rows);
}

fn give_up(request: Request, due: i64, over: bool, rows: &mut Rows<'_>) {
    let mut row = request.row;
    row.outcome = Name::Borrowed(if over { "unanswered" } else { "not_seen" });
    let answer = if over { Answer::None } else { Answer::NotSeen };
    finish(request.mark, request.dir, row, &request.x1, answer, due, rows);
}

fn finish(mark: Mark, dir: Dir, row: http::Row, asked: &[(Mark, Message)], answer: Answer<'_>, due: i64, rows: &mut Rows<'_>) {
    let ends = rows.ends_from(dir);
    rows.push_between(mark, due, ends, row);
    let before = rows.decoder;
    rows.decoder = "x1";
    x1::write(asked, dir, answer, due, rows);
    rows.decoder = before;
}
