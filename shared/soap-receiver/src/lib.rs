//! Outbound messages over HTTP: what every receiver of them does alike, around the question whose address it is.
//!
//! A receiver is a route with `{org_id}` and `{secret}` in its path ([`receiver`]). [`SoapMessage`] is the request, once its
//! headers, its size and its path are right; the receiver asks whether the secret is the org's; [`SoapMessage::read_as`] gives
//! what that org says; and [`acknowledgement`] is the answer when all of it is stored.

mod headers;
mod refused;
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

pub use refused::Refused;
pub use required_client::RequiredClient;

/// The largest message that is read; Salesforce's own, of 100 notifications, stay below a fraction of it.
pub const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;

/// A message whose sender has proven nothing yet.
#[derive(Debug)]
pub struct SoapMessage {
    /// The org that the address names, if it names one.
    pub org: Option<OrgId>,
    /// The secret in the address.
    pub secret: SecretString,
    client: Option<ClientCertificate>,
    body: Bytes,
}

/// The route of a receiver: it takes POST and nothing else.
pub fn receiver<H, T, S>(handler: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    post(handler).fallback(|| async { Refused::WrongMethod })
}

/// What Salesforce takes for an acknowledgement.
#[must_use]
pub fn acknowledgement() -> Response {
    ([(CONTENT_TYPE, "text/xml; charset=utf-8")], ACK).into_response()
}

impl<S: Send + Sync> FromRequest<S> for SoapMessage {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let (mut parts, body) = request.into_parts();
        let client = parts.extensions.remove::<ClientCertificate>();
        headers::check(&parts.headers)?;
        let body = to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| Refused::TooLarge)?;
        let address: Result<Path<(String, String)>, PathRejection> = Path::from_request_parts(&mut parts, state).await;
        let Path((org, secret)) = address.map_err(|_| Refused::UnknownAddress)?;
        Ok(Self { org: org.parse().ok(), secret: secret.into(), client, body })
    }
}

impl SoapMessage {
    /// Sees to it that the sender has the certificate that is asked for. Without it there is no such address: on the domain
    /// that asks for none, nothing tells a webhook from what is not there.
    ///
    /// # Errors
    /// [`Refused::UnknownAddress`].
    pub fn sent_by(&self, required: &RequiredClient) -> Result<(), Refused> {
        if required.admits(self.client.as_ref()) { Ok(()) } else { Err(Refused::UnknownAddress) }
    }

    /// What the message says, if `org`, whose address it came to, is the org that it names.
    ///
    /// # Errors
    /// [`Refused::Malformed`] for a body that is no outbound message, [`Refused::OtherOrg`] for one that another org sent.
    pub fn read_as(&self, org: OrgId) -> Result<OutboundMessage<'_>, Refused> {
        read_as(&self.body, org)
    }
}

fn read_as(body: &[u8], org: OrgId) -> Result<OutboundMessage<'_>, Refused> {
    const ELEMENT: &str = "OrganizationId";
    let message = outbound_message::parse(body)?;
    let named = message.organization_id.as_deref().ok_or(ParseError::Missing { element: ELEMENT })?;
    let named: OrgId = named
        .parse()
        .map_err(|_| ParseError::Malformed { element: ELEMENT, reason: "is not the id of an organization" })?;
    if named == org { Ok(message) } else { Err(Refused::OtherOrg { named }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG: &str = "00D5e000000KQ2eEAG";

    fn read(named: &str) -> Result<(), Refused> {
        let body = format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
               <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
               <OrganizationId>{named}</OrganizationId><Notification><Id>no id</Id></Notification>
               </notifications></s:Body></s:Envelope>"#
        );
        read_as(body.as_bytes(), ORG.parse().unwrap()).map(drop)
    }

    #[test]
    fn either_form_of_the_id_names_the_same_org() {
        assert!(read(ORG).is_ok() && read(&ORG[..15]).is_ok());
    }

    #[test]
    fn another_org_and_another_case_are_another_org_before_its_records_are_looked_at() {
        for named in ["00D5e000000KQ2fEAG", "00D5e000000kq2e"] {
            assert!(matches!(read(named), Err(Refused::OtherOrg { .. })), "{named}");
        }
    }

    #[test]
    fn a_message_without_an_org_is_malformed() {
        for named in ["", "nobody", "00D5e000000KQ2eEAA", "0065e00000AbCdE"] {
            assert!(matches!(read(named), Err(Refused::Malformed(_))), "{named}");
        }
    }
}
