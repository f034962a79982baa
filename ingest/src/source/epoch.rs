//! The name of a run, by which lakes and Kafka readers know it again.
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use lidr_schema::hex;
use sha2::{Digest, Sha256};

use super::{Input, SourceError};

/// The name of a run over these inputs: a hash of their sizes, first and last 64 KiB, lidr's version and the settings that
/// change rows. `started` (the start of the run) stands for inputs that can be read only once, standard input and pipes: two
/// runs over different streams must not have one name, or a lake would replace the first by the second, and a Kafka reader
/// would take the second for repeats.
///
/// # Errors
/// If a file cannot be read.
pub fn epoch(inputs: &[Input], started: &str, settings: &str) -> Result<String, SourceError> {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(settings);
    for input in inputs {
        let read = |why| SourceError::Read { name: input.name(), why };
        match input {
            Input::Path { path, .. } if std::fs::metadata(path).map_err(read)?.is_file() => {
                sample(path, &mut hash).map_err(read)?
            }
            _ => {
                hash.update(b"-");
                hash.update(started);
            }
        }
    }
    Ok(hex::encode(hash.finalize().get(..8).unwrap_or_default()))
}

fn sample(path: &Path, hash: &mut Sha256) -> io::Result<()> {
    const ENDS: u64 = 64 * 1024;
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    hash.update(size.to_be_bytes());
    let mut part = Vec::new();
    file.by_ref().take(ENDS).read_to_end(&mut part)?;
    hash.update(&part);
    if size > ENDS && file.seek(SeekFrom::Start(size.saturating_sub(ENDS))).is_ok() {
        part.clear();
        file.take(ENDS).read_to_end(&mut part)?;
        hash.update(&part);
    }
    Ok(())
}
