//! A loopback server that sends prepared replies, one per request, and records the requests.

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

/// A reply to a request.
pub(crate) enum Reply {
    /// Status, headers and body.
    Send(u16, Vec<(&'static str, String)>, String),
    /// Closes the connection after reading the request.
    HangUp,
}

/// A recorded request.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Method and target: `GET /services/data/...`.
    pub(crate) line: String,
    /// The names are in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(candidate, _)| candidate == name);
        header.map(|(_, value)| value.as_str())
    }
}

/// The running server.
pub(crate) struct Replay {
    url: String,
    requests: Arc<Mutex<Vec<Received>>>,
}

impl Replay {
    /// Starts a server that sends these replies in this order.
    pub(crate) fn start(replies: Vec<Reply>) -> Self {
        Self::start_with(|_| replies)
    }

    /// Starts a server with replies that contain its URL.
    pub(crate) fn start_with(replies: impl FnOnce(&str) -> Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let replies = replies(&url);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let record = requests.clone();
        thread::spawn(move || {
            for reply in replies {
                let (stream, _) = listener.accept().unwrap();
                serve(&stream, &reply, &record);
            }
        });
        Self { url, requests }
    }

    /// Starts a server that replies once, with a JSON body.
    pub(crate) fn once(status: u16, body: impl Into<String>) -> Self {
        Self::start(vec![json(status, body)])
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the requests received so far.
    pub(crate) fn requests(&self) -> Vec<Received> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn http(&self) -> Http {
        http()
    }

    pub(crate) fn login(&self) -> LoginHost {
        LoginHost::parse(&self.url, HostPolicy::LoopbackToo).unwrap()
    }

    /// Returns a client whose access token is `token-1`, and the next number after each refused session.
    pub(crate) fn client(&self) -> Client {
        Client::new(http(), Arc::new(Tokens::new(&self.url)), ApiVersion::DEFAULT)
    }
}

pub(crate) fn json(status: u16, body: impl Into<String>) -> Reply {
    Reply::Send(status, vec![("content-type", "application/json".to_owned())], body.into())
}

pub(crate) fn http() -> Http {
    let timeouts = Timeouts { attempt: Duration::from_secs(5), total: Duration::from_secs(10), ..Timeouts::default() };
    Http::new(HostPolicy::LoopbackToo, Clock::system()).unwrap().with_timeouts(timeouts)
}

/// Returns the body of a recorded response; `None`, with a notice, if there are no recordings.
pub(crate) fn recorded(path: &str) -> Option<Value> {
    let text = std::fs::read_to_string(fixtures::path(path)?).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    Some(json.pointer("/response/body").cloned().unwrap_or(json))
}

fn serve(stream: &TcpStream, reply: &Reply, record: &Mutex<Vec<Received>>) {
    let Some(request) = read(stream) else { return };
    record.lock().unwrap().push(request);
    let Reply::Send(status, headers, body) = reply else { return };
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = stream;
    // The client may have closed the connection.
    let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
}

fn read(stream: &TcpStream) -> Option<Received> {
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
    let mut request =
        Received { line: first, headers: lines[1..].iter().filter_map(split).collect(), body: String::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}

/// Sessions with numbered tokens. Records the requests for them.
pub(crate) struct Tokens {
    instance_url: InstanceUrl,
    requests: Mutex<Vec<Option<Fingerprint>>>,
}

impl Tokens {
    pub(crate) fn new(url: &str) -> Self {
        let instance_url = InstanceUrl::parse(url, HostPolicy::LoopbackToo).unwrap();
        Self { instance_url, requests: Mutex::new(Vec::new()) }
    }

    /// Returns the `refused` argument of every request.
    pub(crate) fn requests(&self) -> Vec<Option<Fingerprint>> {
        self.requests.lock().unwrap().clone()
    }
}

impl Sessions for Tokens {
    fn session(&self, refused: Option<Fingerprint>) -> BoxFuture<'_, Result<Session, Error>> {
        let mut requests = self.requests.lock().unwrap();
        requests.push(refused);
        let number = 1 + requests.iter().flatten().count();
        let session =
            Session { instance_url: self.instance_url.clone(), access_token: format!("token-{number}").into() };
        Box::pin(async { Ok(session) })
    }
}
