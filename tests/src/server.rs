//! Servers: one that most tests share, and those that a test has for itself.

use std::ops::Deref;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use testbed::cluster::{Cluster, ClusterOptions};
use testbed::postgres::Postgres;

/// A cluster that is gone with the test process, however that ends.
pub struct Server {
    cluster: Cluster,
    undertaker: Option<Child>,
    shared: bool,
}

impl Server {
    /// The server that tests share, each with a database of its own. The extension is preloaded, loopback is allowed.
    pub fn shared() -> Arc<Server> {
        static SHARED: Mutex<Option<Arc<Server>>> = Mutex::new(None);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let create = || {
            let mut server = Server::create(true, &[]);
            server.shared = true;
            Arc::new(server)
        };
        shared.get_or_insert_with(create).clone()
    }

    /// Whether it is the one that tests share.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// A server of the test's own, with the extension preloaded.
    pub fn preloaded(settings: &[(&str, &str)]) -> Arc<Server> {
        Arc::new(Server::create(true, settings))
    }

    /// A server of the test's own that knows nothing of the extension until it is used.
    pub fn without_preload(settings: &[(&str, &str)]) -> Arc<Server> {
        Arc::new(Server::create(false, settings))
    }

    /// A streaming standby of this server.
    pub fn standby(&self) -> Arc<Server> {
        Arc::new(Server::watched(self.cluster.create_standby().expect("a standby")))
    }

    fn create(preload: bool, settings: &[(&str, &str)]) -> Server {
        let postgres = Postgres::from_env().expect("PostgreSQL 17");
        // Small, because there are several at a time, and durable: what is committed must survive kill -9.
        let mut all =
            vec![("shared_buffers", "64MB"), ("log_line_prefix", "%m [%p] %b %d "), ("max_worker_processes", "64")];
        all.extend_from_slice(settings);
        let options = ClusterOptions { preload, extra_conf: &all, dir: None };
        Server::watched(Cluster::create(&postgres, options).expect("a cluster"))
    }

    /// Statics are not dropped and a killed process drops nothing: a shell waits for our end and cleans up.
    fn watched(cluster: Cluster) -> Server {
        let script = r#"trap '' INT TERM HUP
            read -r word
            [ "$word" = done ] && exit
            pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid"
            while kill -0 "$pid" 2>/dev/null && [ "${turns:=0}" -lt 100 ]; do sleep 0.1; turns=$((turns + 1)); done
            rm -rf "$1" "$2""#;
        let undertaker = Command::new("sh")
            .args(["-c", script, "sh"])
            .args([&cluster.dir, &cluster.socket_dir])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok();
        Server { cluster, undertaker, shared: false }
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.cluster.log_path()).expect("the server's log");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Deref for Server {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(undertaker) = &mut self.undertaker {
            use std::io::Write;
            let _ = undertaker.stdin.take().map(|mut stdin| stdin.write_all(b"done\n"));
            let _ = undertaker.wait();
        }
    }
}
