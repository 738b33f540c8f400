//! Who runs us, and as whom a server may run: PostgreSQL refuses to start as root.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result};

/// The account a server runs under when root runs us.
#[derive(Clone, Debug)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// `postgres`, else `nobody`, when root runs us; `None` for an ordinary user, whose servers run as himself.
pub fn server_account() -> Result<Option<Account>> {
    if !is_root() {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
    let account = ["postgres", "nobody"].iter().find_map(|name| find(&passwd, name));
    account.map(Some).context("a server cannot run as root, and there is neither a user postgres nor nobody")
}

/// Makes `command` run as the server's account, in a directory that account can enter.
pub fn as_server(command: &mut Command) -> Result<&mut Command> {
    if let Some(account) = server_account()? {
        command.uid(account.uid).gid(account.gid).env("HOME", "/tmp").env("USER", &account.name);
        command.env("LOGNAME", &account.name);
    }
    Ok(command.current_dir("/"))
}

/// Gives `path` to the server's account.
pub fn give_to_server(path: &Path) -> Result<()> {
    if let Some(account) = server_account()? {
        std::os::unix::fs::chown(path, Some(account.uid), Some(account.gid))
            .with_context(|| format!("giving {} to {}", path.display(), account.name))?;
    }
    Ok(())
}

/// A command run with root's rights: as it is for root, by `sudo -n` where that asks for no password, else `None`.
pub fn privileged(program: &str) -> Option<Command> {
    if is_root() {
        return Some(Command::new(program));
    }
    static SUDO: OnceLock<bool> = OnceLock::new();
    let works = *SUDO.get_or_init(|| {
        let mut probe = Command::new("sudo");
        probe.args(["-n", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    });
    works.then(|| {
        let mut command = Command::new("sudo");
        command.args(["-n", program]);
        command
    })
}

fn find(passwd: &str, name: &str) -> Option<Account> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let uid = fields.next()?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { name: name.to_string(), uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_from_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104:admin,,,:/var/lib/postgresql:/bin/bash\n";
        let account = find(passwd, "postgres").unwrap();
        assert_eq!((account.uid, account.gid), (101, 104));
        assert!(find(passwd, "post").is_none());
    }
}
