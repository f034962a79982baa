//! A capture repeated with its times moved on, for benchmarks: the same conversations again and again, never two at one time.
use std::{
    fs,
    io::{BufWriter, Write},
    path::Path,
};

use crate::ScenarioError;

/// Writes a classic pcap file `times` times into another one; gives the number of packets.
///
/// # Errors
/// If it is no classic pcap file, or a file cannot be read or written.
pub fn repeat_shifted(from: &Path, to: &Path, times: u32) -> Result<u64, ScenarioError> {
    let io = |path: &Path| {
        let name = path.display().to_string();
        move |e| ScenarioError::Io(name, e)
    };
    let data = fs::read(from).map_err(io(from))?;
    let (big, ticks) = match data.first_chunk::<4>() {
        Some([0xd4, 0xc3, 0xb2, 0xa1]) => (false, 1_000_000),
        Some([0x4d, 0x3c, 0xb2, 0xa1]) => (false, 1_000_000_000),
        Some([0xa1, 0xb2, 0xc3, 0xd4]) => (true, 1_000_000),
        Some([0xa1, 0xb2, 0x3c, 0x4d]) => (true, 1_000_000_000),
        _ => return Err(ScenarioError::Packet(format!("{} is no classic pcap file", from.display()))),
    };
    let word = |at: usize| {
        let four = data.get(at..)?.first_chunk::<4>()?;
        Some(u64::from(if big { u32::from_be_bytes(*four) } else { u32::from_le_bytes(*four) }))
    };
    let mut records = Vec::new();
    let mut at = 24;
    while let (Some(seconds), Some(part), Some(len)) = (word(at), word(at + 4), word(at + 8)) {
        let end = at + 16 + usize::try_from(len).unwrap_or(usize::MAX / 2);
        let Some(rest) = data.get(at + 8..end) else { break };
        records.push((seconds * ticks + part, rest));
        at = end;
    }
    let first = records.iter().map(|r| r.0).min().unwrap_or_default();
    let span = records.iter().map(|r| r.0 - first).max().unwrap_or_default() + ticks;
    let mut out = BufWriter::new(fs::File::create(to).map_err(io(to))?);
    out.write_all(data.get(..24).unwrap_or_default()).map_err(io(to))?;
    for round in 0..u64::from(times) {
        for (time, rest) in &records {
            let moved = time + round * span;
            for value in [moved / ticks, moved % ticks] {
                let value = u32::try_from(value).unwrap_or(u32::MAX);
                let octets = if big { value.to_be_bytes() } else { value.to_le_bytes() };
                out.write_all(&octets).map_err(io(to))?;
            }
            out.write_all(rest).map_err(io(to))?;
        }
    }
    out.flush().map_err(io(to))?;
    Ok(records.len() as u64 * u64::from(times))
}
