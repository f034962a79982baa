//! What a decoder writes to: rows with everything about the conversation filled in.
use lidr_schema::{AnyRow, Ends, Head, Key, Micros, Name, Outer, table::oddity};

use crate::record::{Dir, Stamp};

/// The place of a row: its packet and its ordinal there. Taken once a message, when it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The packet.
    pub stamp: Stamp,
    /// Ordinal inside the frame.
    pub n: u32,
}

/// Next ordinals of a conversation's rows, one counter a direction: a frame has one direction, so no two rows share a place.
///
/// A stream that was put in order comes back to frames that it had left: what begins there is numbered apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ordinals([Counter; 2]);

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    /// Input and frame reached.
    at: (u16, u64),
    n: u32,
    /// Rows in frames left before, from [`LEFT`] on.
    back: u32,
}

/// Ordinals of rows in frames that were left before.
const LEFT: u32 = 1 << 23;

impl Ordinals {
    /// The next place in that frame.
    pub fn mark(&mut self, dir: Dir, stamp: Stamp) -> Mark {
        let Some(counter) = self.0.get_mut(dir.index()) else { return Mark { stamp, n: 0 } };
        let at = (stamp.input, stamp.frame);
        if at < counter.at {
            counter.back += 1;
            return Mark { stamp, n: LEFT | (counter.back - 1) & (LEFT - 1) };
        }
        let n = if at == counter.at { counter.n } else { 0 };
        (counter.at, counter.n) = (at, n + 1);
        Mark { stamp, n }
    }
}

/// Something odd that a decoder met.
#[derive(Clone, Debug)]
pub struct Odd {
    /// `malformed`, `truncated`, `bound`, …
    pub kind: &'static str,
    /// What exactly, from a closed set; never payload.
    pub detail: &'static str,
    /// Octets needed.
    pub needed: Option<u64>,
    /// Octets there.
    pub had: Option<u64>,
}

/// Where a decoder writes, with what is known of the conversation.
#[derive(Debug)]
pub struct Rows<'a> {
    /// The decoder's name.
    pub decoder: &'static str,
    /// `clear`, `inferred` or `port`.
    pub trust: &'static str,
    /// The conversation: `src` opened it.
    pub ends: Ends,
    /// The protocol that the settings give one of the conversation's ports.
    pub configured: Option<&'static str>,
    /// The conversation has closed on the wire: what waits for an answer gets none.
    pub closed: bool,
    /// The sensor's name.
    pub sensor: &'a Name,
    /// VLAN of the conversation.
    pub vlan: Option<u16>,
    /// Tunnel of the conversation.
    pub outer: Option<&'a Outer>,
    /// Names of the inputs (`epoch-N`), by `Stamp::input`.
    pub captures: &'a [Name],
    /// Bits above the ordinal that keep layers of one frame apart.
    pub layer_bits: u32,
    /// The key for pseudonyms.
    pub key: &'a Key,
    /// The conversation's ordinals.
    pub ordinals: &'a mut Ordinals,
    /// Finished rows.
    pub out: &'a mut Vec<(Head, AnyRow)>,
}

impl Rows<'_> {
    /// A place for a row about a message that begins in that packet.
    pub fn mark(&mut self, dir: Dir, stamp: Stamp) -> Mark {
        self.ordinals.mark(dir, stamp)
    }

    /// Writes a row: `ts` is the mark's packet, `due` the effective time of the packet that completed it.
    pub fn push(&mut self, mark: Mark, due: i64, row: impl Into<AnyRow>) {
        let ends = self.ends;
        self.push_between(mark, due, ends, row);
    }

    /// Writes a row whose ends are not the conversation's (the asker is `src` although the other side opened it).
    pub fn push_between(&mut self, mark: Mark, due: i64, ends: Ends, row: impl Into<AnyRow>) {
        let mut head = Head {
            ts: Micros(mark.stamp.ts),
            due: Micros(due),
            sensor: self.sensor.clone(),
            capture: self.captures.get(usize::from(mark.stamp.input)).cloned().unwrap_or_default(),
            frame: mark.stamp.frame,
            n: self.layer_bits | mark.n,
            vlan: self.vlan,
            decoder: Name::Borrowed(self.decoder),
            trust: Name::Borrowed(self.trust),
            ..Head::default()
        };
        head.set_outer(self.outer);
        head.set_ends(ends);
        self.out.push((head, row.into()));
    }

    /// Writes an `oddity` row.
    pub fn odd(&mut self, mark: Mark, due: i64, odd: Odd) {
        let row = oddity::Row {
            kind: Name::Borrowed(odd.kind),
            stage: Name::Borrowed(self.decoder),
            detail: Some(Name::Borrowed(odd.detail)),
            needed: odd.needed,
            had: odd.had,
            count: 1,
        };
        self.push(mark, due, row);
    }

    /// The conversation seen from the end that sent in `dir`: for a request made by the side that did not open it.
    #[must_use]
    pub fn ends_from(&self, dir: Dir) -> Ends {
        let e = self.ends;
        match dir {
            Dir::Src => e,
            Dir::Dst => {
                Ends { src_ip: e.dst_ip, dst_ip: e.src_ip, src_port: e.dst_port, dst_port: e.src_port, proto: e.proto }
            }
        }
    }
}
