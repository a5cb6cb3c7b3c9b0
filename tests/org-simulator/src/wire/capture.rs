//! Copies the messages of requests, for the request log and for the file of recorded requests.
//!
//! A body is copied while it is read: neither reader of copies holds up a message or needs the whole of it in memory.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};

use crate::model::request_log::{Capture, Exchange, Message};

impl<T: AsMut<Exchange> + Send + 'static> Capture<T> {
    /// Runs a request, and copies it and its response.
    pub(crate) async fn run(&self, request: Request, next: Next) -> Response {
        let size = request.body().size_hint().exact();
        self.get().as_mut().request.begin(request.headers().clone(), size);
        let request = request.map(|body| self.copied(body, |exchange| &mut exchange.request));
        let response = next.run(request).await;
        {
            let mut place = self.get();
            let exchange = place.as_mut();
            exchange.status = Some(response.status());
            exchange.answer.begin(response.headers().clone(), response.body().size_hint().exact());
        }
        response.map(|body| self.copied(body, |exchange| &mut exchange.answer))
    }

    fn copied(&self, body: Body, message: fn(&mut Exchange) -> &mut Message) -> Body {
        Body::new(Copied { body, capture: self.clone(), message })
    }
}

/// A body that is copied while it is read.
struct Copied<T> {
    body: Body,
    capture: Capture<T>,
    message: fn(&mut Exchange) -> &mut Message,
}

impl<T: AsMut<Exchange>> HttpBody for Copied<T> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(bytes) = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref) {
            (self.message)(self.capture.get().as_mut()).add(bytes);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
