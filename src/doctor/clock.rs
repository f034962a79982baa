//! Whether this machine's clock can be trusted: live inputs and quiet interfaces stand on it, captures bring their own times.
//!
//! Who keeps a clock knows whether it does; others can only believe it. So systemd is asked, which asks the kernel, whatever keeps the
//! time; where it is not there, chrony; else it is not known, and said to be so.
use std::{fs, process::Command, time::UNIX_EPOCH};

use super::{
    Asked,
    check::{Check, fail, ok, unchecked, warn},
};
use crate::folder;

pub(super) fn checks(_: &Asked<'_>) -> Vec<Check> {
    let mut out = vec![synchronised()];
    if let Some(made) = made().filter(|made| folder::now() < *made) {
        let text = lidr_analytics::time::seconds_text;
        out.push(fail(
            format!(
                "the clock says {} UTC, and this program was written to the disk at {}",
                text(folder::now()),
                text(made)
            ),
            "set the clock: syslog and live capture would be judged at the wrong time",
        ));
    }
    out.push(unchecked(
        "how far the clocks of other sensors are from this one",
        "--kafka HOST:PORT: times of their newest messages; captures in files bring their own times",
    ));
    out
}

/// When this program was put here: no clock that is right is before that.
fn made() -> Option<i64> {
    let changed = fs::metadata(std::env::current_exe().ok()?).ok()?.modified().ok()?;
    i64::try_from(changed.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()
}

fn synchronised() -> Check {
    let next = "start one that keeps it: systemd-timesyncd, chrony or ntpd";
    let late = "syslog and live rows would be late, or early, by as much as the clock is wrong";
    match said("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).as_deref() {
        Some("yes") => return ok("the clock is synchronised (systemd, from the kernel)"),
        Some("no") => return warn(format!("the clock is not synchronised (systemd, from the kernel): {late}"), next),
        _ => {}
    }
    if fs::exists("/run/systemd/timesync/synchronized").unwrap_or(false) {
        return ok("systemd-timesyncd has set the clock since this machine started");
    }
    match said("chronyc", &["-n", "tracking"]) {
        Some(text) if text.contains("Not synchronised") => {
            warn(format!("the clock is not synchronised (chrony): {late}"), next)
        }
        Some(text) if text.contains("Leap status") => ok("the clock is synchronised (chrony)"),
        _ => unchecked(
            "whether the clock is synchronised: neither systemd nor chrony is there to ask",
            "in a container it is the clock of the machine that runs it: ask there",
        ),
    }
}

/// What a program says, if it is there and ends well.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let run = Command::new(program).args(args).output().ok()?;
    run.status.success().then(|| String::from_utf8_lossy(&run.stdout).trim().to_owned())
}
