//! How a conversation closes: TCP's FIN and RST (RFC 9293 §3.6, RFC 5961 §3), SCTP's ABORT and SHUTDOWN COMPLETE (RFC 9260 §9).
//!
//! A reset counts where its number is near what its sender had reached, or what the other end had acknowledged of it: a window's
//! width, because captures lose packets and scaled windows are not followed. One that refuses a SYN has no number of its own and
//! must acknowledge that SYN. Any other reset is a third party's attempt: the conversation goes on, and that is said. Whoever has
//! reset a connection sends no data on it any more; where data follows all the same, the reset was not his.
//!
//! Of SCTP the first chunk of a packet is read: one that closes an association stands first or alone. Not followed: SCTP's
//! verification tags, TCP's keepalives and simultaneous opens.
use super::{ACK, FIN, RST, SCTP, SYN, TCP};
use crate::record::{Dir, Record, Tcp};

/// How far a reset's number may be from what is known, octets.
const NEAR: u32 = 1 << 20;

const CHUNK_ABORT: u8 = 6;
const CHUNK_ERROR: u8 = 9;
const CHUNK_SHUTDOWN_COMPLETE: u8 = 14;
/// SCTP's first chunk of an association.
pub(super) const CHUNK_INIT: u8 = 1;

/// What is known about how far both ends are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Closing {
    /// The number after the last octet that each end sent.
    sent: [Option<u32>; 2],
    /// What each end acknowledged last.
    acked: [Option<u32>; 2],
    fins: [bool; 2],
    /// Who reset it.
    pub(super) reset_by: Option<Dir>,
    /// SCTP: the other end has said something else than that it will not.
    pub(super) accepted: bool,
}

/// What a packet means for the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It goes on.
    GoesOn,
    /// It closes the conversation: why.
    Closes(&'static str),
    /// It would close it, if it came from one of the ends.
    Forged,
}

/// The type of the first chunk of an SCTP packet.
pub(super) fn first_chunk(record: &Record) -> Option<u8> {
    (record.key.proto == SCTP).then(|| record.payload().first().copied()).flatten()
}

impl Closing {
    /// Follows a packet.
    pub(super) fn see(&mut self, record: &Record, dir: Dir) -> Meaning {
        match record.key.proto {
            TCP => self.tcp(record.tcp, record.payload_len, dir),
            SCTP => self.sctp(first_chunk(record), dir),
            _ => Meaning::GoesOn,
        }
    }

    fn sctp(&mut self, chunk: Option<u8>, dir: Dir) -> Meaning {
        self.accepted |= dir == Dir::Dst && !matches!(chunk, Some(CHUNK_ABORT | CHUNK_ERROR));
        match chunk {
            Some(CHUNK_ABORT) => Meaning::Closes("abort"),
            Some(CHUNK_SHUTDOWN_COMPLETE) => Meaning::Closes("fin"),
            _ => Meaning::GoesOn,
        }
    }

    fn tcp(&mut self, tcp: Tcp, length: u32, dir: Dir) -> Meaning {
        if tcp.flags & RST != 0 {
            if !self.may_reset(tcp, dir) {
                return Meaning::Forged;
            }
            self.reset_by = Some(dir);
            return Meaning::Closes("rst");
        }
        let length = length + u32::from(tcp.flags & SYN != 0) + u32::from(tcp.flags & FIN != 0);
        let both_before = self.fins == [true, true];
        let at = dir.index();
        if let (Some(sent), Some(acked), Some(fin)) =
            (self.sent.get_mut(at), self.acked.get_mut(at), self.fins.get_mut(at))
        {
            *sent = Some(tcp.seq.wrapping_add(length));
            if tcp.flags & ACK != 0 {
                *acked = Some(tcp.ack);
            }
            *fin |= tcp.flags & FIN != 0;
        }
        if both_before && tcp.flags & ACK != 0 { Meaning::Closes("fin") } else { Meaning::GoesOn }
    }

    fn may_reset(&self, tcp: Tcp, dir: Dir) -> bool {
        let of = |pair: &[Option<u32>; 2], dir: Dir| pair.get(dir.index()).copied().flatten();
        let (sent, acked) = (of(&self.sent, dir), of(&self.acked, dir.other()));
        if sent.is_none() && acked.is_none() {
            let asked = of(&self.sent, dir.other());
            return tcp.flags & ACK == 0 || asked.is_none_or(|asked| near(asked, tcp.ack));
        }
        [sent, acked].into_iter().flatten().any(|known| near(known, tcp.seq))
    }
}

const fn near(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed().unsigned_abs() <= NEAR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(flags: u8, seq: u32, ack: u32) -> Tcp {
        Tcp { seq, ack, flags, urgent: 0 }
    }

    #[test]
    fn a_reset_needs_a_number_that_its_sender_could_have() {
        let mut of = Closing::default();
        of.tcp(tcp(SYN, 1000, 0), 0, Dir::Src);
        assert_eq!(of.clone().tcp(tcp(RST | ACK, 0, 1001), 0, Dir::Dst), Meaning::Closes("rst"), "refused");
        assert_eq!(of.clone().tcp(tcp(RST | ACK, 0, 0xdead_0000), 0, Dir::Dst), Meaning::Forged);
        of.tcp(tcp(SYN | ACK, u32::MAX - 5, 1001), 0, Dir::Dst);
        of.tcp(tcp(ACK, 1001, u32::MAX - 4), 500, Dir::Src);
        for (seq, meaning) in [
            (u32::MAX - 4, Meaning::Closes("rst")),
            (40_000, Meaning::Closes("rst")),
            (1 << 31, Meaning::Forged),
            (0x00f0_0000, Meaning::Forged),
        ] {
            assert_eq!(of.clone().tcp(tcp(RST, seq, 0), 0, Dir::Dst), meaning, "{seq:x}");
        }
        // What the capture lost of an end is known from what the other one acknowledged.
        of.tcp(tcp(ACK, 1501, 80_000_000), 0, Dir::Src);
        assert_eq!(of.clone().tcp(tcp(RST, 80_000_000, 0), 0, Dir::Dst), Meaning::Closes("rst"));
    }

    #[test]
    fn a_reset_without_anything_before_closes() {
        assert_eq!(Closing::default().tcp(tcp(RST, 77, 0), 0, Dir::Src), Meaning::Closes("rst"));
        assert_eq!(Closing::default().tcp(tcp(RST | ACK, 77, 5), 0, Dir::Src), Meaning::Closes("rst"));
    }

    #[test]
    fn associations_close_and_are_refused() {
        let mut of = Closing::default();
        assert_eq!(of.sctp(Some(CHUNK_INIT), Dir::Src), Meaning::GoesOn);
        assert_eq!(of.clone().sctp(Some(CHUNK_ABORT), Dir::Dst), Meaning::Closes("abort"));
        of.sctp(Some(2), Dir::Dst);
        assert!(of.accepted);
        assert_eq!(of.sctp(Some(CHUNK_SHUTDOWN_COMPLETE), Dir::Src), Meaning::Closes("fin"));
    }
}
