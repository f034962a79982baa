//! SSH 2 over TCP (RFC 4253, 4252, 8308): login attempts, judged from the lengths of encrypted packets.
//!
//! In clear are both banners and both key exchange offers; they give the software and the HASSH fingerprints (MD5 over the
//! offered algorithms, as published). After NEWKEYS only lengths are left: [`outcome`] says how they are read and when they
//! are not. Rows are `auth`, one per attempt; a connection of which no attempt could be judged is one row, due at its end.
//! Who opened the connection is taken for the client.
//!
//! Not read: SSH 1 (its banner is), what is encrypted, the user, the length of typed keys.
mod kex;
mod outcome;
#[cfg(test)]
mod tests;

use kex::{Framing, Offer};
use lidr_schema::{Name, table::auth};
use outcome::{Judge, Verdict as Judged};

use super::{
    Decoder, Mark, Odd, Progress, Protocol, Rows, Segment, Transport, Verdict,
    cursor::{Cursor, printable},
    dtcp,
};
use crate::record::Dir;

/// SSH over TCP; the other ports are those of NETCONF, of routers' second servers and of DTCP.
pub(super) const PROTOCOL: Protocol = Protocol {
    name: "ssh",
    transport: Transport::Stream,
    ports: &[22, 830, 2222, 22_122, 32_001, 57_722],
    probe,
    start: || Box::new(Ssh::default()),
};

/// Octets of lines before the banner at most.
const MOST_BANNER: usize = 8192;
/// Characters kept of a banner.
const MOST_SOFTWARE: usize = 64;
/// Octets of a packet at most: RFC 4253 §6.1 asks for 35,000, implementations take more.
const MOST_PACKET: u32 = 256 * 1024;
/// Attempts of one connection that are told apart.
const MOST_ATTEMPTS: u32 = 256;

