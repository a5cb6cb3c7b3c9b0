//! The HTTP part of receiving outbound messages.
//!
//! A [`receiver`] is a route with `{org_id}` and `{secret}` in its path. Extracting a [`SoapMessage`] checks headers and size.
//! The handler then verifies the client certificate ([`SoapMessage::verify_client`]) and that the secret belongs to the org,
//! parses the body with [`SoapMessage::parse_for`], which checks the org in the body, and returns an [`acknowledgement`] once
//! everything is stored.

#[cfg(test)]
mod error_texts;
mod headers;
mod rejection;
mod required_client;

use axum::body::{Bytes, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts as _, Path, Request};
use axum::handler::Handler;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, post};
use runtime::ClientCertificate;
use salesforce::OrgId;
use salesforce::soap::outbound_message::{self, ACK, OutboundMessage, ParseError};
use secrecy::SecretString;

pub use rejection::Rejection;
pub use required_client::RequiredClient;

/// The size limit of a message. Salesforce's messages, of at most 100 notifications, are much smaller.
pub const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;

/// A message whose sender is not verified yet.
#[derive(Debug)]
pub struct SoapMessage {
    /// The org in the address, if it is a valid id.
    pub org: Option<OrgId>,
    /// The secret in the address.
    pub secret: SecretString,
    client: Option<ClientCertificate>,
    body: Bytes,
}

/// Returns a route that accepts POST requests only.
pub fn receiver<H, T, S>(handler: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    post(handler).fallback(|| async { Rejection::MethodNotAllowed })
}

/// Returns the response that acknowledges a message.
#[must_use]
pub fn acknowledgement() -> Response {
    ([(CONTENT_TYPE, "text/xml; charset=utf-8")], ACK).into_response()
}

impl<S: Send + Sync> FromRequest<S> for SoapMessage {
    type Rejection = Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Rejection> {
        let (mut parts, body) = request.into_parts();
        let client = parts.extensions.remove::<ClientCertificate>();
        headers::check(&parts.headers)?;
        let body = to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| Rejection::TooLarge)?;
        let address: Result<Path<(String, String)>, PathRejection> = Path::from_request_parts(&mut parts, state).await;
        let Path((org, secret)) = address.map_err(|_| Rejection::UnknownAddress)?;
        Ok(Self { org: org.parse().ok(), secret: secret.into(), client, body })
    }
}

impl SoapMessage {
    /// Checks the sender's client certificate. A wrong one is rejected as an unknown address, so that a domain without mutual
    /// TLS does not reveal which webhooks exist.
    ///
    /// # Errors
    /// [`Rejection::UnknownAddress`].
    pub fn verify_client(&self, required: &RequiredClient) -> Result<(), Rejection> {
        if required.admits(self.client.as_ref()) { Ok(()) } else { Err(Rejection::UnknownAddress) }
    }

    /// Parses the body, and checks that it comes from `org`, whose address it was sent to.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] if the body is not an outbound message, [`Rejection::OtherOrg`] if another org sent it.
    pub fn parse_for(&self, org: OrgId) -> Result<OutboundMessage<'_>, Rejection> {
        parse_for(&self.body, org)
    }
}

fn parse_for(body: &[u8], org: OrgId) -> Result<OutboundMessage<'_>, Rejection> {
    const ELEMENT: &str = "OrganizationId";
    let message = outbound_message::parse(body)?;
    let named = message.organization_id.as_deref().ok_or(ParseError::Missing { element: ELEMENT })?;
    let named: OrgId = named
        .parse()
        .map_err(|_| ParseError::Malformed { element: ELEMENT, reason: "is not the id of an organization" })?;
    if named == org { Ok(message) } else { Err(Rejection::OtherOrg { named }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG: &str = "00D5e000000KQ2eEAG";

    fn read(named: &str) -> Result<(), Rejection> {
        let body = format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
               <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
               <OrganizationId>{named}</OrganizationId><Notification><Id>no id</Id></Notification>
               </notifications></s:Body></s:Envelope>"#
        );
        parse_for(body.as_bytes(), ORG.parse().unwrap()).map(drop)
    }

    #[test]
    fn both_forms_of_the_id_name_the_same_org() {
        assert!(read(ORG).is_ok() && read(&ORG[..15]).is_ok());
    }

    #[test]
    fn the_org_is_checked_before_the_records_are_parsed() {
        for named in ["00D5e000000KQ2fEAG", "00D5e000000kq2e"] {
            assert!(matches!(read(named), Err(Rejection::OtherOrg { .. })), "{named}");
        }
    }

    #[test]
    fn a_message_without_an_org_is_malformed() {
        for named in ["", "nobody", "00D5e000000KQ2eEAA", "0065e00000AbCdE"] {
            assert!(matches!(read(named), Err(Rejection::Malformed(_))), "{named}");
        }
    }
}
