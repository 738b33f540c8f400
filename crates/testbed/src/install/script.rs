//! The install script: `sql/tables` then `sql/functions`, each file by its number, and `sql/grants.sql`. The files of
//! `sql/crm` are carried as text in a function, for install_crm() to run. An upgrade to the present version is written by
//! hand as far as its tables go; functions, views and grants are those of the install script.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::rooms;
use crate::checkout::EXTENSION;

/// Where `sql/functions` takes in the files of a folder.
const MARKS: [(&str, &str); 2] = [("@crm_scripts@", "sql/crm"), ("@compat_scripts@", "sql/compat")];

/// And where it takes in what lies in which room.
const ROOMS_MARK: &str = "@rooms@";

/// Where an upgrade takes in `sql/functions` and `sql/grants.sql`.
const FUNCTIONS_MARK: &str = "@functions@";

/// The text of `pg_frontdesk--<version>.sql`.
pub fn install_script(root: &Path) -> Result<String> {
    let mut script = format!("\\echo Use \"CREATE EXTENSION {EXTENSION}\" to load this file. \\quit\n");
    for path in sql_files(&root.join("sql/tables"))? {
        script.push_str(&part(root, &path)?);
    }
    script.push_str(&functions(root)?);
    Ok(script)
}

/// What is run again at every upgrade.
fn functions(root: &Path) -> Result<String> {
    let rooms = rooms::values(&rooms::read(root)?);
    let mut script = String::new();
    let mut paths = sql_files(&root.join("sql/functions"))?;
    paths.push(root.join("sql/grants.sql"));
    for path in paths {
        let mut text = part(root, &path)?;
        for (mark, folder) in MARKS {
            if text.contains(mark) {
                text = text.replace(mark, &values(&root.join(folder))?);
            }
        }
        script.push_str(&text.replace(ROOMS_MARK, &rooms));
    }
    Ok(script)
}

/// A file under its name.
fn part(root: &Path, path: &Path) -> Result<String> {
    let name = path.strip_prefix(root).unwrap_or(path).display();
    Ok(format!("\n-- {name}\n{}\n", read(path)?.trim_end()))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// The rows ('name', $crm$text$crm$) of the files of a folder.
fn values(folder: &Path) -> Result<String> {
    let mut rows = Vec::new();
    for path in sql_files(folder)? {
        let text = read(&path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for word in ["$crm$", "$scripts$", "@extschema", "@extowner", "MODULE_PATHNAME"] {
            if text.contains(word) {
                bail!("{} contains {word}, which the install script gives another meaning", path.display());
            }
        }
        rows.push(format!("('{name}', $crm${text}$crm$)"));
    }
    Ok(rows.join(",\n"))
}

/// The names and texts of the scripts of earlier versions and of the upgrades from them, which lie flat in `sql/`.
pub fn released(root: &Path) -> Result<Vec<(String, String)>> {
    let prefix = format!("{EXTENSION}--");
    let mut scripts = Vec::new();
    for path in [sql_files(&root.join("sql/released"))?, sql_files(&root.join("sql"))?].concat() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(&prefix) {
            let text = read(&path)?;
            let text =
                if text.contains(FUNCTIONS_MARK) { text.replace(FUNCTIONS_MARK, &functions(root)?) } else { text };
            scripts.push((name, text));
        }
    }
    Ok(scripts)
}

/// The `.sql` files of a folder in the order of their names, which begin with the room's number.
pub fn sql_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("listing {}", folder.display()))?,
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_before_functions_and_each_by_its_number() {
        let root = std::env::temp_dir().join(format!("frontdesk-script-{}", std::process::id()));
        for (name, text) in [
            ("tables/10_event.sql", "T10"),
            ("functions/00_base.sql", "F00 @crm_scripts@"),
            ("tables/00_base.sql", "T00"),
            ("crm/20_contacts.sql", "C20"),
            ("crm/10_accounts.sql", "C10"),
            ("grants.sql", "G"),
        ] {
            let path = root.join("sql").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let script = install_script(&root).unwrap();
        std::fs::remove_dir_all(&root).unwrap();
        let order: Vec<usize> = ["T00", "T10", "F00", "\nG\n"].iter().map(|text| script.find(text).unwrap()).collect();
        assert!(order.is_sorted(), "{script}");
        assert!(script.contains("-- sql/tables/10_event.sql\nT10\n"));
        assert!(script.contains("F00 ('10_accounts', $crm$C10$crm$),\n('20_contacts', $crm$C20$crm$)\n"), "{script}");
    }
}
