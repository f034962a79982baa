//! A copy of a site's tables as they judged, kept for who asks later: explanations, evidence and reports need the register as it was,
//! and a database is not asked what it said last week.
//!
//! A copy is a folder: `copy.json` says which site it is (its hash, the key's public name, the time zone) and lists a Parquet file for
//! each table as SQL sees it. Identifiers are pseudonyms already; what free text might betray is veiled as evidence has it (`lines`), and
//! numbers in notes that might be somebody's are veiled, too. The folder is written under another name and renamed, each file is
//! on disk before that; a file that is not what `copy.json` says is refused. Reports and
//! explanations take a copy as a site; it does not judge, for a word that is veiled in a free text is no longer the name that it was.
use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, StringArray},
    compute::concat_batches,
    datatypes::SchemaRef,
};
use jiff::tz::TimeZone;
use lidr_rules::site::{SITE_TABLES, file_of};
use lidr_schema::{Key, dynamic::conform, hex};
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    Site, error,
    lines::{Veil, chained},
    schema_of,
};
use crate::SiteError;

/// What tells a copy from a site folder.
const LIST: &str = "copy.json";

/// Whether a folder is a copy.
pub(super) fn is_kept(dir: &Path) -> bool {
    dir.join(LIST).is_file()
}

/// Whether a text is a site's hash, and so may be the name of a folder.
#[must_use]
pub fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Site {
    /// Pseudonyms of all identifiers in its tables.
    #[must_use]
    pub fn pseudonyms(&self) -> HashSet<[u8; 16]> {
        let mut out = HashSet::new();
        self.tables.values().for_each(|table| super::lines::pseudonyms(table, &mut out));
        out
    }

    /// Whether it is a copy that a run kept, and not a folder.
    #[must_use]
    pub const fn is_copy(&self) -> bool {
        self.kept
    }

    /// Keeps a copy as `PARENT/HASH`, if there is none yet; its folder, or none where there is no site. `known` are pseudonyms of
    /// identifiers that other copies beside it veil: a free text must not tell what has left the register since.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, parent: &Path, known: &HashSet<[u8; 16]>) -> Result<Option<PathBuf>, SiteError> {
        if !is_hash(&self.hash) {
            return Ok(None);
        }
        let (dir, temporary) = (parent.join(&self.hash), parent.join(format!(".{}.tmp", self.hash)));
        if is_kept(&dir) {
            return Ok(Some(dir));
        }
        let wrong = |e: std::io::Error| error(&temporary, None, e.to_string());
        // What a run that was cut off left.
        for old in [&temporary, &dir] {
            drop(fs::remove_dir_all(old));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&temporary).map_err(wrong)?;
        self.write(&temporary, known)?;
        let done = fs::rename(&temporary, &dir).and_then(|()| File::open(parent)?.sync_all());
        done.map_err(|e| error(&dir, None, e.to_string()))?;
        Ok(Some(dir))
    }

    fn write(&self, dir: &Path, known: &HashSet<[u8; 16]>) -> Result<(), SiteError> {
        let mut veil = Veil::new(self, &BTreeSet::new());
        veil.also(known);
        let mut tables = Vec::new();
        for name in self.present() {
            let Some(batch) = self.table(&name) else { continue };
            let path = dir.join(format!("{name}.parquet"));
            let wrong = |message: String| error(&path, None, message);
            let octets = veiled(&name, batch, &mut veil, self.kept).and_then(|b| parquet(&b)).map_err(wrong)?;
            file(&path, &octets).map_err(|e| error(&path, None, e.to_string()))?;
            tables.push(
                json!({ "name": name, "rows": batch.num_rows(), "sha256": hex::encode(&Sha256::digest(&octets)) }),
            );
        }
        let list = json!({
            "site_hash": self.hash,
            "key_id": self.key.as_ref().map(Key::id),
            "time_zone": self.zones.time_zone().iana_name().unwrap_or("UTC"),
            "tables": tables,
        });
        let path = dir.join(LIST);
        let written = file(&path, format!("{list:#}\n").as_bytes()).and_then(|()| File::open(dir)?.sync_all());
        written.map_err(|e| error(&path, None, e.to_string()))
    }
}

