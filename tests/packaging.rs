//! The systemd units: systemd understands them, and what they start is a command that lidr takes.
use std::{fs, process::Command};

use crate::{
    lidr::ok,
    tree::{files, read},
};

fn units() -> Vec<(String, String)> {
    let units = files("packaging/systemd", ".service");
    assert_eq!(units.len(), 2);
    units.iter().map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), read(path))).collect()
}

fn command(unit: &str) -> Vec<&str> {
    let line = unit.lines().find_map(|l| l.strip_prefix("ExecStart=")).expect("it starts something");
    line.split(' ').collect()
}

#[test]
fn units_start_what_lidr_takes() {
    for (name, unit) in units() {
        let words = command(&unit);
        assert_eq!(words[0], "/usr/bin/lidr", "{name}");
        let help = ok([words[1], "--help"]);
        for option in words.iter().filter(|w| w.starts_with("--")) {
            assert!(help.contains(&format!("{option} ")), "{name}: lidr {} has no {option}", words[1]);
        }
    }
}

/// The program is not installed here, so that another stands for it.
#[test]
fn systemd_understands_the_units_and_they_are_confined() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("skipped: systemd_understands_the_units_and_they_are_confined: no systemd-analyze here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (name, unit) in units() {
        let path = dir.path().join(name.replace('@', "@eth0"));
        fs::write(&path, unit.replace("/usr/bin/lidr", "/bin/true")).unwrap();
        let run = |args: &[&str]| {
            let run = Command::new("systemd-analyze").args(args).arg(&path).output().unwrap();
            let said = [run.stdout, run.stderr].concat();
            (run.status.success(), String::from_utf8_lossy(&said).into_owned())
        };
        let (sound, said) = run(&["verify", "--man=no"]);
        assert!(sound && !said.contains(&name.replace('@', "@eth0")), "{name}: {said}");
        // In tenths: 30 is what systemd calls OK.
        let (confined, said) = run(&["security", "--offline=yes", "--threshold=30", "--no-pager"]);
        assert!(confined, "{name}: {said}");
    }
}
