//! The inputs of the run: where they are now, whether they are those that were read, and the frames in them.
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use lidr_analytics::place::{Place, Row};
use lidr_ingest::{
    excerpt::{Keep, Wanted, excerpt},
    source::InputSummary,
};
use serde_json::{Value, json};

use crate::case::{Case, text};

/// An input of the run.
#[derive(Debug)]
struct Known {
    /// As the summary has it.
    path: String,
    /// Its name in rows; empty for what a summary of an older lidr has, and for lakes.
    capture: String,
    size: Option<u64>,
    sha256: Option<String>,
    /// Where it is now.
    now: Option<PathBuf>,
    /// What it is now.
    hash: Option<String>,
}

/// The inputs of a run.
#[derive(Debug)]
pub(super) struct Inputs(Vec<Known>);

/// Frames of a finding.
#[derive(Debug)]
pub(super) struct Frames {
    pub(super) pcapng: Vec<u8>,
    /// How many.
    pub(super) written: u64,
    /// What of them is not there, in words.
    pub(super) lacks: Vec<String>,
}

impl Inputs {
    /// Finds them by the summary and by what was given, and hashes those that are there; a file that is another one is refused.
    pub(super) fn find(case: &Case, given: &[String]) -> anyhow::Result<Self> {
        let listed = case.summary.get("inputs").and_then(Value::as_array);
        let mut inputs = Self(listed.into_iter().flatten().map(known).collect());
        for text in given {
            inputs.place(text)?;
        }
        inputs.0.iter_mut().try_for_each(Known::check)?;
        Ok(inputs)
    }

    /// Puts a given file in the place of an input.
    fn place(&mut self, text: &str) -> anyhow::Result<()> {
        let (capture, path) = match text.split_once('=').filter(|_| !Path::new(text).exists()) {
            Some((capture, path)) => (Some(capture), Path::new(path)),
            None => (None, Path::new(text)),
        };
        if !path.is_file() {
            bail!("--input {text}: {} is no file", path.display());
        }
        let name = |path: &Path| path.file_name().unwrap_or_default().to_owned();
        let fits = |k: &&mut Known| capture.map_or_else(|| name(Path::new(&k.path)) == name(path), |c| k.capture == c);
        let mut fitting: Vec<&mut Known> = self.0.iter_mut().filter(fits).collect();
        match (fitting.as_mut_slice(), capture) {
            ([one], _) => one.now = Some(path.to_owned()),
            ([], Some(capture)) => self.0.push(Known {
                path: path.display().to_string(),
                capture: capture.to_owned(),
                size: None,
                sha256: None,
                now: Some(path.to_owned()),
                hash: None,
            }),
            (many, _) => {
                let count = many.len();
                let listed: Vec<String> = self.0.iter().map(|k| format!("  {}={}", k.capture, k.path)).collect();
                bail!(
                    "--input {text}: {count} inputs of the run have that name, needed one or CAPTURE=FILE:\n{}",
                    listed.join("\n")
                )
            }
        }
        Ok(())
    }

    /// The frames that the finding points at.
    pub(super) fn frames(&self, case: &Case) -> anyhow::Result<Frames> {
        let (mut wanted, mut lacks): (Vec<Wanted>, Vec<String>) = Default::default();
        for place in case.places() {
            let Place::Frame(capture, frame) = place else { continue };
            let file = self.0.iter().find(|k| k.capture == capture).and_then(|k| k.now.clone());
            match (file, wanted.last_mut()) {
                (_, Some(last)) if last.capture == capture => drop(last.frames.insert(frame)),
                (Some(path), _) => wanted.push(Wanted { path, capture, frames: BTreeSet::from([frame]) }),
                (None, _) => lacks.push(format!(
                    "frame {frame} of capture {capture}: its file is not at hand, give --input {capture}=FILE"
                )),
            }
        }
        let keep = if case.enclave_key.is_some() { Keep::Control } else { Keep::Headers };
        let read = excerpt(&wanted, keep, concat!("lidr ", env!("CARGO_PKG_VERSION")))?;
        for (capture, frame) in &read.missing {
            // What a file says of its own end (it is cut, its interface dropped packets) stands behind its last frame.
            let is_same = self.0.iter().any(|k| k.capture == *capture && k.sha256.is_some());
            let is_end = case.rows.iter().flatten().any(|row| is_about_the_end(row, capture, *frame));
            if !is_same && !is_end {
                bail!(
                    "capture {capture} has no frame {frame}, which the finding points at: it is not the file that was read"
                );
            }
            lacks.push(format!(
                "frame {frame} of capture {capture}: no frame has that number, the row is about the end of the file"
            ));
        }
        Ok(Frames { pcapng: read.pcapng, written: read.written, lacks })
    }

