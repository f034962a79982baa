//! Live inputs of one sensor: interfaces and syslog listeners, heard on threads of their own and read through one bounded queue.
//!
//! Everything runs through one clock and one flow table, in the order in which it came. Two things differ from files (contracts:
//! rows and time). The clock goes on though nothing comes: after 250 ms it is this machine's time less twice the disorder that is
//! allowed, so that windows close on a quiet network. And nobody can be asked to wait: what finds no room is dropped, counted by where it
//! was lost, and an oddity, so that whoever argues from what was not seen knows. A packet's time is the kernel's. A syslog message is due when it
//! was received, whatever the clock of its sender says: nobody moves ours by writing a date. When it shall stop, what has come is
//! decoded, and the run ends as it does at the end of files.
mod framing;
#[cfg(feature = "live")]
mod interface;
pub mod look;
mod queue;
mod reading;
mod syslog;
#[cfg(test)]
mod tests;

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
    time::UNIX_EPOCH,
};

pub(super) use reading::Live;
use syslog::Bound;
pub use syslog::{Listen, Transport};

use super::{CaptureError, InputSummary, Reader, SourceError};
use crate::log::{Listener, Sources};

/// The part of the queue that a syslog listener may fill: packets keep the rest.
const SYSLOG_PART: usize = 16;

/// What is heard, and how.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Names of interfaces; `any` is all of them.
    pub interfaces: Vec<String>,
    /// An expression of BPF: other packets are not seen.
    pub filter: Option<String>,
    /// Octets of a packet that are kept.
    pub snaplen: usize,
    /// Octets that the kernel holds for each interface.
    pub buffer: usize,
    /// Packets for others are seen, too.
    pub promiscuous: bool,
    /// Where syslog is heard.
    pub listeners: Vec<Listen>,
    /// Octets that wait for the reader, of all inputs together.
    pub queue: usize,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            filter: None,
            snaplen: 256 * 1024,
            buffer: 64 << 20,
            promiscuous: true,
            listeners: Vec::new(),
            queue: 256 << 20,
        }
    }
}

/// Live inputs that are open and that nobody reads yet: the last moment for which rights are needed.
pub struct OpenInputs {
    #[cfg(feature = "live")]
    interfaces: Vec<interface::Interface>,
    listeners: Vec<Bound>,
    inputs: Vec<LiveInput>,
    queue: usize,
}

impl std::fmt::Debug for OpenInputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenInputs({})", self.names().join(", "))
    }
}

/// The account of one input; a listener makes rows of what it hears.
struct LiveInput {
    summary: InputSummary,
    listener: Option<Listener>,
}

impl OpenInputs {
    /// Opens interfaces and listeners.
    ///
    /// # Errors
    /// If one cannot be opened, or no mapping is for a listener.
    pub fn open(options: &LiveOptions, sources: &Arc<Sources>) -> Result<Self, SourceError> {
        let refused =
            |name: &str, why: String| SourceError::Open { name: name.to_owned(), why: CaptureError::Live(why) };
        let mut inputs = Vec::new();
        let mut add = |name: &str, listener| {
            let summary = InputSummary { path: name.to_owned(), live: true, ..InputSummary::default() };
            inputs.push(LiveInput { summary, listener });
        };
        #[cfg(not(feature = "live"))]
        if let Some(name) = options.interfaces.first() {
            return Err(refused(
                name,
                "this lidr was built without live capture: build it with the default features".into(),
            ));
        }
        #[cfg(feature = "live")]
        let mut interfaces = Vec::new();
        #[cfg(feature = "live")]
        for name in &options.interfaces {
            interfaces.push(interface::Interface::open(name, options).map_err(|why| refused(name, why))?);
            add(name, None);
        }
        let mut listeners = Vec::new();
        for listen in &options.listeners {
            let address = listen.address.to_string();
            let bound = Bound::bind(listen).and_then(|bound| Ok((bound.name()?, bound)));
            let (name, bound) = bound.map_err(|e| refused(&format!("syslog on {address}"), e.to_string()))?;
            let listener = Listener::new(&name, sources).map_err(|why| refused(&name, why))?;
            add(&name, Some(listener));
            listeners.push(bound);
        }
        if u16::try_from(inputs.len()).is_err() {
            return Err(SourceError::TooMany(inputs.len()));
        }
        Ok(Self {
            #[cfg(feature = "live")]
            interfaces,
            listeners,
            inputs,
            queue: options.queue,
        })
    }

    /// What they are called.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.inputs.iter().map(|i| i.summary.path.clone()).collect()
    }

    /// Begins to hear, until `stop` is set; what comes waits for the reader.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start(self, stop: &Arc<AtomicBool>) -> io::Result<Reader> {
        let (mouth, ear) = queue::queue(self.queue);
        let mut numbers = 0_u16..;
        #[cfg(feature = "live")]
        for (interface, input) in self.interfaces.into_iter().zip(numbers.by_ref()) {
            interface.start(input, mouth.clone(), Arc::clone(stop))?;
        }
        for (bound, input) in self.listeners.into_iter().zip(numbers.by_ref()) {
            bound.start(input, mouth.part(SYSLOG_PART), Arc::clone(stop))?;
        }
        Ok(reading::reader(ear, self.inputs, stop))
    }
}

/// This machine's time, µs: when a message was received, and where the clock of a quiet network stands (contracts: rows and time).
fn host_time() -> i64 {
    UNIX_EPOCH.elapsed().map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}
