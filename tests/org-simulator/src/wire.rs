//! TCP connections that a fault can close, and helpers for HTTP requests and responses.

pub(crate) mod capture;
pub(crate) mod html;
pub(crate) mod masking;
pub(crate) mod multipart;
pub(crate) mod recorder;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::response::{IntoResponse as _, Response};
use axum::serve::{IncomingStream, Listener};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use serde_json::Value as Json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::model::errors::ApiError;

/// The connection of a request, which a fault can close.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    is_closed: Arc<AtomicBool>,
    peer: Option<IpAddr>,
}

impl Connection {
    /// Closes the connection: further writes fail.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    /// Returns the address of the client.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.peer
    }
}

/// The address of a client: `X-Simulator-Client-Ip`, which tests set, or the peer of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let given = parts.headers.get("x-simulator-client-ip").and_then(|value| value.to_str().ok());
        let peer = || parts.extensions.get::<ConnectInfo<Connection>>().and_then(|info| info.0.peer());
        Ok(Self(given.map_or_else(peer, |given| given.trim().parse().ok())))
    }
}

/// Accepts connections that a fault can close.
pub(crate) struct ClosableListener(pub(crate) TcpListener);

impl Listener for ClosableListener {
    type Io = ClosableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (ClosableStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Responses are small and clients wait for them; an error only costs speed.
        let _ = stream.set_nodelay(true);
        let connection = Connection { peer: Some(address.ip()), ..Connection::default() };
        (ClosableStream { stream, connection }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, ClosableListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, ClosableListener>) -> Self {
        stream.io().connection.clone()
    }
}

/// A connection that a fault can close.
pub(crate) struct ClosableStream {
    stream: TcpStream,
    connection: Connection,
}

impl ClosableStream {
    fn check(&self) -> io::Result<()> {
        if self.connection.is_closed() { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for ClosableStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for ClosableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Returns a JSON response with Salesforce's content type.
pub(crate) fn json_response(status: u16, body: &Json) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json;charset=UTF-8")], body.to_string()).into_response()
}

/// Returns the token of an `Authorization` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth")).then_some(token.trim())
}

pub(crate) fn json_body(headers: &HeaderMap, body: &[u8]) -> Result<Json, ApiError> {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
    if !content_type.starts_with("application/json") {
        let message = format!("Content-Type header specified in HTTP request is not supported: {content_type}");
        return Err(ApiError::new("UNSUPPORTED_MEDIA_TYPE", message).status(415));
    }
    serde_json::from_slice(body).map_err(|error| {
        ApiError::bad_json(format!(
            "Unexpected character or end of input at line {} column {}",
            error.line(),
            error.column()
        ))
    })
}
