//! The install script: `sql/tables` then `sql/functions`, each file by its number.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::checkout::EXTENSION;

/// The text of `pg_frontdesk--<version>.sql`.
pub fn install_script(root: &Path) -> Result<String> {
    let mut script = format!("\\echo Use \"CREATE EXTENSION {EXTENSION}\" to load this file. \\quit\n");
    for folder in ["sql/tables", "sql/functions"] {
        for path in sql_files(&root.join(folder))? {
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let name = path.strip_prefix(root).unwrap_or(&path).display();
            script.push_str(&format!("\n-- {name}\n{}\n", text.trim_end()));
        }
    }
    Ok(script)
}

/// The upgrade scripts, which lie flat in `sql/`.
pub fn upgrades(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = sql_files(&root.join("sql"))?;
    let prefix = format!("{EXTENSION}--");
    files.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)));
    Ok(files)
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
        for (name, text) in
            [("tables/10_event.sql", "T10"), ("functions/00_base.sql", "F00"), ("tables/00_base.sql", "T00")]
        {
            let path = root.join("sql").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let script = install_script(&root).unwrap();
        std::fs::remove_dir_all(&root).unwrap();
        let order: Vec<usize> = ["T00", "T10", "F00"].iter().map(|text| script.find(text).unwrap()).collect();
        assert!(order.is_sorted(), "{script}");
        assert!(script.contains("-- sql/tables/10_event.sql\nT10\n"));
    }
}
