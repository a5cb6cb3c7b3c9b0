//! The handle with which tests and the local stack start, control and inspect an org.

mod bulk;
mod change_events;
pub(crate) mod launch;
mod oauth;
pub(crate) mod options;
mod orgs;
mod rules;
mod server;
mod source;
pub(crate) mod stages;
mod state;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::data::crm_data;
use crate::data::crm_data::load::LoadReport;
use crate::handle::simulator::options::Options;
use crate::handle::state::file;
use crate::http::admin;
use crate::http::server::late;
use crate::identity::realm::{OrgOptions, Realm, Shared};
use crate::messages::callout::ClientCertificate;
use crate::messages::definitions;
use crate::messages::outbound::sender;
use crate::messages::packages::{self, InstallResponse, PackageInstall};
use crate::model::faults::{FaultReport, FaultRule};
use crate::model::kind::Environment;
use crate::model::outbox::delivery::{Delivery, OutboundMessage};
use crate::model::outbox::settings::{OutboundDisturbance, OutboundSettings};
use crate::model::packages::InstalledPackage;
use crate::model::people::{self, NewUser, User};
use crate::model::sharing::{SharingDefault, SharingRule};
use crate::model::{records, transaction};
use crate::wire::recorder::Recorder;
use crate::{Clock, Error};

use server::{Port, Server};

/// The app that is registered in every org from the start.
const CLIENT_ID: &str = "3MVG9.ferry.simulator.v2";
const CLIENT_SECRET: &str = "7F31C0DE5EED000000000000000000000000000000000000000000000000CAFE";
const REDIRECT_URI: &str = "http://localhost:8580/oauth/callback";

/// A running org. The orgs of one process form a realm: they share the clock, the registered apps and the login hosts.
///
/// Each org has a port of its own. An org stops when the handle that [`Simulator::start`] or [`Simulator::add_org`]
/// returned is dropped. When the first org stops, so do the login hosts and the orgs that were added over the admin API
/// or loaded from a file.
pub struct Simulator {
    url: String,
    shared: Shared,
    /// The org's server, if dropping this handle stops it.
    server: Option<Server>,
    /// Dropping this handle stops the servers of the realm.
    is_first: bool,
}

