//! Messages that are complete: requests meet their answers, and rows are written.
use super::{Answer, Asked, Content, Dir, Head, Http, Mark, Message, Name, Odd, Request, Response, Rows, Segment, State, body, http, x1};

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
        let messages = read_x1(content.octets, mark, due, rows);
        // Requests of one end and answers of the other share their numbers.
        let from_src = (dir == Dir::Src) == head.method().is_some();
        let Content { bytes, whole, .. } = content;
        if head.method().is_none() {
            let response = Response { head, bytes, x1: messages, whole };
            return self.answer(dir, from_src, response, due, rows);
        }
        let x1: Vec<(Mark, Message)> = messages.into_iter().map(|m| (rows.mark(dir, mark.stamp), m)).collect();
        let mut row = head.request_row(bytes);
        if !x1.is_empty() {
            row.body_kind = Some("x1".into());
        }
        let key = (self.count(dir), from_src);
        let request = Request { mark, dir, row, x1 };
        if let Some((_, response, then)) = self.early.take_if(|(k, ..)| *k == key) {
            return answered(request, &response, due.max(then), rows);
        }
        match self.pairs.ask(key, due, request) {
            Asked::Waits | Asked::Repeated => {}
            Asked::Answered(request, response, due) => answered(request, &response, due, rows),
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

    fn answer(&mut self, dir: Dir, from_src: bool, response: Response, due: i64, rows: &mut Rows<'_>) {
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
        let still_asking = self.sides.get(asker.index()).is_some_and(|side| side.count == number && side.head.is_some());
        if still_asking && !self.loose {
            self.early = Some((key, response, due));
            return;
        }
        if let Some((request, response, due)) = self.pairs.answer(&key, due, response) {
            answered(request, &response, due, rows);
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

fn read_x1(octets: &[u8], mark: Mark, due: i64, rows: &mut Rows<'_>) -> Vec<Message> {
    match x1::parse(&body::utf8(octets)) {
        None => Vec::new(),
        Some(Ok(messages)) => messages,
        Some(Err(detail)) => {
            let odd = rows.mark(Dir::Src, mark.stamp);
            let before = rows.decoder;
            rows.decoder = "x1";
            rows.odd(odd, due, Odd { kind: "malformed", detail, needed: None, had: Some(octets.len() as u64) });
            rows.decoder = before;
            Vec::new()
        }
    }
}

fn answered(request: Request, response: &Response, due: i64, rows: &mut Rows<'_>) {
    let mut row = request.row;
    response.head.complete(&mut row, response.bytes);
    let answer = match (response.x1.is_empty(), response.head.refusal()) {
        (true, Some(status)) => Answer::Refused(status),
        (true, None) if !response.whole => Answer::NotSeen,
        _ => Answer::Messages(&response.x1),
    };
    finish(request.mark, request.dir, row, &request.x1, answer, due, rows);
}

/// `over`: there will be no answer; else the capture does not show it.
pub(super) fn give_up(request: Request, due: i64, over: bool, rows: &mut Rows<'_>) {
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
