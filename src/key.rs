//! Where the pseudonym key comes from: `--key-file`, `LIDR_KEY`, or for replay and hunt one that lidr makes and keeps.
use std::{
    fs::{self, OpenOptions},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use lidr_schema::{Key, hex};

use crate::args::KeyArgs;

/// The key that was given, or an error that says how to give one: what sensors and watchers share must be chosen by somebody.
pub(crate) fn given(args: &KeyArgs) -> anyhow::Result<Key> {
    match find(args)? {
        Some(key) => Ok(key),
        None => bail!(
            "no pseudonym key: sensor and watch need the same one; make it with `openssl rand -hex 32 > lidr.key` and give \
             --key-file lidr.key (or LIDR_KEY)"
        ),
    }
}

/// The key that was given, else the one kept in the user's state folder, else a new one, which is said once.
pub(crate) fn given_or_kept(args: &KeyArgs) -> anyhow::Result<Key> {
    if let Some(key) = find(args)? {
        return Ok(key);
    }
    let path = state_folder()?.join("key");
    if path.exists() {
        return read(&path);
    }
    let key = make(&path)?;
    tracing::info!("made a pseudonym key and will reuse it: {} (key_id {})", path.display(), key.id());
    Ok(key)
}

/// The key that was given or is kept; none is made.
pub(crate) fn at_hand(args: &KeyArgs) -> anyhow::Result<Option<Key>> {
    if let Some(key) = find(args)? {
        return Ok(Some(key));
    }
    let kept = state_folder().ok().map(|folder| folder.join("key")).filter(|path| path.exists());
    kept.map(|path| read(&path)).transpose()
}

fn find(args: &KeyArgs) -> anyhow::Result<Option<Key>> {
    if let Some(path) = &args.key_file {
        return read(path).map(Some);
    }
    let variable = std::env::var("LIDR_KEY").ok().filter(|text| !text.is_empty());
    variable.map(|text| Key::from_hex(&text).context("LIDR_KEY")).transpose()
}

/// The key in a file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Key> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Key::from_hex(&text).with_context(|| path.display().to_string())
}

fn state_folder() -> anyhow::Result<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")));
    Ok(base.context("no place for the key: neither XDG_STATE_HOME nor HOME is set, give --key-file")?.join("lidr"))
}

fn make(path: &Path) -> anyhow::Result<Key> {
    let mut octets = [0; 32];
    fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut octets)).context("/dev/urandom")?;
    let text = hex::encode(&octets);
    let key = Key::from_hex(&text)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| path.display().to_string())?;
    writeln!(file, "{text}").with_context(|| path.display().to_string())?;
    Ok(key)
}
