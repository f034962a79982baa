//! Interfaces as `lidr doctor` asks about them: which there are, and whether one can be opened here and now.
use super::LiveOptions;

/// An interface that libpcap sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// It is switched on.
    pub up: bool,
    /// It has a carrier.
    pub running: bool,
}

/// The interfaces of this machine.
///
/// # Errors
/// If libpcap cannot list them, or this lidr was built without it.
#[cfg(feature = "live")]
pub fn interfaces() -> Result<Vec<Seen>, String> {
    let all = pcap::Device::list().map_err(|e| e.to_string())?;
    Ok(all.into_iter().map(|d| Seen { up: d.flags.is_up(), running: d.flags.is_running(), name: d.name }).collect())
}

/// Opens an interface as a sensor would, and closes it again.
///
/// # Errors
/// If it cannot be opened; the sentence says what would help.
#[cfg(feature = "live")]
pub fn try_open(name: &str) -> Result<(), String> {
    let options = LiveOptions { buffer: 1 << 20, ..LiveOptions::default() };
    super::interface::Interface::open(name, &options).map(drop)
}

/// The interfaces of this machine.
///
/// # Errors
/// Always: this lidr was built without live capture.
#[cfg(not(feature = "live"))]
pub fn interfaces() -> Result<Vec<Seen>, String> {
    Err(WITHOUT.to_owned())
}

/// Opens an interface as a sensor would.
///
/// # Errors
/// Always: this lidr was built without live capture.
#[cfg(not(feature = "live"))]
pub fn try_open(_: &str) -> Result<(), String> {
    let _ = LiveOptions::default();
    Err(WITHOUT.to_owned())
}

#[cfg(not(feature = "live"))]
const WITHOUT: &str = "this lidr was built without live capture: build it with the default features";