/// A new file of the owner's that is on disk.
fn file(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(octets)?;
    file.sync_all()
}

/// A table with its texts as they may leave the enclave; what a copy holds is veiled already.
fn veiled(name: &str, batch: &RecordBatch, veil: &mut Veil<'_>, already: bool) -> Result<RecordBatch, String> {
    let chained = chained(name);
    let columns = batch.schema_ref().fields().iter().zip(batch.columns()).map(|(field, column)| {
        let Some(texts) = column.as_string_opt::<i32>().filter(|_| !already) else { return Arc::clone(column) };
        let whole = chained.contains(&field.name().as_str());
        veil.numbers = field.name() == "note" || (name == "tickets_objects" && field.name() == "value");
        let out: StringArray = texts.iter().map(|text| text.map(|text| veil.over(text, whole))).collect();
        veil.numbers = false;
        Arc::new(out) as ArrayRef
    });
    RecordBatch::try_new(batch.schema(), columns.collect()).map_err(|e| e.to_string())
}

fn parquet(batch: &RecordBatch) -> Result<Vec<u8>, String> {
    let level = ZstdLevel::try_new(1).map_err(|e| e.to_string())?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), Some(properties)).map_err(|e| e.to_string())?;
    writer.write(batch).and_then(|()| writer.close()).map_err(|e| e.to_string())?;
    Ok(out)
}

/// Reads a copy. With the key that its identifiers were hashed with it can judge; without, it can be looked at.
///
/// # Errors
/// If it is another key's, or not what was written.
pub fn open_kept(dir: &Path, key: Option<&Key>) -> Result<Site, SiteError> {
    let list = dir.join(LIST);
    let bad = |message: &str| error(&list, None, message.to_owned());
    let content = fs::read(&list).map_err(|e| error(&list, None, e.to_string()))?;
    let told: Value =
        serde_json::from_slice(&content).map_err(|_| bad("needed the list of a kept copy, had no JSON"))?;
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    let hash = Some(text("site_hash")).filter(|hash| is_hash(hash)).ok_or_else(|| bad("needed `site_hash`"))?;
    if let Some(key) = key.filter(|key| key.id() != text("key_id")) {
        let why = format!("its identifiers are of key {}, had key {}: give --key-file", text("key_id"), key.id());
        return Err(error(&list, None, why));
    }
    let time_zone = TimeZone::get(text("time_zone")).map_err(|_| bad("needed `time_zone`, the name of one"))?;
    let mut site = Site { hash: hash.to_owned(), key: key.cloned(), kept: true, ..Site::default() };
    for table in SITE_TABLES.iter().flat_map(|t| t.sql()) {
        let schema = schema_of(&table);
        site.tables.insert(table.name, RecordBatch::new_empty(schema));
    }
    for table in told.get("tables").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| table.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = text("name");
        let (Some(of), Some(empty)) = (file_of(name), site.tables.get(name)) else {
            return Err(bad("it lists a table that this version does not know: update lidr"));
        };
        let batch = table_of(&dir.join(format!("{name}.parquet")), text("sha256"), &empty.schema())?;
        site.present.insert(of.name.to_owned());
        site.tables.insert(name.to_owned(), batch);
    }
    site.zones = Arc::new(site.zone_map().in_time_zone(time_zone));
    site.names = site.host_names();
    Ok(site)
}

fn table_of(path: &Path, sha256: &str, schema: &SchemaRef) -> Result<RecordBatch, SiteError> {
    let bad = |message: String| error(path, None, message);
    let octets = fs::read(path).map_err(|e| bad(e.to_string()))?;
    let had = hex::encode(&Sha256::digest(&octets));
    if had != sha256 {
        return Err(bad(format!("SHA-256 {had}, needed {sha256}: the copy was changed")));
    }
    let reader = File::open(path).map_err(|e| bad(e.to_string()))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(reader).and_then(|b| b.build());
    let batches = reader.map_err(|e| bad(e.to_string()))?.collect::<Result<Vec<_>, _>>();
    let batches = batches.map_err(|e| bad(e.to_string()))?;
    let batches = batches.iter().map(|b| conform(b, schema)).collect::<Result<Vec<_>, _>>();
    let batches = batches.map_err(|e| bad(e.to_string()))?;
    concat_batches(schema, &batches).map_err(|e| bad(e.to_string()))
}

