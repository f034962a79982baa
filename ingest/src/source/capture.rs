//! One capture: packets of a classic pcap or a pcapng, one after the other.
//!
//! Classic pcap: magics a1b2c3d4 (µs) and a1b23c4d (ns) in both byte orders. pcapng (draft-ietf-opsawg-pcapng): several sections,
//! each with its byte order, several interfaces, resolutions (`if_tsresol`, `if_tsoffset`), enhanced, simple and obsolete packet
//! blocks, what interfaces say they dropped; other blocks, comments among them, are passed over. A simple packet has no time of its own and gets that of the packet
//! before it, which is said. A record longer than any link sends ends that file as cut: after
//! it nothing can be trusted.
use std::io;

use super::{
    bytes::Bytes,
    pcapng::{BYTE_ORDER_BIG, BYTE_ORDER_LITTLE, Section},
};
use crate::record::Block;

/// Most octets of one record that are believed.
pub(super) const MOST_CAPTURED: usize = 256 * 1024;

/// A packet as it stands in a capture; its octets stand in the block that its input is reading ([`Capture::block`]).
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawPacket {
    /// Packet time, µs.
    pub(crate) ts: i64,
    /// Link type (LINKTYPE_ number).
    pub(crate) link: u32,
    /// Octets that the packet had on the wire.
    pub(crate) wire_len: u32,
    /// Where the octets captured begin.
    pub(crate) start: usize,
    /// How many.
    pub(crate) len: usize,
    /// Ordinal of the input.
    pub(crate) input: u16,
    /// Frame number, from 1.
    pub(crate) frame: u64,
}

/// Why a capture cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Nothing in it.
    #[error("empty: needed a pcap or pcapng capture, had 0 octets")]
    Empty,
    /// Something else.
    #[error("not a capture: needed a pcap or pcapng magic, had {0}")]
    NotACapture(String),
    /// Neither a capture nor a file that a mapping takes.
    #[error(
        "not a capture (needed a pcap or pcapng magic, had {had}) and not a record file: no mapping takes a file of that name, tried {tried}; add a mapping to `sources` of the site folder (CONTRIBUTING.md)"
    )]
    Neither {
        /// First octets.
        had: String,
        /// Mappings and their globs.
        tried: String,
    },
    /// A record file that cannot be used.
    #[error("{0}")]
    Log(String),
    /// A live input that cannot be opened.
    #[error("{0}")]
    Live(String),
    /// The magic is right, and then it ends.
    #[error("cut in its file header: needed {needed} octets, had {had}")]
    Header {
        /// Octets of the header.
        needed: usize,
        /// Octets there.
        had: usize,
    },
    /// The file itself.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Why a capture ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// What was wrong.
    pub(crate) detail: &'static str,
    /// Octets needed.
    pub(crate) needed: u64,
    /// Octets there.
    pub(crate) had: u64,
}

#[derive(Debug)]
enum Format {
    Classic { big: bool, nanos: bool, link: u32 },
    Ng(Section),
}

/// A capture that is being read.
#[derive(Debug)]
pub(crate) struct Capture {
    bytes: Bytes,
    format: Format,
    input: u16,
    frame: u64,
    said_untimed: bool,
    /// Set where it ended early.
    pub(crate) cut: Option<Cut>,
}

pub(super) fn word(octets: &[u8], at: usize, big: bool) -> Option<u32> {
    let four = octets.get(at..)?.first_chunk::<4>()?;
    Some(if big { u32::from_be_bytes(*four) } else { u32::from_le_bytes(*four) })
}

/// Whether a file that begins so is a capture.
pub(super) fn is_capture(head: &[u8]) -> bool {
    matches!(word(head, 0, true), Some(0x0a0d_0d0a | 0xa1b2_c3d4 | 0xa1b2_3c4d | 0xd4c3_b2a1 | 0x4d3c_b2a1))
}

impl Capture {
    /// Reads the head of a capture.
    pub(crate) fn open(mut bytes: Bytes, input: u16) -> Result<Self, CaptureError> {
        let head = bytes.want(24)?;
        let Some(magic) = word(head, 0, true) else {
            return Err(if head.is_empty() { CaptureError::Empty } else { not_a_capture(head) });
        };
        let format = match magic {
            0x0a0d_0d0a => match word(head, 8, true) {
                Some(BYTE_ORDER_BIG | BYTE_ORDER_LITTLE) => Format::Ng(Section::default()),
                Some(_) => return Err(not_a_capture(head)),
                None => return Err(CaptureError::Header { needed: 28, had: head.len() }),
            },
            0xa1b2_c3d4 | 0xa1b2_3c4d | 0xd4c3_b2a1 | 0x4d3c_b2a1 => {
                let big = magic >> 24 == 0xa1;
                let nanos = matches!(magic, 0xa1b2_3c4d | 0x4d3c_b2a1);
                let Some(link) = word(head, 20, big) else {
                    return Err(CaptureError::Header { needed: 24, had: head.len() });
                };
                bytes.take(24);
                // The upper bits of the field tell the length of the frame check sequence.
                Format::Classic { big, nanos, link: link & 0x0fff_ffff }
            }
            _ => return Err(not_a_capture(head)),
        };
        Ok(Self { bytes, format, input, frame: 0, said_untimed: false, cut: None })
    }

