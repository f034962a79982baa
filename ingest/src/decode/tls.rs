//! TLS handshakes over TCP, as far as they are in clear (RFC 8446, 5246, 6066, 7301): one row a conversation.
//!
//! The row is due with the message that leaves nothing more to see: the server hello for 1.3; for 1.2 and older the server's
//! last message of the first flight, or the client's answer to it where a certificate was asked of the client; a fatal alert
//! in any version. A client hello that nobody answers in 5 s is `unanswered`; `not_seen` where the capture ended or lost
//! octets before. A hello may be spread over records and segments. A retry request counts as the server's hello: it has
//! chosen version and cipher.
//!
//! On a port that the settings give to X1 a handshake is also a `tasking` row of which only the ends are known.
//!
//! Not read: anything encrypted, sessions upgraded inside another protocol (STARTTLS), SSL 2, DTLS, certificates' content
//! (their SHA-256 is kept), later handshakes of the same connection.
mod hello;
mod ja4;
#[cfg(test)]
mod tests;

use hello::{ClientHello, ServerHello, version_name};
use lidr_schema::{Name, hex, table::tls};
use sha2::{Digest, Sha256};

use super::{
    Decoder, Mark, Odd, Progress, Protocol, Rows, Segment, Transport, Verdict, cursor::Cursor, pairs::ANSWER_WITHIN, x1,
};
use crate::record::{Dir, Stamp};

/// TLS over TCP, on its usual ports.
pub(super) const PROTOCOL: Protocol = Protocol {
    name: "tls",
    transport: Transport::Stream,
    ports: &[443, 8443, 853, 990, 992, 993, 994, 995, 465, 563, 636, 2083, 3269, 5061, 5986, 6514],
    probe,
    start: || Box::new(Tls::default()),
};

/// Octets of a record's header.
const RECORD: usize = 5;
/// Octets of a record at most; more than the standard's, as implementations were generous.
const MOST_RECORD: usize = (1 << 14) + 2048;
/// Octets of a handshake message at most: a long chain of certificates.
const MOST_MESSAGE: usize = 128 * 1024;

fn probe(data: &[u8], _: Dir) -> Verdict {
    let mut c = Cursor::new(data);
    let (Some(kind), Some(version), Some(length)) = (c.u8(), c.u16(), c.u16()) else {
        return if data.starts_with(&[22, 3]) { Verdict::Maybe } else { Verdict::No };
    };
    if version >> 8 != 3 || version & 0xff > 4 || usize::from(length) > MOST_RECORD || length < 2 {
        return Verdict::No;
    }
    match (kind, c.u8(), c.u24(), c.u16()) {
        (22, Some(1 | 2), Some(_), Some(hello)) if hello >> 8 == 3 => Verdict::Certain,
        (22, Some(1 | 2), _, None) | (22, None, ..) | (21, Some(1 | 2), ..) => Verdict::Maybe,
        _ => Verdict::No,
    }
}

#[derive(Default)]
struct Side {
    /// Handshake messages not read yet.
    handshake: Vec<u8>,
    /// The packet that brought the first octet of it.
    first: Stamp,
    /// Nothing in clear comes any more.
    sealed: bool,
}

#[derive(Default)]
struct Tls {
    sides: [Side; 2],
    began: Option<(Mark, Dir)>,
    /// Place of the `tasking` row, where the port is X1's.
    tasks: Option<Mark>,
    deadline: i64,
    client: Option<ClientHello>,
    server: Option<ServerHello>,
    certificates: [Option<String>; 2],
    requested: Option<bool>,
    alert: Option<u8>,
    /// Octets were lost: silence proves nothing.
    lost: bool,
    written: bool,
}

impl Tls {
    fn begin(&mut self, client: Dir, sender: Dir, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        if self.began.is_none() {
            let first = self.sides.get(sender.index()).map_or(segment.first, |s| s.first);
            self.began = Some((rows.mark(sender, first), client));
            if rows.configured == Some("x1") {
                self.tasks = Some(rows.mark(sender, first));
            }
        }
        self.deadline = segment.last.eff + ANSWER_WITHIN;
    }