#[cfg(test)]
mod tests {
    use lidr_schema::Kind;

    use super::*;

    const REGISTER: &str = "order,kind,selector,xid,liid,state,seq,prev_hash\n\
        O-7755,imsi,001010123456789,29f28e1c-f230-486a-a860-f5a784ab9172,LIID-4711,approved,1,\n\
        O-7756,e164,+49 4012345,,,approved,2,00ff\n";

    fn key() -> Key {
        Key::from_hex(&"00".repeat(32)).unwrap()
    }

    fn folder() -> (tempfile::TempDir, Site) {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("site.toml", "time_zone = \"Europe/Berlin\"\n");
        write("warrants.csv", REGISTER);
        write("zones.csv", "cidr,zone,rank\n10.0.0.0/8,core,3\n");
        write(
            "tickets.csv",
            "id,objects,note\nT-1,pe1;29f28e1c-f230-486a-a860-f5a784ab9172,\"O-7755, call +49 171 5550123\"\n",
        );
        let site = Site::load(Some(dir.path()), &key()).unwrap();
        (dir, site)
    }

    #[test]
    fn a_copy_is_the_site_that_judged_and_names_nobody() {
        let (dir, site) = folder();
        let out = dir.path().join("out");
        let kept = site.keep(&out, &HashSet::new()).unwrap().unwrap();
        assert_eq!(kept, out.join(site.hash()));
        assert_eq!(site.keep(&out, &HashSet::new()).unwrap(), Some(kept.clone()), "it is there already");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1, "nothing half");
        let copy = Site::load(Some(&kept), &key()).unwrap();
        assert_eq!((copy.hash(), copy.present()), (site.hash(), site.present()));
        assert_eq!(copy.zones().time_zone().iana_name(), Some("Europe/Berlin"));
        assert_eq!(copy.zones().of("10.1.1.1".parse().unwrap()).and_then(|z| z.rank), Some(3));
        let identifiers = |site: &Site| site.table("warrants").unwrap().project(&[0, 3, 10, 11]).unwrap();
        assert_eq!(identifiers(&copy), identifiers(&site));
        let lines =
            |site: &Site| serde_json::to_string(&site.lines(&["warrants".into()], &BTreeSet::new()).unwrap()).unwrap();
        assert_eq!(lines(&copy), lines(&site), "evidence from the copy is evidence from the folder");
        let all = format!("{:?}", copy.tables);
        for raw in ["7755", "4012345", "4711", "29f28e1c", "001010123456789", "00ff", "5550123"] {
            assert!(!all.contains(raw), "{raw} in {all}");
        }
        assert!(all.contains(&key().pseudonym(Kind::Order, "O-7755").token()), "{all}");
    }

    #[test]
    fn another_key_and_a_changed_file_are_refused_and_no_site_leaves_no_copy() {
        let (dir, site) = folder();
        let kept = site.keep(dir.path(), &HashSet::new()).unwrap().unwrap();
        let other = Key::from_hex(&"01".repeat(32)).unwrap();
        assert!(open_kept(&kept, Some(&other)).unwrap_err().to_string().contains("give --key-file"));
        assert!(open_kept(&kept, None).unwrap().key().is_none(), "who has no key may look");
        fs::write(kept.join("zones.parquet"), "x").unwrap();
        assert!(open_kept(&kept, Some(&key())).unwrap_err().to_string().contains("the copy was changed"));
        assert_eq!(Site::load(None, &key()).unwrap().keep(dir.path(), &HashSet::new()).unwrap(), None);
    }
}
