//! libclang, with which the build reads PostgreSQL's headers.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::apt;

/// Makes sure that libclang is there, installing it where we may.
pub fn ensure() -> Result<()> {
    if is_here() {
        return Ok(());
    }
    if apt::is_here() {
        return apt::install(&["libclang-dev"]).context("libclang is missing");
    }
    anyhow::bail!(
        "libclang is missing; install it (Fedora: clang-devel, Alpine: clang-dev, Arch: clang) \
         or set LIBCLANG_PATH to the directory of libclang.so"
    )
}

/// The library, and beside it clang's own headers (`stddef.h`), which come in a package of their own.
fn is_here() -> bool {
    if std::env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    let mut library = false;
    let mut headers = false;
    for dir in library_dirs() {
        library |= entries(&dir).iter().any(|path| is_libclang(path));
        headers |= entries(&dir.join("clang")).iter().any(|version| version.join("include/stddef.h").exists());
    }
    library && headers
}

/// The usual library directories, those of each architecture and those of each LLVM below them.
fn library_dirs() -> Vec<PathBuf> {
    let bases = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"].map(PathBuf::from);
    let mut dirs = bases.to_vec();
    for dir in bases.iter().flat_map(|base| entries(base)) {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.contains("-linux-") {
            dirs.push(dir);
        } else if name.starts_with("llvm") {
            dirs.extend([dir.join("lib"), dir.join("lib64")]);
        }
    }
    dirs
}

fn is_libclang(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("libclang.so") || (name.starts_with("libclang-") && name.contains(".so"))
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
