//! Each file of tests/scenarios, by psql in a database of its own: none may raise.

use std::path::Path;

use tests::Database;

#[test]
fn all_promises_are_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    assert!(!files.is_empty(), "nothing in {}", folder.display());
    for file in files {
        let database = Database::create();
        let script = std::fs::read_to_string(&file).unwrap();
        if let Err(error) = database.server.psql(&database.name, &script) {
            panic!("{}: {error}", file.display());
        }
    }
}
