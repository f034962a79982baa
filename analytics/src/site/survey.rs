//! A site folder looked through to its end: every table, every line that does not fit, not only the first.
//!
//! A run stops at the first error, because it must not judge by half a register. Whoever mends a folder wants to see all of them at
//! once. The same readers and the same checks are used, so that a folder in which nothing is found loads.
use std::{collections::BTreeMap, fs, path::Path};

use lidr_rules::site::SITE_TABLES;
use lidr_schema::Key;

use super::{database, error, files, kept, read, settings, table, table::Line, table_of};
use crate::SiteError;

/// Errors of a table that are told one by one.
const MOST: usize = 50;

/// A table that is there.
#[derive(Debug, Default)]
pub struct Found {
    /// The table.
    pub name: String,
    /// Its file, or the database's name.
    pub file: String,
    /// Its lines, without the header.
    pub lines: usize,
    /// What does not fit, by line.
    pub wrong: Vec<SiteError>,
    /// Further errors that are only counted.
    pub more: usize,
    /// What loads and can hardly be meant: selectors that meet little, words that no rule knows.
    pub doubts: Vec<SiteError>,
}

/// What is in a site folder.
#[derive(Debug, Default)]
pub struct Survey {
    /// The tables that are there, in the order of the list of tables.
    pub tables: Vec<Found>,
    /// Tables that are not.
    pub absent: Vec<&'static str>,
    /// What is wrong with files that are no table, or cannot be read at all.
    pub wrong: Vec<SiteError>,
    /// Settings of `site.toml` that lidr does not know.
    pub doubts: Vec<SiteError>,
    /// Whether `site.toml` names the carrier's time zone.
    pub time_zone: bool,
}

impl Survey {
    /// Whether the folder would load.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.wrong.is_empty() && self.tables.iter().all(|t| t.wrong.is_empty())
    }
}

/// Looks through a folder.
#[must_use]
pub fn survey(dir: &Path, key: &Key) -> Survey {
    let mut out = Survey::default();
    if kept::is_kept(dir) {
        let why = "this is a copy that a run kept, for explanations and reports: needed the site folder itself";
        out.wrong.push(error(dir, None, why.to_owned()));
        return out;
    }
    let paths = match files(dir) {
        Ok(paths) => paths,
        Err(why) => {
            out.wrong.push(why);
            return out;
        }
    };
    let mut read = BTreeMap::new();
    for path in paths {
        one(&path, &mut out, &mut read);
    }
    for table in SITE_TABLES {
        let Some((file, lines, mut wrong)) = read.remove(table.name) else {
            out.absent.push(table.name);
            continue;
        };
        let path = Path::new(&file);
        let at = |(line, message)| error(path, Some(line), message);
        let (number, misfits, doubts) = table::check(table, &lines, key);
        wrong.extend(misfits.into_iter().map(at));
        wrong.sort_by_key(|e: &SiteError| e.line);
        let more = wrong.len().saturating_sub(MOST);
        wrong.truncate(MOST);
        let doubts = doubts.into_iter().map(at).collect();
        out.tables.push(Found { name: table.name.to_owned(), file, lines: number, wrong, more, doubts });
    }
    out
}

/// Lines of tables by name, with their file and what could not be read of it.
type Read = BTreeMap<String, (String, Vec<Line>, Vec<SiteError>)>;

fn one(path: &Path, out: &mut Survey, read: &mut Read) {
    let content = match fs::read(path) {
        Ok(content) => content,
        Err(why) => return out.wrong.push(error(path, None, why.to_string())),
    };
    if path.file_name().is_some_and(|name| name == "site.toml") {
        match settings::read(path, &content) {
            Ok(settings) => {
                out.time_zone = settings.time_zone.is_some();
                out.doubts.extend(settings.unknown.iter().map(|why| error(path, None, why.clone())));
                match settings.postgres.as_ref().map(database) {
                    Some(Err(why)) => out.wrong.push(why),
                    Some(Ok(tables)) => {
                        for (name, (path, lines)) in tables {
                            put(&name, &path, (lines, Vec::new()), out, read);
                        }
                    }
                    None => {}
                }
            }
            Err(why) => out.wrong.push(why),
        }
        return;
    }
    let name = match table_of(path) {
        Ok(Some(name)) => name,
        Ok(None) => return,
        Err(why) => return out.wrong.push(why),
    };
    let lines = match path.extension().and_then(|e| e.to_str()) {
        Some("csv") => read::csv_but(path, &content, MOST),
        _ => read::parquet(path).map_or_else(|why| (Vec::new(), vec![why]), |lines| (lines, Vec::new())),
    };
    put(&name, path, lines, out, read);
}

