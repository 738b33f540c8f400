//! Behaviours below HTTP: what a broken receiver does to the connection.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Raw {
    /// these bytes, then a TCP reset
    Reset(&'static [u8]),
    Close,
    Garbage,
    HeadersEndless,
}

/// A stream whose connection can be reset.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Does it and ends the connection.
pub(crate) async fn misbehave(mut stream: impl Stream, raw: Raw) -> io::Result<()> {
    match raw {
        Raw::Reset(start) => {
            stream.write_all(start).await?;
            stream.flush().await?;
            if !start.is_empty() {
                // let the bytes arrive: a reset overtakes what the peer has not read
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            stream.tcp().set_zero_linger()
        }
        Raw::Close => stream.shutdown().await,
        Raw::Garbage => {
            stream.write_all(b"\x16\x03\x01 SSH-2.0-not-http\r\n\x00\xff\xfe\r\n\r\n").await?;
            linger(stream).await
        }
        Raw::HeadersEndless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            for number in 0u64.. {
                stream.write_all(format!("x-header-{number}: {:0>1000}\r\n", number).as_bytes()).await?;
            }
            Ok(())
        }
    }
}

/// Closes when the peer does: closing at once could destroy what it has not read yet.
async fn linger(mut stream: impl Stream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut scratch = [0; 1024];
    while stream.read(&mut scratch).await? > 0 {}
    Ok(())
}
