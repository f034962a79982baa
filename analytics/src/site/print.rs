//! What the files of a site folder look like from outside: whether they may have changed without reading them.
//!
//! Name, size, times of content and of entry, and number of each file that the site is read from. Files that say the same but look
//! another way cost a reading and no more: whether a copy is new is decided by what is in it.
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{error, files, table_of};
use crate::SiteError;

/// How the files of a folder looked at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print(Vec<(PathBuf, [i64; 4], [u64; 2])>);

/// Looks at the files of a folder that a site is read from.
///
/// # Errors
/// If the folder or a file in it cannot be looked at.
pub fn print(dir: &Path) -> Result<Print, SiteError> {
    let mut out = Vec::new();
    for path in files(dir)? {
        let is_settings = path.file_name().is_some_and(|name| name == "site.toml");
        // A file that would be refused by its name counts, too: it is a change that has to be said.
        if !is_settings && matches!(table_of(&path), Ok(None)) {
            continue;
        }
        let seen = fs::metadata(&path).map_err(|e| error(&path, None, e.to_string()))?;
        let times = [seen.mtime(), seen.mtime_nsec(), seen.ctime(), seen.ctime_nsec()];
        out.push((path, times, [seen.size(), seen.ino()]));
    }
    Ok(Print(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_new_and_a_removed_file_look_another_way_and_notes_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("sensors.csv", "name\ntap1\n");
        let first = print(dir.path()).unwrap();
        write("notes.md", "nothing");
        assert_eq!(print(dir.path()).unwrap(), first);
        // The same size, and renamed into place as careful writers do.
        write("sensors.new", "name\ntap2\n");
        fs::rename(dir.path().join("sensors.new"), dir.path().join("sensors.csv")).unwrap();
        let second = print(dir.path()).unwrap();
        assert_ne!(second, first);
        write("warants.csv", "order\n");
        assert_ne!(print(dir.path()).unwrap(), second, "a misspelt table");
        fs::remove_file(dir.path().join("warants.csv")).unwrap();
        assert_eq!(print(dir.path()).unwrap(), second);
        assert!(print(&dir.path().join("none")).is_err());
    }
}