    /// A record of handshake messages, or of part of one. True if the side has nothing more to say.
    fn handshake(&mut self, segment: &Segment<'_>, content: &[u8], rows: &mut Rows<'_>) -> bool {
        let Some(side) = self.sides.get_mut(segment.dir.index()) else { return true };
        if side.handshake.is_empty() {
            side.first = segment.first;
        }
        side.handshake.extend_from_slice(content);
        let mut held = std::mem::take(&mut side.handshake);
        let mut taken = 0;
        loop {
            let mut c = Cursor::new(held.get(taken..).unwrap_or_default());
            let (Some(kind), Some(length)) = (c.u8(), c.u24()) else { break };
            if length as usize > MOST_MESSAGE {
                self.odd(
                    segment,
                    Odd { kind: "bound", detail: "handshake", needed: Some(length.into()), had: None },
                    rows,
                );
                return true;
            }
            let Some(body) = c.take(length as usize) else { break };
            self.message(segment, kind, body, rows);
            taken += 4 + body.len();
            if self.written {
                return true;
            }
        }
        held.drain(..taken);
        if let Some(side) = self.sides.get_mut(segment.dir.index()) {
            if taken > 0 {
                side.first = segment.first;
            }
            side.handshake = held;
        }
        false
    }

    fn message(&mut self, segment: &Segment<'_>, kind: u8, body: &[u8], rows: &mut Rows<'_>) {
        let dir = segment.dir;
        match kind {
            1 if self.client.is_none() && self.server.is_none() => {
                self.begin(dir, dir, segment, rows);
                let (hello, whole) = ClientHello::read(body);
                self.client = Some(hello);
                self.check(segment, whole, "client_hello", rows);
            }
            2 if self.server.is_none() => {
                let client = if dir == Dir::Src { Dir::Dst } else { Dir::Src };
                self.begin(client, dir, segment, rows);
                let (hello, whole) = ServerHello::read(body);
                let last = hello.is_last();
                self.server = Some(hello);
                self.check(segment, whole, "server_hello", rows);
                if last {
                    self.finish(segment.last.eff, rows);
                }
            }
            11 => self.certificate(dir, body),
            13 => self.requested = Some(true),
            // The server is done. With nothing asked of the client there is no more to see.
            14 if self.requested.is_none() && self.server.is_some() => {
                self.requested = Some(false);
                self.finish(segment.last.eff, rows);
            }
            // The client's key exchange follows its certificate.
            16 => self.changed(segment, rows),
            _ => {}
        }
    }

    fn certificate(&mut self, dir: Dir, body: &[u8]) {
        let leaf = Cursor::new(body).counted24().and_then(|list| Cursor::new(list).counted24());
        if let (Some(leaf), Some(slot)) = (leaf, self.certificates.get_mut(dir.index())) {
            slot.get_or_insert_with(|| hex::encode(&Sha256::digest(leaf)));
        }
    }

    /// An alert in clear: a fatal one is a refusal.
    fn alert(&mut self, segment: &Segment<'_>, content: &[u8], rows: &mut Rows<'_>) {
        if let [2, description] = content
            && self.began.is_some()
        {
            self.alert = Some(*description);
            self.finish(segment.last.eff, rows);
        }
    }

    /// The cipher changes, or the client sends its part of the key: with the server's hello there is nothing more to see,
    /// without it the capture has one direction only.
    fn changed(&mut self, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        match self.server {
            Some(_) => self.finish(segment.last.eff, rows),
            None => self.lost = true,
        }
    }

    fn check(&mut self, segment: &Segment<'_>, whole: bool, detail: &'static str, rows: &mut Rows<'_>) {
        if !whole {
            self.odd(segment, Odd { kind: "malformed", detail, needed: None, had: None }, rows);
        }
    }

    fn odd(&self, segment: &Segment<'_>, odd: Odd, rows: &mut Rows<'_>) {
        let mark = rows.mark(segment.dir, segment.first);
        rows.odd(mark, segment.last.eff, odd);
    }

