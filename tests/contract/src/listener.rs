//! A listener that takes one HTTP request after the other: outbound messages, and the browser that comes back from a consent.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::check::{Finding, not_applicable};
use crate::org::Org;

/// The largest request that is read, in bytes.
const MAX_BYTES: usize = 2 << 20;

/// A listener on a local address.
pub(crate) struct Listener(TcpListener);

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// The reply to a request.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: &'static str,
}

impl Listener {
    pub(crate) fn bind(org: &Org, address: &str) -> Result<Self, Finding> {
        let bound = org.http.block_on(TcpListener::bind(address));
        bound.map(Self).map_err(|error| not_applicable(format!("cannot listen on {address}: {error}")))
    }

    /// Takes the next request and replies to it; returns none if there is none within the time.
    pub(crate) fn next(&self, org: &Org, within: Duration, reply: &Reply) -> Result<Option<Received>, Finding> {
        self.next_with(org, within, |_| reply)
    }

    /// Takes the next request. Returns it if its body contains the text; otherwise gives it the other reply.
    pub(crate) fn next_about(
        &self,
        org: &Org,
        within: Duration,
        (text, reply): (&str, &Reply),
        other: &Reply,
    ) -> Result<Option<Received>, Finding> {
        let is_about = |request: &Received| request.body.contains(text);
        let next = self.next_with(org, within, |request| if is_about(request) { reply } else { other })?;
        Ok(next.filter(is_about))
    }

    fn next_with<'a>(
        &self,
        org: &Org,
        within: Duration,
        reply: impl Fn(&Received) -> &'a Reply,
    ) -> Result<Option<Received>, Finding> {
        let failed = |error: std::io::Error| Finding::NotRun(format!("the listener failed: {error}"));
        org.http.block_on(async {
            let Ok(accepted) = tokio::time::timeout(within, self.0.accept()).await else { return Ok(None) };
            let (mut stream, _) = accepted.map_err(failed)?;
            let received = read(&mut stream).await.map_err(failed)?;
            let reply = reply(&received);
            let text = format!(
                "HTTP/1.1 {} Reply\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{}",
                reply.status,
                reply.content_type,
                reply.body.len(),
                reply.body
            );
            stream.write_all(text.as_bytes()).await.map_err(failed)?;
            stream.shutdown().await.map_err(failed)?;
            Ok(Some(received))
        })
    }
}

/// Reads a request with its body, whose length the header says.
async fn read(stream: &mut TcpStream) -> std::io::Result<Received> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                let lines = head.lines().filter_map(|line| line.split_once(':'));
                let found = lines.into_iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
            };
            let length = header("content-length").parse().unwrap_or(0_usize);
            if body.len() >= length {
                let mut first = head.split_whitespace();
                let mut word = || first.next().unwrap_or_default().to_owned();
                let (method, path) = (word(), word());
                return Ok(Received { method, path, content_type: header("content-type"), body: body.to_owned() });
            }
        }
        if bytes.len() > MAX_BYTES || stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
}
