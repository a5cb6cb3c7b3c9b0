//! Outbound messages to an endpoint that requests a client certificate.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use org_simulator::{ClientCertificate, DeliveryState, OutboundMessage};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::support::{ADMIN, Scene, fields};

const ACK: &str = "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>\
     <notificationsResponse xmlns=\"http://soap.sforce.com/2005/09/outbound\"><Ack>true</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>";

/// A certificate authority for one test.
struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { certificate: params.self_signed(&key).unwrap(), issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Returns a client certificate issued by `by`, for an org that trusts this authority.
    fn presented(&self, by: &Self) -> (ClientCertificate, Certificate) {
        let (certificate, key) = by.issue("org.larkspur.example");
        let identity_pem = (certificate.pem() + &key.serialize_pem()).into_bytes();
        (ClientCertificate { identity_pem, trusted_pem: self.certificate.pem().into_bytes() }, certificate)
    }
}

/// Accepts clients with a certificate of the authority, and stores the certificates.
struct Guard {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl axum::serve::Listener for Guard {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                let certificates = stream.get_ref().1.peer_certificates().unwrap();
                self.seen.lock().unwrap().push(certificates[0].to_vec());
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Starts such an endpoint and returns its address and the stored certificates.
#[expect(clippy::disallowed_methods, reason = "the endpoint serves beside the test")]
async fn guarded(authority: &Authority) -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.der().clone()).unwrap();
    let provider = Arc::new(default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build().unwrap();
    let (certificate, key) = authority.issue("127.0.0.1");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/hook", listener.local_addr().unwrap());
    let seen = Arc::default();
    let guard = Guard { listener, acceptor: TlsAcceptor::from(Arc::new(config)), seen: Arc::clone(&seen) };
    let app = Router::new().route("/hook", post(|| async { ACK }));
    tokio::spawn(async move { axum::serve(guard, app).await });
    (url, seen)
}

/// Changes a record, sends the message and returns its state and outcome.
async fn sent(scene: &Scene, url: &str) -> (DeliveryState, String) {
    let definition = OutboundMessage {
        name: "Notify".to_owned(),
        object: "Opportunity".to_owned(),
        fields: vec!["Name".to_owned()],
        endpoint_url: url.to_owned(),
    };
    scene.org.define_outbound_message(&definition).unwrap();
    let id = scene.id_of("Opportunity", "Quillfeather & Sons - press optics").await;
    scene.org.update_record(ADMIN, "Opportunity", &id, &fields(json!({"NextStep": "Call"}))).unwrap();
    let tried = scene.org.deliver_outbound_messages().await;
    (tried[0].state, tried[0].last_outcome.clone().unwrap())
}

#[tokio::test]
async fn an_endpoint_receives_the_clients_certificate() {
    let authority = Authority::new();
    let (scene, (url, seen)) = (Scene::new().await, guarded(&authority).await);
    let (presented, certificate) = authority.presented(&authority);
    scene.org.present_client_certificate(Some(&presented)).unwrap();

    assert_eq!(sent(&scene, &url).await, (DeliveryState::Delivered, "acknowledged".to_owned()));

    assert_eq!(*seen.lock().unwrap(), [certificate.der().to_vec()]);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_rejected() {
    let authority = Authority::new();
    let (scene, (url, seen)) = (Scene::new().await, guarded(&authority).await);
    let (presented, _) = authority.presented(&Authority::new());
    scene.org.present_client_certificate(Some(&presented)).unwrap();

    let (state, outcome) = sent(&scene, &url).await;

    assert_eq!((state, outcome.contains("acknowledged")), (DeliveryState::Pending, false), "{outcome}");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_authority_is_trusted_only_while_it_is_set() {
    let authority = Authority::new();
    let (scene, (url, seen)) = (Scene::new().await, guarded(&authority).await);
    let (presented, _) = authority.presented(&authority);
    scene.org.present_client_certificate(Some(&presented)).unwrap();
    scene.org.present_client_certificate(None).unwrap();

    assert_eq!(sent(&scene, &url).await.0, DeliveryState::Pending);

    assert!(seen.lock().unwrap().is_empty());
    let unreadable = ClientCertificate { identity_pem: b"none".to_vec(), ..ClientCertificate::default() };
    assert!(scene.org.present_client_certificate(Some(&unreadable)).is_err());
}
