//! Responses whose bodies have not been read yet.

use futures::stream::{BoxStream, StreamExt as _};
use http::HeaderMap;

use super::{MAX_RESPONSE_BYTES, Response};
use crate::deadline::TimeLimit;
use crate::{Clock, Error};

/// A response of which the head has arrived.
pub(crate) struct Incoming {
    pub(crate) operation: &'static str,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(super) body: BoxStream<'static, Result<Vec<u8>, Error>>,
    /// The limit of each wait for bytes: the time between two waits is the reader's.
    pub(super) limit: (TimeLimit, Clock),
}

impl Incoming {
    /// Returns the next bytes of the body, decompressed; `None` at its end.
    ///
    /// # Errors
    ///
    /// [`Error::NoResponse`] if the connection ends before the body, if no byte arrives in the time of an attempt, or if the
    /// invocation has no time left.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let operation = self.operation;
        let (limit, clock) = &self.limit;
        let time = limit.now(clock).map_err(|source| Error::NoResponse { operation, source: source.into() })?;
        let chunk = tokio::time::timeout(time, self.body.next()).await;
        chunk.map_err(|elapsed| Error::NoResponse { operation, source: elapsed.into() })?.transpose()
    }

    /// Creates a response whose body arrives in these pieces.
    #[cfg(test)]
    pub(crate) fn of(headers: HeaderMap, pieces: Vec<Vec<u8>>) -> Self {
        let body = futures::stream::iter(pieces.into_iter().map(Ok)).boxed();
        let limit = TimeLimit {
            longest: std::time::Duration::from_secs(1),
            shortest: std::time::Duration::ZERO,
            reserve: std::time::Duration::ZERO,
        };
        Self { operation: "run a test", status: 200, headers, body, limit: (limit, Clock::system()) }
    }

    /// Reads the body to its end.
    pub(super) async fn whole(mut self) -> Result<Response, Error> {
        let operation = self.operation;
        let mut body = Vec::new();
        while let Some(chunk) = self.body.next().await.transpose()? {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(Error::TooLarge { operation, what: "the response" });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { operation, status: self.status, headers: self.headers, body })
    }
}

/// The form in which a successful response is returned.
pub(crate) trait Answer: Sized {
    /// Reads of the response what the form has. The time of an attempt includes it.
    fn read(incoming: Incoming) -> impl Future<Output = Result<Self, Error>> + Send;
}

impl Answer for Response {
    fn read(incoming: Incoming) -> impl Future<Output = Result<Self, Error>> + Send {
        incoming.whole()
    }
}

impl Answer for Incoming {
    async fn read(incoming: Incoming) -> Result<Self, Error> {
        Ok(incoming)
    }
}
