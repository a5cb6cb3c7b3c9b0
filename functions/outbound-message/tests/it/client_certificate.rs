//! Mutual TLS: where a certificate is required, no secret replaces it.

use axum::body::Body;
use axum::http::{Method, Request};
use runtime::{ClientCertificate, Env};
use soap_receiver::RequiredClient;

use crate::harness::{TestContext, request, run};
use crate::messages::message;

fn with(context: &TestContext, address: &str, subject: Option<&str>) -> Request<Body> {
    let headers = [("content-type", "text/xml"), ("x-client-cert-subject-dn", "CN=proxy.salesforce.com")];
    let mut request = request(Method::POST, address, &headers, message(context.org, 1));
    if let Some(subject) = subject {
        request.extensions_mut().insert(ClientCertificate { subject: subject.to_owned() });
    }
    request
}

#[test]
fn without_the_certificate_no_address_exists() {
    run(async {
        let required = RequiredClient::from_env(&Env::from_pairs([("WEBHOOK_CLIENT_NAME", "proxy.salesforce.com")]));
        let context = TestContext::requiring(required).await;
        let (right, wrong) = (context.address(), context.address_of(context.org.as_str(), "wrong"));
        let unknown = context.send(with(&context, &wrong, Some("CN=proxy.salesforce.com"))).await;
        assert_eq!(unknown.problem(), "not_found");
        context.requests();

        for subject in
            [None, Some("CN=x, O=CN=proxy.salesforce.com"), Some("CN=proxy.salesforce.com.example.com"), Some("")]
        {
            assert_eq!(context.send(with(&context, &right, subject)).await, unknown, "{subject:?}");
        }
        assert_eq!(context.requests(), [], "nothing is looked up for them");
        assert_eq!(context.queued().await, []);

        let admitted = with(&context, &right, Some("CN=proxy.salesforce.com,O=Salesforce\\, Inc.,C=US"));
        assert!(context.send(admitted).await.is_ack());
    });
}
