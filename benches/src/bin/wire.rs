//! `lidr-wire send FILE IF speed TIMES`, or `… rate PER_SECOND SECONDS`: puts a capture on an interface.
//!
//! Only for interfaces that were made for it: whoever reads there takes the packets for real ones.
use std::{env, io::Write, path::Path, time::Duration};

use anyhow::{Context, bail};
use lidr_benches::wire::{Pace, send};

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |text: &str| {
        text.parse::<f64>().ok().filter(|n| *n > 0.0).with_context(|| format!("needed a number above 0, had `{text}`"))
    };
    let (file, interface, pace) = match words.as_slice() {
        ["send", file, interface, "speed", times] => (file, interface, Pace::Speed(number(times)?)),
        ["send", file, interface, "rate", rate, seconds] => {
            (file, interface, Pace::Rate(number(rate)?, Duration::from_secs_f64(number(seconds)?)))
        }
        _ => bail!("needed send FILE IF speed TIMES, or send FILE IF rate PER_SECOND SECONDS"),
    };
    let sent = send(Path::new(file), interface, pace)?;
    let seconds = sent.took.as_secs_f64();
    let rate = sent.packets as f64 / seconds.max(1e-6);
    writeln!(
        std::io::stdout(),
        "sent {} packets, {} octets in {seconds:.2} s: {rate:.0} packets/s",
        sent.packets,
        sent.octets
    )?;
    Ok(())
}
