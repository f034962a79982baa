//! Whether folders can be written, the key is sound and hidden from others, and the port of the metrics is free.
use std::{
    fs::{self, OpenOptions},
    net::{SocketAddr, TcpListener},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use super::{
    Asked,
    check::{Check, fail, ok, unchecked, warn},
};
use crate::{folder::is_used, settings};

pub(super) fn checks(asked: &Asked<'_>) -> Vec<Check> {
    let args = asked.args;
    let folders = [("--out", &args.out), ("--state", &args.state), ("--lake", &args.lake)];
    let mut out: Vec<Check> =
        folders.iter().filter_map(|(option, dir)| dir.as_deref().map(|dir| folder(option, dir))).collect();
    let unnamed: Vec<&str> = folders.iter().filter(|(_, dir)| dir.is_none()).map(|(option, _)| *option).collect();
    if !unnamed.is_empty() {
        let next = format!("{} DIR: whether a file can be written there", unnamed.join(" DIR, "));
        out.push(unchecked("folders that were not named", next));
    }
    out.extend(args.out.as_deref().and_then(used));
    out.extend(key(asked));
    out.extend(secrets(asked));
    out.extend(args.metrics.map(port));
    out
}

/// A folder for findings that has some.
fn used(dir: &Path) -> Option<Check> {
    let why = format!(
        "{} holds the findings of another run: `watch` goes on in its own, other verbs refuse it",
        dir.display()
    );
    is_used(dir).then(|| warn(why, "another folder, or --force to replace them"))
}

/// Tries a folder with a file that is taken away again; a folder that is not there is made by whoever runs, in the nearest one that is.
fn folder(option: &str, dir: &Path) -> Check {
    let there = dir.ancestors().find(|d| d.exists()).filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = format!("{option} {}", dir.display());
    let next =
        "give the folder to the user that runs lidr, or run the doctor as that user: `sudo -u lidr lidr doctor …`";
    if !there.is_dir() {
        return fail(format!("{name}: {} is no folder", there.display()), "name a folder");
    }
    let path = there.join(format!(".lidr-doctor-{}", std::process::id()));
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(_) => match fs::remove_file(&path) {
            Ok(()) if there == dir => ok(format!("{name} can be written")),
            Ok(()) => ok(format!("{name} is not there yet, and {} can be written", there.display())),
            Err(why) => warn(format!("{name}: a file can be made and not removed: {why}"), next),
        },
        Err(why) => fail(format!("{name}: {}: {why}", there.display()), next),
    }
}

fn key(asked: &Asked<'_>) -> Vec<Check> {
    let file = asked.args.key.key_file.as_deref();
    let needed = asked.args.kafka.is_some();
    let mut out = match &asked.key {
        Err(why) => {
            return vec![fail(
                format!("pseudonym key: {why:#}"),
                "a key is 64 hexadecimal digits on one line: `openssl rand -hex 32 > lidr.key`",
            )];
        }
        Ok(None) if needed => {
            return vec![fail(
                "no pseudonym key: sensor and watch refuse to start without one",
                "make it once, `openssl rand -hex 32 > lidr.key`, give it to all of them with --key-file",
            )];
        }
        Ok(None) => {
            return vec![unchecked(
                "no pseudonym key: replay and hunt make one and keep it, sensor and watch need one",
                "--key-file FILE",
            )];
        }
        Ok(Some(key)) => {
            let from =
                file.map_or_else(|| "LIDR_KEY, or kept from an earlier run".to_owned(), |f| f.display().to_string());
            vec![ok(format!("pseudonym key {} ({from})", key.id()))]
        }
    };
    let mode = file.and_then(|f| fs::metadata(f).ok()).map(|m| m.permissions().mode() & 0o777);
    if let (Some(mode), Some(file)) = (mode.filter(|mode| mode & 0o077 != 0), file) {
        out.push(warn(
            format!(
                "{} has mode {mode:o}: others than its owner may read who is tapped out of pseudonyms",
                file.display()
            ),
            format!("`chmod 600 {}`", file.display()),
        ));
    }
    out
}

/// A settings file with a secret of the broker that every user of this machine may read.
fn secrets(asked: &Asked<'_>) -> Option<Check> {
    let secret = asked.properties.keys().find(|name| name.contains("password") || name.contains("secret"))?;
    let path = settings::file()?;
    let mode = fs::metadata(&path).ok()?.permissions().mode() & 0o777;
    let (why, next) = (
        format!("{} has mode {mode:o} and `{secret}` in it", path.display()),
        format!("`chmod o-r {}`", path.display()),
    );
    (mode & 0o004 != 0).then(|| warn(why, next))
}

fn port(address: SocketAddr) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => ok(format!("--metrics {address} is free")),
        Err(why) => fail(format!("--metrics {address}: {why}"), "another port, or end what listens there (`ss -ltnp`)"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::check::State, *};

    #[test]
    fn a_folder_is_tried_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(folder("--out", dir.path()).state, State::Ok);
        let deep = folder("--out", &dir.path().join("a/b"));
        assert!(deep.state == State::Ok && deep.what.contains("is not there yet"), "{deep:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
        fs::write(dir.path().join("file"), "").unwrap();
        let said = folder("--out", &dir.path().join("file/x"));
        assert!(said.state == State::Fail && said.what.contains("is no folder"), "{said:?}");
    }

    #[test]
    fn a_folder_with_findings_and_no_summary_is_one_that_verbs_refuse() {
        let dir = tempfile::tempdir().unwrap();
        assert!(used(dir.path()).is_none());
        fs::write(dir.path().join("findings.ndjson"), "").unwrap();
        assert!(used(dir.path()).is_none(), "a run that found nothing and ended early");
        fs::write(dir.path().join("findings.ndjson"), "{}\n").unwrap();
        let said = used(dir.path()).unwrap();
        assert!(said.state == State::Warn && said.what.contains("another run"), "{said:?}");
        assert!(crate::folder::Folder::open(dir.path(), false, None).is_err());
    }

    #[test]
    fn a_port_that_is_taken_is_told() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(port(taken.local_addr().unwrap()).state, State::Fail);
    }
}
