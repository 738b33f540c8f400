//! What stands in a throw-away cluster's `postgresql.conf`.

use std::path::{Path, PathBuf};

use super::Cluster;
use crate::checkout::EXTENSION;

/// A socket's whole path fits into about 100 bytes on every system.
const LONGEST_SOCKET_DIR: usize = 80;

pub fn of(cluster: &Cluster, preload: bool, extra: &[(&str, &str)]) -> String {
    let port = cluster.port.to_string();
    let socket_dir = cluster.socket_dir.display().to_string();
    let mut settings = vec![
        ("listen_addresses", "127.0.0.1"),
        ("port", &port),
        ("unix_socket_directories", &socket_dir),
        ("cluster_name", "frontdesk"),
        ("wal_level", "logical"),
        ("max_prepared_transactions", "10"),
        ("max_worker_processes", "32"),
        ("max_connections", "200"),
        ("shared_buffers", "512MB"),
        ("max_wal_size", "4GB"),
        ("frontdesk.allow_networks", "127.0.0.0/8,::1/128"),
    ];
    if preload {
        settings.push(("shared_preload_libraries", EXTENSION));
    }
    settings.extend_from_slice(extra);
    lines(&settings)
}

/// `name = 'value'`, one per line.
pub fn lines(settings: &[(&str, &str)]) -> String {
    let line = |(name, value): &(&str, &str)| format!("{name} = '{}'\n", value.replace('\'', "''"));
    settings.iter().map(line).collect()
}

/// In the cluster's directory, or in the system's temporary one where that path is too long for a socket.
pub fn socket_dir(dir: &Path, port: u16) -> PathBuf {
    let inside = dir.join("run");
    if inside.as_os_str().len() <= LONGEST_SOCKET_DIR { inside } else { format!("/tmp/frontdesk-{port}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted() {
        assert_eq!(lines(&[("a", "it's"), ("b.c", "1")]), "a = 'it''s'\nb.c = '1'\n");
    }

    #[test]
    fn a_socket_path_is_never_too_long() {
        assert_eq!(socket_dir(Path::new("/x"), 1), PathBuf::from("/x/run"));
        assert_eq!(socket_dir(Path::new(&format!("/{}", "x".repeat(90))), 7), PathBuf::from("/tmp/frontdesk-7"));
    }
}
