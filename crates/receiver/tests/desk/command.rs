//! The program.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::client::ask;

const PROGRAM: &str = env!("CARGO_BIN_EXE_receiver");

#[test]
fn the_first_line_says_where_it_listens() {
    let mut child = Command::new(PROGRAM).args(["--control", "--record", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let address = first.strip_prefix("listening on ").unwrap().parse().unwrap();
    assert_eq!(ask(address, "POST", "/ok", &[("webhook-id", "a")], "{}").0, 200);
    let record: receiver::Record = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(record.id.as_deref(), Some("a"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn mistakes_are_said() {
    for (args, said) in [
        (&["--listen", "nowhere"][..], "--listen nowhere"),
        (&["--secret", "whsec_x"], "receiver: "),
        (&["--verify"], "--verify needs a --secret"),
        (&["--frobnicate"], "unknown option --frobnicate"),
        (&["--threads"], "--threads needs a value"),
        (&["--tls-cert", "/no/such/file"], "cannot read /no/such/file"),
    ] {
        let output = Command::new(PROGRAM).args(args).output().unwrap();
        assert!(!output.status.success(), "{args:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(said), "{args:?}: {error}");
    }
    assert!(Command::new(PROGRAM).arg("--help").output().unwrap().status.success());
}
