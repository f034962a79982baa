//! Octets of an input: by large reads into blocks that records point into.
//!
//! 64 KiB a read: three times faster than a memory map on a mixed capture, and as fast as larger reads with less memory held by
//! records that wait (benches/RESULTS.md). Blocks are recycled once nobody points into them any more. gzip and zstd are found by
//! their magic, several members or frames follow one another.
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::record::Block;

const BLOCK: usize = 64 * 1024;
/// Blocks kept for recycling: 16 MiB where workers hold so many.
const POOL: usize = 256;

/// Counts what is read of an input before it is decompressed: a progress bar compares that with the size of the file.
struct Counted {
    inner: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(to)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// A stream of octets, decompressed, in blocks.
pub struct Bytes {
    input: Box<dyn Read + Send>,
    block: Block,
    /// What of the block is filled and what of that is taken.
    filled: usize,
    taken: usize,
    ended: bool,
    pool: Vec<Block>,
    /// Octets taken from the stream before this block.
    before: u64,
    /// Octets read of the input as it is stored.
    read: Arc<AtomicU64>,
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({} taken)", self.position())
    }
}

impl Bytes {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be opened or read.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::new(Box::new(File::open(path)?))
    }

    /// Reads from anything.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn new(input: Box<dyn Read + Send>) -> io::Result<Self> {
        let read = Arc::new(AtomicU64::new(0));
        let mut raw = Counted { inner: input, count: Arc::clone(&read) };
        let mut magic = Vec::new();
        raw.by_ref().take(4).read_to_end(&mut magic)?;
        let whole = io::Cursor::new(magic.clone()).chain(raw);
        let input: Box<dyn Read + Send> = match magic.as_slice() {
            [0x1f, 0x8b, ..] => {
                Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(1 << 17, whole)))
            }
            // A frame, or a skippable frame before the first one.
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Box::new(zstd::Decoder::new(whole)?),
            _ => Box::new(whole),
        };
        let block = Arc::new(Vec::new());
        Ok(Self { input, block, filled: 0, taken: 0, ended: false, pool: Vec::new(), before: 0, read })
    }

    /// Octets taken so far.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.before + self.taken as u64
    }

    /// Octets read so far of the input as it is stored, compressed or not.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Octets that are there without a read.
    #[must_use]
    pub fn buffered(&self) -> &[u8] {
        self.block.get(self.taken..self.filled).unwrap_or_default()
    }

    /// Makes sure that so many octets are buffered; fewer only where the stream ends.
    ///
    /// # Errors
    /// If the stream cannot be read (or decompressed).
    #[inline]
    pub fn want(&mut self, octets: usize) -> io::Result<&[u8]> {
        if self.filled - self.taken < octets && !self.ended {
            self.refill(octets)?;
        }
        Ok(self.buffered())
    }

    /// Passes over so many of the buffered octets.
    pub fn take(&mut self, octets: usize) {
        self.taken = (self.taken + octets).min(self.filled);
    }

    /// The block and where in it the next octet is.
    #[must_use]
    pub const fn place(&self) -> (&Block, usize) {
        (&self.block, self.taken)
    }

    #[cold]
    fn refill(&mut self, octets: usize) -> io::Result<()> {
        // Room for half a block more than is asked: who asks for one octet more each time, for the end of a long line, is not given
        // one octet a read.
        let mut next = self.spare((octets + BLOCK / 2).next_multiple_of(BLOCK));
        let rest = self.filled - self.taken;
        let Some(room) = Arc::get_mut(&mut next) else { return Err(io::Error::other("a spare block is in use")) };
        if let (Some(to), Some(from)) = (room.get_mut(..rest), self.block.get(self.taken..self.filled)) {
            to.copy_from_slice(from);
        }
        let mut filled = rest;
        while filled < octets {
            let Some(free) = room.get_mut(filled..) else { break };
            match self.input.read(free) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.before += self.taken as u64;
        (self.taken, self.filled) = (0, filled);
        let old = std::mem::replace(&mut self.block, next);
        // A longer one was for a record that is rare, and would be kept for good.
        if self.pool.len() < POOL && old.len() == BLOCK {
            self.pool.push(old);
        }
        Ok(())
    }

    /// A block that nobody points into.
    fn spare(&mut self, size: usize) -> Block {
        let free = self.pool.iter_mut().position(|b| Arc::get_mut(b).is_some_and(|v| v.len() >= size));
        match free {
            Some(i) => self.pool.swap_remove(i),
            None => {
                if self.pool.len() >= POOL {
                    self.pool.remove(0);
                }
                Arc::new(vec![0; size])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut bytes: Bytes) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(first) = bytes.want(1000).unwrap().first().copied() {
            out.push(first);
            let more = bytes.buffered().len().min(777);
            out.extend_from_slice(&bytes.buffered()[1..more]);
            bytes.take(more);
        }
        out
    }

    #[test]
    fn plain_gz_and_zst_give_the_same_octets() {
        let text: Vec<u8> = (0..2_000_000_u32).map(|i| (i * 7 / 5) as u8).collect();
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut gz, &text).unwrap();
        let mut two = zstd::encode_all(&text[..1000], 1).unwrap();
        two.extend(zstd::encode_all(&text[1000..], 1).unwrap());
        for packed in [text.clone(), gz.finish().unwrap(), two] {
            assert!(all(Bytes::new(Box::new(io::Cursor::new(packed))).unwrap()) == text);
        }
    }

    #[test]
    fn a_long_line_takes_few_reads() {
        struct Counting(u32);
        impl Read for Counting {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                assert!(self.0 < 20, "{} octets asked for", to.len());
                Ok(to.len())
            }
        }
        let mut bytes = Bytes::new(Box::new(Counting(0))).unwrap();
        while bytes.buffered().len() < 4 * BLOCK {
            bytes.want(bytes.buffered().len() + 1).unwrap();
        }
    }

    #[test]
    fn a_block_in_use_is_not_written_over() {
        let text: Vec<u8> = (0..3_000_000_u32).map(|i| (i >> 8) as u8).collect();
        let mut bytes = Bytes::new(Box::new(io::Cursor::new(text.clone()))).unwrap();
        let mut held = Vec::new();
        while !bytes.want(4096).unwrap().is_empty() {
            let (block, at) = bytes.place();
            held.push((Arc::clone(block), at, bytes.position()));
            bytes.take(100_000);
        }
        for (block, at, position) in held {
            assert_eq!(block[at], text[position as usize]);
        }
    }
}
