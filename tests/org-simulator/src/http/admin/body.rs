//! The request body of the admin API.

use axum::extract::{FromRequest, Json, Request};
use serde::de::DeserializeOwned;

use crate::Error;

/// A JSON body. Another content or an unknown key is rejected with the error format of this API.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let read = Json::<T>::from_request(request, state).await;
        read.map(|Json(body)| Self(body))
            .map_err(|rejection| Error::Invalid { what: "request", reason: rejection.body_text() })
    }
}
