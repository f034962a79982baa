//! Capture of one interface through libpcap, on a thread of its own.
//!
//! The kernel fills a ring (TPACKET_V3 on Linux), libpcap gives its packets by reference, and they are copied once, many at a time,
//! into a block that records point into. Times are the kernel's, to the microsecond, which is all that rows keep. Whatever was not seen is counted
//! apart: by the kernel because the ring was full, by the interface or its driver, and here because the queue to the reader was. An
//! interface that goes away ends the run with an error and not the sensor in silence: whoever starts it again sees it.
use std::{
    io,
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use lidr_schema::dynamic::{hint, nearest};
use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use pcap::{Active, Capture, Device, Packet, Stat};

use super::{
    LiveOptions,
    queue::{Captured, Cause, Heard, Mouth, Packets, Refused},
};

/// How long the kernel may hold packets back to give many at once.
const HOLD: Duration = Duration::from_millis(100);
/// Longest wait before a look at whether to stop.
const WAIT: Duration = Duration::from_millis(250);
/// Between two looks at what was lost.
const COUNT: Duration = Duration::from_secs(1);
/// Packets of one block.
const MOST_PACKETS: usize = 512;

/// An interface that is being captured from; its packets wait in the kernel until it is started.
pub(super) struct Interface {
    capture: Capture<Active>,
    link: u32,
}

impl Interface {
    pub(super) fn open(name: &str, options: &LiveOptions) -> Result<Self, String> {
        let promiscuous = options.promiscuous && name != "any";
        let whole = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        let made = Capture::from_device(name).map_err(|e| explained(name, &e))?;
        let made = made.snaplen(whole(options.snaplen)).buffer_size(whole(options.buffer)).promisc(promiscuous);
        let capture = made.timeout(whole(HOLD.as_millis() as usize)).open().map_err(|e| explained(name, &e))?;
        let mut capture = capture.setnonblock().map_err(|e| explained(name, &e))?;
        if let Some(filter) = &options.filter {
            capture.filter(filter, true).map_err(|e| format!("filter `{filter}`: {e}"))?;
        }
        let link = u32::try_from(capture.get_datalink().0).unwrap_or(u32::MAX);
        Ok(Self { capture, link })
    }

    /// Captures until it shall stop or nobody hears it any more.
    pub(super) fn start(self, input: u16, mouth: Mouth, stop: Arc<AtomicBool>) -> io::Result<()> {
        let poll = Poll::new()?;
        poll.registry().register(&mut SourceFd(&self.capture.as_raw_fd()), Token(0), Interest::READABLE)?;
        let post = Post { input, link: self.link, frames: 0, lost: 0, told: ZERO, mouth, stop };
        let capture = self.capture;
        let run = move || post.capture(capture, poll);
        thread::Builder::new().name("capture".to_owned()).spawn(run).map(drop)
    }
}

/// Why it cannot be opened, and what would help.
fn explained(name: &str, error: &pcap::Error) -> String {
    let said = error.to_string();
    let devices: Vec<String> = Device::list().unwrap_or_default().into_iter().map(|d| d.name).collect();
    if said.contains("permi") || said.contains("Permi") {
        return format!("{said}; needed the capability CAP_NET_RAW (README.md, Live, says how to give it)");
    }
    if !devices.is_empty() && !devices.iter().any(|d| d == name) {
        return format!(
            "no interface of that name{}: needed one of {}",
            hint(&nearest(name, devices.iter().map(String::as_str))),
            devices.join(", ")
        );
    }
    said
}

const ZERO: Stat = Stat { received: 0, dropped: 0, if_dropped: 0 };

/// What the thread has.
struct Post {
    input: u16,
    link: u32,
    /// Packets so far.
    frames: u64,
    /// Packets for which the queue had no room and of which nobody was told yet.
    lost: u64,
    /// What libpcap had counted when it was told last.
    told: Stat,
    mouth: Mouth,
    stop: Arc<AtomicBool>,
}

impl Post {
    fn capture(mut self, mut capture: Capture<Active>, mut poll: Poll) {
        if let Err(why) = self.until_stopped(&mut capture, &mut poll) {
            self.count(&mut capture);
            let _ = self.mouth.tell(Heard::Broke { input: self.input, why });
        }
    }

    fn until_stopped(&mut self, capture: &mut Capture<Active>, poll: &mut Poll) -> Result<(), String> {
        let (mut counted, mut events) = (Instant::now(), Events::with_capacity(1));
        // What the kernel holds back when it shall stop is taken, too.
        let mut until: Option<Instant> = None;
        loop {
            let read = self.read(capture)?;
            if counted.elapsed() >= COUNT {
                counted = Instant::now();
                self.count(capture);
            }
            if until.is_none() && self.stop.load(Ordering::Relaxed) {
                until = Some(Instant::now() + 2 * HOLD);
            }
            if until.is_some_and(|end| Instant::now() >= end) {
                self.count(capture);
                return Ok(());
            }
            // It is told once that there is something, so that everything must be taken before it is waited for.
            if read == 0 {
                match poll.poll(&mut events, Some(if until.is_some() { HOLD } else { WAIT })) {
                    Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.to_string()),
                    _ => {}
                }
            }
        }
    }

    /// Takes what is there, a block at most.
    fn read(&mut self, capture: &mut Capture<Active>) -> Result<usize, String> {
        let (mut block, mut packets) = (Vec::new(), Vec::new());
        let first = self.frames + 1;
        let mut take = |packet: Packet<'_>| {
            let ts = packet.header.ts;
            let start = u32::try_from(block.len()).unwrap_or(u32::MAX);
            block.extend_from_slice(packet.data);
            let len = u32::try_from(packet.data.len()).unwrap_or(u32::MAX);
            packets.push(Captured { ts: ts.tv_sec * 1_000_000 + ts.tv_usec, start, len, wire_len: packet.header.len });
        };
        let read = capture.dispatch(Some(MOST_PACKETS), &mut take).map_err(|e| e.to_string());
        let count = packets.len();
        self.frames += count as u64;
        if count > 0 {
            let (input, link, block) = (self.input, self.link, Arc::new(block));
            match self.mouth.tell(Heard::Packets(Packets { input, link, first, block, packets })) {
                Ok(()) => {}
                Err(Refused::Full(_)) => self.lost += count as u64,
                Err(Refused::Gone) => return Err("nobody reads it any more".to_owned()),
            }
        }
        read.map(|_| count)
    }

    /// Tells what was lost since the last time.
    fn count(&mut self, capture: &mut Capture<Active>) {
        let now = capture.stats().unwrap_or(self.told);
        let kernel = u64::from(now.dropped.wrapping_sub(self.told.dropped));
        let interface = u64::from(now.if_dropped.wrapping_sub(self.told.if_dropped));
        self.told = now;
        let own = std::mem::take(&mut self.lost);
        for (cause, count) in [(Cause::Kernel, kernel), (Cause::Interface, interface), (Cause::Queue, own)] {
            if count > 0 {
                let _ = self.mouth.tell(Heard::Lost { input: self.input, cause, count });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_told_with_those_that_are() {
        let said = Interface::open("nosuch0", &LiveOptions::default()).err().unwrap();
        let unprivileged = said.contains("CAP_NET_RAW");
        assert!(unprivileged || said.contains("needed one of"), "{said}");
    }
}
