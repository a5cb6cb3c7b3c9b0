//! Mutual TLS: with a required name, no secret helps a sender that has not the certificate.

use axum::body::Body;
use axum::http::{Method, Request};
use runtime::{ClientCertificate, Env, RequiredClient};

use crate::messages::message;
use crate::world::{World, request, run};

fn with(world: &World, address: &str, subject: Option<&str>) -> Request<Body> {
    let headers = [("content-type", "text/xml"), ("x-client-cert-subject-dn", "CN=proxy.salesforce.com")];
    let mut request = request(Method::POST, address, &headers, message(world.org, 1));
    if let Some(subject) = subject {
        request.extensions_mut().insert(ClientCertificate { subject: subject.to_owned() });
    }
    request
}

#[test]
fn without_the_certificate_there_is_no_address_whatever_the_secret() {
    run(async {
        let required = RequiredClient::from_env(&Env::of([("WEBHOOK_CLIENT_NAME", "proxy.salesforce.com")]));
        let world = World::requiring(required).await;
        let (right, wrong) = (world.address(), world.address_of(world.org.as_str(), "wrong"));
        let unknown = world.send(with(&world, &wrong, Some("CN=proxy.salesforce.com"))).await;
        assert_eq!(unknown.problem(), "not_found");
        world.requests();

        for subject in
            [None, Some("CN=x, O=CN=proxy.salesforce.com"), Some("CN=proxy.salesforce.com.example.com"), Some("")]
        {
            assert_eq!(world.send(with(&world, &right, subject)).await, unknown, "{subject:?}");
        }
        assert_eq!(world.requests(), [], "nothing is looked up for them");
        assert_eq!(world.queued().await, []);

        let admitted = with(&world, &right, Some("CN=proxy.salesforce.com,O=Salesforce\\, Inc.,C=US"));
        assert!(world.send(admitted).await.is_ack());
    });
}
