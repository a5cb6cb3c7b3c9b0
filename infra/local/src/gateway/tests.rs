use axum::Router;
use axum::http::header::{AUTHORIZATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderValue, Method};
use axum::response::AppendHeaders;
use axum::routing::any;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::issuer::{Grant, TENANT_SCOPE};

/// A gateway, its issuer, and the server behind it that echoes method, path and body size.
struct Context {
    gateway: Gateway,
    issuer: Arc<Issuer>,
    _echo: Gateway,
}

impl Context {
    async fn start() -> Self {
        let echo = bind(0).await.unwrap();
        let url = echo.url();
        let app = Router::new().fallback(any(async |request: Request| {
            let (parts, body) = request.into_parts();
            let size = to_bytes(body, usize::MAX).await.unwrap().len();
            let cookies = AppendHeaders([(SET_COOKIE, "a=1"), (SET_COOKIE, "b=2")]);
            (cookies, format!("{} {} {size}", parts.method, parts.uri))
        }));
        #[expect(clippy::disallowed_methods, reason = "a server of the test")]
        let server = tokio::spawn(async move { axum::serve(echo.listener, app).await.unwrap() });
        let bound = bind(0).await.unwrap();
        let issuer = Arc::new(Issuer::new(&bound.url()).unwrap());
        let gateway = bound.serve(format!("{url}/stage"), &issuer).unwrap();
        Self { gateway, issuer, _echo: Gateway { url, server } }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        http.request(method, format!("{}{path}", self.gateway.url()))
    }

    /// Returns the status, the challenge and the body of the response to a request of the platform.
    async fn call(&self, authorization: Option<&str>) -> (StatusCode, Option<HeaderValue>, String) {
        let request = self.request(Method::GET, "/v1/orgs");
        let request = authorization.into_iter().fold(request, |request, value| request.header(AUTHORIZATION, value));
        let response = request.send().await.unwrap();
        let challenge = response.headers().get(WWW_AUTHENTICATE).cloned();
        (response.status(), challenge, response.text().await.unwrap())
    }
}

#[tokio::test]
async fn a_request_keeps_its_method_path_query_and_body() {
    let context = Context::start().await;

    let response = context.request(Method::PUT, "/a/b%20c?d=e%2Ff").body("12345").send().await.unwrap();

    assert_eq!(response.headers().get_all(SET_COOKIE).iter().count(), 2);
    assert_eq!(response.text().await.unwrap(), "PUT /stage/a/b%20c?d=e%2Ff 5");
}

#[tokio::test]
async fn requests_of_the_platform_need_a_token() {
    let context = Context::start().await;
    let unauthorized = r#"{"message":"Unauthorized"}"#.to_owned();

    let (status, challenge, body) = context.call(None).await;
    assert_eq!((status, challenge.unwrap().to_str().unwrap()), (StatusCode::UNAUTHORIZED, "Bearer"));
    assert_eq!(body, unauthorized);

    let old = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/execute-api/aws4_request, Signature=0";
    assert_eq!(context.call(Some(old)).await.0, StatusCode::UNAUTHORIZED);

    let other = context.issuer.sign(&json!({ "iss": context.issuer.url(), "aud": "other" })).unwrap();
    let (status, challenge, body) = context.call(Some(&other)).await;
    let expected =
        r#"Bearer scope="" error="invalid_token" error_description="the token does not have a valid audience""#;
    assert_eq!((status, challenge.unwrap().to_str().unwrap()), (StatusCode::UNAUTHORIZED, expected));
    assert_eq!(body, unauthorized);

    let token = context.issuer.token(&Grant::of_tenant("acme", TENANT_SCOPE)).unwrap();
    let (status, _, body) = context.call(Some(&format!("Bearer {token}"))).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "GET /stage/v1/orgs 0"));
}

