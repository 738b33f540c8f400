//! Source archives from mirrors that have other files than their index says, wrong ones, none, or half of one.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use testbed::provide::archive::{Archive, first, sha256};
use testbed::step::Step;

/// What a mirror answers for one path.
#[derive(Clone)]
enum Answer {
    Whole(Vec<u8>),
    /// The whole is announced and so many bytes come before the connection ends; a range is served whole.
    BrokenOff(Vec<u8>, usize),
}

/// Path, and where the range begins that was asked for.
type Request = (String, Option<usize>);

/// A mirror on loopback that remembers its requests.
struct Mirror {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Mirror {
    fn serve(files: &[(&str, Answer)]) -> Result<Mirror> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let files: HashMap<String, Answer> =
            files.iter().map(|(name, answer)| (format!("/{name}"), answer.clone())).collect();
        let log = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &files, &log);
            }
        });
        Ok(Mirror { url, requests })
    }

    fn archive(&self, file: &str, content: &[u8]) -> Result<Archive> {
        let dir = directory(self.url.rsplit(':').next().unwrap_or_default())?;
        let path = dir.join(file);
        std::fs::write(&path, content)?;
        let sha256 = sha256(&path)?;
        std::fs::remove_dir_all(dir)?;
        Ok(Archive { file: file.into(), sha256, urls: vec![format!("{}/{file}", self.url)] })
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, files: &HashMap<String, Answer>, log: &Mutex<Vec<Request>>) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default().to_string();
    let mut from = None;
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.split('-').next().and_then(|number| number.parse().ok());
        }
    }
    log.lock().unwrap().push((path.clone(), from));
    let Some(file) = files.get(&path) else {
        return Ok(write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?);
    };
    let (content, until) = match file {
        Answer::Whole(content) => (content, content.len()),
        Answer::BrokenOff(content, at) => (content, if from.is_some() { content.len() } else { *at }),
    };
    let start = from.unwrap_or(0);
    let status = if from.is_some() { "206 Partial Content" } else { "200 OK" };
    let range = format!("Content-Range: bytes {start}-{}/{}\r\n", content.len() - 1, content.len());
    let length = content.len() - start;
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{range}Connection: close\r\n\r\n")?;
    Ok(stream.write_all(&content[start..until])?)
}

fn directory(name: &str) -> Result<PathBuf> {
    let dir = std::env::temp_dir().join(format!("frontdesk-archives-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

fn bytes(mask: u8) -> Vec<u8> {
    (0..200_000_u32).map(|i| (i % 251) as u8 ^ mask).collect()
}

#[test]
fn a_newest_version_that_is_not_there_and_a_wrong_one_are_passed_over_for_the_next() -> Result<()> {
    let (newest, second, third) = (bytes(1), bytes(2), bytes(3));
    let mirror = Mirror::serve(&[
        ("b.tar", Answer::Whole(b"a page that says hello".to_vec())),
        ("c.tar", Answer::Whole(third)),
    ])?;
    let archives =
        [mirror.archive("a.tar", &newest)?, mirror.archive("b.tar", &second)?, mirror.archive("c.tar", &bytes(3))?];
    let dir = directory("kept")?;
    let mut step = Step::begin("fetching from a mirror")?;
    let path = first(&mut step, &archives, &dir)?;
    assert_eq!(std::fs::read(&path)?, bytes(3));
    let kept: Vec<_> = std::fs::read_dir(&dir)?.flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(kept, ["c.tar"], "nothing wrong is kept");

    // It lies in the cache now: the mirror is asked for what is before it only.
    let asked = mirror.requests().len();
    assert_eq!(first(&mut step, &archives[2..], &dir)?, path);
    assert_eq!(mirror.requests().len(), asked);
    Ok(std::fs::remove_dir_all(dir)?)
}

#[test]
fn where_nothing_is_to_be_had_each_version_says_why_in_one_line() -> Result<()> {
    let mirror = Mirror::serve(&[("b.tar", Answer::Whole(vec![0; 10]))])?;
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut archives = [mirror.archive("a.tar", &bytes(1))?, mirror.archive("b.tar", &bytes(2))?];
    archives[0].urls.push(format!("http://{nobody}/a.tar"));
    let dir = directory("nothing")?;
    let mut step = Step::begin("fetching from a mirror with nothing")?;
    let error = format!("{:#}", first(&mut step, &archives, &dir).unwrap_err());
    assert!(!error.contains('\n'), "{error}");
    for part in ["a.tar (", "404", &format!("{nobody}: "), "b.tar (", "another SHA-256"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    assert_eq!(std::fs::read_dir(&dir)?.count(), 0);
    Ok(std::fs::remove_dir_all(dir)?)
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_ended() -> Result<()> {
    let content = bytes(7);
    let mirror = Mirror::serve(&[("a.tar", Answer::BrokenOff(content.clone(), 70_000))])?;
    let dir = directory("broken")?;
    let mut step = Step::begin("fetching from a mirror that breaks off")?;
    let path = first(&mut step, &[mirror.archive("a.tar", &content)?], &dir)?;
    assert_eq!(std::fs::read(path)?, content);
    assert_eq!(mirror.requests(), [("/a.tar".to_string(), None), ("/a.tar".to_string(), Some(70_000))]);
    Ok(std::fs::remove_dir_all(dir)?)
}

#[test]
fn a_beginning_that_belongs_to_other_bytes_is_thrown_away() -> Result<()> {
    let content = bytes(9);
    let mirror = Mirror::serve(&[("a.tar", Answer::Whole(content.clone()))])?;
    let dir = directory("mixed")?;
    std::fs::write(dir.join("a.tar.part"), [1, 2, 3])?;
    let mut step = Step::begin("fetching over a wrong beginning")?;
    let path = first(&mut step, &[mirror.archive("a.tar", &content)?], &dir)?;
    assert_eq!(std::fs::read(path)?, content);
    Ok(std::fs::remove_dir_all(dir)?)
}
