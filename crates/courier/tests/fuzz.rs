//! Fuzz target: no URL and no answer make a request panic or last. Every answer is one receipt, within its bounds.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use courier::{Bytes, Config, Courier, Guard, Method, Receipt, Request, SystemResolver, Target};
use fuzzing::{at_once, texts};
use proptest::collection::vec;
use proptest::prelude::*;

/// A line each: what receivers write and where they are, and what has been trouble.
const CORPUS: &str = include_str!("corpus.txt");

const KEEP: usize = 64;
const TIMEOUT: Duration = Duration::from_secs(5);

/// Lines with ends of all kinds between them; most begin as an answer does.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let end = prop::sample::select(&["\r\n", "\r\n", "\r\n", "\r\n\r\n", "\n", "\r", "\0", ""][..]);
    let line = (prop_oneof![8 => texts(CORPUS).prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..20)], end);
    let lines = vec(line.prop_map(|(line, end)| [line, end.as_bytes().to_vec()].concat()), 0..12);
    let start = prop::sample::select(&["HTTP/1.1 200 OK\r\n", "HTTP/1.1 429 \r\n", "HTTP/1.1 200 OK\r\n\r\n", ""][..]);
    (start, lines).prop_map(|(start, lines)| [start.as_bytes().to_vec(), lines.concat()].concat())
}

/// A receiver that gives the same answer to all until it is given another, and a courier.
struct Scene {
    answer: Arc<Mutex<Vec<u8>>>,
    address: SocketAddr,
    courier: Courier,
}

static SCENE: LazyLock<Mutex<Scene>> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(Mutex::new(Vec::new()));
    let given = answer.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1000]);
            let _ = stream.write_all(&given.lock().unwrap());
        }
    });
    let config = Config { allow_networks: vec!["127.0.0.0/8".parse().unwrap()], ..Config::default() };
    let courier = Courier::spawn_with(config, Arc::new(SystemResolver), || {}).unwrap();
    Mutex::new(Scene { answer, address, courier })
});

impl Scene {
    fn receipts_of(&self, answer: &[u8]) -> Vec<Receipt> {
        *self.answer.lock().unwrap() = answer.to_vec();
        let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap()]);
        self.courier.send(vec![Request {
            id: 7,
            group: 0,
            at_once: usize::MAX,
            method: Method::POST,
            target: Arc::new(Target::parse(&format!("http://{}/", self.address), &guard).unwrap()),
            headers: Vec::new(),
            body: Bytes::from_static(b"{}"),
            timeout: TIMEOUT,
            keep: KEEP,
            keep_headers: true,
        }]);
        let (mut receipts, started) = (Vec::new(), Instant::now());
        while receipts.is_empty() && started.elapsed() < 2 * TIMEOUT {
            std::thread::sleep(Duration::from_micros(100));
            self.courier.drain(&mut receipts);
        }
        receipts
    }
}

proptest! {
    #[test]
    fn an_answer_of_any_bytes_is_one_receipt(answer in answers()) {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        at_once(&shown, || {
            let receipts = SCENE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).receipts_of(&answer);
            prop_assert_eq!(receipts.len(), 1, "{}", shown);
            // The database keeps texts without NUL.
            match &receipts[0].result {
                Ok(response) => {
                    prop_assert!((100..1000).contains(&response.status), "{}: {shown}", response.status);
                    prop_assert!(response.body.len() <= KEEP, "{} bytes of {shown}", response.body.len());
                    let texts = response.headers.iter().flat_map(|(name, value)| [name, value]);
                    for text in texts.chain(&response.retry_after) {
                        prop_assert!(!text.contains('\0'), "{text:?} of {shown}");
                    }
                }
                Err(failure) => prop_assert!(!failure.detail.contains('\0'), "{failure:?} of {shown}"),
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_url_is_taken_or_refused_and_leads_to_no_address_of_the_house(url in texts(CORPUS)) {
        at_once(&url, || {
            if let Ok(target) = Target::parse(&url, &Guard::default()) {
                prop_assert!(!target.host().is_empty() && target.port() > 0, "{url}");
                let public = |address: IpAddr| Guard::default().check(address).is_ok();
                prop_assert!(target.address().is_none_or(public), "{url}");
                prop_assert!(!target.host().parse::<IpAddr>().is_ok_and(|address| !public(address)), "{url}");
                prop_assert_eq!(target.as_str(), url.as_str());
            }
            Ok(())
        })?;
    }
}
