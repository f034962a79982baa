//! Records that are not packets: audit logs, exports, task dumps, accounting and syslog become rows of the same tables.
//!
//! A record file is NDJSON, CSV, syslog (RFC 5424, RFC 3164) or lines of text, plain or compressed. What its fields mean is said by
//! a mapping file, one a source: `sources/*.yml` of the site folder, folders of `--sources`, and a few that come with lidr (the
//! `sources/` folder of the project) for shapes that such systems export. A file's name chooses the mapping by its globs; those of
//! the site come before lidr's own, and two that both take a name are an error. Rows have the file's name and the line as their
//! origin, run through the same clock as packets and stand in the same row order. Syslog that a listener hears goes through the same
//! mappings (`heard`).
mod cell;
mod compile;
mod fields;
mod glob;
mod heard;
mod lines;
mod mapping;
mod mask;
mod row;
mod stream;
mod syslog;
#[cfg(test)]
mod tests;
mod time;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

pub(crate) use heard::Listener;
use lidr_schema::{Ip, Key, problem::Problem};
pub use mapping::Mapping;
pub(crate) use row::Cells;
pub use stream::RecordCounts;
pub(crate) use stream::{Line, LogFile, MOST_HELD, Outcome};

/// The mappings that come with lidr.
pub const BUILT_IN: [(&str, &str); 4] = [
    ("lims-audit.yml", include_str!("../../../sources/lims-audit.yml")),
    ("task-export.yml", include_str!("../../../sources/task-export.yml")),
    ("cisco-ios.yml", include_str!("../../../sources/cisco-ios.yml")),
    ("tacacs-accounting.yml", include_str!("../../../sources/tacacs-accounting.yml")),
];

/// Why mappings cannot be used: everything that is wrong with them.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct MappingError(pub Vec<Problem>);

/// Every mapping of a run, and what rows are made with.
#[derive(Debug)]
pub struct Sources {
    /// The site's, then lidr's own.
    tiers: [Vec<Arc<Mapping>>; 2],
    hosts: cell::Hosts,
    key: Key,
}

impl Sources {
    /// Reads the mapping files of these folders; lidr's own are there too, unless one of the same name replaces it.
    ///
    /// # Errors
    /// If a folder or a file cannot be read or a mapping is wrong.
    pub fn load(dirs: &[PathBuf], hosts: &BTreeMap<String, Ip>, key: &Key) -> Result<Arc<Self>, MappingError> {
        let (mut own, mut problems) = (Vec::new(), Vec::new());
        for path in dirs.iter().flat_map(|dir| files(dir, &mut problems)).collect::<Vec<_>>() {
            let file = path.display().to_string();
            let read = fs::read_to_string(&path)
                .map_err(|e| vec![Problem { file: file.clone(), line: None, message: e.to_string() }]);
            match read.and_then(|text| compile::compile(&file, &stem(&path), &text)) {
                Ok(mapping) => own.push(Arc::new(mapping)),
                Err(more) => problems.extend(more),
            }
        }
        let mut built_in = Vec::new();
        for (file, text) in BUILT_IN {
            let name = stem(Path::new(file));
            if own.iter().any(|m| m.name == name) {
                continue;
            }
            match compile::compile(&format!("lidr's {file}"), &name, text) {
                Ok(mapping) => built_in.push(Arc::new(mapping)),
                Err(more) => problems.extend(more),
            }
        }
        if !problems.is_empty() {
            return Err(MappingError(problems));
        }
        let hosts = hosts.iter().map(|(name, ip)| (name.to_lowercase(), *ip)).collect();
        Ok(Arc::new(Self { tiers: [own, built_in], hosts, key: key.clone() }))
    }

    /// The mapping for a file of that name; none if nothing takes it.
    ///
    /// # Errors
    /// If several mappings take the name.
    pub fn find(&self, file_name: &str) -> Result<Option<Arc<Mapping>>, String> {
        let bare = [".gz", ".zst"].iter().find_map(|end| file_name.strip_suffix(end)).unwrap_or(file_name);
        for tier in &self.tiers {
            let takes = |m: &&Arc<Mapping>| m.globs.iter().any(|(_, glob)| glob.is_match(bare));
            let found: Vec<&Arc<Mapping>> = tier.iter().filter(takes).collect();
            match found.as_slice() {
                [] => {}
                [one] => return Ok(Some(Arc::clone(one))),
                [one, other, ..] => {
                    return Err(format!(
                        "{} and {} both take a file of that name: make the globs in `files` of one narrower",
                        one.file, other.file
                    ));
                }
            }
        }
        Ok(None)
    }

    /// The mappings for a listener of that name, in the order in which a message is offered to them: the site's first, by their
    /// files' names.
    pub(crate) fn listening(&self, name: &str) -> Vec<Arc<Mapping>> {
        let takes = |m: &&Arc<Mapping>| m.listeners.iter().any(|(_, glob)| glob.is_match(name));
        self.tiers.iter().flatten().filter(takes).cloned().collect()
    }

    /// The globs that were tried, for a message.
    #[must_use]
    pub fn tried(&self) -> String {
        let globs = |m: &Arc<Mapping>| m.globs.iter().map(|(g, _)| g.as_str()).collect::<Vec<_>>().join(", ");
        let all = self.tiers.iter().flatten().map(|m| format!("{} ({})", m.name, globs(m)));
        all.collect::<Vec<_>>().join("; ")
    }

    /// What of the mappings changes rows of these files: part of the name of a run.
    #[must_use]
    pub fn settings<'a>(&self, file_names: impl IntoIterator<Item = &'a str>) -> String {
        let used = file_names.into_iter().filter_map(|name| self.find(name).ok().flatten());
        let mut text: String = used.map(|m| m.text.clone()).collect();
        if !text.is_empty() {
            let hosts: BTreeMap<_, _> = self.hosts.iter().collect();
            text.extend(hosts.iter().map(|(name, ip)| format!("{name}={ip};")));
        }
        text
    }

    /// Name, title and globs (of files, of listeners) of every mapping, the site's first.
    pub fn list(&self) -> impl Iterator<Item = (&str, &str, String)> {
        let names = |globs: &[(String, _)]| globs.iter().map(|(g, _)| g.clone()).collect::<Vec<_>>().join(", ");
        let takes = move |m: &Mapping| match (names(&m.globs), names(&m.listeners)) {
            (files, listeners) if listeners.is_empty() => files,
            (files, listeners) if files.is_empty() => format!("listeners {listeners}"),
            (files, listeners) => format!("{files}; listeners {listeners}"),
        };
        self.tiers.iter().flatten().map(move |m| (m.name.as_str(), m.title.as_str(), takes(m)))
    }

    /// The file of the mapping of that name, and its text.
    #[must_use]
    pub fn show(&self, name: &str) -> Option<(&str, &str)> {
        let found = self.tiers.iter().flatten().find(|m| m.name == name)?;
        Some((&found.file, &found.text))
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The mapping files of a folder, sorted.
fn files(dir: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(Problem { file: dir.display().to_string(), line: None, message: error.to_string() });
            return Vec::new();
        }
    };
    let mut out: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "yml")).collect();
    out.sort();
    out
}
