//! `lidr sources`: which mappings of record files there are, what one says, whether they load.
use std::{collections::BTreeMap, io::Write, process::ExitCode, sync::Arc};

use anyhow::bail;
use lidr_ingest::log::Sources;
use lidr_schema::{
    Key,
    dynamic::{hint, nearest},
};

use crate::{
    args::{Mappings, SourceArgs},
    inputs::source_dirs,
};

pub(crate) fn run(verb: &Mappings) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    match verb {
        Mappings::List(args) => {
            for (name, title, globs) in loaded(args)?.list() {
                writeln!(out, "{name:<20} {globs}\n{:20} {title}", "")?;
            }
        }
        Mappings::Show { name, sources } => {
            let sources = loaded(sources)?;
            let Some((file, text)) = sources.show(name) else {
                bail!("no mapping `{name}`{}", hint(&nearest(name, sources.list().map(|(n, ..)| n))))
            };
            write!(out, "# {file}\n{text}")?;
        }
        Mappings::Check(args) => writeln!(out, "{} mappings, nothing wrong", loaded(args)?.list().count())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn loaded(args: &SourceArgs) -> anyhow::Result<Arc<Sources>> {
    // Nothing is read with it, so any key will do.
    let key = Key::from_hex(&"00".repeat(32))?;
    Ok(Sources::load(&source_dirs(args.site.as_deref(), &args.sources), &BTreeMap::new(), &key)?)
}
