//! The threads, and the handle to them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::connection::{serve, serve_http2};
use crate::desk::Desk;
use crate::options::{Options, Tls};
use crate::record::Record;
use crate::stats::{Arrival, Stats};

/// Connections the kernel may hold for us: thousands come at once in the bench.
const BACKLOG: u32 = 4096;

const H2: &[u8] = b"h2";

/// How connections are received.
#[derive(Clone)]
struct Door {
    acceptor: Option<TlsAcceptor>,
    http2: bool,
}

/// A running receiver; stops when dropped.
pub struct Receiver {
    address: SocketAddr,
    more: Vec<SocketAddr>,
    plain: Option<SocketAddr>,
    tls: bool,
    desk: Arc<Desk>,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Receiver {
    /// Starts listening. Errors when the address is taken, a secret, certificate or the record file is unusable.
    pub fn spawn(options: Options) -> io::Result<Receiver> {
        let desk = Arc::new(Desk::new(&options)?);
        let acceptor = options.tls.as_ref().map(|tls| acceptor(tls, &options)).transpose()?;
        let door = Door { acceptor, http2: options.http2 };
        let (stop, stopped) = watch::channel(false);
        let runtimes = (0..options.threads.max(1)).map(|_| runtime()).collect::<io::Result<Vec<_>>>()?;
        let first = runtimes.first();
        let listener = listen(options.listen, first)?;
        let address = listener.local_addr()?;
        let free = SocketAddr::new(address.ip(), 0);
        let besides: Vec<_> = (0..options.more_ports).map(|_| listen(free, first)).collect::<io::Result<_>>()?;
        let more = besides.iter().map(|listener| listener.local_addr()).collect::<io::Result<_>>()?;
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let plain = options.plain_door.then(|| listen(loopback, first)).transpose()?;
        let plain_address = plain.as_ref().map(|listener| listener.local_addr()).transpose()?;
        let mut extra: Vec<_> =
            besides.into_iter().map(|listener| accept(listener, desk.clone(), door.clone())).collect();
        extra.extend(plain.map(|listener| accept(listener, desk.clone(), Door { acceptor: None, http2: false })));
        let mut threads = Vec::new();
        for runtime in runtimes {
            let accepting = accept(listener.try_clone()?, desk.clone(), door.clone());
            // the first thread has those besides
            let extra = std::mem::take(&mut extra);
            let mut stopped = stopped.clone();
            let run = move || {
                runtime.spawn(accepting);
                extra.into_iter().for_each(|accepting| drop(runtime.spawn(accepting)));
                // an error means that the handle is gone: stop as well
                let _ = runtime.block_on(stopped.wait_for(|stop| *stop));
            };
            threads.push(std::thread::Builder::new().name("receiver".into()).spawn(run)?);
        }
        Ok(Receiver { address, more, plain: plain_address, tls: options.tls.is_some(), desk, stop, threads })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The addresses of `more_ports`.
    pub fn more(&self) -> &[SocketAddr] {
        &self.more
    }

    /// Where it listens without TLS too.
    pub fn plain_door(&self) -> Option<SocketAddr> {
        self.plain
    }

    /// The URL of a path, such as `/ok`.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    pub fn stats(&self) -> Stats {
        self.desk.tally().stats()
    }

    /// What came on `path`, or on all paths, in the order of arrival; needs `keep_ids`.
    pub fn arrivals(&self, path: Option<&str>) -> Vec<Arrival> {
        self.desk.tally().arrivals(path)
    }

    /// The last `n` requests, oldest first; at most 100.
    pub fn last(&self, n: usize) -> Vec<Record> {
        self.desk.tally().last(n).iter().map(|seen| seen.record()).collect()
    }

    /// Sets what `/toggle/NAME` answers from now on; 0: it does not.
    pub fn toggle(&self, name: &str, status: u16) {
        self.desk.tally().set_toggle(name, status);
    }

    /// Forgets all that was counted.
    pub fn reset(&self) {
        self.desk.tally().reset();
    }

    /// Serves until the process ends.
    pub fn join(mut self) {
        self.wait();
    }

    fn wait(&mut self) {
        // a thread that panicked has said so on stderr
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.wait();
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().build()
}

fn listen(address: SocketAddr, runtime: Option<&Runtime>) -> io::Result<std::net::TcpListener> {
    let _inside = runtime.map(Runtime::enter);
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // a receiver that comes back takes its port again
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Accepts for ever.
async fn accept(listener: std::net::TcpListener, desk: Arc<Desk>, door: Door) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(e) => return eprintln!("receiver: cannot listen: {e}"),
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(welcome(stream, desk.clone(), door.clone()))),
            Err(e) => {
                eprintln!("receiver: cannot accept: {e}");
                // most likely out of descriptors, which others have to give back first
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn welcome(stream: TcpStream, desk: Arc<Desk>, door: Door) {
    // only costs latency when it fails
    let _ = stream.set_nodelay(true);
    match door.acceptor {
        None if door.http2 && begins_http2(&stream).await => serve_http2(desk, stream).await,
        None => serve(desk, stream).await,
        // a client that does not trust us hangs up here
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                match stream.get_ref().1.alpn_protocol() == Some(H2) {
                    true => serve_http2(desk, stream).await,
                    false => serve(desk, stream).await,
                }
            }
        }
    }
}

/// Whether the first bytes are those of HTTP/2 (RFC 9113, section 3.4), which no method begins with.
async fn begins_http2(stream: &TcpStream) -> bool {
    let mut first = [0; 3];
    matches!(stream.peek(&mut first).await, Ok(read) if read > 0 && b"PRI".starts_with(&first[..read]))
}

fn acceptor(tls: &Tls, options: &Options) -> io::Result<TlsAcceptor> {
    let invalid = |e: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidInput, e.to_string());
    let certificates = CertificateDer::pem_slice_iter(tls.certificates.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| invalid(&e))?;
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes()).map_err(|e| invalid(&e))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| invalid(&e))?;
    let builder = match &options.client_ca {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            let authority = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| invalid(&e))?;
            roots.add(authority).map_err(|e| invalid(&e))?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|e| invalid(&e))?)
        }
    };
    let mut config = builder.with_single_cert(certificates, key).map_err(|e| invalid(&e))?;
    if options.http2 {
        config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    }
    Ok(TlsAcceptor::from(Arc::new(config)))
}
