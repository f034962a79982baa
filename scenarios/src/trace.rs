//! A capture in the making: frames with their times, in the order in which they were thought of, written in the order of time.
//! The file is classic pcap: magic `a1b2c3d4` little endian, version 2.4, times in µs, link type 1 (Ethernet).
use std::io::{self, Write};

/// Frames of one capture.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    octets: Vec<u8>,
    frames: Vec<Frame>,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    at: i64,
    start: usize,
    len: usize,
}

impl Trace {
    /// Adds a frame at `at` µs since 1970.
    pub(crate) fn push(&mut self, at: i64, frame: &[u8]) {
        self.frames.push(Frame { at, start: self.octets.len(), len: frame.len() });
        self.octets.extend_from_slice(frame);
    }

    /// Frames so far.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    fn octets_of(&self, frame: Frame) -> &[u8] {
        self.octets.get(frame.start..frame.start + frame.len).unwrap_or_default()
    }

    /// Writes the file, frames sorted by time; frames of one time stay as they were added. Gives first and last time.
    pub(crate) fn write(&mut self, out: &mut impl Write) -> io::Result<(i64, i64)> {
        self.frames.sort_by_key(|f| f.at);
        let head: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1];
        head.iter().try_for_each(|word| out.write_all(&word.to_le_bytes()))?;
        for frame in &self.frames {
            let seconds = u32::try_from(frame.at.div_euclid(1_000_000)).map_err(io::Error::other)?;
            let micros = u32::try_from(frame.at.rem_euclid(1_000_000)).map_err(io::Error::other)?;
            let len = u32::try_from(frame.len).map_err(io::Error::other)?;
            [seconds, micros, len, len].iter().try_for_each(|word| out.write_all(&word.to_le_bytes()))?;
            out.write_all(self.octets_of(*frame))?;
        }
        let time = |frame: Option<&Frame>| frame.map_or(0, |f| f.at);
        Ok((time(self.frames.first()), time(self.frames.last())))
    }
}

#[cfg(test)]
mod tests {
    use super::Trace;

    #[test]
    fn frames_leave_in_order_of_time() {
        let mut trace = Trace::default();
        trace.push(2_000_003, &[2]);
        trace.push(1_000_001, &[1]);
        let mut out = Vec::new();
        assert_eq!(trace.write(&mut out).unwrap(), (1_000_001, 2_000_003));
        assert_eq!(out[..4], [0xd4, 0xc3, 0xb2, 0xa1]);
        assert_eq!(out[24..41], [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(trace.len(), 2);
    }
}