    /// What the bundle says of them.
    pub(super) fn told(&self) -> Value {
        let one = |k: &Known| {
            let compared = match (&k.now, &k.sha256, k.size) {
                (None, ..) => "not at hand",
                (_, Some(_), _) => "SHA-256 and size are those of the run",
                (_, None, Some(_)) => "size is that of the run, which recorded no hash (replay --hash)",
                (_, None, None) => "named by hand, the run recorded nothing of it",
            };
            json!({ "path": k.path, "capture": k.capture, "size": k.size, "sha256": k.hash, "compared": compared })
        };
        self.0.iter().map(one).collect()
    }
}

fn known(input: &Value) -> Known {
    let path = text(input, "/path");
    let own = |name: &str| Some(text(input, name)).filter(|t| !t.is_empty());
    Known {
        now: Some(PathBuf::from(&path)).filter(|p| p.is_file()),
        capture: text(input, "/capture"),
        // What was heard live is in no file, unless somebody else kept one.
        size: input.get("size").and_then(Value::as_u64).filter(|_| input.get("live").is_none()),
        sha256: own("/sha256"),
        hash: None,
        path,
    }
}

impl Known {
    /// Hashes the file and compares it with what the run said of it.
    fn check(&mut self) -> anyhow::Result<()> {
        let Some(now) = &self.now else { return Ok(()) };
        let size = fs::metadata(now).with_context(|| now.display().to_string())?.len();
        if let Some(was) = self.size.filter(|was| *was != size) {
            bail!(
                "{}: {size} octets, the run read {was}: it is another file, or was changed; where is {}?",
                now.display(),
                self.path
            );
        }
        let mut summary = InputSummary { path: now.display().to_string(), ..InputSummary::default() };
        summary.hash()?;
        let hash = summary.sha256.unwrap_or_default();
        if let Some(was) = self.sha256.as_ref().filter(|was| **was != hash) {
            bail!(
                "{}: SHA-256 {hash}, the run read {was}: it is another file, or was changed; where is {}?",
                now.display(),
                self.path
            );
        }
        self.hash = Some(hash);
        Ok(())
    }
}

/// Whether a row says something of a capture's end, and stands at that place.
fn is_about_the_end(row: &Row, capture: &str, frame: u64) -> bool {
    let text = |name: &str| row.cells.get(name).and_then(Value::as_str);
    row.table == "oddity"
        && matches!(text("kind"), Some("drop" | "truncated"))
        && text("capture") == Some(capture)
        && row.cells.get("frame").and_then(Value::as_u64) == Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(dir: &Path) -> Inputs {
        let input = |name: &str, capture: &str| json!({ "path": dir.join(name), "capture": capture, "size": 3 });
        Inputs(
            [input("a/x.pcap", "e-00000"), input("b/x.pcap", "e-00001"), input("y.pcap", "e-00002")]
                .iter()
                .map(known)
                .collect(),
        )
    }

    #[test]
    fn files_are_placed_by_name_or_capture_and_must_be_those_that_were_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            fs::write(dir.path().join(name), content).unwrap();
            dir.path().join(name).display().to_string()
        };
        let (x, long) = (file("x.pcap", "abc"), file("moved.pcap", "abcd"));
        let mut all = inputs(dir.path());
        assert!(all.place(&x).unwrap_err().to_string().contains("2 inputs of the run have that name"));
        all.place(&format!("e-00001={x}")).unwrap();
        all.0.iter_mut().try_for_each(Known::check).unwrap();
        let told = all.told();
        assert_eq!(told[1]["sha256"].as_str().map(str::len), Some(64));
        assert!(
            told[0]["compared"] == "not at hand" && told[1]["compared"].as_str().unwrap().contains("recorded no hash")
        );
        assert!(all.place(&long).unwrap_err().to_string().contains("0 inputs"));
        assert!(all.place("e-00002=/nowhere").unwrap_err().to_string().contains("is no file"));
        all.place(&format!("e-00002={long}")).unwrap();
        let said = all.0.iter_mut().try_for_each(Known::check).unwrap_err().to_string();
        assert!(said.contains("4 octets, the run read 3"), "{said}");
        all.0[1].sha256 = Some("00".to_owned());
        assert!(all.0[1].check().unwrap_err().to_string().contains("SHA-256"));
    }
}
