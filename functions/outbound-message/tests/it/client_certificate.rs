//! Mutual TLS: where a certificate is required, no secret replaces it.

use axum::body::Body;
use axum::http::{Method, Request};
use rcgen::{CertificateParams, DnType, KeyPair};
use runtime::{ClientCertificate, Env};
use soap_receiver::RequiredClient;

use crate::harness::{TestContext, request, run};
use crate::messages::message;

/// Creates a certificate with this common name, in PEM format.
fn certificate(common_name: &str) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

fn with(context: &TestContext, address: &str, common_name: Option<&str>) -> Request<Body> {
    let headers = [("content-type", "text/xml"), ("x-client-cert-subject-dn", "CN=proxy.salesforce.com")];
    let mut request = request(Method::POST, address, &headers, message(context.org, 1));
    if let Some(name) = common_name {
        request.extensions_mut().insert(ClientCertificate { pem: certificate(name) });
    }
    request
}

#[test]
fn without_the_certificate_no_address_exists() {
    run(async {
        let required = RequiredClient::from_env(&Env::from_pairs([("WEBHOOK_CLIENT_NAME", "proxy.salesforce.com")]));
        let context = TestContext::requiring(required).await;
        let (right, wrong) = (context.address(), context.address_of(context.org.as_str(), "wrong"));
        let unknown = context.send(with(&context, &wrong, Some("proxy.salesforce.com"))).await;
        assert_eq!(unknown.problem(), "not_found");
        context.requests();

        for name in [None, Some("x,CN=proxy.salesforce.com"), Some("proxy.salesforce.com.example.com"), Some("")] {
            assert_eq!(context.send(with(&context, &right, name)).await, unknown, "{name:?}");
        }
        assert_eq!(context.requests(), [], "nothing is looked up for them");
        assert_eq!(context.queued().await, []);

        let admitted = with(&context, &right, Some("proxy.salesforce.com"));
        assert!(context.send(admitted).await.is_ack());
    });
}
