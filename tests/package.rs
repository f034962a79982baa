//! The Debian package and the compose file: what they promise is in them, and the programs that read them take them.
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::tree::{read, root};

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&[out.stdout.clone(), out.stderr.clone()].concat()).into_owned()
}

/// Whether a program is here; a variable makes it required.
fn here(test: &str, program: &str) -> bool {
    if Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success()) {
        return true;
    }
    let required = format!("LIDR_REQUIRE_{}", program.replace('-', "_").to_uppercase());
    assert!(std::env::var_os(&required).is_none(), "{program} is required and is not here");
    println!("\nskipped: {test}: {program} is not here");
    false
}

/// Builds the package from the program that is tested.
fn build(dir: &Path) -> PathBuf {
    let out = Command::new(root().join("scripts/deb"))
        .args([env!("CARGO_BIN_EXE_lidr"), dir.to_str().unwrap()])
        .env("LIDR_DEB_COMPRESSION", "none")
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", said(&out));
    PathBuf::from(String::from_utf8(out.stdout).unwrap().trim())
}

fn dpkg_deb(args: &[&str]) -> String {
    let out = Command::new("dpkg-deb").args(args).output().unwrap();
    assert!(out.status.success(), "dpkg-deb {args:?}: {}", said(&out));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn the_package_holds_what_it_promises_and_works_from_another_root() {
    let test = "the_package_holds_what_it_promises_and_works_from_another_root";
    if !here(test, "dpkg-deb") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let deb = build(dir.path());
    let deb = deb.to_str().unwrap();
    let about = dpkg_deb(&["--info", deb]);
    for word in ["Package: lidr", "Depends: ", "libpcap0.8", "libssl3", "libc6", "adduser", "conffiles", "postinst"] {
        assert!(about.contains(word), "{word}: {about}");
    }
    let is_name = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase());
    let left = about.split('@').skip(1).find(is_name);
    assert!(left.is_none(), "@{left:?}@ was not filled in: {about}");
    let tree = dir.path().join("root");
    dpkg_deb(&["--extract", deb, tree.to_str().unwrap()]);
    let has = |path: &str| tree.join(path.trim_start_matches('/')).exists();
    for path in [
        "/usr/bin/lidr",
        "/usr/share/man/man1/lidr.1.gz",
        "/usr/share/man/man1/lidr-rules-check.1.gz",
        "/usr/share/bash-completion/completions/lidr",
        "/usr/share/zsh/vendor-completions/_lidr",
        "/usr/share/fish/vendor_completions.d/lidr.fish",
        "/usr/share/lidr/dashboards/alerts.yml",
        "/usr/share/doc/lidr/copyright",
        "/usr/share/doc/lidr/changelog.gz",
    ] {
        assert!(has(path), "{path} is not in the package");
    }
    for file in read("packaging/debian/conffiles".as_ref()).lines() {
        assert!(has(file), "conffile {file} is not in the package");
    }
    let lidr = tree.join("usr/bin/lidr");
    let version = Command::new(&lidr).arg("--version").output().unwrap();
    assert_eq!(said(&version), format!("lidr {}\n", env!("CARGO_PKG_VERSION")));
    units(&tree);
    settings(&tree, &lidr);
}

/// What units start and read is in the package, or is what README.Debian says to make.
fn units(tree: &Path) {
    let made_by_hand = ["/etc/lidr/lidr.key"];
    let readme = fs::read_to_string(tree.join("usr/share/doc/lidr/README.Debian")).unwrap();
    let units = fs::read_dir(tree.join("usr/lib/systemd/system")).unwrap().flatten();
    let mut number = 0;
    for unit in units {
        number += 1;
        let text = fs::read_to_string(unit.path()).unwrap();
        let lines =
            text.lines().filter(|l| ["ExecStart=", "Environment=", "LoadCredential="].iter().any(|k| l.starts_with(k)));
        for word in
            lines.flat_map(|l| l.split([' ', '=', ':'])).filter(|w| w.starts_with("/usr/") || w.starts_with("/etc/"))
        {
            let there = tree.join(word.trim_start_matches('/')).exists();
            assert!(
                there || (made_by_hand.contains(&word) && readme.contains(word)),
                "{:?} speaks of {word}",
                unit.file_name()
            );
        }
        assert!(text.contains("User=lidr"), "the user that postinst makes");
    }
    assert_eq!(number, 2);
}

/// The settings that come with the package are taken by its program.
fn settings(tree: &Path, lidr: &Path) {
    for verb in ["sensor", "watch"] {
        let file = tree.join(format!("etc/lidr/{verb}.toml"));
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.contains("\n[kafka]\nbrokers = [\"localhost:9092\"]\n") && text.contains(&format!("lidr-{verb}")),
            "{text}"
        );
        let out = Command::new(lidr).args([verb, "--help"]).env("LIDR_CONFIG", &file).output().unwrap();
        assert!(out.status.success(), "{verb}.toml: {}", said(&out));
    }
    let out = Command::new(lidr).args(["doctor", "--site"]).arg(tree.join("etc/lidr/site")).output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
}

#[test]
fn scripts_of_the_package_are_sound() {
    for name in ["postinst", "prerm", "postrm"] {
        let path = root().join("packaging/debian").join(name);
        let out = Command::new("sh").arg("-n").arg(&path).output().unwrap();
        assert!(out.status.success() && read(&path).contains("\nset -e\n"), "{name}: {}", said(&out));
    }
}

#[test]
fn compose_takes_its_file() {
    let test = "compose_takes_its_file";
    let plugin = Command::new("docker").args(["compose", "version"]).output().is_ok_and(|o| o.status.success());
    if !plugin && !here(test, "docker-compose") {
        return;
    }
    let mut command = Command::new(if plugin { "docker" } else { "docker-compose" });
    let command = if plugin { command.arg("compose") } else { &mut command };
    let out = command.args(["-f", "docker-compose.yml", "config"]).current_dir(root()).output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    let made = String::from_utf8(out.stdout).unwrap();
    for service in ["kafka:", "sensor:", "watch:", "prometheus:", "alertmanager:", "grafana:"] {
        assert!(made.contains(&format!("\n  {service}\n")), "{service} {made}");
    }
}