fn probe(data: &[u8], _: Dir) -> Verdict {
    match () {
        () if data.starts_with(b"SSH-") => Verdict::Certain,
        () if !data.is_empty() && b"SSH-".starts_with(data) => Verdict::Maybe,
        () => Verdict::No,
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Banner,
    Packets,
    /// Its new keys are in use; what that means is told once its first encrypted octets come.
    Changed,
    Sealed(Framing),
    /// Nothing more can be told.
    Over,
}

#[derive(Default)]
struct Side {
    phase: Phase,
    passed: usize,
    software: Option<String>,
    offer: Option<Offer>,
}

#[derive(Default)]
struct Ssh {
    sides: [Side; 2],
    began: Option<Mark>,
    judge: Judge,
    /// Reason of a disconnect in clear.
    reason: Option<u32>,
    rows: u32,
}

impl Ssh {
    fn side(&mut self, dir: Dir) -> &mut Side {
        let [src, dst] = &mut self.sides;
        if dir == Dir::Src { src } else { dst }
    }

    /// Whether the client is of those that pad what a user typed.
    fn pads(&self) -> bool {
        let [client, _] = &self.sides;
        client.software.as_deref().is_some_and(|s| s.starts_with("OpenSSH"))
    }

    fn over(&mut self, dir: Dir) -> Progress {
        self.side(dir).phase = Phase::Over;
        Progress::Done
    }

    /// The lengths mean nothing any more, in either direction.
    fn blind(&mut self, segment: &Segment<'_>, detail: &'static str, rows: &mut Rows<'_>) -> Progress {
        let mark = rows.mark(segment.dir, segment.first);
        rows.odd(mark, segment.last.eff, Odd { kind: "malformed", detail, needed: None, had: None });
        self.over(Dir::Src);
        self.over(Dir::Dst)
    }

    fn banner(&mut self, segment: &Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        let Some(at) = segment.data.iter().position(|o| *o == b'\n') else {
            return match segment.data.len() {
                long if long > MOST_BANNER && self.began.is_none() => Progress::NotMine,
                long if long > MOST_BANNER => self.blind(segment, "banner", rows),
                short => Progress::NeedMore(short + 1),
            };
        };
        let line = segment.data.get(..at).unwrap_or_default();
        let side = self.side(segment.dir);
        side.passed += at + 1;
        let Some(rest) = line.strip_prefix(b"SSH-") else {
            // The server may send lines of text before.
            return match side.passed {
                passed if passed > MOST_BANNER => self.blind(segment, "banner", rows),
                _ => Progress::Taken(at + 1),
            };
        };
        let (version, software) = rest.split_at(rest.iter().position(|o| *o == b'-').unwrap_or(rest.len()));
        side.software = Some(printable(software.get(1..).unwrap_or_default(), MOST_SOFTWARE));
        side.phase = if matches!(version, b"2.0" | b"1.99") { Phase::Packets } else { Phase::Over };
        if self.began.is_none() {
            self.began = Some(rows.mark(segment.dir, segment.first));
        }
        Progress::Taken(at + 1)
    }

    fn packet(&mut self, segment: &Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        let mut c = Cursor::new(segment.data);
        let Some(length) = c.u32() else { return Progress::NeedMore(4) };
        if !(2..=MOST_PACKET).contains(&length) {
            return self.blind(segment, "packet", rows);
        }
        let whole = 4 + length as usize;
        let Some(packet) = c.take(length as usize) else { return Progress::NeedMore(whole) };
        let mut c = Cursor::new(packet);
        let payload = c.u8().and_then(|padding| c.take(c.rest().len().checked_sub(usize::from(padding))?));
        match payload.and_then(<[u8]>::split_first) {
            None => return self.blind(segment, "packet", rows),
            Some((1, rest)) => self.reason = Cursor::new(rest).u32(),
            Some((20, rest)) => self.side(segment.dir).offer = Offer::read(rest),
            Some((21, _)) => self.side(segment.dir).phase = Phase::Changed,
            Some(_) => {}
        }
        Progress::Taken(whole)
    }

    fn seal(&mut self, dir: Dir) {
        let [client, server] = &self.sides;
        let framing = match (&client.offer, &server.offer) {
            (Some(client), Some(server)) => Framing::agreed(client, server, dir),
            _ => None,
        };
        self.side(dir).phase = framing.map_or(Phase::Over, Phase::Sealed);
    }

    fn encrypted(&mut self, segment: &Segment<'_>, framing: Framing, rows: &mut Rows<'_>) -> Progress {
        let mut length = segment.data.len();
        if framing.clear {
            let Some(packet) = Cursor::new(segment.data).u32() else { return Progress::NeedMore(4) };
            if packet > MOST_PACKET {
                return self.blind(segment, "encrypted_packet", rows);
            }
            length = 4 + packet as usize + framing.mac;
        }
        let judged = match segment.dir {
            Dir::Src => {
                let mark = rows.mark(segment.dir, segment.first);
                self.judge.asked(framing, length, mark)
            }
            Dir::Dst => {
                let pads = self.pads();
                self.judge.answered(framing, length, pads)
            }
        };
        if let Some((judged, mark)) = judged {
            self.write(&judged, mark, segment.last.eff, rows);
            if self.rows >= MOST_ATTEMPTS {
                let mark = rows.mark(segment.dir, segment.first);
                let had = Some(u64::from(self.rows));
                rows.odd(mark, segment.last.eff, Odd { kind: "bound", detail: "attempts", needed: None, had });
            }
            if judged.last || self.rows >= MOST_ATTEMPTS {
                self.over(Dir::Src);
                return self.over(Dir::Dst);
            }
        }
        if length <= segment.data.len() { Progress::Taken(length) } else { Progress::Skip(length as u64) }
    }

    fn write(&mut self, judged: &Judged, mark: Mark, due: i64, rows: &mut Rows<'_>) {
        self.rows += 1;
        let [client, server] = &self.sides;
        let row = auth::Row {
            service: Name::Borrowed("ssh"),
            method: judged.method.map(Name::Borrowed),
            outcome: Name::Borrowed(judged.outcome),
            confidence: Name::Borrowed(judged.confidence),
            evidence: judged.evidence.map(Name::Borrowed),
            client_software: client.software.clone().map(Name::from),
            server_software: server.software.clone().map(Name::from),
            client_fingerprint: client.offer.as_ref().map(|o| o.client_print.clone().into()),
            server_fingerprint: server.offer.as_ref().map(|o| o.server_print.clone().into()),
            error_code: self.reason,
            ..auth::Row::default()
        };
        if let Some(order) = dtcp::inside_ssh(judged.outcome, rows) {
            // A second row of the same attempt, apart from the ordinals of the first ones.
            rows.push(Mark { n: mark.n | 1 << 20, ..mark }, due, order);
        }
        rows.push(mark, due, row);
    }
}

impl Decoder for Ssh {
    fn decode(&mut self, segment: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        if self.side(segment.dir).phase == Phase::Changed {
            self.seal(segment.dir);
        }
        let phase = self.side(segment.dir).phase;
        // Where the next packet begins is lost, but for ciphers that hide it anyway.
        if segment.gap > 0 && !matches!(phase, Phase::Sealed(framing) if !framing.clear) {
            return self.over(segment.dir);
        }
        match phase {
            Phase::Banner => self.banner(&segment, rows),
            Phase::Packets => self.packet(&segment, rows),
            Phase::Sealed(framing) => self.encrypted(&segment, framing, rows),
            Phase::Changed | Phase::Over => Progress::Done,
        }
    }

    fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        let Some(began) = self.began.take() else { return };
        let (said, pads) = (self.rows > 0, self.pads());
        let (judged, mark) = self.judge.closed(said, pads);
        if let Some(judged) = judged {
            self.write(&judged, mark.unwrap_or(began), now, rows);
        }
    }
}
