//! What is to be read: inputs by sensor, in the order given.
use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use lidr_ingest::{
    decode::ports::Ports,
    run::Config,
    source::{self, Input},
};
use lidr_schema::Key;

use crate::args::Decode;

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

fn split(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    (is_name && !std::path::Path::new(text).exists()).then_some((name, rest))
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

/// The run over one sensor's inputs: its name, and how they are decoded.
pub(crate) fn config(args: &Decode, sensor: &str, workers: usize, key: &Key, inputs: &[Input]) -> anyhow::Result<Config> {
    let ports = Ports::read(&args.ports).map_err(|e| anyhow::anyhow!("--port: {e}"))?;
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros());
    let epoch = source::epoch(inputs, &started.to_string(), &ports.text())?;
    Ok(Config { ports, ..Config::new(sensor, workers, key.clone(), &epoch) })
}

/// Workers: what was given, else the cores.
pub(crate) fn workers(given: Option<usize>) -> usize {
    given.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).clamp(1, 256)
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_stand_before_an_equals_sign() {
        let inputs = ["a.pcap", "east=b.pcap", "/odd/x=y.pcap", "east=-"].map(str::to_owned);
        let by = super::by_sensor(&inputs, "local");
        assert_eq!(by.iter().map(|(k, v)| (k.as_str(), v.len())).collect::<Vec<_>>(), [("east", 2), ("local", 2)]);
    }
}
