//! The receiver as a process: it counts what it gets and tells when asked.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use testbed::receiver::Receiver;

#[test]
fn what_arrives_is_counted() -> Result<()> {
    let receiver = Receiver::start(&["--keep-ids"])?;
    assert_eq!(receiver.count("requests")?, 0);
    assert_eq!(receiver.url("/ok"), format!("http://{}/ok", receiver.address));

    assert!(post(&receiver, "/ok", "msg_1")?.starts_with("HTTP/1.1 200"));
    assert_eq!(receiver.wait_for("accepted", 1, Duration::from_secs(5))?, 1);
    assert_eq!(receiver.ids("/ok")?[0]["id"], "msg_1");
    assert_eq!(receiver.last(1)?.as_array().map(Vec::len), Some(1));

    receiver.set_toggle("door", 503)?;
    assert!(post(&receiver, "/toggle/door", "msg_2")?.starts_with("HTTP/1.1 503"));
    receiver.reset()?;
    assert_eq!(receiver.count("requests")?, 0);
    Ok(())
}

fn post(receiver: &Receiver, path: &str, id: &str) -> Result<String> {
    let mut stream = TcpStream::connect(receiver.address)?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: x\r\nwebhook-id: {id}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