#[tokio::test]
async fn a_forged_or_expired_token_is_unauthorized() {
    let context = Context::start().await;
    let grant = Grant::of_tenant("acme", TENANT_SCOPE);
    let genuine = context.issuer.token(&grant).unwrap();
    let claims: Value = jsonwebtoken::dangerous::insecure_decode(&genuine).unwrap().claims;
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        context.issuer.sign(&claims).unwrap()
    };
    let public_key = context.issuer.jwks()["keys"][0]["n"].as_str().unwrap().to_owned();
    let header = Header { kid: Some("local".to_owned()), ..Header::new(Algorithm::HS256) };
    // {"alg":"none","kid":"local"}
    let none = format!("eyJhbGciOiJub25lIiwia2lkIjoibG9jYWwifQ.{}.", genuine.split('.').nth(1).unwrap());

    for (defect, token) in [
        ("another key", Issuer::new(context.gateway.url()).unwrap().token(&grant).unwrap()),
        ("expired", with("exp", json!(issuer::now() - 1))),
        ("not valid yet", with("nbf", json!(issuer::now() + 60))),
        ("another audience", with("aud", json!("other"))),
        ("another issuer", with("iss", json!("https://login.example.com"))),
        ("alg none", none),
        (
            "HS256 with the public key",
            encode(&header, &claims, &EncodingKey::from_secret(public_key.as_bytes())).unwrap(),
        ),
    ] {
        let (status, challenge, body) = context.call(Some(&format!("Bearer {token}"))).await;
        assert_eq!((status, body.as_str()), (StatusCode::UNAUTHORIZED, r#"{"message":"Unauthorized"}"#), "{defect}");
        assert!(challenge.unwrap().to_str().unwrap().contains("invalid_token"), "{defect}");
    }
    assert_eq!(context.call(Some(&format!("Bearer {genuine}"))).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_token_endpoint_returns_a_token_that_is_accepted() {
    let context = Context::start().await;
    let form = [("grant_type", "client_credentials"), ("tenant", "acme")];

    let discovery = context.request(Method::GET, "/issuer/.well-known/openid-configuration").send().await.unwrap();
    let discovery: Value = discovery.json().await.unwrap();
    assert_eq!(discovery["issuer"], context.issuer.url());
    assert_eq!(discovery["jwks_uri"], format!("{}/jwks", context.issuer.url()));
    let jwks = context.request(Method::GET, "/issuer/jwks").send().await.unwrap();
    assert_eq!(jwks.json::<Value>().await.unwrap(), context.issuer.jwks());

    let response = context.request(Method::POST, "/issuer/token").form(&form).send().await.unwrap();
    let response: Value = response.json().await.unwrap();
    let token = response["access_token"].as_str().unwrap();
    assert_eq!(context.call(Some(&format!("Bearer {token}"))).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_page_in_a_browser_gets_no_token() {
    let context = Context::start().await;
    let form = [("grant_type", "client_credentials"), ("tenant", "acme")];
    let own_origin = context.gateway.url().to_owned();

    for (name, value) in [
        (ORIGIN, "https://attacker.example"),
        (ORIGIN, "null"),
        (ORIGIN, own_origin.as_str()),
        (HeaderName::from_static("sec-fetch-site"), "cross-site"),
        (HOST, "attacker.example:8580"),
    ] {
        let request = context.request(Method::POST, "/issuer/token").form(&form).header(&name, value);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
}

#[tokio::test]
async fn a_body_above_the_limit_is_rejected() {
    let context = Context::start().await;

    let response = context.request(Method::POST, "/").body(vec![0; MAX_BODY_BYTES + 1]).send().await.unwrap();

    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn an_unreachable_api_is_unavailable() {
    let bound = bind(0).await.unwrap();
    let issuer = Arc::new(Issuer::new(&bound.url()).unwrap());
    let gateway = bound.serve("http://127.0.0.1:1".to_owned(), &issuer).unwrap();

    let response = reqwest::get(gateway.url()).await.unwrap();

    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_error_for_a_port_in_use_names_the_option() {
    let first = bind(0).await.unwrap();
    let port = first.address.port();

    let error = bind(port).await.unwrap_err();

    let expected = format!("could not start the HTTP API: port {port} is in use; choose another port with --port");
    assert_eq!(error.to_string(), expected);
}
