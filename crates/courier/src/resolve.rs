//! Names to addresses: the system's resolver behind a short cache.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::failure::{Failure, FailureKind};

/// How long an answer is used again. Short: a name that moves must be followed, a burst must not ask ten thousand times.
const FOUND_TTL: Duration = Duration::from_secs(5);
const FAILED_TTL: Duration = Duration::from_secs(1);

/// Above this many names, expired ones are swept out.
const SWEEP_ABOVE: usize = 1024;

/// Looks names up. A trait so that tests can let a name change its mind.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of `host`, best first. May block; called on a thread of its own.
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// `getaddrinfo`: honours /etc/hosts, nsswitch.conf and search domains as every program of the machine does.
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

/// A resolver with a cache; look-ups of one name that meet are one.
pub(crate) struct Directory {
    resolver: Arc<dyn Resolve>,
    entries: Mutex<HashMap<String, Entry>>,
}

type Entry = watch::Receiver<Option<Answer>>;

struct Answer {
    addresses: Result<Arc<[IpAddr]>, String>,
    expires: Instant,
}

impl Directory {
    pub(crate) fn new(resolver: Arc<dyn Resolve>) -> Directory {
        Directory { resolver, entries: Mutex::default() }
    }

    /// All addresses of `host`, not yet judged.
    pub(crate) async fn look_up(&self, host: &str) -> Result<Arc<[IpAddr]>, Failure> {
        let failed = |why: &str| Failure::new(FailureKind::Dns, format!("could not look up \"{host}\": {why}"));
        let mut entry = self.entry(host);
        match entry.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Answer { addresses: Ok(addresses), .. })) => Ok(addresses.clone()),
            Ok(Some(Answer { addresses: Err(why), .. })) => Err(failed(why)),
            Ok(None) | Err(_) => Err(failed("the resolver gave up")),
        }
    }

    fn entry(&self, host: &str) -> Entry {
        let now = Instant::now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(host).filter(|entry| is_fresh(entry, now)) {
            return entry.clone();
        }
        if entries.len() > SWEEP_ABOVE {
            entries.retain(|_, entry| is_fresh(entry, now));
        }
        let (answer, entry) = watch::channel(None);
        entries.insert(host.to_owned(), entry.clone());
        let (resolver, host) = (self.resolver.clone(), host.to_owned());
        tokio::task::spawn_blocking(move || {
            let addresses = found(resolver.resolve(&host));
            let ttl = if addresses.is_ok() { FOUND_TTL } else { FAILED_TTL };
            answer.send_replace(Some(Answer { addresses, expires: Instant::now() + ttl }));
        });
        entry
    }
}

fn found(answer: io::Result<Vec<IpAddr>>) -> Result<Arc<[IpAddr]>, String> {
    match answer {
        Ok(addresses) if addresses.is_empty() => Err("it has no address".into()),
        Ok(addresses) => Ok(addresses.into()),
        Err(e) => Err(e.to_string().trim_start_matches("failed to lookup address information: ").into()),
    }
}

/// Still being asked, or answered not long ago.
fn is_fresh(entry: &Entry, now: Instant) -> bool {
    match &*entry.borrow() {
        Some(answer) => now < answer.expires,
        None => entry.has_changed().is_ok(),
    }
}
