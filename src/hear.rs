//! Opens live inputs for the verbs that have them: rights first, which are then given up, threads after that.
use std::sync::{Arc, atomic::AtomicBool};

use anyhow::bail;
use lidr_ingest::{
    log::Sources,
    source::{
        Reader,
        live::{LiveOptions, OpenInputs},
    },
};

use crate::{args::Hear, rights, stop};

/// What is heard.
pub(crate) struct Heard {
    /// What comes waits for whoever reads it.
    pub(crate) reader: Reader,
    /// The names of the inputs.
    pub(crate) names: Vec<String>,
    /// Set once the run shall end.
    #[cfg(feature = "kafka")]
    pub(crate) stop: Arc<AtomicBool>,
}

/// Opens what shall be heard and begins to hear it.
pub(crate) fn start(hear: &Hear, sources: &Arc<Sources>) -> anyhow::Result<Heard> {
    let open = OpenInputs::open(&options(hear), sources)?;
    let names = open.names();
    rights::give_up();
    let stop: Arc<AtomicBool> = stop::on_signal()?;
    let reader = open.start(&stop)?;
    tracing::info!("hearing {}: SIGTERM or Ctrl-C ends it", names.join(", "));
    Ok(Heard {
        reader,
        names,
        #[cfg(feature = "kafka")]
        stop,
    })
}

/// Live inputs and no files, or the other way round.
pub(crate) fn one_kind(hear: &Hear, files: &[String]) -> anyhow::Result<()> {
    match (hear.is_live(), files.is_empty()) {
        (false, true) => bail!("nothing to read: needed files, --interface IF or --syslog udp:ADDR:PORT"),
        (true, false) => bail!("files and live inputs at once: needed either files, or --interface and --syslog"),
        _ => Ok(()),
    }
}

fn options(hear: &Hear) -> LiveOptions {
    let octets = |mib: i32| usize::try_from(mib).unwrap_or_default() << 20;
    LiveOptions {
        interfaces: hear.interface.clone(),
        filter: hear.filter.clone(),
        snaplen: usize::try_from(hear.snaplen).unwrap_or_default(),
        buffer: octets(hear.capture_buffer),
        promiscuous: !hear.no_promiscuous,
        listeners: hear.syslog.clone(),
        queue: octets(hear.queue),
    }
}