    fn finish(&mut self, due: i64, rows: &mut Rows<'_>) {
        let outcome = match (self.alert, &self.server) {
            (Some(_), _) => "refused",
            (None, Some(_)) => "ok",
            (None, None) if self.lost || due < self.deadline && !rows.closed => "not_seen",
            (None, None) => "unanswered",
        };
        let Some((mark, dir)) = self.began.filter(|_| !std::mem::replace(&mut self.written, true)) else { return };
        let (client, server) = (self.client.take().unwrap_or_default(), self.server.take());
        let older = server.as_ref().is_some_and(|s| s.version < 0x0304);
        let mut certificate = |of: Dir| self.certificates.get_mut(of.index()).and_then(Option::take).map(Name::from);
        let other = if dir == Dir::Src { Dir::Dst } else { Dir::Src };
        let row = tls::Row {
            protocol: Name::Borrowed("tls"),
            client_version: client.version.map(version_name),
            version: server.as_ref().map(|s| version_name(s.version)),
            cipher: server.as_ref().map(|s| format!("{:04x}", s.cipher).into()),
            sni: client.sni.map(Name::from),
            alpn: client.alpn.map(Name::from),
            alpn_chosen: server.and_then(|s| s.alpn).map(Name::from),
            ja4: client.ja4.map(Name::from),
            cert_sha256: certificate(other),
            client_cert_sha256: certificate(dir),
            client_cert_requested: self.requested.filter(|_| older),
            outcome: Name::Borrowed(outcome),
            error_code: self.alert.map(u32::from),
        };
        let ends = rows.ends_from(dir);
        if let Some(place) = self.tasks.take() {
            let before = (rows.decoder, rows.trust);
            (rows.decoder, rows.trust) = ("x1", "port");
            rows.push_between(place, due, ends, x1::encrypted(ends, &row.outcome));
            (rows.decoder, rows.trust) = before;
        }
        rows.push_between(mark, due, ends, row);
    }

    fn record(&mut self, segment: &Segment<'_>, kind: u8, content: &[u8], rows: &mut Rows<'_>) -> bool {
        match kind {
            20 => {
                self.changed(segment, rows);
                true
            }
            21 => {
                self.alert(segment, content, rows);
                self.written
            }
            _ => self.handshake(segment, content, rows) || self.written,
        }
    }

    fn seal(&mut self, dir: Dir) -> Progress {
        if let Some(side) = self.sides.get_mut(dir.index()) {
            *side = Side { sealed: true, ..Side::default() };
        }
        Progress::Done
    }
}

impl Decoder for Tls {
    fn decode(&mut self, segment: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        if self.deadline().is_some_and(|deadline| deadline < segment.last.eff) {
            // What the client says too late changes nothing; the server's answer in time may still come, from a capture out of order.
            if self.began.is_some_and(|(_, client)| client == segment.dir) {
                return self.seal(segment.dir);
            }
            self.expire(segment.last.eff, rows);
        }
        if segment.gap > 0 {
            self.lost = true;
            return self.seal(segment.dir);
        }
        if self.written || self.sides.get(segment.dir.index()).is_none_or(|s| s.sealed) {
            return Progress::Done;
        }
        let mut c = Cursor::new(segment.data);
        let (Some(kind), Some(version), Some(length)) = (c.u8(), c.u16(), c.u16()) else {
            return Progress::NeedMore(RECORD);
        };
        let length = usize::from(length);
        if !(20..=24).contains(&kind) || version >> 8 != 3 || length > MOST_RECORD {
            if self.began.is_none() {
                return Progress::NotMine;
            }
            self.odd(&segment, Odd { kind: "malformed", detail: "record", needed: None, had: None }, rows);
            return self.seal(segment.dir);
        }
        // Early data, heartbeats: of no interest.
        if kind > 22 {
            return Progress::Skip((RECORD + length) as u64);
        }
        let Some(content) = c.take(length) else { return Progress::NeedMore(RECORD + length) };
        match self.record(&segment, kind, content, rows) {
            true => self.seal(segment.dir),
            false => Progress::Taken(RECORD + length),
        }
    }

    fn deadline(&self) -> Option<i64> {
        (self.began.is_some() && !self.written).then_some(self.deadline)
    }

    fn expire(&mut self, now: i64, rows: &mut Rows<'_>) {
        if let Some(deadline) = self.deadline().filter(|d| *d < now) {
            self.finish(deadline, rows);
        }
    }

    fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        if let Some(deadline) = self.deadline() {
            self.finish(deadline.min(now), rows);
        }
    }
}
