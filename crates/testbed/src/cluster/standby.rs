//! A streaming standby.

use anyhow::Result;

use super::command::checked;
use super::{Cluster, USER, settings, temporary};

pub fn create(primary: &Cluster) -> Result<Cluster> {
    let standby = Cluster::prepare(&primary.postgres, temporary::dir()?)?;
    let mut backup = standby.server_command("pg_basebackup")?;
    backup.args(["-R", "--checkpoint=fast", "--no-sync", "-U", USER, "-h"]).arg(&primary.socket_dir);
    checked(backup.arg("-p").arg(primary.port.to_string()).arg("-D").arg(standby.data_dir()))?;
    let (port, socket_dir) = (standby.port.to_string(), standby.socket_dir.display().to_string());
    standby.append_settings(&settings::lines(&[
        ("port", &port),
        ("unix_socket_directories", &socket_dir),
        ("cluster_name", "frontdesk_standby"),
    ]))?;
    standby.start()?;
    Ok(standby)
}
