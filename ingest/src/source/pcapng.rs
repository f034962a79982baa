//! Blocks of a pcapng section: which are packets, when they were taken, on which link.
use std::io;

use super::{
    bytes::Bytes,
    capture::{Cut, MOST_CAPTURED, word},
};

/// Interfaces of one section that are kept.
const MOST_INTERFACES: usize = 4096;
/// Blocks that are no packets may be longer (name resolution, secrets, custom data).
const MOST_BLOCK: usize = 16 * 1024 * 1024;

/// The byte-order magic of a section header as it reads in network order.
pub(super) const BYTE_ORDER_BIG: u32 = 0x1a2b_3c4d;
/// The same where the section is little-endian.
pub(super) const BYTE_ORDER_LITTLE: u32 = 0x4d3c_2b1a;
/// Drops that are believed: what no interface drops in a year is a number that somebody made up, and sums must bear it.
const MOST_DROPPED: u64 = 1 << 40;
/// The last microsecond of the year 9999. Resolution and offset of an interface can say any time; times are held within what
/// later sums and any calendar can bear, so that no file moves the clock out of its range.
const LATEST: i64 = 253_402_300_799_999_999;

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u32,
    /// Ticks a second.
    resolution: u64,
    /// Seconds added to every time.
    offset: i64,
    snaplen: u32,
    /// Packets that it said it had dropped, by its last statistics.
    dropped: u64,
}

/// The section that is being read.
#[derive(Debug, Default)]
pub(super) struct Section {
    big: bool,
    interfaces: Vec<Interface>,
    /// Interfaces beyond the bound, in all sections.
    pub(super) left_out: u64,
    /// The time of the last packet: simple packets have none of their own.
    last: i64,
    /// Simple packets have come.
    pub(super) untimed: bool,
    /// Packets that interfaces dropped, of which nobody was told yet.
    pub(super) dropped: u64,
}

/// A packet block: where its octets are, counted from the start of the block.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) ts: i64,
    pub(super) link: u32,
    pub(super) wire_len: u32,
    pub(super) skip: usize,
    pub(super) len: usize,
    pub(super) whole: usize,
}

impl Section {
    /// The next packet block, still in the buffer; the caller takes `whole` octets once it has its packet.
    pub(super) fn next(&mut self, bytes: &mut Bytes) -> io::Result<Result<Option<Found>, Cut>> {
        loop {
            let head = bytes.want(12)?;
            if head.is_empty() {
                return Ok(Ok(None));
            }
            let (Some(kind), Some(order)) = (word(head, 0, true), word(head, 8, true)) else {
                return Ok(Err(Cut { detail: "block header", needed: 12, had: head.len() as u64 }));
            };
            if kind == 0x0a0d_0d0a {
                if order != BYTE_ORDER_BIG && order != BYTE_ORDER_LITTLE {
                    return Ok(Err(Cut { detail: "byte order of a section", needed: 4, had: 0 }));
                }
                self.big = order == BYTE_ORDER_BIG;
                self.interfaces.clear();
            }
            let (kind, whole) =
                (word(head, 0, self.big).unwrap_or(kind), word(head, 4, self.big).unwrap_or(0) as usize);
            if !(12..=MOST_BLOCK).contains(&whole) {
                return Ok(Err(Cut { detail: "block length", needed: whole as u64, had: MOST_BLOCK as u64 }));
            }
            let had = bytes.want(whole)?.len();
            if had < whole {
                return Ok(Err(Cut { detail: "block", needed: whole as u64, had: had as u64 }));
            }
            let block = bytes.buffered().get(..whole).unwrap_or_default();
            match kind {
                1 => self.interface(block),
                5 => self.statistics(block),
                2 | 3 | 6 => match self.packet(kind, block) {
                    Ok(found) => {
                        self.last = found.ts;
                        self.untimed |= kind == 3;
                        return Ok(Ok(Some(found)));
                    }
                    Err(cut) => return Ok(Err(cut)),
                },
                _ => {}
            }
            bytes.take(whole);
        }
    }

