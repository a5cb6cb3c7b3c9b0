//! Conversion of API Gateway events (HTTP API, payload format 2.0) to requests, and of responses back.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::header::SET_COOKIE;
use lambda_http::RequestExt as _;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use lambda_http::aws_lambda_events::encodings::Body as EventBody;
use lambda_http::request::RequestContext;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tower::ServiceExt as _;

use crate::caller::VerifiedIdentity;

/// Lambda's limit for a response.
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024;

/// An error of the conversion.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The event does not have payload format 2.0.
    #[error("the event is not a request of an HTTP API")]
    InvalidEvent,
    /// The response exceeds Lambda's limit.
    #[error("the response exceeds Lambda's limit of 6 MB")]
    ResponseTooLarge,
}

/// The client certificate of a request over mutual TLS, as API Gateway verified it; an extension of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate in PEM format.
    pub pem: String,
}

/// Returns whether the event is a request.
pub(crate) fn is_request(event: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Shape {
        #[serde(rename = "requestContext")]
        _context: IgnoredAny,
    }
    Shape::deserialize(event).is_ok()
}

/// Routes the request of an event and returns the response.
///
/// # Errors
/// The event is not a request, or the response is too large.
pub async fn respond(router: &Router, event: &RawValue) -> Result<ApiGatewayV2httpResponse, Error> {
    let request = lambda_http::request::from_str(event.get()).map_err(|_| Error::InvalidEvent)?;
    let certificate = client_certificate(&request);
    let identity = request.request_context_ref().and_then(VerifiedIdentity::from_context);
    let mut request = request.map(|body| match body {
        EventBody::Text(text) => Body::from(text),
        EventBody::Binary(bytes) => Body::from(bytes),
        _ => Body::empty(),
    });
    if let Some(certificate) = certificate {
        request.extensions_mut().insert(certificate);
    }
    if let Some(identity) = identity {
        request.extensions_mut().insert(identity);
    }
    let response = match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    event_response(response).await
}

/// Returns the caller's certificate as API Gateway verified it, on a domain with mutual TLS.
fn client_certificate(request: &lambda_http::Request) -> Option<ClientCertificate> {
    let RequestContext::ApiGatewayV2(context) = request.request_context_ref()? else { return None };
    let certificate = context.authentication.as_ref()?.client_cert.as_ref()?;
    Some(ClientCertificate { pem: certificate.client_cert_pem.clone()? })
}

/// Returns a response as API Gateway takes it.
///
/// # Errors
/// The response is too large.
pub(crate) async fn event_response(response: Response) -> Result<ApiGatewayV2httpResponse, Error> {
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, MAX_RESPONSE_BYTES).await.map_err(|_| Error::ResponseTooLarge)?;
    let mut event_response = ApiGatewayV2httpResponse::default();
    event_response.status_code = parts.status.as_u16().into();
    event_response.cookies =
        parts.headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok()).map(str::to_owned).collect();
    parts.headers.remove(SET_COOKIE);
    event_response.headers = parts.headers;
    match String::from_utf8(bytes.into()) {
        Ok(text) if text.is_empty() => {}
        Ok(text) => event_response.body = Some(EventBody::Text(text)),
        Err(binary) => {
            event_response.is_base64_encoded = true;
            event_response.body = Some(EventBody::Binary(binary.into_bytes()));
        }
    }
    Ok(event_response)
}

#[cfg(test)]
mod tests {
    use axum::Extension;
    use axum::body::Bytes;
    use axum::http::HeaderMap;
    use axum::routing::post;
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};

    use super::*;

    fn event(body: &str, is_base64_encoded: bool) -> Value {
        json!({
            "version": "2.0",
            "routeKey": "POST /echo/{name}",
            "rawPath": "/echo/some%20name",
            "rawQueryString": "as=rep%2B1",
            "headers": { "content-type": "text/plain", "host": "api.example.com" },
            "requestContext": {
                "accountId": "123456789012", "apiId": "api", "domainName": "api.example.com", "domainPrefix": "api",
                "http": { "method": "POST", "path": "/echo/some name", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test" },
                "requestId": "id", "routeKey": "POST /echo/{name}", "stage": "$default",
                "time": "22/Nov/2026:10:15:30 +0000", "timeEpoch": 1_795_342_530_000_u64
            },
            "body": body,
            "isBase64Encoded": is_base64_encoded
        })
    }

    async fn response_to(router: Router, event: &Value) -> Value {
        let response = respond(&router, &to_raw_value(event).unwrap()).await.unwrap();
        serde_json::to_value(response).unwrap()
    }

    fn echo() -> Router {
        Router::new().route(
            "/echo/{name}",
            post(|uri: http::Uri, body: Bytes| async move {
                let headers = HeaderMap::from_iter([
                    (SET_COOKIE, "a=1".parse().unwrap()),
                    (http::header::ETAG, "tag".parse().unwrap()),
                ]);
                (headers, [uri.to_string().into_bytes(), body.to_vec()].concat())
            }),
        )
    }

    #[tokio::test]
    async fn a_request_reaches_its_route_with_path_query_and_body() {
        let response = response_to(echo(), &event("text", false)).await;

        assert_eq!(response["statusCode"], 200);
        assert!(response["body"].as_str().unwrap().ends_with("/echo/some%20name?as=rep%2B1text"), "{response}");
    }

    #[tokio::test]
    async fn cookies_are_a_field_of_the_response() {
        let response = response_to(echo(), &event("", false)).await;

        assert_eq!(response["cookies"], json!(["a=1"]));
        assert_eq!(response["headers"]["etag"], "tag");
        assert!(response["headers"].get("set-cookie").is_none());
    }

    #[tokio::test]
    async fn binary_bodies_are_base64_encoded() {
        let router = Router::new().route("/echo/{name}", post(|body: Bytes| async move { body }));

        let response = response_to(router, &event("/wAB", true)).await;

        assert_eq!(response["isBase64Encoded"], true);
        assert_eq!(response["body"], "/wAB");
    }

    #[tokio::test]
    async fn a_client_certificate_comes_from_api_gateway_not_from_headers() {
        let caller = |certificate: Option<Extension<ClientCertificate>>| async move {
            certificate.map_or_else(|| "nobody".to_owned(), |Extension(certificate)| certificate.pem)
        };
        let router = || Router::new().route("/echo/{name}", post(caller));
        let certificate = json!({ "clientCertPem": "PEM", "subjectDN": "CN=a,O=b", "issuerDN": "CN=c", "serialNumber": "1",
            "validity": { "notBefore": "May 28 12:30:02 2026 GMT", "notAfter": "Aug  5 09:36:04 2027 GMT" } });
        let mut verified = event("", false);
        verified["requestContext"]["authentication"] = json!({ "clientCert": certificate });
        assert_eq!(response_to(router(), &verified).await["body"], "PEM");

        let mut forged = event("", false);
        forged["requestContext"]["authentication"] = json!(null);
        for name in ["x-amzn-mtls-clientcert", "x-client-cert", "clientcertpem"] {
            forged["headers"][name] = json!("PEM");
        }
        assert_eq!(response_to(router(), &forged).await["body"], "nobody");
    }

    #[test]
    fn a_queue_event_is_not_a_request() {
        assert!(is_request(&to_raw_value(&event("", false)).unwrap()));
        assert!(!is_request(&to_raw_value(&json!({ "Records": [] })).unwrap()));
    }
}
