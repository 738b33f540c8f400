//! HTTP by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use receiver::{Options, Receiver};

pub fn receiver() -> Receiver {
    Receiver::spawn(Options::default()).unwrap()
}

/// Sends one request on a connection of its own; returns the status and everything that came.
pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let text = exchange(address, method, path, headers, body).unwrap();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, text)
}

pub fn post(receiver: &Receiver, path: &str, id: &str) -> u16 {
    ask(receiver.address(), "POST", path, &[("webhook-id", id)], "{}").0
}

/// The body of a response.
pub fn body(text: &str) -> &str {
    text.split_once("\r\n\r\n").unwrap().1
}

/// As [`ask`], with what goes wrong.
pub fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
