//! A throw-away cluster: a server of its own in a directory of its own, gone when dropped.

mod client;
mod command;
pub mod port;
mod processes;
mod settings;
mod standby;
mod template;
mod temporary;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};

use crate::{account, cache, postgres::Postgres, step};
use command::{checked, said};

/// The superuser of every throw-away cluster.
pub const USER: &str = "postgres";

#[derive(Clone, Debug, Default)]
pub struct ClusterOptions<'a> {
    /// Whether the extension stands in `shared_preload_libraries`.
    pub preload: bool,
    /// Settings appended to `postgresql.conf`; values are quoted here, not by the caller.
    pub extra_conf: &'a [(&'a str, &'a str)],
    /// Where to put it; below the system's temporary directory when `None`. What lies there is removed first.
    pub dir: Option<PathBuf>,
}

/// How a server is stopped, as `pg_ctl stop -m` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopMode {
    /// Ends the sessions, then writes a checkpoint.
    Fast,
    /// Ends everything at once; the next start recovers as after a crash.
    Immediate,
}

#[derive(Debug)]
pub struct Cluster {
    pub postgres: Postgres,
    pub dir: PathBuf,
    pub port: u16,
    pub socket_dir: PathBuf,
    keep: bool,
    /// Whether the database is there that others are copied from.
    template: Mutex<bool>,
}

impl Cluster {
    /// Makes a cluster and starts it.
    pub fn create(postgres: &Postgres, options: ClusterOptions) -> Result<Cluster> {
        let dir = match options.dir {
            Some(dir) => dir,
            None => temporary::dir()?,
        };
        let cluster = Cluster::prepare(postgres, dir)?;
        let mut initdb = cluster.server_command("initdb")?;
        initdb.args(["-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C.UTF-8"]);
        checked(initdb.args(["--no-sync", "--no-instructions", "-D"]).arg(cluster.data_dir()))?;
        cluster.append_settings(&settings::of(&cluster, options.preload, options.extra_conf))?;
        cluster.start()?;
        Ok(cluster)
    }

    /// The cluster that lies in `dir` and outlives us, running or not; `None` when there is none.
    pub fn attach(postgres: &Postgres, dir: &Path) -> Result<Option<Cluster>> {
        if !dir.join("data/PG_VERSION").exists() {
            return Ok(None);
        }
        let port = std::fs::read_to_string(dir.join("port")).context("the cluster's port is not written down")?;
        let port = port.trim().parse().context("the cluster's port is no number")?;
        let socket_dir = settings::socket_dir(dir, port);
        let (postgres, dir) = (postgres.clone(), dir.to_path_buf());
        Ok(Some(Cluster { postgres, dir, port, socket_dir, keep: true, template: Mutex::default() }))
    }

    /// From now on the cluster outlives this value.
    pub fn keep(mut self) -> Cluster {
        self.keep = true;
        self
    }

    /// Starts the server and waits until it answers. Nothing happens when it runs; what a crash has left is cleared.
    pub fn start(&self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        self.clear_stale_locks()?;
        std::fs::create_dir_all(&self.socket_dir)?;
        account::give_to_server(&self.socket_dir)?;
        let mut pg_ctl = self.pg_ctl("start")?;
        pg_ctl.args(["-w", "-t", "120", "-l"]).arg(self.log_path());
        if let Err(error) = checked(&mut pg_ctl) {
            bail!("{error:#}\nthe end of {}:\n{}", self.log_path().display(), step::tail(&self.log_path(), 30));
        }
        Ok(())
    }

    pub fn stop(&self, mode: StopMode) -> Result<()> {
        let mode = match mode {
            StopMode::Fast => "fast",
            StopMode::Immediate => "immediate",
        };
        checked(self.pg_ctl("stop")?.args(["-w", "-t", "60", "-m", mode]))
    }

    pub fn restart(&self) -> Result<()> {
        if self.is_running() {
            self.stop(StopMode::Fast)?;
        }
        self.start()
    }

    /// Reads the settings again.
    pub fn reload(&self) -> Result<()> {
        checked(&mut self.pg_ctl("reload")?)
    }

    /// Makes a standby the primary and waits until it is.
    pub fn promote(&self) -> Result<()> {
        checked(self.pg_ctl("promote")?.args(["-w", "-t", "60"]))
    }

    /// Kills the server and every process of it with SIGKILL, as a power cut would.
    pub fn kill9(&self) -> Result<()> {
        let pid = self.pid().filter(|pid| processes::is_server(*pid)).context("the cluster does not run")?;
        processes::kill_tree(pid)
    }

    /// Stops the server, by force when it must be, and removes the directory.
    pub fn remove(&self) -> Result<()> {
        if self.is_running() && self.stop(StopMode::Immediate).is_err() && self.is_running() {
            self.kill9()?;
        }
        let _ = std::fs::remove_dir_all(&self.socket_dir);
        cache::remove(&self.dir)
    }

    /// A streaming standby of this cluster, started; it is gone when dropped.
    pub fn create_standby(&self) -> Result<Cluster> {
        standby::create(self)
    }

    /// Appends settings; they count after the next [`Cluster::reload`] or [`Cluster::restart`].
    pub fn set(&self, extra_conf: &[(&str, &str)]) -> Result<()> {
        self.append_settings(&settings::lines(extra_conf))
    }

    pub fn is_running(&self) -> bool {
        self.pid().is_some_and(processes::is_server)
    }

    /// The postmaster's process, as its pid file says; it may have died since.
    pub fn pid(&self) -> Option<u32> {
        std::fs::read_to_string(self.pid_file()).ok()?.lines().next()?.trim().parse().ok()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub fn log_path(&self) -> PathBuf {
        self.dir.join("log")
    }

    fn prepare(postgres: &Postgres, dir: PathBuf) -> Result<Cluster> {
        cache::remove(&dir)?;
        std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        account::give_to_server(&dir)?;
        let port = port::free()?;
        std::fs::write(dir.join("port"), port.to_string())?;
        let socket_dir = settings::socket_dir(&dir, port);
        let (postgres, template) = (postgres.clone(), Mutex::default());
        let cluster = Cluster { postgres, dir, port, socket_dir, keep: false, template };
        cluster.check_reachable()?;
        Ok(cluster)
    }

    /// Root's directories are often closed to the account the server runs under; better said than found in a log.
    fn check_reachable(&self) -> Result<()> {
        let mut probe = self.server_command("postgres")?;
        match probe.arg("--version").output() {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => bail!("{}", said(&output)),
            Err(error) => {
                bail!("{error}: the server's account cannot run {}", self.postgres.bin_dir.join("postgres").display())
            }
        }
    }

    fn append_settings(&self, lines: &str) -> Result<()> {
        let path = self.data_dir().join("postgresql.conf");
        let mut file = std::fs::OpenOptions::new().append(true).open(&path)?;
        file.write_all(lines.as_bytes()).with_context(|| format!("writing {}", path.display()))
    }

    /// A server killed with SIGKILL leaves its lock files; where nobody reaps it, its dead process stays too and makes
    /// the next start believe that it still runs.
    fn clear_stale_locks(&self) -> Result<()> {
        let socket = self.socket_dir.join(format!(".s.PGSQL.{}.lock", self.port));
        for lock in [self.pid_file(), socket] {
            match std::fs::remove_file(&lock) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("removing the dead server's {}", lock.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn pid_file(&self) -> PathBuf {
        self.data_dir().join("postmaster.pid")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if std::thread::panicking() {
            eprintln!("the end of the server's log:\n{}", step::tail(&self.log_path(), 40));
        }
        let _ = self.remove();
    }
}
