//! DNS over UDP and TCP, multicast DNS and LLMNR (RFC 1035, 2136, 6762, 4795): one row per question with its answer.
//!
//! A question pairs with an answer by (asker, id, name, type). One that is repeated is one row, and so are its repeated
//! answers. An answer that finds no question within the capture's disorder (one direction seen only) is a row of its own.
//! `outcome`: `ok` for NOERROR and NXDOMAIN, which are answers, `refused` for every other code, `unanswered`, `not_seen`.
//!
//! Not read: authority and additional sections (EDNS options, so extended codes and cookies), signatures, DNS over TLS, HTTPS
//! or QUIC (those are `tls` rows). Multicast questions have many askers and answers without a question: they stay
//! `unanswered`.
mod message;
mod names;
mod pairing;

use super::{Decoder, Odd, Progress, Protocol, Rows, Segment, Transport, Verdict};
use crate::record::Dir;
use message::{HEADER, Message, Trouble};
use pairing::Pairing;

/// DNS, mDNS, LLMNR.
const PORTS: &[u16] = &[53, 5353, 5355];

/// DNS in datagrams.
pub(super) const UDP: Protocol = Protocol {
    name: "dns",
    transport: Transport::Datagram,
    ports: PORTS,
    probe: |data, _| message::probe(data),
    start: || Box::new(Dns { framed: false, pairing: Pairing::default() }),
};

/// DNS in a stream, each message behind its length.
pub(super) const TCP: Protocol = Protocol {
    name: "dns",
    transport: Transport::Stream,
    ports: PORTS,
    probe: probe_stream,
    start: || Box::new(Dns { framed: true, pairing: Pairing::default() }),
};

fn probe_stream(data: &[u8], _: Dir) -> Verdict {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return Verdict::No };
    let length = usize::from(u16::from_be_bytes(*length));
    match rest.get(..length) {
        _ if length < HEADER => Verdict::No,
        Some(message) => message::probe(message),
        // Not whole yet: the port has to decide.
        None => message::probe(rest).min(Verdict::Maybe),
    }
}

struct Dns {
    framed: bool,
    pairing: Pairing,
}

impl Dns {
    fn message(&mut self, segment: &Segment<'_>, data: &[u8], rows: &mut Rows<'_>) {
        let message = match Message::read(data) {
            Ok(message) => message,
            Err(trouble) => return say(segment, trouble, data.len(), rows),
        };
        let trouble = message.trouble;
        match message.response {
            false => self.pairing.asked(segment, message, rows),
            true => self.pairing.answered(segment, message, rows),
        }
        if let Some(trouble) = trouble {
            say(segment, trouble, data.len(), rows);
        }
    }
}

fn say(segment: &Segment<'_>, trouble: Trouble, had: usize, rows: &mut Rows<'_>) {
    let cut = segment.cut > 0 && trouble == Trouble::Short;
    let odd = Odd {
        kind: if cut { "truncated" } else { "malformed" },
        detail: trouble.detail(),
        needed: cut.then(|| had as u64 + u64::from(segment.cut)),
        had: Some(had as u64),
    };
    let mark = rows.mark(segment.dir, segment.first);
    rows.odd(mark, segment.last.eff, odd);
}

impl Decoder for Dns {
    fn decode(&mut self, segment: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        if !self.framed {
            self.message(&segment, segment.data, rows);
            return Progress::Taken(segment.data.len());
        }
        if segment.gap > 0 {
            // Where the next message begins cannot be told.
            return Progress::Done;
        }
        let Some((length, rest)) = segment.data.split_first_chunk::<2>() else { return Progress::NeedMore(2) };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some(message) = rest.get(..length) else { return Progress::NeedMore(2 + length) };
        self.message(&segment, message, rows);
        Progress::Taken(2 + length)
    }

    fn deadline(&self) -> Option<i64> {
        self.pairing.deadline()
    }

    fn expire(&mut self, now: i64, rows: &mut Rows<'_>) {
        self.pairing.expire(now, rows);
    }

    fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        self.pairing.end(now, rows);
    }
}

#[cfg(test)]
mod tests;
