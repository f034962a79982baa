//! The frames behind a finding: read again by number, cut, written as a pcapng of their own.
//!
//! What goes into evidence must not become a second copy of what an interception delivers. A frame keeps its headers up to the
//! first transport header; whatever stands behind is cut, the length that it had stays. On demand a message of a control protocol is
//! kept (`cut.rs` says which), for it is what was decoded; such a message may name a target, so that only the enclave may ask.
mod cut;
mod pcapng;

use std::{collections::BTreeSet, path::PathBuf};

use crate::{
    frame::Frames,
    record::{Record, Stamp},
    source::{Bytes, Capture, CaptureError},
};
use pcapng::Writer;

/// What of a frame is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Headers only.
    Headers,
    /// Headers, and messages of control protocols.
    Control,
}

/// Frames of one capture.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The file.
    pub path: PathBuf,
    /// Its name in rows.
    pub capture: String,
    /// Frame numbers, from 1.
    pub frames: BTreeSet<u64>,
}

/// What was read of them.
#[derive(Debug)]
pub struct Excerpt {
    /// A pcapng with those frames, in the order in which they were asked for.
    pub pcapng: Vec<u8>,
    /// Frames in it.
    pub written: u64,
    /// Frames that the captures do not have, by the capture's name.
    pub missing: Vec<(String, u64)>,
}

/// Why frames cannot be read again.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub struct ExcerptError {
    path: String,
    why: CaptureError,
}

/// Reads those frames again; `software` is who says so in the file.
///
/// # Errors
/// If a capture cannot be read.
pub fn excerpt(wanted: &[Wanted], keep: Keep, software: &str) -> Result<Excerpt, ExcerptError> {
    let mut writer = Writer::new(software);
    let (mut written, mut missing) = (0, Vec::new());
    for one in wanted {
        let found =
            read(one, keep, &mut writer).map_err(|why| ExcerptError { path: one.path.display().to_string(), why })?;
        written += found.len() as u64;
        missing.extend(one.frames.difference(&found).map(|frame| (one.capture.clone(), *frame)));
    }
    Ok(Excerpt { pcapng: writer.file(), written, missing })
}

/// Writes the wanted frames of one capture; gives those that were there.
fn read(wanted: &Wanted, keep: Keep, writer: &mut Writer) -> Result<BTreeSet<u64>, CaptureError> {
    let mut found = BTreeSet::new();
    let Some(last) = wanted.frames.last() else { return Ok(found) };
    let mut capture = Capture::open(Bytes::open(&wanted.path)?, 0)?;
    while let Some(packet) = capture.next()? {
        if wanted.frames.contains(&packet.frame) {
            let stamp = Stamp { ts: packet.ts, eff: packet.ts, frame: packet.frame, input: 0 };
            let (mut records, mut odds) = (Vec::<Record>::new(), Vec::new());
            // A decoder of its own for each frame: nothing of another one is put together with it.
            let block = capture.block();
            Frames::default().packet(&packet, block, stamp, packet.ts, &mut records, &mut odds);
            let kept = cut::kept(&packet, block, &records, keep);
            let octets = block.get(packet.start..packet.start + kept).unwrap_or_default();
            let whole = packet.wire_len.max(u32::try_from(packet.len).unwrap_or(u32::MAX));
            let cut = packet.len.saturating_sub(kept);
            let comment = format!("{} frame {}, {cut} octets cut by lidr", wanted.capture, packet.frame);
            writer.packet(&wanted.capture, packet.link, packet.ts, octets, whole, &comment);
            found.insert(packet.frame);
        }
        if packet.frame >= *last {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
