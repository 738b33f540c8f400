//! `unsafe` stands only where the architecture says that FFI is needed. That each block has its SAFETY comment is
//! clippy's to say (`undocumented_unsafe_blocks`).

use super::rust_text::{line_of, words};
use super::{Breach, tree::Tree};

/// The files, by the beginning of their paths, that talk to the server's C interface.
const ALLOWED: [&str; 11] = [
    "src/capture",
    "src/log",
    "src/wake",
    "src/engine/wait",
    "src/engine/transaction",
    "src/job",
    "src/pg",
    "src/launcher",
    "src/shmem",
    "src/hooks",
    "src/ffi",
];

pub fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, text) in tree.rust("src/") {
        if ALLOWED.iter().any(|allowed| path.starts_with(allowed)) {
            continue;
        }
        // `#[unsafe(no_mangle)]` is an attribute, not a block.
        for at in words(&text.code, "unsafe").filter(|at| !text.code[at + "unsafe".len()..].starts_with('(')) {
            let reason = format!("unsafe code belongs into one of {}", ALLOWED.join(", "));
            breaches.push(Breach { path: path.to_string(), line: line_of(&text.code, at), reason });
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_outside_the_ffi_files_is_found() {
        let tree = Tree::of(&[
            ("src/ffi/list.rs", "unsafe { x() }"),
            ("src/guc.rs", "// unsafe\n#[unsafe(no_mangle)]\nfn a() { unsafe { x() } }"),
        ]);
        let found = check(&tree);
        assert_eq!((found.len(), found[0].path.as_str(), found[0].line), (1, "src/guc.rs", 3));
    }
}