impl Simulator {
    /// Starts an org on 127.0.0.1 and returns when it accepts connections.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let saved = options.state.as_deref().map(file::read).transpose()?.flatten();
        let realm = realm(&options).await?;
        if let Some(saved) = saved {
            let port = Port::bind(realm.address(), options.port).await?;
            let (shared, server) = launch::resume(&realm, saved, port, &options).await?;
            return Ok(Self::new(shared, Some(server), true));
        }
        realm.apps().add("Ferry (simulator)", CLIENT_ID, CLIENT_SECRET, REDIRECT_URI);
        let org = OrgOptions {
            kind: options.kind,
            features: options.features,
            seed: options.seed,
            port: options.port,
            random_seed: options.random_seed,
            send_outbound_messages: options.send_outbound_messages,
            ..OrgOptions::default()
        };
        let (shared, server) = launch::start(&realm, org).await?;
        Ok(Self::new(shared, Some(server), true))
    }

    fn new(shared: Shared, server: Option<Server>, is_first: bool) -> Self {
        let url = shared.org().login_url().to_owned();
        Self { url, shared, server, is_first }
    }

    /// Returns the base URL, without a trailing slash: the org's login host and instance.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the 18-character OrganizationId.
    #[must_use]
    pub fn org_id(&self) -> String {
        self.shared.org().id.to_string()
    }

    /// Returns the client id of the app that is registered from the start.
    #[must_use]
    pub fn client_id(&self) -> &'static str {
        CLIENT_ID
    }

    /// Returns the client secret of the app that is registered from the start.
    #[must_use]
    pub fn client_secret(&self) -> &'static str {
        CLIENT_SECRET
    }

    /// Returns every code, refresh token and valid access token that the org has issued, for a test that searches logs
    /// for them.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.shared.org().logins.secrets()
    }

    /// Returns all users, the admin first.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        people::users(&self.shared.org())
    }

    /// Adds a user.
    pub fn add_user(&self, user: &NewUser) -> Result<User, Error> {
        people::add_user(&mut self.shared.org(), user)
    }

    /// Activates or deactivates a user.
    pub fn set_user_active(&self, username: &str, active: bool) -> Result<(), Error> {
        people::set_active(&mut self.shared.org(), username, active)
    }

    /// Sets the Federation ID of a user, by which an identity provider knows the user.
    pub fn set_federation_id(&self, username: &str, federation_id: &str) -> Result<(), Error> {
        people::set_federation_id(&mut self.shared.org(), username, federation_id)
    }

    /// Returns an access token of the user without the OAuth flow, for tests of the data API.
    pub fn access_token(&self, username: &str) -> Result<String, Error> {
        admin::access_token(&mut self.shared.org(), username)
    }

    /// Defines a custom object, or adds fields to an object: `{"name": .., "fields": [{"name": ..}]}`, as the admin API does.
    pub fn define_object(&self, definition: Value) -> Result<(), Error> {
        admin::define_object(&mut self.shared.org(), definition)
    }

    /// Adds a definition, or replaces the one with the same name; returns its action id (`04k`).
    pub fn define_outbound_message(&self, definition: &OutboundMessage) -> Result<String, Error> {
        definitions::define_outbound_message(&mut self.shared.org(), definition)
    }

    /// Changes the settings of a definition that [`OutboundMessage`] does not contain.
    pub fn configure_outbound_message(&self, name: &str, settings: OutboundSettings) -> Result<(), Error> {
        definitions::configure_outbound_message(&mut self.shared.org(), name, settings)
    }

    /// Sets duplicates and disorder of messages; the default ends them.
    pub fn disturb_outbound_messages(&self, disturbance: OutboundDisturbance) {
        self.shared.org().outbox.disturbance = disturbance;
    }

    /// Grants a user the permission "Send Outbound Messages", or removes it: then the user's changes queue no
    /// notifications.
    pub fn set_sends_outbound_messages(&self, username: &str, sends: bool) -> Result<(), Error> {
        definitions::set_sends_outbound_messages(&mut self.shared.org(), username, sends)
    }

    /// Sets the client certificate for endpoints that request one.
    pub fn present_client_certificate(&self, certificate: Option<&ClientCertificate>) -> Result<(), Error> {
        self.shared.callouts.present(certificate)
    }

    /// Sets the time to wait for an endpoint's response; 60 seconds by default.
    pub fn set_callout_timeout(&self, timeout: Duration) {
        self.shared.callouts.set_timeout(timeout);
    }

    /// Sends the messages that are due, in batches of up to 100, and returns the notifications that were attempted.
    pub async fn deliver_outbound_messages(&self) -> Vec<Delivery> {
        sender::deliver(&self.shared).await
    }

    /// Returns every notification that was queued so far, oldest first.
    #[must_use]
    pub fn outbound_messages(&self) -> Vec<Delivery> {
        self.shared.org().outbox.deliveries()
    }

    /// Installs the package and calls the callout URL, as the package's post-install script does.
    pub async fn install_package(&self, install: &PackageInstall) -> Result<InstallResponse, Error> {
        packages::install(&self.shared, install).await
    }

    /// Returns the package that is installed in this org.
    #[must_use]
    pub fn installed_package(&self) -> Option<InstalledPackage> {
        self.shared.org().package.clone()
    }

    /// Uninstalls the package. No callout is made; only the license in the License Management Org changes.
    pub fn uninstall_package(&self) -> Result<(), Error> {
        packages::uninstall(&self.shared)
    }

    /// Adds the objects of the License Management App, so that an outbound message can be defined on them before the
    /// first installation.
    pub fn prepare_license_management(&self) {
        packages::prepare(&mut self.shared.org());
    }

    /// Creates a record as the user, by the same rules as the data API, and returns its id.
    pub fn create_record(&self, username: &str, object: &str, fields: &Map<String, Value>) -> Result<String, Error> {
        let mut org = self.shared.org();
        let actor = people::actor(&org, username)?;
        let id = transaction::transaction(&mut org, |org| Ok(org.create(&actor, object, fields)?))?;
        Ok(id.to_string())
    }

    /// Changes a record as the user.
    pub fn update_record(
        &self,
        username: &str,
        object: &str,
        id: &str,
        fields: &Map<String, Value>,
    ) -> Result<(), Error> {
        let mut org = self.shared.org();
        let (actor, id) = (people::actor(&org, username)?, records::record_id(id)?);
        transaction::transaction(&mut org, |org| Ok(org.update(&actor, object, id, fields)?))
    }

    /// Moves a record to the recycle bin.
    pub fn delete_record(&self, username: &str, object: &str, id: &str) -> Result<(), Error> {
        let mut org = self.shared.org();
        let (actor, id) = (people::actor(&org, username)?, records::record_id(id)?);
        transaction::transaction(&mut org, |org| Ok(org.delete(&actor, object, id)?))
    }

    /// Deletes a record permanently, past the recycle bin.
    pub fn purge_record(&self, username: &str, object: &str, id: &str) -> Result<(), Error> {
        let mut org = self.shared.org();
        let (actor, id) = (people::actor(&org, username)?, records::record_id(id)?);
        transaction::transaction(&mut org, |org| {
            org.delete(&actor, object, id)?;
            let object = org.object(object)?;
            org.store.purge(&object, id);
            Ok(())
        })
    }

    /// Restores a record, with the records deleted with it, from the recycle bin.
    pub fn undelete_record(&self, username: &str, object: &str, id: &str) -> Result<(), Error> {
        let mut org = self.shared.org();
        let (actor, id) = (people::actor(&org, username)?, records::record_id(id)?);
        transaction::transaction(&mut org, |org| Ok(org.undelete(&actor, object, id)?))
    }

    /// Returns all fields of a record, deleted or not, as the data API renders them.
    #[must_use]
    pub fn record(&self, object: &str, id: &str) -> Option<Map<String, Value>> {
        records::record(&self.shared.org(), object, id)
    }

    /// Returns the number of live records by object, without objects that have none.
    #[must_use]
    pub fn record_counts(&self) -> BTreeMap<String, usize> {
        records::record_counts(&self.shared.org())
    }

    /// Sets the organization-wide default of an object to Private or Public Full Access.
    pub fn set_private(&self, object: &str, private: bool) -> Result<(), Error> {
        self.set_sharing_default(object, if private { SharingDefault::Private } else { SharingDefault::FullAccess })
    }

    /// Sets the organization-wide default of an object.
    pub fn set_sharing_default(&self, object: &str, default: SharingDefault) -> Result<(), Error> {
        self.shared.org().set_sharing_default(object, default)
    }

    /// Sets the number of users who may be active at the same time.
    pub fn set_licenses(&self, total: u32) {
        self.shared.org().set_licenses(total.into());
    }

    /// Sets a sharing rule, replacing one with the same name.
    pub fn set_sharing_rule(&self, rule: &SharingRule) -> Result<(), Error> {
        self.shared.org().set_sharing_rule(rule)
    }

    /// Loads a folder of CRM data: `developer-edition/*.json`, `sobject-trees/*/`, `b2b-sales/*.csv`, `opportunities-3000-upsert.csv`.
    /// Loading queues no outbound messages.
    pub fn load_crm_data(&self, dir: &Path) -> Result<LoadReport, Error> {
        crm_data::load(&mut self.shared.org(), dir)
    }

    /// Adds a fault, a [`crate::Fault`] or a [`FaultRule`]. The first fault that affects a request wins.
    pub fn fault(&self, fault: impl Into<FaultRule>) {
        self.shared.org().faults.add(fault.into());
    }

    /// Returns every fault with its counts, including used-up ones.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultReport> {
        self.shared.org().faults.reports()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.org().faults.clear();
    }

    /// Sets the org's daily limit of API calls.
    pub fn set_daily_api_limit(&self, max: u64) {
        self.shared.org().limits.max = max;
    }

    /// Returns the API calls of the last 24 hours of the org's clock.
    #[must_use]
    pub fn api_calls(&self) -> u64 {
        let org = self.shared.org();
        org.limits.used(org.clock.now())
    }

    /// Returns the newest 10,000 requests as `METHOD /path status`, without queries and bodies.
    #[must_use]
    pub fn request_log(&self) -> Vec<String> {
        self.shared.org().log.lines()
    }

    /// Returns the requests with a session of this user.
    pub fn requests_of(&self, username: &str) -> Result<Vec<String>, Error> {
        let org = self.shared.org();
        let user = people::actor(&org, username)?.user;
        Ok(org.log.lines_of(user))
    }

    /// Returns the org's clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.shared.org().clock.clone()
    }

    /// Moves the clock of all orgs forward. Requests of [`crate::Effect::CommitLate`] that are due take effect.
    pub fn advance_clock(&self, by: SignedDuration) {
        late::advance_clock(&self.shared.realm, by);
    }

    /// Stops serving and waits until the port is free.
    pub async fn stop(mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }
}

/// Returns a realm with its login hosts and without orgs.
async fn realm(options: &Options) -> Result<Realm, Error> {
    let address = options.listen.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let login = Port::bind(address, options.login_port).await?;
    let sandbox = Port::bind(address, options.sandbox_login_port).await?;
    let realm = Realm::new(options.clock.clone(), [login.url.clone(), sandbox.url.clone()], launch::start_unowned);
    realm.listen_on(address);
    if let Some(path) = &options.record {
        let refused = |error: io::Error| Error::Invalid { what: "file to record to", reason: error.to_string() };
        realm.record_to(Recorder::open(path, options.clock.clone(), realm.apps().clone()).map_err(refused)?);
    }
    realm.keep_running(Server::of_login_host(login, &realm, Environment::Production));
    realm.keep_running(Server::of_login_host(sandbox, &realm, Environment::Sandbox));
    Ok(realm)
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server = None;
        if self.is_first {
            self.shared.realm.stop_servers();
        }
    }
}
