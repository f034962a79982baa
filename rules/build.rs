//! Lists every `FAMILY/CODE-slug.yml` of the pack, so that a new rule touches nothing but its own file.
use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    let mut files = Vec::new();
    for family in folders(&root)? {
        println!("cargo::rerun-if-changed={}", family.display());
        for entry in fs::read_dir(&family)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "yml") {
                println!("cargo::rerun-if-changed={}", path.display());
                files.push(path);
            }
        }
    }
    println!("cargo::rerun-if-changed={}", root.display());
    files.sort();
    let lines: String = files
        .iter()
        .map(|f| {
            format!(
                "({:?}, include_str!({:?})),\n",
                f.strip_prefix(&root).unwrap_or(f).display().to_string(),
                f.display().to_string()
            )
        })
        .collect();
    fs::write(out.join("pack.rs"), format!("&[\n{lines}]"))
}

fn folders(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !["src", "tests", "target"].contains(&name.as_str()) && !name.starts_with('.') {
            out.push(path);
        }
    }
    out.sort();
    Ok(out)
}
