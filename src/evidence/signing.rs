//! The key that signs bundles: given, or one that lidr makes once and keeps with the user's configuration.
use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use lidr_custody::Signer;

/// The key in that file, else the one kept, else a new one, which is said.
pub(super) fn signer(given: Option<&Path>) -> anyhow::Result<Signer> {
    if let Some(path) = given {
        return read(path);
    }
    let folder = config_folder(|name| std::env::var_os(name).map(PathBuf::from))?;
    kept(&folder)
}

fn read(path: &Path) -> anyhow::Result<Signer> {
    let pem = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Signer::from_pem(&pem).with_context(|| path.display().to_string())
}

fn config_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let folder = |name: &str| variable(name).filter(|v| !v.as_os_str().is_empty());
    let base = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    Ok(base
        .context("no place for the signing key: neither XDG_CONFIG_HOME nor HOME is set, give --sign-key")?
        .join("lidr"))
}

fn kept(folder: &Path) -> anyhow::Result<Signer> {
    let (private, public) = (folder.join("evidence-key.pem"), folder.join("evidence-key.pub.pem"));
    if private.exists() {
        return read(&private);
    }
    let (signer, pem) = Signer::generate()?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    new_file(&private, &pem, 0o600)?;
    new_file(&public, &signer.public().pem()?, 0o644)?;
    tracing::info!(
        "made a signing key and will reuse it: {}; who verifies needs {}",
        private.display(),
        public.display()
    );
    Ok(signer)
}

fn new_file(path: &Path, content: &str, mode: u32) -> anyhow::Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("lidr");
        let first = kept(&folder).unwrap().public();
        assert_eq!(kept(&folder).unwrap().public(), first, "the same again");
        let mode = |name: &str| fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("evidence-key.pem"), 0o600);
        let pem = fs::read_to_string(folder.join("evidence-key.pub.pem")).unwrap();
        assert_eq!(lidr_custody::PublicKey::from_pem(&pem).unwrap(), first);
        fs::write(folder.join("evidence-key.pem"), "x").unwrap();
        assert!(format!("{:#}", kept(&folder).unwrap_err()).contains("evidence-key.pem"));
    }

    #[test]
    fn the_folder_is_that_of_the_users_configuration() {
        let folder = |set: &'static [(&str, &str)]| {
            config_folder(move |name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()))
        };
        assert_eq!(folder(&[("XDG_CONFIG_HOME", "/c"), ("HOME", "/h")]).unwrap(), Path::new("/c/lidr"));
        assert_eq!(folder(&[("XDG_CONFIG_HOME", ""), ("HOME", "/h")]).unwrap(), Path::new("/h/.config/lidr"));
        assert!(folder(&[]).unwrap_err().to_string().contains("--sign-key"));
    }
}
