//! Writes a pcapng (draft-ietf-opsawg-pcapng): one section, an interface for each capture and link, times in nanoseconds.
//!
//! Times are those that lidr judged by, to the microsecond; the finer part of a capture with nanoseconds is not in rows either.

/// A capture that grows in memory.
#[derive(Debug)]
pub(super) struct Writer {
    file: Vec<u8>,
    interfaces: Vec<(String, u32)>,
}

const COMMENT: u16 = 1;
const SECTION_APPLICATION: u16 = 4;
const INTERFACE_NAME: u16 = 2;
const INTERFACE_RESOLUTION: u16 = 9;

impl Writer {
    pub(super) fn new(software: &str) -> Self {
        let mut writer = Self { file: Vec::new(), interfaces: Vec::new() };
        let head: Vec<u8> = [&0x1a2b_3c4du32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
        writer.block(0x0a0d_0d0a, &[head, option(SECTION_APPLICATION, software.as_bytes()), option(0, &[])].concat());
        writer
    }

    /// Adds a packet; `ts` in µs.
    pub(super) fn packet(&mut self, capture: &str, link: u32, ts: i64, octets: &[u8], whole: u32, comment: &str) {
        let interface = self.interface(capture, link);
        let nanos = u64::try_from(ts).unwrap_or_default().saturating_mul(1000);
        let [high, low] = [nanos >> 32, nanos & 0xffff_ffff].map(|half| u32::try_from(half).unwrap_or_default());
        let len = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        let head: Vec<u8> = [interface, high, low, len, whole].iter().flat_map(|n| n.to_le_bytes()).collect();
        let options = [option(COMMENT, comment.as_bytes()), option(0, &[])].concat();
        self.block(6, &[head, padded(octets), options].concat());
    }

    pub(super) fn file(self) -> Vec<u8> {
        self.file
    }

    fn interface(&mut self, capture: &str, link: u32) -> u32 {
        let known = self.interfaces.iter().position(|(name, l)| name == capture && *l == link);
        let number = known.unwrap_or_else(|| {
            let short = u16::try_from(link).unwrap_or(u16::MAX).to_le_bytes();
            let head = [&short[..], &[0; 6]].concat();
            let options =
                [option(INTERFACE_NAME, capture.as_bytes()), option(INTERFACE_RESOLUTION, &[9]), option(0, &[])];
            self.block(1, &[head, options.concat()].concat());
            self.interfaces.push((capture.to_owned(), link));
            self.interfaces.len() - 1
        });
        u32::try_from(number).unwrap_or_default()
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let len = u32::try_from(body.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
        for part in [&kind.to_le_bytes()[..], &len, body, &len] {
            self.file.extend_from_slice(part);
        }
    }
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
    [&code.to_le_bytes()[..], &len.to_le_bytes(), &padded(value)].concat()
}

fn padded(octets: &[u8]) -> Vec<u8> {
    let mut out = octets.to_vec();
    out.resize(octets.len().next_multiple_of(4), 0);
    out
}
