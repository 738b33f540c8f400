//! From a target to an open connection: look up, judge, dial, TLS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::exchange::Line;
use crate::failure::{Failure, FailureKind};
use crate::guard::Guard;
use crate::resolve::Directory;
use crate::settings::Settings;
use crate::stream::{Metered, Wire};
use crate::target::{Http, Target, literal};
use crate::tls::{H2, handshake_failure};
use crate::wide::{Connection, handshake};

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;

/// An open connection, by what is spoken on it.
pub(crate) enum Connected {
    Line(Line),
    Wide(SendRequest<Bytes>, Box<Connection>),
}

/// Opens a connection before `deadline`; `dialled` is set to the address tried last, also on failure.
pub(crate) async fn connect(
    target: &Target,
    settings: &Settings,
    directory: &Directory,
    deadline: Instant,
    dialled: &mut Option<IpAddr>,
) -> Result<Connected, Failure> {
    let addresses = allowed_addresses(target, &settings.guard, directory, deadline).await?;
    let tcp = dial(&addresses, target.origin.port, deadline, dialled).await?;
    let http = target.origin.http;
    let mut wide = http == Http::Two;
    let wire = match &target.server_name {
        None => Wire::Plain(tcp),
        Some(name) => {
            let connector = TlsConnector::from(settings.tls.client(&target.origin.trust, http)?);
            let handshake = connector.connect(name.clone(), tcp);
            match timeout_at(deadline, handshake).await {
                Ok(stream) => {
                    let stream = stream.map_err(|e| handshake_failure(&e))?;
                    let spoken = stream.get_ref().1.alpn_protocol();
                    if http == Http::Two && spoken != Some(H2) {
                        return Err(Failure::new(FailureKind::Protocol, "the receiver does not offer HTTP/2"));
                    }
                    wide = spoken == Some(H2);
                    Wire::Tls(Box::new(stream))
                }
                Err(_) => return Err(Failure::new(FailureKind::ConnectTimeout, "no TLS handshake in time")),
            }
        }
    };
    let (stream, heard) = Metered::new(wire);
    if wide {
        let (sender, connection) = handshake(stream).await?;
        return Ok(Connected::Wide(sender, Box::new(connection)));
    }
    Line::open(stream, heard).await.map(Connected::Line)
}

/// The addresses that may be dialled. A name with public and private addresses is dialled at the public ones only.
async fn allowed_addresses(
    target: &Target,
    guard: &Guard,
    directory: &Directory,
    deadline: Instant,
) -> Result<Arc<[IpAddr]>, Failure> {
    let host = &target.origin.host;
    let all = match literal(host) {
        Some(ip) => Arc::from([ip]),
        None => match timeout_at(deadline, directory.look_up(&host.to_string())).await {
            Ok(answer) => answer?,
            Err(_) => {
                return Err(Failure::new(FailureKind::Dns, format!("could not look up \"{host}\" in time")));
            }
        },
    };
    let mut refused = None;
    let allowed: Vec<IpAddr> = all
        .iter()
        .copied()
        .filter(|ip| guard.check(*ip).map_err(|why| refused.get_or_insert(why).network).is_ok())
        .take(MAX_ADDRESSES)
        .collect();
    match refused {
        Some(why) if allowed.is_empty() => {
            let detail = match literal(host) {
                Some(_) => format!("{why}, which must not be called"),
                None => {
                    format!("\"{host}\" resolves to {} in the {}, which must not be called", why.address, why.network)
                }
            };
            Err(Failure::new(FailureKind::AddressRefused, detail))
        }
        _ => Ok(allowed.into()),
    }
}

/// Tries one address after the other; each may take its share of the time left, so that a dead first one leaves some.
async fn dial(
    addresses: &[IpAddr],
    port: u16,
    deadline: Instant,
    dialled: &mut Option<IpAddr>,
) -> Result<TcpStream, Failure> {
    let mut last = Failure::new(FailureKind::Dns, "the name has no address");
    for (index, ip) in addresses.iter().enumerate() {
        let address = SocketAddr::new(*ip, port);
        *dialled = Some(*ip);
        let share = deadline.saturating_duration_since(Instant::now()) / (addresses.len() - index) as u32;
        last = match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // only costs latency when it fails
                let _ = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Ok(Err(e)) => Failure::from_connect(address, &e),
            Err(_) => Failure::new(FailureKind::ConnectTimeout, timed_out(address, share)),
        };
    }
    Err(last)
}

fn timed_out(address: SocketAddr, share: Duration) -> String {
    format!("no connection to {address} within {} ms", share.as_millis())
}
