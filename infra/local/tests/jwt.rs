//! A route with a JWT authorizer on the emulator, behind the gateway: which tokens are refused, and what a function receives.

#![expect(clippy::unwrap_used, reason = "a failed helper fails the test")]

use std::sync::Arc;
use std::time::Duration;

use local::gateway::{self, Gateway};
use local::issuer::{Grant, Issuer};
use local::template::Template;
use local::{Emulator, deploy, unique_prefix};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

/// An API with a function that returns the event it receives. The route `GET /v1/scoped` requires the scope `ferry/read`.
const TEMPLATE: &str = r"
Parameters: {JwtIssuer: {Type: String}}
Resources:
  Api: {Type: 'AWS::ApiGatewayV2::Api', Properties: {Name: api, ProtocolType: HTTP}}
  Stage: {Type: 'AWS::ApiGatewayV2::Stage', Properties: {ApiId: !Ref Api, StageName: $default, AutoDeploy: true}}
  Authorizer:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Api
      Name: platform
      AuthorizerType: JWT
      IdentitySource: [$request.header.Authorization]
      JwtConfiguration: {Issuer: !Ref JwtIssuer, Audience: [ferry]}
  Role: {Type: 'AWS::IAM::Role', Properties: {AssumeRolePolicyDocument: {Statement: []}}}
  Echo:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code:
        ZipFile: |
          def handler(event, context):
              return event
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties: {ApiId: !Ref Api, IntegrationType: AWS_PROXY, IntegrationUri: !GetAtt Echo.Arn, PayloadFormatVersion: '2.0'}
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: GET /v1/orgs
      Target: !Sub integrations/${Integration}
      AuthorizationType: JWT
      AuthorizerId: !Ref Authorizer
  ScopedRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: GET /v1/scoped
      Target: !Sub integrations/${Integration}
      AuthorizationType: JWT
      AuthorizerId: !Ref Authorizer
      AuthorizationScopes: [ferry/read]
Outputs: {ApiId: {Value: !Ref Api}}
";

struct Context {
    gateway: Gateway,
    issuer: Arc<Issuer>,
    /// The API's own URL, past the gateway.
    api: String,
    _emulator: Emulator,
}

impl Context {
    async fn start() -> Self {
        let bound = gateway::bind(0).await.unwrap();
        let issuer = Arc::new(Issuer::new(&bound.url()).unwrap());
        let emulator = Emulator::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("template.yaml");
        std::fs::write(&file, TEMPLATE).unwrap();
        let template = Template::load(&file).unwrap();
        let parameters = [("JwtIssuer", issuer.url())];
        let created = deploy::create(emulator.sdk_config(), &unique_prefix(), &template, &parameters).await.unwrap();
        let api = format!("{}/_aws/execute-api/{}/$default", emulator.endpoint(), created.outputs["ApiId"]);
        let gateway = bound.serve(api.clone(), &issuer).unwrap();
        Self { gateway, issuer, api, _emulator: emulator }
    }

    fn token(&self, scope: &str) -> String {
        let grant = Grant { user: Some("rep-1".to_owned()), ..Grant::of_tenant("acme", scope) };
        self.issuer.token(&Grant { lifetime: Duration::from_secs(60), ..grant }).unwrap()
    }

    async fn get(&self, path: &str, token: &str) -> Response {
        get(&format!("{}{path}", self.gateway.url()), token).await
    }
}

async fn get(url: &str, token: &str) -> Response {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(url).bearer_auth(token).send().await.unwrap()
}

#[tokio::test]
async fn a_function_receives_the_claims_of_the_token_as_strings() {
    let context = Context::start().await;
    let token = context.token("ferry/read ferry/write");

    let event: Value = context.get("/v1/orgs", &token).await.json().await.unwrap();

    let jwt = &event["requestContext"]["authorizer"]["jwt"];
    let claims = jwt["claims"].as_object().unwrap();
    assert!(claims.values().all(Value::is_string), "{jwt}");
    let expected = [
        ("iss", context.issuer.url()),
        ("aud", "ferry"),
        ("sub", "rep-1"),
        ("user", "rep-1"),
        ("tenant", "acme"),
        ("scope", "ferry/read ferry/write"),
    ];
    for (name, value) in expected {
        assert_eq!(claims[name], value, "{name}");
    }
    assert_eq!(jwt["scopes"], Value::Null, "the route has no scopes");

    let event: Value = context.get("/v1/scoped", &token).await.json().await.unwrap();
    assert_eq!(event["requestContext"]["authorizer"]["jwt"]["scopes"], json!(["ferry/read", "ferry/write"]));
    assert_eq!(context.get("/v1/scoped", &context.token("ferry/write")).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_api_verifies_tokens_also_without_the_gateway() {
    let context = Context::start().await;
    let orgs = format!("{}/v1/orgs", context.api);
    let genuine = context.token("ferry/read");
    assert_eq!(get(&orgs, &genuine).await.status(), StatusCode::OK);

    let other_issuer = Issuer::new(context.gateway.url()).unwrap();
    let forged = other_issuer.token(&Grant::of_tenant("acme", "ferry/read")).unwrap();
    let (message, _) = genuine.rsplit_once('.').unwrap();
    let unsigned = format!("{message}.");
    let expired = context.issuer.sign(&json!({ "iss": context.issuer.url(), "aud": "ferry", "exp": 1 })).unwrap();
    for token in [forged, unsigned, expired, "test".to_owned()] {
        for url in [&orgs, &format!("{}/v1/orgs", context.gateway.url())] {
            let response = get(url, &token).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{url}");
            assert_eq!(response.json::<Value>().await.unwrap(), json!({ "message": "Unauthorized" }), "{url}");
        }
    }
}
