//! Puts captures on a wire and takes them off again: for measurements and tests of live capture, between interfaces made for that.
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use pcap::{Capture, Error};

/// When packets leave.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// With their own distances, so many times as fast.
    Speed(f64),
    /// So many a second, over and over again for so long.
    Rate(f64, Duration),
}

/// What left.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Packets.
    pub packets: u64,
    /// Octets of them.
    pub octets: u64,
    /// How long it took.
    pub took: Duration,
}

/// Sends the packets of a capture from an interface.
///
/// # Errors
/// If the capture cannot be read or the interface does not take a packet.
pub fn send(file: &Path, interface: &str, pace: Pace) -> anyhow::Result<Sent> {
    let mut from = Capture::from_file(file).with_context(|| file.display().to_string())?;
    let mut packets: Vec<(Duration, Vec<u8>)> = Vec::new();
    from.for_each(None, |p| {
        let at = p.header.ts.tv_sec.cast_unsigned() * 1_000_000 + p.header.ts.tv_usec.cast_unsigned();
        packets.push((Duration::from_micros(at), p.data.to_vec()));
    })?;
    // Nothing of what this end sees is wanted: no packet is shorter than an octet.
    let mut to = Capture::from_device(interface)?.snaplen(64).open().with_context(|| interface.to_owned())?;
    to.filter("less 0", true)?;
    let first = packets.iter().map(|(at, _)| *at).min().unwrap_or_default();
    let mut sent = Sent { packets: 0, octets: 0, took: Duration::ZERO };
    let began = Instant::now();
    let mut give = |due: Duration, octets: &[u8]| -> anyhow::Result<()> {
        // Shorter waits than the system's clock ticks are made up for by the packets that follow.
        if let Some(early) = due.checked_sub(began.elapsed()).filter(|e| *e > Duration::from_micros(500)) {
            thread::sleep(early);
        }
        to.sendpacket(octets).with_context(|| format!("{interface}: packet of {} octets", octets.len()))?;
        sent.packets += 1;
        sent.octets += octets.len() as u64;
        Ok(())
    };
    match pace {
        Pace::Speed(times) => {
            packets.iter().try_for_each(|(at, octets)| give(at.saturating_sub(first).div_f64(times), octets))?
        }
        Pace::Rate(rate, long) => {
            let whole = (rate * long.as_secs_f64()) as u64;
            let each = Duration::from_secs_f64(1.0 / rate);
            let turns = packets.iter().cycle().take(usize::try_from(whole)?);
            for (number, (_, octets)) in (0_u32..).zip(turns) {
                give(each * number, octets)?;
            }
        }
    }
    sent.took = began.elapsed();
    Ok(sent)
}

/// Writes what comes to an interface into a file until `stop` is set; `ready` is set once nothing is missed any more.
///
/// # Errors
/// If the interface or the file cannot be used.
pub fn record(interface: &str, file: &Path, ready: &AtomicBool, stop: &AtomicBool) -> anyhow::Result<u64> {
    let made = Capture::from_device(interface)?.promisc(true).snaplen(262_144).buffer_size(64 << 20);
    let mut from = made.timeout(50).open().with_context(|| interface.to_owned())?.setnonblock()?;
    let mut to = from.savefile(file).with_context(|| file.display().to_string())?;
    ready.store(true, Ordering::Relaxed);
    let mut packets = 0;
    loop {
        // Asked before reading, so that what came until then is written.
        let last = stop.load(Ordering::Relaxed);
        loop {
            match from.next_packet() {
                Ok(packet) => to.write(&packet),
                Err(Error::TimeoutExpired) => break,
                Err(error) => return Err(error.into()),
            }
            packets += 1;
        }
        if last {
            to.flush()?;
            return Ok(packets);
        }
        thread::sleep(Duration::from_millis(20));
    }
}
