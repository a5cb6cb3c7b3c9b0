//! Servers that run in the background until their owner stops or drops them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Error;
use crate::http::server::{self, login_host};
use crate::identity::realm::{Realm, Shared};
use crate::messages::outbound::sender;
use crate::model::kind::Environment;
use crate::wire::recorder::record;
use crate::wire::{ClosableListener, Connection};

/// The interval at which the automatic sender looks for messages that are due.
const SENDER_INTERVAL: Duration = Duration::from_millis(250);
/// The time for which a stop waits for requests in progress.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// A port that is bound, before a server uses it.
pub(crate) struct Port {
    listener: TcpListener,
    pub(crate) url: String,
}

impl Port {
    /// Binds a port; 0 selects a free one.
    pub(crate) async fn bind(address: IpAddr, port: u16) -> Result<Self, Error> {
        let listen = |source| Error::Listen { port, source };
        let listener = TcpListener::bind((address, port)).await.map_err(listen)?;
        let port = listener.local_addr().map_err(listen)?.port();
        let host = if address.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address };
        Ok(Self { listener, url: format!("http://{}", SocketAddr::new(host, port)) })
    }
}

/// A running server. It stops when dropped.
pub(crate) struct Server {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    sender: Option<JoinHandle<()>>,
    /// The org that is served; it leaves its realm when the server stops.
    org: Option<Shared>,
}

impl Server {
    /// Serves an org.
    pub(crate) fn of_org(port: Port, shared: Shared, send_outbound_messages: bool) -> Self {
        let sender = send_outbound_messages.then(|| send(shared.clone()));
        let mut server = Self::serve(port, &shared.realm, server::router(shared.clone()));
        (server.sender, server.org) = (sender, Some(shared));
        server
    }

    /// Serves an org at an additional address.
    pub(crate) fn of_instance(port: Port, shared: Shared) -> Self {
        Self::serve(port, &shared.realm.clone(), server::router(shared))
    }

    /// Serves a login host.
    pub(crate) fn of_login_host(port: Port, realm: &Realm, environment: Environment) -> Self {
        Self::serve(port, realm, login_host::routes(realm, environment))
    }

    /// Serves some routes, and records their requests if the realm does.
    #[expect(clippy::disallowed_methods, reason = "this is a server: it runs beside its caller until it is stopped")]
    fn serve(port: Port, realm: &Realm, routes: Router) -> Self {
        let routes = match realm.recorder() {
            Some(recorder) => routes.layer(middleware::from_fn_with_state(recorder, record)),
            None => routes,
        };
        let (stop, stopped) = oneshot::channel();
        let app = routes.into_make_service_with_connect_info::<Connection>();
        let server = axum::serve(ClosableListener(port.listener), app).with_graceful_shutdown(async {
            // A dropped sender also means that the server has to stop.
            let _ = stopped.await;
        });
        let task = tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the simulator stopped serving");
            }
        });
        Self { stop: Some(stop), task, sender: None, org: None }
    }

    /// Stops serving and waits until the port is free.
    pub(crate) async fn stop(mut self) {
        self.signal_stop();
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }

    fn signal_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The server may have ended already; then the receiver is gone.
            let _ = stop.send(());
        }
        if let Some(sender) = &self.sender {
            sender.abort();
        }
        if let Some(org) = self.org.take() {
            org.leave();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal_stop();
    }
}

#[expect(clippy::disallowed_methods, reason = "the automatic sender runs beside the server until that is stopped")]
fn send(shared: Shared) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            sender::deliver(&shared).await;
            tokio::time::sleep(SENDER_INTERVAL).await;
        }
    })
}
