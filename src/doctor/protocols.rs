//! The protocols that are read, from the list of decoders itself.
use lidr_ingest::decode::{ALL, Protocol, Transport};
use serde_json::json;

use super::{
    Asked,
    check::{Check, fail, ok},
};
use crate::args::Shape;

pub(super) fn checks(asked: &Asked<'_>) -> Vec<Check> {
    let mut names: Vec<&str> = ALL.iter().map(|p| p.name).collect();
    names.sort_unstable();
    names.dedup();
    let mut out =
        vec![ok(format!("{} protocols are read: {} (--protocols: their ports)", names.len(), names.join(", ")))];
    let given = &asked.args.decode.ports;
    if !given.is_empty() {
        out.push(match lidr_ingest::decode::ports::Ports::read(given) {
            Ok(_) => ok(format!("--port {}", given.join(" "))),
            Err(why) => fail(format!("--port: {why}"), "`lidr doctor --protocols` lists the names"),
        });
    }
    out
}

/// Every protocol, one a line.
pub(super) fn list(format: Shape) -> String {
    let line = |p: &Protocol| {
        let on = match p.transport {
            Transport::Stream => "tcp",
            Transport::Datagram => "udp",
            Transport::Gre => "gre",
        };
        let ports: Vec<String> = p.ports.iter().map(u16::to_string).collect();
        match format {
            Shape::Json => format!("{}\n", json!({ "name": p.name, "transport": on, "ports": p.ports })),
            Shape::Text => {
                let ports = if ports.is_empty() {
                    "found by content, or a port that --port gives it".to_owned()
                } else {
                    ports.join(" ")
                };
                format!("{:<10} {on}  {ports}\n", p.name)
            }
        }
    };
    let text: String = ALL.iter().map(line).collect();
    match format {
        Shape::Json => text,
        Shape::Text => format!("name       on   ports that decide where the content alone does not\n{text}"),
    }
}
