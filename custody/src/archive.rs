//! Names and octets to one `.tar.zst` file and back, one way of writing only.
//!
//! tar with fixed owner, mode and time; zstd in one frame; behind it a skippable frame (RFC 8878 §3.1.2), which every zstd passes
//! over, with the SHA-256 of all octets before. That hash keeps nobody from packing anew; it makes a changed octet visible wherever
//! it is, even where decompression would not care. Reading is bounded and never writes a file.
use std::io::Read;

use sha2::{Digest, Sha256};
use tar::{Archive, Builder, EntryType, Header};

use crate::CustodyError;

/// Octets of a file that are read, and of what is inside.
pub(crate) const MOST_OCTETS: u64 = 1 << 30;
/// Parts of a bundle.
const MOST_PARTS: usize = 4096;
/// Letters of a name: what the oldest header holds.
const MOST_NAME: usize = 100;
const LEVEL: i32 = 9;
/// Magic of the skippable frame and the length of what follows, little-endian.
pub(crate) const TRAILER: [u8; 8] = [0x5d, 0x2a, 0x4d, 0x18, 32, 0, 0, 0];
pub(crate) const TRAILER_WHOLE: usize = TRAILER.len() + 32;

/// Names and octets, in order.
pub(crate) type Parts = Vec<(String, Vec<u8>)>;

/// Whether a name stays inside the folder where somebody unpacks.
pub(crate) fn fits(path: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b);
    let part = |p: &str| !p.is_empty() && !p.starts_with('.');
    path.len() <= MOST_NAME && path.bytes().all(letter) && path.split('/').all(part)
}

/// The tar archive of these parts, in this order.
pub(crate) fn tar(parts: &[(String, Vec<u8>)]) -> Result<Vec<u8>, CustodyError> {
    let mut builder = Builder::new(Vec::new());
    for (path, octets) in parts {
        let mut header = Header::new_ustar();
        header.set_path(path)?;
        header.set_size(octets.len() as u64);
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        builder.append(&header, octets.as_slice())?;
    }
    Ok(builder.into_inner()?)
}

/// The file of these parts.
pub(crate) fn pack(parts: &[(String, Vec<u8>)]) -> Result<Vec<u8>, CustodyError> {
    let mut out = zstd::encode_all(tar(parts)?.as_slice(), LEVEL)?;
    let hash = Sha256::digest(&out);
    out.extend(TRAILER);
    out.extend(hash);
    Ok(out)
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// In the order of the file.
    pub(crate) parts: Parts,
    /// What is not as lidr packs, though it could be read.
    pub(crate) oddities: Vec<String>,
}

/// Reads a file.
pub(crate) fn unpack(file: &[u8]) -> Result<Unpacked, CustodyError> {
    let broken = |message: String| CustodyError::Broken(message);
    let had = file.len() as u64;
    if had > MOST_OCTETS {
        return Err(CustodyError::TooLarge { what: "octets of a file", most: MOST_OCTETS, had });
    }
    let mut oddities = Vec::new();
    let body = match file.split_last_chunk::<TRAILER_WHOLE>() {
        Some((body, trailer)) if trailer.starts_with(&TRAILER) => {
            if trailer.get(TRAILER.len()..) != Some(Sha256::digest(body).as_slice()) {
                oddities.push("the file's octets are not those that were written (hash at its end)".to_owned());
            }
            body
        }
        _ => {
            return Err(broken(
                "the hash at the end of the file is not there: it is cut, longer than it was, or another file"
                    .to_owned(),
            ));
        }
    };
    let mut whole = Vec::new();
    let zstd = |e: std::io::Error| broken(format!("zstd: {e}"));
    let mut decoder = zstd::Decoder::with_buffer(body).map_err(zstd)?.single_frame();
    decoder.by_ref().take(MOST_OCTETS + 1).read_to_end(&mut whole).map_err(zstd)?;
    if !decoder.finish().is_empty() {
        oddities.push("something stands behind the archive that lidr did not write".to_owned());
    }
    if whole.len() as u64 > MOST_OCTETS {
        return Err(CustodyError::TooLarge { what: "octets inside", most: MOST_OCTETS, had: whole.len() as u64 });
    }
    let parts = entries(&whole)?;
    if tar(&parts)? != whole {
        oddities.push(
            "the archive around the parts is not as lidr packs it: an owner, time, mode or padding was changed"
                .to_owned(),
        );
    }
    Ok(Unpacked { parts, oddities })
}

fn entries(tar: &[u8]) -> Result<Parts, CustodyError> {
    let broken = |error: std::io::Error| CustodyError::Broken(format!("tar: {error}"));
    let mut parts = Parts::new();
    for entry in Archive::new(tar).entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.to_string_lossy().into_owned();
        if !fits(&path) {
            return Err(CustodyError::Path(path));
        }
        if parts.len() >= MOST_PARTS {
            return Err(CustodyError::TooLarge { what: "parts", most: MOST_PARTS as u64, had: MOST_PARTS as u64 + 1 });
        }
        let mut octets = Vec::new();
        // The archive is bounded, and so is each of its parts.
        entry.read_to_end(&mut octets).map_err(broken)?;
        if octets.len() as u64 != entry.header().size().map_err(broken)? {
            return Err(CustodyError::Broken(format!("tar: `{path}` is cut")));
        }
        parts.push((path, octets));
    }
    Ok(parts)
}
