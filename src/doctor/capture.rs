//! Whether packets can be captured here: libpcap, the right to open interfaces, the interfaces that were named.
use std::fs;

use caps::{CapSet, Capability};
use lidr_ingest::source::live::look;

use super::{
    Asked,
    check::{Check, fail, ok, unchecked, warn},
};

pub(super) fn checks(asked: &Asked<'_>) -> Vec<Check> {
    let named = &asked.args.interface;
    let seen = match look::interfaces() {
        Ok(seen) => seen,
        Err(why) if named.is_empty() => return vec![unchecked(format!("live capture: {why}"), "")],
        Err(why) => {
            return vec![fail(format!("interfaces cannot be listed: {why}"), "captures in files need none of this")];
        }
    };
    let mut out = vec![ok(version())];
    let held = caps::has_cap(None, CapSet::Effective, Capability::CAP_NET_RAW).unwrap_or(false);
    out.push(match (held, named.is_empty()) {
        (true, _) => {
            ok("CAP_NET_RAW is held, which opening an interface needs; lidr gives it up before the first packet")
        }
        (false, true) => unchecked(
            "CAP_NET_RAW is not held: no interface can be opened from here; captures in files need no right",
            "to capture live: `setcap cap_net_raw=ep` on the program, or the systemd unit lidr-sensor@.service",
        ),
        (false, false) => warn(
            "CAP_NET_RAW is not held",
            "run as root, `setcap cap_net_raw=ep` on the program, or use the systemd unit lidr-sensor@.service",
        ),
    });
    if named.is_empty() {
        let names: Vec<&str> = seen.iter().filter(|i| i.up).map(|i| i.name.as_str()).collect();
        out.push(unchecked(
            format!(
                "no interface was named (those that are up: {})",
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            ),
            "--interface IF opens it and closes it again",
        ));
    }
    for name in named {
        out.push(match look::try_open(name) {
            Err(why) => fail(format!("{name} cannot be opened: {why}"), ""),
            Ok(()) => match seen.iter().find(|i| i.name == *name) {
                Some(i) if !i.up => warn(
                    format!("{name} can be opened and is down: it brings nothing"),
                    format!("`ip link set {name} up`"),
                ),
                Some(i) if !i.running => {
                    warn(format!("{name} can be opened and has no carrier"), "look at the cable, or at the other side")
                }
                _ => ok(format!("{name} can be opened")),
            },
        });
    }
    out
}

/// What libpcap is called where it is loaded from: its interface for asking needs a C string that lidr has no safe way to read.
fn version() -> String {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let path = maps.lines().filter_map(|l| l.split_whitespace().last()).find(|p| p.contains("/libpcap"));
    let name =
        path.and_then(|p| fs::canonicalize(p).ok()).and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
    let version = name.as_deref().and_then(|n| n.split(".so.").nth(1));
    version.map_or_else(|| "libpcap is linked in".to_owned(), |v| format!("libpcap {v}"))
}