fn put(name: &str, path: &Path, (lines, wrong): (Vec<Line>, Vec<SiteError>), out: &mut Survey, read: &mut Read) {
    if let Some((other, ..)) = read.get(name) {
        let why = format!("the table stands in {other} too: needed one place for each table");
        return out.wrong.push(error(path, None, why));
    }
    read.insert(name.to_owned(), (path.display().to_string(), lines, wrong));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Site;

    fn key() -> Key {
        Key::from_hex(&"00".repeat(32)).unwrap()
    }

    fn look(files: &[(&str, &str)]) -> (tempfile::TempDir, Survey) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let found = survey(dir.path(), &key());
        (dir, found)
    }

    #[test]
    fn every_error_is_told_with_its_line_and_not_only_the_first() {
        let (dir, found) = look(&[
            ("zones.csv", "cidr,zone,rang\n10.0.0.0/8,core,3\nten,mgmt,4\n10.1.0.0/99,core,4\n10.2.0.0/16,core\n"),
            ("elemnts.csv", "name\nx\n"),
            ("Devices.csv", "name\npe1\n"),
            ("site.toml", "time_zone = \"Mars\"\n"),
        ]);
        let zones = found.tables.iter().find(|t| t.name == "zones").unwrap();
        let lines: Vec<_> = zones.wrong.iter().map(|w| w.line).collect();
        assert_eq!((zones.lines, lines), (3, vec![Some(1), Some(3), Some(4), Some(5)]), "{:?}", zones.wrong);
        assert!(zones.wrong[0].message.contains("no column `rang`, did you mean `rank`?"), "{:?}", zones.wrong);
        let said: Vec<_> = found.wrong.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|s| s.contains("did you mean `elements`?")), "{said:?}");
        assert!(
            said.iter().any(|s| s.contains("did you mean `devices`?")) && said.iter().any(|s| s.contains("time_zone")),
            "{said:?}"
        );
        assert!(!found.is_sound() && Site::load(Some(dir.path()), &key()).is_err());
    }

    #[test]
    fn a_folder_in_which_nothing_is_found_loads_and_what_is_absent_is_named() {
        let (dir, found) =
            look(&[("zones.csv", "cidr,zone,rank\n10.0.0.0/8,core,3\n"), ("site.toml", "time_zone = \"UTC\"\n")]);
        assert!(found.is_sound() && found.time_zone && Site::load(Some(dir.path()), &key()).is_ok());
        assert!(found.absent.contains(&"warrants") && !found.absent.contains(&"zones"));
        assert_eq!(found.tables.len() + found.absent.len(), SITE_TABLES.len());
    }

    #[test]
    fn errors_of_a_register_never_show_a_selector() {
        let (_dir, found) =
            look(&[("warrants.csv", "order,kind,selector,start\nO-1,phone,+4940123,\nO-2,imsi,00101,tomorrow\n")]);
        let said = format!("{:?}", found.tables[0].wrong);
        assert_eq!(found.tables[0].wrong.len(), 2, "{said}");
        assert!(!said.contains("4940123") && !said.contains("00101") && !said.contains("tomorrow"), "{said}");
    }

    #[test]
    fn a_file_of_nothing_but_errors_is_told_to_a_bound() {
        let (_dir, found) = look(&[("zones.csv", &format!("cidr,zone,rank\n{}", "x,core,1\n".repeat(500)))]);
        assert_eq!((found.tables[0].wrong.len(), found.tables[0].more), (MOST, 450));
    }

    #[test]
    fn what_loads_and_can_hardly_be_meant_is_told() {
        let files = [
            (
                "warrants.csv",
                "order,kind,selector,state,start,end\nO-1,imsi,001010123456789,aproved,2026-12-01T00:00:00Z,2026-11-01T00:00:00Z\n",
            ),
            ("elements.csv", "name,role,address\na,admff,10.66.0.10\nb,admff,10.66.0.11\nc,admf,10.66.0.12\n"),
            ("allow.csv", "kind,address\nbastoin,10.20.0.10\nNMS,10.20.0.20\n"),
            ("zones.csv", "cidr,zone,rank\n10.0.0.0/8,core,44\n10.0.0.0/8,mgmt,5\n10.1.0.0/16,li-admin,9\n"),
            ("site.toml", "carier = 1\ndomain = \"example.net\"\n"),
        ];
        let (dir, found) = look(&files);
        let all = found.tables.iter().flat_map(|t| &t.doubts).chain(&found.doubts);
        let said: Vec<String> = all.map(ToString::to_string).collect();
        for words in [
            ["warrants.csv:2", "`state`", "did you mean `approved`?"],
            ["warrants.csv:2", "`end`", "lies before `start`"],
            ["elements.csv:2", "`role`", "no rule knows `admff`, did you mean `admf`?"],
            ["allow.csv:2", "`kind`", "did you mean `bastion`?"],
            ["allow.csv:3", "`kind`", "did you mean `nms`?"],
            ["zones.csv:2", "`rank`", "had `44`"],
            ["zones.csv:3", "`cidr`", "stands in line 2 already"],
            ["site.toml", "`carier`", "did you mean `carrier`?"],
        ] {
            assert!(said.iter().any(|s| words.iter().all(|w| s.contains(w))), "{words:?}: {said:#?}");
        }
        assert_eq!(said.len(), 8, "each word once: {said:#?}");
        assert!(!said.iter().any(|s| s.contains("aproved") || s.contains("001010")), "{said:#?}");
        assert!(found.is_sound() && Site::load(Some(dir.path()), &key()).is_ok(), "odd, and no reason to refuse it");
    }

    #[test]
    fn a_file_without_its_first_line_is_refused() {
        for text in ["", "\n\n"] {
            let (dir, found) = look(&[("warrants.csv", text)]);
            assert!(found.tables[0].wrong[0].to_string().contains("warrants.csv:1: needed a first line"), "{found:?}");
            assert!(Site::load(Some(dir.path()), &key()).is_err());
        }
    }
}
