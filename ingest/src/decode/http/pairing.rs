//! Messages that are complete: requests meet their answers, and rows are written.
use lidr_schema::AnyRow;

use super::{
    Asked, Content, Crowded, Dir, Head, Http, Mark, Name, Odd, Orders, Request, Response, Rows, Segment, State, body,
    hi1, http, x1,
};

impl Http {
    /// A message is complete, or as complete as it will be.
    pub(super) fn message(&mut self, s: Segment<'_>, content: Content<'_>, rows: &mut Rows<'_>) {
        let Some(side) = self.sides.get_mut(s.dir.index()) else { return };
        side.state = State::Head;
        if let Some((mark, head)) = side.head.take() {
            self.complete(s.dir, mark, head, content, s.last.eff, rows);
        }
    }

    fn complete(&mut self, dir: Dir, mark: Mark, head: Head, content: Content<'_>, due: i64, rows: &mut Rows<'_>) {
        let orders = read(content.octets, mark, due, rows);
        // Requests of one end and answers of the other share their numbers.
        let from_src = (dir == Dir::Src) == head.method().is_some();
        let Content { bytes, whole, .. } = content;
        if head.method().is_none() {
            let response = Response { head, bytes, orders, whole };
            return self.answer(dir, from_src, mark, response, due, rows);
        }
        let mut row = Box::new(head.request_row(bytes));
        row.body_kind = orders.kind().map(Name::Borrowed);
        let orders = Orders {
            x1: orders.x1.into_iter().map(|m| (rows.mark(dir, mark.stamp), m)).collect(),
            hi1: orders.hi1.into_iter().map(|a| (rows.mark(dir, mark.stamp), a)).collect(),
        };
        let key = (self.count(dir), from_src);
        let request = Request { mark, dir, row, orders };
        if let Some((_, response, then)) = self.early.take_if(|(k, ..)| *k == key) {
            return answered(request, response, due.max(then), rows);
        }
        match self.pairs.ask(key, due, request) {
            Asked::Waits | Asked::Repeated => {}
            Asked::Answered(request, response, due) => answered(request, response, due, rows),
            Asked::Crowded(request) => {
                let mark = rows.mark(dir, mark.stamp);
                rows.odd(mark, due, Odd { kind: "bound", detail: "requests waiting", needed: None, had: None });
                give_up(request, due, true, rows);
            }
        }
    }

    fn count(&mut self, dir: Dir) -> u64 {
        let Some(side) = self.sides.get_mut(dir.index()) else { return 0 };
        side.count += 1;
        side.count - 1
    }

    fn answer(&mut self, dir: Dir, from_src: bool, mark: Mark, response: Response, due: i64, rows: &mut Rows<'_>) {
        let number = self.count(dir);
        let key = match self.loose {
            false => (number, from_src),
            // The answer to a request that was lost belongs to nobody.
            true => match self.pairs.first(|key| key.1 == from_src).copied() {
                Some(key) => key,
                None => return,
            },
        };
        let asker = if dir == Dir::Src { Dir::Dst } else { Dir::Src };
        let still_asking =
            self.sides.get(asker.index()).is_some_and(|side| side.count == number && side.head.is_some());
        if still_asking && !self.loose {
            self.early = Some((key, response, due));
            return;
        }
        match self.pairs.answer(&key, due, response) {
            Ok(Some((request, response, due))) => answered(request, response, due, rows),
            Ok(None) => {}
            // An answer that nobody asked for is no row.
            Err(Crowded(gone)) if !gone.is_empty() => {}
            Err(Crowded(_)) => {
                let mark = rows.mark(dir, mark.stamp);
                rows.odd(mark, due, Odd { kind: "bound", detail: "answers waiting", needed: None, had: None });
            }
        }
    }

    /// A message whose body has not come to its end when the conversation does.
    pub(super) fn cut_short(&mut self, dir: Dir, now: i64, rows: &mut Rows<'_>) {
        let Some(side) = self.sides.get_mut(dir.index()) else { return };
        let Some((mark, head)) = side.head.take() else { return };
        let place = rows.mark(dir, mark.stamp);
        rows.odd(place, now, Odd { kind: "truncated", detail: "body", needed: head.length(), had: None });
        self.complete(dir, mark, head, Content { bytes: 0, octets: &[], whole: false }, now, rows);
    }
}

impl<X, H> Orders<X, H> {
    fn kind(&self) -> Option<&'static str> {
        match (self.x1.is_empty(), self.hi1.is_empty()) {
            (false, _) => Some("x1"),
            (true, false) => Some("hi1"),
            (true, true) => None,
        }
    }
}

fn read(octets: &[u8], mark: Mark, due: i64, rows: &mut Rows<'_>) -> Orders<x1::Message, hi1::Action> {
    // Bodies of no interest are passed over, and heads have none.
    if octets.is_empty() {
        return Orders { x1: Vec::new(), hi1: Vec::new() };
    }
    let text = body::utf8(octets);
    let mut odd = |decoder, detail| {
        let place = rows.mark(Dir::Src, mark.stamp);
        let before = std::mem::replace(&mut rows.decoder, decoder);
        rows.odd(place, due, Odd { kind: "malformed", detail, needed: None, had: Some(octets.len() as u64) });
        rows.decoder = before;
    };
    let x1 = x1::parse(&text).map(|read| read.map_err(|detail| odd("x1", detail)).unwrap_or_default());
    let hi1 = hi1::parse(&text)
        .filter(|_| x1.is_none())
        .map(|read| read.map_err(|detail| odd("hi1", detail)).unwrap_or_default());
    Orders { x1: x1.unwrap_or_default(), hi1: hi1.unwrap_or_default() }
}

fn answered(request: Request, response: Response, due: i64, rows: &mut Rows<'_>) {
    let Response { head, bytes, orders, whole } = response;
    let mut row = request.row;
    let refusal = head.refusal();
    head.complete(&mut row, bytes);
    let answer = match (orders.kind().is_none(), refusal) {
        (true, Some(status)) => (x1::Answer::Refused(status), hi1::Answer::None("refused", Some(status.into()))),
        (true, None) if !whole => (x1::Answer::NotSeen, hi1::Answer::None("not_seen", None)),
        _ => (x1::Answer::Messages(&orders.x1), hi1::Answer::Actions(&orders.hi1)),
    };
    finish(request.mark, request.dir, row, &request.orders, answer, due, rows);
}

/// `over`: there will be no answer; else the capture does not show it.
pub(super) fn give_up(request: Request, due: i64, over: bool, rows: &mut Rows<'_>) {
    let mut row = request.row;
    let outcome = if over { "unanswered" } else { "not_seen" };
    row.outcome = Name::Borrowed(outcome);
    let answer = (if over { x1::Answer::None } else { x1::Answer::NotSeen }, hi1::Answer::None(outcome, None));
    finish(request.mark, request.dir, row, &request.orders, answer, due, rows);
}

fn finish(
    mark: Mark,
    dir: Dir,
    row: Box<http::Row>,
    asked: &Orders<(Mark, x1::Message), (Mark, hi1::Action)>,
    (x1, hi1): (x1::Answer<'_>, hi1::Answer<'_>),
    due: i64,
    rows: &mut Rows<'_>,
) {
    let ends = rows.ends_from(dir);
    rows.push_between(mark, due, ends, AnyRow::Http(row));
    let before = std::mem::replace(&mut rows.decoder, "x1");
    x1::write(&asked.x1, dir, x1, due, rows);
    rows.decoder = "hi1";
    hi1::write(&asked.hi1, dir, hi1, due, rows);
    rows.decoder = before;
}
