//! What is to be read: inputs by sensor, in the order given.
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::UNIX_EPOCH,
};

use anyhow::Context;
use lidr_ingest::{
    decode::ports::Ports,
    log::Sources,
    run::Config,
    sink::{LakeOptions, LakeSink},
    source::{self, CaptureError, Input, Reader, SourceError},
};
use lidr_schema::Key;
use serde_json::{Value, json};

use crate::{
    args::{Decode, MOST_WORKERS},
    log,
};

/// Inputs by sensor. `NAME=FILE` names another sensor, unless a file of the whole text exists.
pub(crate) fn by_sensor(inputs: &[String], default: &str) -> BTreeMap<String, Vec<Input>> {
    let mut out: BTreeMap<String, Vec<Input>> = BTreeMap::new();
    for text in inputs {
        let (sensor, rest) = split(text).unwrap_or((default, text));
        let sensor = sensor.to_owned();
        let input = match rest {
            "-" => Input::Stdin { sensor: Some(sensor.clone()) },
            path => Input::Path { sensor: Some(sensor.clone()), path: path.into() },
        };
        out.entry(sensor).or_default().push(input);
    }
    out
}

/// Files of which nothing can be read, as the summary has them.
pub(crate) type Unreadable = Vec<Value>;

/// Takes out the files of which nothing can be read (empty, neither capture nor record file, cut in the header): the others are worth their run, whose
/// exit status will tell. Nothing at all that is readable is an error, and so is a file that is not there, before anything is made.
pub(crate) fn readable(
    sensors: BTreeMap<String, Vec<Input>>,
    sources: &Arc<Sources>,
) -> anyhow::Result<(BTreeMap<String, Vec<Input>>, Unreadable)> {
    let (mut good, mut bad, mut first) = (BTreeMap::new(), Unreadable::new(), None);
    for (sensor, inputs) in sensors {
        let mut kept = Vec::new();
        for input in inputs {
            match head(&input, sources) {
                Ok(()) => kept.push(input),
                Err(SourceError::Open { name, why }) if !refused_by_system(&why) => {
                    bad.push(json!({ "path": name, "packets": 0, "error": why.to_string() }));
                    first = first.or(Some(SourceError::Open { name, why }));
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !kept.is_empty() {
            good.insert(sensor, kept);
        }
    }
    match first {
        Some(error) if good.is_empty() => Err(error.into()),
        _ => Ok((good, bad)),
    }
}

/// Reads the head of a file; pipes and standard input can be read only once.
fn head(input: &Input, sources: &Arc<Sources>) -> Result<(), SourceError> {
    match input {
        Input::Path { path, .. } if !std::fs::metadata(path).is_ok_and(|m| !m.is_file()) => {
            Reader::open_with(std::slice::from_ref(input), Some(sources)).map(drop)
        }
        _ => Ok(()),
    }
}

fn refused_by_system(why: &CaptureError) -> bool {
    matches!(why, CaptureError::Io(error) if error.raw_os_error().is_some())
}

fn split(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    (is_name && !Path::new(text).exists()).then_some((name, rest))
}

/// The sensor's name: what was given, else the only one of site table `sensors`, else `local`.
pub(crate) fn sensor_name(given: Option<&str>, site: &lidr_analytics::Site) -> String {
    let sensors = site.sensors();
    match (given, sensors.as_slice()) {
        (Some(name), _) => name.to_owned(),
        (None, [only]) => only.clone(),
        _ => "local".to_owned(),
    }
}

/// The mappings of record files: those of the site folder, those of `--sources`, lidr's own.
pub(crate) fn sources(
    args: &Decode,
    site_dir: Option<&Path>,
    site: &lidr_analytics::Site,
    key: &Key,
) -> anyhow::Result<Arc<Sources>> {
    Ok(Sources::load(&source_dirs(site_dir, &args.sources), &site.addresses(), key)?)
}

/// Folders of mapping files: the site's, if it has one, and those that were given.
pub(crate) fn source_dirs(site_dir: Option<&Path>, given: &[PathBuf]) -> Vec<PathBuf> {
    let of_site = site_dir.map(|dir| dir.join("sources")).filter(|dir| dir.is_dir());
    of_site.into_iter().chain(given.iter().cloned()).collect()
}

/// The run over one sensor's inputs: its name, and how they are decoded.
pub(crate) fn config(
    args: &Decode,
    sensor: &str,
    workers: usize,
    key: &Key,
    inputs: &[Input],
    sources: &Sources,
) -> anyhow::Result<Config> {
    let ports = Ports::read(&args.ports).map_err(|e| anyhow::anyhow!("--port: {e}"))?;
    let started = UNIX_EPOCH.elapsed().map_or(0, |d| d.as_micros());
    let names: Vec<String> = inputs.iter().map(Input::file_name).collect();
    let settings = ports.text() + &sources.settings(names.iter().map(String::as_str));
    let epoch = source::epoch(inputs, &started.to_string(), &settings)?;
    Ok(Config { ports, ..Config::new(sensor, workers, key.clone(), &epoch) })
}

/// The run over live inputs: each is a run of its own.
pub(crate) fn live_config(args: &Decode, sensor: &str, key: &Key, names: &[String]) -> anyhow::Result<Config> {
    let ports = Ports::read(&args.ports).map_err(|e| anyhow::anyhow!("--port: {e}"))?;
    let started = UNIX_EPOCH.elapsed().map_or(0, |d| d.as_micros());
    let epoch = source::epoch(&[], "", &format!("live {started} {sensor} {} {}", names.join(","), ports.text()))?;
    Ok(Config { ports, ..Config::new(sensor, workers(args.workers), key.clone(), &epoch) })
}

/// The lake that a sensor's run writes.
pub(crate) fn lake(dir: &Path, config: &Config, key: &Key) -> anyhow::Result<LakeSink> {
    let made = LakeSink::create(dir, LakeOptions::new(&config.sensor, &config.epoch, key.id()));
    made.with_context(|| format!("lake {}", dir.display()))
}

/// Says which inputs could not be read at the end of a run that did what it could: exit status 2.
pub(crate) fn complain(unreadable: &Unreadable, code: ExitCode) -> anyhow::Result<ExitCode> {
    let text = |input: &Value, name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    for input in unreadable {
        log::complain(&format!("{}: {}", text(input, "path"), text(input, "error")))?;
    }
    Ok(if unreadable.is_empty() { code } else { ExitCode::from(2) })
}

/// Workers: what was given, else the cores.
pub(crate) fn workers(given: Option<usize>) -> usize {
    given.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).clamp(1, MOST_WORKERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_taken_out_and_what_is_not_there_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, octets: &[u8]| {
            std::fs::write(dir.path().join(name), octets).unwrap();
            dir.path().join(name).display().to_string()
        };
        let head = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0];
        let (good, empty, text) =
            (file("a.pcap", &head), file("b.pcap", b""), file("c.pcap", b"hello, no capture at all"));
        let sources = Sources::load(&[], &BTreeMap::new(), &Key::from_hex(&"00".repeat(32)).unwrap()).unwrap();
        let read = |inputs: &[&String]| {
            readable(by_sensor(&inputs.iter().map(|i| (*i).clone()).collect::<Vec<_>>(), "local"), &sources)
        };
        let (sensors, bad) = read(&[&good, &empty, &text]).unwrap();
        assert_eq!((sensors["local"].len(), bad.len()), (1, 2));
        assert!(bad[0]["error"].as_str().unwrap().starts_with("empty"), "{bad:?}");
        let said = read(&[&empty, &text]).unwrap_err().to_string();
        assert!(said.contains("b.pcap: empty"), "{said}");
        let said = format!("{:#}", read(&[&good, &"/nowhere/d.pcap".to_owned()]).unwrap_err());
        assert_eq!(said.matches("No such file").count(), 1, "{said}");
    }

    #[test]
    fn names_stand_before_an_equals_sign() {
        let inputs = ["a.pcap", "east=b.pcap", "/odd/x=y.pcap", "east=-"].map(str::to_owned);
        let by = by_sensor(&inputs, "local");
        assert_eq!(by.iter().map(|(k, v)| (k.as_str(), v.len())).collect::<Vec<_>>(), [("east", 2), ("local", 2)]);
    }
}
