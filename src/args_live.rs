//! The command line of live inputs: `lidr live`, and `lidr sensor` where it reads no files.
use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use clap::Args;
use lidr_ingest::source::live::{Listen, Transport};

use crate::args::{Decode, Judge, above_zero, address, period};

/// What is heard live.
#[derive(Debug, Args)]
pub(crate) struct Hear {
    /// Capture from this interface; may be given several times, `any` is all
    #[arg(long, value_name = "IF")]
    pub(crate) interface: Vec<String>,
    /// Capture only what this expression of tcpdump matches
    #[arg(long, value_name = "BPF")]
    pub(crate) filter: Option<String>,
    /// Octets of a packet that are captured
    #[arg(long, value_name = "OCTETS", default_value_t = 262_144, value_parser = above_zero::<i32>)]
    pub(crate) snaplen: i32,
    /// MiB that the kernel holds for each interface
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = above_zero::<i32>)]
    pub(crate) capture_buffer: i32,
    /// Capture only what is sent to this machine
    #[arg(long)]
    pub(crate) no_promiscuous: bool,
    /// Listen for syslog, for instance udp:192.0.2.1:514 or tcp:[::]:601 (a port alone: on 127.0.0.1); may be given several times
    #[arg(long, value_name = "udp:ADDR:PORT|tcp:ADDR:PORT", value_parser = listen)]
    pub(crate) syslog: Vec<Listen>,
    /// MiB that may wait to be decoded before something is dropped
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = above_zero::<i32>)]
    pub(crate) queue: i32,
}

impl Hear {
    /// Whether anything is heard.
    pub(crate) fn is_live(&self) -> bool {
        !self.interface.is_empty() || !self.syslog.is_empty()
    }
}

/// `lidr live`
#[derive(Debug, Args)]
pub(crate) struct Live {
    #[command(flatten)]
    pub(crate) hear: Hear,
    #[command(flatten)]
    pub(crate) decode: Decode,
    #[command(flatten)]
    pub(crate) judge: Judge,
    /// Write the rows as Parquet here, for `lidr hunt`; a day's files appear when it is over, or at the end
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
    /// Begin a new findings.ndjson after this time, such as 1d, on the hour or day of UTC; the full one is kept under its start
    #[arg(long, value_name = "TIME", value_parser = period)]
    pub(crate) rotate: Option<i64>,
}

fn listen(text: &str) -> Result<Listen, String> {
    let needed = || format!("needed udp:ADDR:PORT or tcp:ADDR:PORT, had `{text}`");
    let (transport, rest) = text.split_once(':').ok_or_else(needed)?;
    let transport = match transport {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        _ => return Err(needed()),
    };
    let address = SocketAddr::from_str(rest).or_else(|_| address(rest)).map_err(|_| needed())?;
    Ok(Listen { transport, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_listen() {
        for (text, transport, address) in [
            ("udp:192.0.2.1:514", Transport::Udp, "192.0.2.1:514"),
            ("tcp:[::]:601", Transport::Tcp, "[::]:601"),
            ("udp:5514", Transport::Udp, "127.0.0.1:5514"),
        ] {
            assert_eq!(listen(text).unwrap(), Listen { transport, address: address.parse().unwrap() }, "{text}");
        }
        for text in ["", "514", "udp", "tls:[::]:6514", "udp:host:514", "udp:192.0.2.1:70000"] {
            assert!(listen(text).unwrap_err().contains(&format!("had `{text}`")), "{text}");
        }
    }
}