    /// Octets read of the input as it is stored.
    pub(crate) fn stored(&self) -> u64 {
        self.bytes.stored()
    }

    /// The next packet; none at the end, with `cut` set where that came early.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> io::Result<Option<RawPacket>> {
        if self.cut.is_some() {
            return Ok(None);
        }
        match &mut self.format {
            Format::Classic { big, nanos, link } => {
                let (big, nanos, link) = (*big, *nanos, *link);
                self.classic(big, nanos, link)
            }
            Format::Ng(section) => {
                let found = section.next(&mut self.bytes)?;
                match found {
                    Ok(Some(p)) => {
                        let packet = self.packet(p.ts, p.link, p.wire_len, p.skip, p.len);
                        self.bytes.take(p.whole);
                        Ok(Some(packet))
                    }
                    Ok(None) => Ok(None),
                    Err(cut) => {
                        self.cut = Some(cut);
                        Ok(None)
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn classic(&mut self, big: bool, nanos: bool, link: u32) -> io::Result<Option<RawPacket>> {
        let head = self.bytes.want(16)?;
        if head.is_empty() {
            return Ok(None);
        }
        let read = if big { u32::from_be_bytes } else { u32::from_le_bytes };
        let ([seconds, part, len, wire_len, ..], _) = head.as_chunks::<4>() else {
            self.cut = Some(Cut { detail: "record header", needed: 16, had: head.len() as u64 });
            return Ok(None);
        };
        let [seconds, part, len, wire_len] = [*seconds, *part, *len, *wire_len].map(read);
        let captured = len as usize;
        if captured > MOST_CAPTURED {
            self.cut = Some(Cut { detail: "record length", needed: u64::from(len), had: MOST_CAPTURED as u64 });
            return Ok(None);
        }
        let mut had = head.len();
        if had < 16 + captured {
            had = self.bytes.want(16 + captured)?.len();
        }
        if had < 16 + captured {
            self.cut = Some(Cut { detail: "record", needed: 16 + u64::from(len), had: had as u64 });
            return Ok(None);
        }
        let micros = if nanos { part / 1000 } else { part };
        let packet = self.packet(i64::from(seconds) * 1_000_000 + i64::from(micros), link, wire_len, 16, captured);
        self.bytes.take(16 + captured);
        Ok(Some(packet))
    }

    fn packet(&mut self, ts: i64, link: u32, wire_len: u32, skip: usize, len: usize) -> RawPacket {
        self.frame += 1;
        let (_, at) = self.bytes.place();
        RawPacket { ts, link, wire_len, start: at + skip, len, input: self.input, frame: self.frame }
    }

    /// What the packet read last stands in, until the next one is read.
    pub(crate) const fn block(&self) -> &Block {
        self.bytes.place().0
    }

    /// Whether packets without a time have come; told once.
    pub(crate) fn take_untimed(&mut self) -> bool {
        match &mut self.format {
            Format::Ng(section) => {
                std::mem::take(&mut section.untimed) && !std::mem::replace(&mut self.said_untimed, true)
            }
            Format::Classic { .. } => false,
        }
    }

    /// Packets that the interfaces say they dropped, told once.
    pub(crate) const fn take_dropped(&mut self) -> u64 {
        match &mut self.format {
            Format::Ng(section) => std::mem::replace(&mut section.dropped, 0),
            Format::Classic { .. } => 0,
        }
    }

    /// Interfaces of a pcapng beyond the bound: packets on them end the file.
    pub(crate) const fn interfaces_left_out(&self) -> u64 {
        match &self.format {
            Format::Ng(section) => section.left_out,
            Format::Classic { .. } => 0,
        }
    }

    /// The frame after the last one read: where it was cut.
    pub(crate) const fn next_frame(&self) -> u64 {
        self.frame + 1
    }
}

fn not_a_capture(head: &[u8]) -> CaptureError {
    CaptureError::NotACapture(lidr_schema::hex::encode(head.get(..4).unwrap_or(head)))
}
