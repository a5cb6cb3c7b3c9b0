//! A server that gives prepared answers, one a request, and remembers the requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use salesforce::{
    ApiVersion, BoxFuture, Client, Clock, Error, Fingerprint, HostPolicy, Http, InstanceUrl, LoginHost, Session,
    Sessions, Timeouts,
};
use serde_json::Value;

/// What the server does with a request.
pub(crate) enum Answer {
    /// Answers it.
    Send(u16, Vec<(&'static str, String)>, String),
    /// Reads it and closes the connection.
    HangUp,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Method and target: `GET /services/data/...`.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map(|(_, value)| value.as_str())
    }
}

/// The running server.
pub(crate) struct Replay {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Replay {
    /// Gives these answers in this order, and hangs up afterwards.
    pub(crate) fn start(answers: Vec<Answer>) -> Self {
        Self::start_with(|_| answers)
    }

    /// The same, with answers that know the server's address.
    pub(crate) fn start_with(answers: impl FnOnce(&str) -> Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = answers(&url);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = seen.clone();
        thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                serve(&stream, &answer, &record);
            }
        });
        Self { url, seen }
    }

    /// Answers one request with a JSON body.
    pub(crate) fn once(status: u16, body: impl Into<String>) -> Self {
        Self::start(vec![json(status, body)])
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What has arrived so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn http(&self) -> Http {
        http()
    }

    pub(crate) fn login(&self) -> LoginHost {
        LoginHost::parse(&self.url, HostPolicy::LoopbackToo).unwrap()
    }

    /// A client whose sessions are `token-1`, and after a refusal `token-2`, and so on.
    pub(crate) fn client(&self) -> Client {
        Client::new(http(), Arc::new(Tokens::new(&self.url)), ApiVersion::DEFAULT)
    }
}

pub(crate) fn json(status: u16, body: impl Into<String>) -> Answer {
    Answer::Send(status, vec![("content-type", "application/json".to_owned())], body.into())
}

pub(crate) fn http() -> Http {
    let timeouts = Timeouts { attempt: Duration::from_secs(5), total: Duration::from_secs(10) };
    Http::new(HostPolicy::LoopbackToo, Clock::system()).unwrap().with_timeouts(timeouts)
}

/// The body of a recorded answer; `None`, and a word about it, where there are no recordings.
pub(crate) fn recorded(path: &str) -> Option<Value> {
    let text = std::fs::read_to_string(fixtures::path(path)?).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    Some(json.pointer("/response/body").cloned().unwrap_or(json))
}

fn serve(stream: &TcpStream, answer: &Answer, record: &Mutex<Vec<Seen>>) {
    let Some(seen) = read(stream) else { return };
    record.lock().unwrap().push(seen);
    let Answer::Send(status, headers, body) = answer else { return };
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = stream;
    // The client may have gone away in the meantime.
    let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
}

fn read(stream: &TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let first = lines.first()?.trim_end_matches(" HTTP/1.1").to_owned();
    let split = |line: &String| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let mut seen = Seen { line: first, headers: lines[1..].iter().filter_map(split).collect(), body: String::new() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    seen.body = String::from_utf8(body).ok()?;
    Some(seen)
}

/// Numbers its sessions, and remembers what it was told about refused ones.
pub(crate) struct Tokens {
    instance_url: InstanceUrl,
    asked: Mutex<Vec<Option<Fingerprint>>>,
}

impl Tokens {
    pub(crate) fn new(url: &str) -> Self {
        let instance_url = InstanceUrl::parse(url, HostPolicy::LoopbackToo).unwrap();
        Self { instance_url, asked: Mutex::new(Vec::new()) }
    }

    /// What was asked for: `None` for a session, or the one that was refused.
    pub(crate) fn asked(&self) -> Vec<Option<Fingerprint>> {
        self.asked.lock().unwrap().clone()
    }
}

impl Sessions for Tokens {
    fn session(&self, refused: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Error>> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(refused);
        let number = 1 + asked.iter().flatten().count();
        let session =
            Session { instance_url: self.instance_url.clone(), access_token: format!("token-{number}").into() };
        Box::pin(async { Ok(session) })
    }
}
