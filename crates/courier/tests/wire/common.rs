//! What the tests share: a courier with a bell, and receivers.

use std::collections::HashMap;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Bell, channel};
use std::time::{Duration, Instant};

use courier::{
    Bytes, Config, Courier, Failure, FailureKind, Guard, Method, Receipt, Request, Resolve, Response, SystemResolver,
    Target,
};

/// No test may wait longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn loopback() -> Config {
    Config { allow_networks: vec!["127.0.0.0/8".parse().unwrap()], ..Config::default() }
}

/// A POST of `{}` with a timeout of five seconds.
pub fn post(id: u64, url: &str) -> Request {
    Request {
        id,
        method: Method::POST,
        target: Arc::new(Target::parse(url, &Guard::new(vec!["0.0.0.0/0".parse().unwrap()])).unwrap()),
        headers: Vec::new(),
        body: Bytes::from_static(b"{}"),
        timeout: Duration::from_secs(5),
        keep: 4096,
        group: 0,
        at_once: usize::MAX,
        keep_headers: false,
    }
}

pub fn plain_receiver() -> receiver::Receiver {
    receiver::Receiver::spawn(receiver::Options::default()).unwrap()
}

/// A courier whose receipts can be waited for.
pub struct Office {
    pub courier: Courier,
    bell: Bell<()>,
}

impl Office {
    pub fn open(config: Config) -> Office {
        Office::with(config, Arc::new(SystemResolver))
    }

    pub fn with(config: Config, resolver: Arc<dyn Resolve>) -> Office {
        let (ring, bell) = channel();
        let ring = move || {
            let _ = ring.send(());
        };
        let courier = Courier::spawn_with(config, resolver, ring).unwrap();
        Office { courier, bell }
    }

    /// Sends all and waits for all receipts, in the order in which they came.
    pub fn send_all(&self, batch: Vec<Request>) -> Vec<Receipt> {
        let count = batch.len();
        self.courier.send(batch);
        self.receipts(count)
    }

    pub fn receipts(&self, count: usize) -> Vec<Receipt> {
        let (mut receipts, begun) = (Vec::new(), Instant::now());
        while receipts.len() < count {
            assert!(begun.elapsed() < PATIENCE, "{} of {count} receipts after {PATIENCE:?}", receipts.len());
            let _ = self.bell.recv_timeout(Duration::from_millis(100));
            self.courier.drain(&mut receipts);
        }
        receipts
    }

    pub fn send(&self, request: Request) -> Receipt {
        self.send_all(vec![request]).remove(0)
    }

    pub fn response(&self, request: Request) -> Response {
        self.send(request).result.unwrap()
    }

    pub fn failure(&self, request: Request) -> Failure {
        self.send(request).result.unwrap_err()
    }

    /// Waits until `is_so`; fails after a while.
    pub fn until(&self, what: &str, is_so: impl Fn(&Courier) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.courier) {
            assert!(begun.elapsed() < PATIENCE, "not in time: {what}; {:?}", self.courier.stats());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Sends one request with a courier of its own.
pub fn failure_of(request: Request) -> (FailureKind, String) {
    let failure = Office::open(loopback()).failure(request);
    (failure.kind, failure.detail)
}

/// A server that is given as what it does with its n-th connection, counted from 0. The thread ends with the test.
pub fn server(each: impl Fn(usize, TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            each(number, stream.unwrap());
        }
    });
    address
}

/// Reads one request whose body is `{}`; `None` when the peer closed instead.
pub fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n{}") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        read.push(byte[0]);
    }
    Some(String::from_utf8(read).unwrap())
}

/// Names known to a test; each look-up of a name gives its next answer, and the last one from then on.
pub struct Names(pub HashMap<&'static str, Vec<&'static str>>, pub std::sync::Mutex<HashMap<String, usize>>);

impl Names {
    pub fn new(names: &[(&'static str, &[&'static str])]) -> Arc<Names> {
        let names = names.iter().map(|(name, answers)| (*name, answers.to_vec())).collect();
        Arc::new(Names(names, Default::default()))
    }

    pub fn look_ups(&self, name: &str) -> usize {
        self.1.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

impl Resolve for Names {
    /// An answer is a list of addresses with commas; an unknown name is an error.
    fn resolve(&self, host: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        let answers = self.0.get(host).ok_or(std::io::Error::other("no such name"))?;
        let mut counts = self.1.lock().unwrap();
        let count = counts.entry(host.to_owned()).or_default();
        let answer = answers[(*count).min(answers.len() - 1)];
        *count += 1;
        Ok(answer.split(',').filter(|text| !text.is_empty()).map(|text| text.parse().unwrap()).collect())
    }
}
