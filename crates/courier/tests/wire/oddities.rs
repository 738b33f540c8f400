//! Receivers that answer oddly. Who has said 200 has taken the request; the lines after it change nothing.

use std::io::Write;
use std::time::{Duration, Instant};

use courier::{Config, FailureKind, Response};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use crate::common::{Office, loopback, post, read_request, server};

fn answer(raw: impl Into<Vec<u8>>, keep: usize) -> Result<Response, FailureKind> {
    let raw = raw.into();
    let address = server(move |_, mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(&raw);
    });
    let mut request = post(0, &format!("http://{address}/"));
    request.keep_headers = true;
    request.keep = keep;
    Office::open(loopback()).send(request).result.map_err(|failure| failure.kind)
}

#[test]
fn odd_header_lines_are_passed_over() {
    for (head, body) in [
        ("HTTP/1.1 200 OK\r\nx-folded: a\r\n b\r\n\tc\r\ncontent-length: 2\r\n\r\n", "ab"),
        ("HTTP/1.1 200 OK\r\nx name: a\r\ncontent-length: 2\r\n\r\n", "ab"),
        ("HTTP/1.1 200 OK\r\nno colon at all\r\ncontent-length: 2\r\n\r\n", "ab"),
        ("HTTP/1.1 200 OK\r\n: nameless\r\ncontent-length: 2\r\n\r\n", "ab"),
        ("HTTP/1.1 200 OK\r\nx-a : spaced\r\ncontent-length : 2\r\n\r\n", "ab"),
        ("HTTP/1.1 200 OK\r\nx-ctl: a\x01b\r\ncontent-length: 2\r\n\r\n", "ab"),
        ("HTTP/1.1 200 OK\r\nünï: a\r\ncontent-length: 2\r\n\r\n", "ab"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n", "ab"),
        ("HTTP/1.1 200\r\ncontent-length: 2\r\n\r\n", "ab"),
        ("HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\n", "ab"),
        ("HTTP/1.1 200 Très bien\r\ncontent-length: 2\r\n\r\n", "ab"),
        ("HTTP/1.1 200 OK\ncontent-length: 2\n\n", "ab"),
        ("HTTP/1.0 200 OK\r\n\r\n", "ab"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", "ab"),
    ] {
        let response = answer(format!("{head}{body}"), 4096).unwrap_or_else(|kind| panic!("{kind}: {head:?}"));
        assert_eq!((response.status, response.body.as_slice()), (200, body.as_bytes()), "{head:?}");
    }
}

/// Two readings of one response are how they get smuggled: none of them is taken, and the connection is given up. What
/// cannot be in doubt is the status.
#[test]
fn where_headers_cannot_be_read_the_status_decides() {
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    for headers in [
        "content-length: 2\r\ncontent-length: 3\r\n",
        "content-length: -1\r\n",
        "content-length: 2, 3\r\n",
        "content-length: two\r\n",
        "x-nul: a\x00b\r\n",
        many.as_str(),
    ] {
        for status in [200, 202, 410, 503] {
            let response = answer(format!("HTTP/1.1 {status} So\r\n{headers}\r\nab"), 4096).unwrap();
            assert_eq!((response.status, response.truncated), (status, true), "{}", &headers[..headers.len().min(40)]);
            assert!(response.body.is_empty() && response.headers.is_empty());
        }
    }
    for status_line in ["HTTP/1.1  201 Two spaces", "HTTP/1.1 201 a\x01b", "HTTP/2.0 201 Created", "HTTP/1.1\t201 Tab"]
    {
        assert_eq!(answer(format!("{status_line}\r\ncontent-length: 0\r\n\r\n"), 0).unwrap().status, 201);
    }
    assert_eq!(answer("HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n", 0).unwrap_err(), FailureKind::Protocol);
    assert_eq!(answer("HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n", 0).unwrap_err(), FailureKind::Protocol);
    assert_eq!(answer("200 OK\r\n\r\n", 0).unwrap_err(), FailureKind::Protocol);
}

/// The status of one answer is not that of the next on the same connection.
#[test]
fn a_status_belongs_to_its_request() {
    let address = server(|_, mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        read_request(&mut stream);
        let _ = stream.write_all(b"\x00\x01garbage\r\n\r\n");
    });
    let office = Office::open(loopback());
    assert_eq!(office.response(post(0, &format!("http://{address}/"))).status, 200);
    assert_eq!(office.failure(post(1, &format!("http://{address}/"))).kind, FailureKind::Protocol);
}

fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn compressed_answers_are_read() {
    let text = "¡ya está! ".repeat(50);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(text.as_bytes()).unwrap();
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
    deflate.write_all(text.as_bytes()).unwrap();
    for (coding, body) in [
        ("gzip", gzip.clone()),
        ("X-GZip", gzip.clone()),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", deflate.finish().unwrap()),
    ] {
        let response = answer(coded(coding, &body), 4096).unwrap();
        assert_eq!((String::from_utf8(response.body).unwrap(), response.truncated), (text.clone(), false), "{coding}");
        assert!(response.headers.is_empty(), "{:?}", response.headers);
    }
    // Of one that is cut off or broken, what can be read; what is not what it says stays as it came.
    let response = answer(coded("gzip", &gzip[..gzip.len() - 12]), 4096).unwrap();
    assert!(response.truncated && text.as_bytes().starts_with(&response.body));
    let response = answer(coded("gzip", b"plain"), 4096).unwrap();
    assert_eq!((response.body.as_slice(), response.truncated), (&b"plain"[..], false));
    let response = answer(coded("br", b"\x0b\x02\x80"), 4096).unwrap();
    assert_eq!(response.body, b"\x0b\x02\x80");
}

/// A gigabyte in a megabyte: no more of it is made than is kept.
#[test]
fn a_bomb_is_kept_small() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..100 {
        gzip.write_all(&vec![b'0'; 1 << 20]).unwrap();
    }
    let bomb = coded("gzip", &gzip.finish().unwrap());
    let begun = Instant::now();
    let response = answer(bomb.clone(), 4096).unwrap();
    assert_eq!((response.body.len(), response.truncated), (4096, true));
    assert!(begun.elapsed() < Duration::from_secs(3));
    let address = server(move |_, mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(&bomb);
    });
    let office = Office::open(Config { max_response_bytes: 1 << 20, ..loopback() });
    let mut request = post(0, &format!("http://{address}/"));
    request.keep = usize::MAX;
    let response = office.response(request);
    assert_eq!((response.body.len(), response.truncated), (1 << 20, true));
}
