//! No file names the host of a package registry: mirrors come from the machine's own configuration.

use super::{Breach, tree::Tree};

/// Written in pieces, or this file would break its own rule.
const HOSTS: [&str; 8] = [
    concat!("deb.", "debian.org"),
    concat!("archive.", "ubuntu.com"),
    concat!("crates.", "io/api"),
    concat!("index.", "crates.io"),
    concat!("py", "pi.org"),
    concat!("registry.", "npmjs"),
    concat!("files.", "pythonhosted"),
    concat!("proxy.", "golang.org"),
];

pub fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in tree.files.iter().filter(|file| file.path != "Cargo.lock") {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(host) = HOSTS.iter().find(|host| line.to_lowercase().contains(*host)) {
                let reason = format!("names {host}, the host of a package registry");
                breaches.push(Breach { path: file.path.clone(), line: number + 1, reason });
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_host_is_found() {
        let text = format!("a\nRUN curl https://{}/x\n", HOSTS[0]);
        let tree = Tree::of(&[("Dockerfile", &text), ("Cargo.lock", &text)]);
        let found: Vec<_> = check(&tree).into_iter().map(|breach| (breach.path, breach.line)).collect();
        assert_eq!(found, [("Dockerfile".to_string(), 2)]);
    }
}