    fn packet(&self, kind: u32, block: &[u8]) -> Result<Found, Cut> {
        let whole = block.len();
        let field = |i: usize| word(block, i * 4, self.big);
        let short = Cut { detail: "packet block", needed: 32, had: whole as u64 };
        let number = match kind {
            3 => 0,
            2 => usize::from(self.two(block, 8).ok_or(short)?),
            _ => field(2).ok_or(short)? as usize,
        };
        let unknown = Cut { detail: "interface", needed: number as u64 + 1, had: self.interfaces.len() as u64 };
        let interface = self.interfaces.get(number).ok_or(unknown)?;
        let (ts, captured, wire_len, skip) = if kind == 3 {
            let wire_len = field(2).ok_or(short)?;
            let most = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
            (self.last, wire_len.min(most), wire_len, 12)
        } else {
            let (Some(high), Some(low), Some(captured), Some(wire_len)) = (field(3), field(4), field(5), field(6))
            else {
                return Err(short);
            };
            (interface.micros(u64::from(high) << 32 | u64::from(low)), captured, wire_len, 28)
        };
        let len = captured as usize;
        if len > MOST_CAPTURED || skip + len > whole {
            return Err(Cut {
                detail: "packet length",
                needed: u64::from(captured),
                had: whole.saturating_sub(skip) as u64,
            });
        }
        Ok(Found { ts, link: interface.link, wire_len, skip, len, whole })
    }

    fn interface(&mut self, block: &[u8]) {
        let mut interface = Interface {
            link: u32::from(self.two(block, 8).unwrap_or(u16::MAX)),
            resolution: 1_000_000,
            offset: 0,
            snaplen: word(block, 12, self.big).unwrap_or(0),
            dropped: 0,
        };
        for (code, value) in self.options(block, 16) {
            match (code, value) {
                (9, [resolution, ..]) => interface.resolution = ticks(*resolution),
                (14, value) => {
                    interface.offset = value.first_chunk().map_or(0, |eight| self.eight(*eight).cast_signed())
                }
                _ => {}
            }
        }
        match self.interfaces.len() < MOST_INTERFACES {
            true => self.interfaces.push(interface),
            false => self.left_out += 1,
        }
    }

    /// What an interface and the system below it dropped since the capture began: `isb_ifdrop` and `isb_osdrop`.
    fn statistics(&mut self, block: &[u8]) {
        let total: u64 = self
            .options(block, 20)
            .filter(|(code, _)| matches!(code, 5 | 7))
            .filter_map(|(_, value)| value.first_chunk().map(|eight| self.eight(*eight)))
            // All ones stand for "unknown".
            .filter(|count| *count != u64::MAX)
            .fold(0, u64::saturating_add)
            .min(MOST_DROPPED);
        let number = word(block, 8, self.big).unwrap_or(u32::MAX) as usize;
        let Some(interface) = self.interfaces.get_mut(number) else { return };
        self.dropped = self.dropped.saturating_add(total.saturating_sub(interface.dropped));
        interface.dropped = total.max(interface.dropped);
    }

    /// Options of a block from there on, up to their end.
    fn options<'a>(&self, block: &'a [u8], mut at: usize) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let big = self.big;
        std::iter::from_fn(move || {
            let code = two(block, at, big).filter(|code| *code != 0)?;
            let len = usize::from(two(block, at + 2, big)?);
            let value = block.get(at + 4..at + 4 + len)?;
            at += 4 + len.next_multiple_of(4);
            Some((code, value))
        })
    }

    fn two(&self, block: &[u8], at: usize) -> Option<u16> {
        two(block, at, self.big)
    }

    const fn eight(&self, eight: [u8; 8]) -> u64 {
        if self.big { u64::from_be_bytes(eight) } else { u64::from_le_bytes(eight) }
    }
}

impl Interface {
    fn micros(&self, ticks: u64) -> i64 {
        let micros = match self.resolution {
            1_000_000 => u128::from(ticks),
            1_000_000_000 => u128::from(ticks / 1000),
            resolution => u128::from(ticks) * 1_000_000 / u128::from(resolution),
        };
        let since_epoch = i64::try_from(micros).unwrap_or(LATEST).saturating_add(self.offset.saturating_mul(1_000_000));
        since_epoch.clamp(0, LATEST)
    }
}

fn two(block: &[u8], at: usize, big: bool) -> Option<u16> {
    let pair = block.get(at..)?.first_chunk::<2>()?;
    Some(if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) })
}

/// Ticks a second of `if_tsresol`: a power of ten, or of two where the top bit is set.
fn ticks(value: u8) -> u64 {
    let power = u32::from(value & 0x7f);
    let base: u64 = if value & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(power).unwrap_or(1_000_000)
}
