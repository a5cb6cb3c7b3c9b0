//! Scenarios over the deployed stack: the production template and the production binaries, on an emulator and a simulated org.
//!
//! The scenarios are in `tests/it`, the rules about the repository that no lint checks in `tests/tidy`.

pub mod chaos;
mod delays;
pub mod fairness;
pub mod nights;
mod odd_answers;
mod poller;
mod process;
pub mod program;
mod queue;
pub mod write_chaos;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use local::Progress;
use local::issuer::TENANT_SCOPE;
use local::stack::{self, Stack};
use local::workspace::Workspace;
use org_simulator::{OutboundMessage, PackageInstall, Simulator, User};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use salesforce::OrgId;

pub use reqwest::Method;
use serde_json::{Map, Value, json};

pub use process::{Binary, stop_poller};
pub use queue::Messages;

/// The tenant that connects its org.
const TENANT: &str = "acme";
/// The time after which [`eventually`] fails.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A stack whose org has installed the package and has a team connection.
pub struct Connected {
    /// The stack.
    pub stack: Stack,
    /// The URL for the org's outbound messages, with the secret.
    pub webhook_url: String,
    admin: User,
    http: Client,
    log: PathBuf,
}

/// Fails the test if a function logged a secret.
impl Drop for Connected {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut secrets = self.stack.simulator().secrets();
        secrets.extend(self.webhook_url.rsplit('/').next().map(str::to_owned));
        let logged = std::fs::read_to_string(&self.log).unwrap_or_default();
        assert!(logged.contains("invocation ended"), "the log has no lines of functions");
        let leaks = secret_scan::leaks(&logged, secrets.iter().map(String::as_str));
        assert!(leaks.is_empty(), "secrets are in the log {}: {leaks:#?}", self.log.display());
        if self.log.starts_with(Workspace::here().cache()) {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}

impl Connected {
    /// Starts a stack, installs the package in its org, and connects the team as an admin.
    ///
    /// # Errors
    /// The stack does not start, or a step fails.
    pub async fn start(options: stack::Options) -> Result<Self> {
        let log =
            options.log.unwrap_or_else(|| Workspace::here().cache().join(format!("{}.log", local::unique_prefix())));
        let stack = Stack::start(stack::Options { log: Some(log.clone()), ..options }, &Progress::Silent).await?;
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let users = stack.simulator().users();
        let admin = users.into_iter().find(|user| user.is_admin).context("the org has no admin")?;
        let install = PackageInstall {
            callout_url: format!("{}/webhooks/salesforce/installs", stack.url()),
            package_version: "1.0.0".to_owned(),
            previous_version: None,
            is_push: false,
        };
        stack.simulator().install_package(&install).await?;
        let webhook_url = connect_team(&http, &stack, stack.simulator()).await?;
        let connected = Self { stack, webhook_url, admin, http, log };
        eventually("the backfill of the org", async || connected.is_copied().await).await?;
        Ok(connected)
    }

    /// Returns whether the backfill of every mirrored object has ended. From then on, only messages report changes.
    async fn is_copied(&self) -> Result<bool> {
        self.is_org_copied(&self.stack.simulator().org_id().parse()?).await
    }

    /// Returns the same as [`Connected::is_copied`] of another org.
    async fn is_org_copied(&self, org: &OrgId) -> Result<bool> {
        let health = self.get(&format!("/v1/orgs/{org}/health")).await?;
        let scans = health["sync"].as_array().context("the health has no scans")?;
        let has_ended = |object: &String| {
            let name = format!("backfill/{object}");
            scans.iter().any(|scan| scan["scan"] == name.as_str() && !scan["finished_at"].is_null())
        };
        Ok(self.stack.mirrored_objects().iter().all(has_ended))
    }

    /// Connects a rep of the platform, as a user of the org.
    ///
    /// # Errors
    /// No link is created, or the consent fails.
    pub async fn connect_rep(&self, platform_user: &str, user: &User) -> Result<()> {
        let link = json!({
            "tenant": TENANT, "kind": "personal", "platform_user": platform_user, "environment": "production",
            "org_id": self.stack.simulator().org_id(),
        });
        let link = self.platform(Method::POST, "/v1/connect-links", &link).await?;
        self.consent(link["url"].as_str().context("the link has no URL")?, user).await
    }

    /// Defines outbound messages in the org that report every change of these objects.
    ///
    /// # Errors
    /// The object does not exist.
    pub fn send_outbound_messages(&self, objects: &[&str]) -> Result<()> {
        for object in objects {
            self.stack.simulator().define_outbound_message(&OutboundMessage {
                name: format!("Ferry_{object}"),
                object: (*object).to_owned(),
                fields: vec!["Id".to_owned()],
                endpoint_url: self.webhook_url.clone(),
            })?;
        }
        Ok(())
    }

    /// Creates a record in Salesforce as the admin.
    ///
    /// # Errors
    /// The org refuses it.
    pub fn create(&self, object: &str, fields: &Value) -> Result<String> {
        Ok(self.stack.simulator().create_record(&self.admin.username, object, &object_of(fields))?)
    }

    /// Edits a record in Salesforce as the admin.
    ///
    /// # Errors
    /// The org refuses it.
    pub fn edit(&self, object: &str, id: &str, fields: &Value) -> Result<()> {
        Ok(self.stack.simulator().update_record(&self.admin.username, object, id, &object_of(fields))?)
    }

    /// Reads a field of a record from the mirror through the platform's API. `None` while the mirror does not have it.
    ///
    /// # Errors
    /// The API does not respond.
    pub async fn mirrored(&self, object: &str, id: &str, field: &str) -> Result<Option<Value>> {
        let response = self.request(Method::GET, &self.path(&format!("/records/{object}/{id}")))?.send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let record: Value = response.error_for_status()?.json().await?;
        Ok(record["fields"].get(field).cloned())
    }

    /// Consents as this user through a connect link.
    ///
    /// # Errors
    /// A step fails.
    pub async fn consent(&self, link: &str, user: &User) -> Result<()> {
        walk(&self.http, &self.stack, link, user).await.map(drop)
    }

    /// Returns the HTML of the connections page for the tenant's admin, who opens a link to it.
    ///
    /// # Errors
    /// A step fails.
    pub async fn connections_page(&self) -> Result<String> {
        let link = self.platform(Method::POST, "/v1/admin-links", &json!({ "tenant": TENANT })).await?;
        let link = link["url"].as_str().context("the link has no URL")?;
        let opened = self.http.post(link).header("origin", self.stack.url()).send().await?;
        let cookie = header(&opened, SET_COOKIE)?.split(';').next().unwrap_or_default().to_owned();
        let page = self.http.get(format!("{}{}", self.stack.url(), header(&opened, LOCATION)?));
        Ok(page.header(COOKIE, cookie).send().await?.error_for_status()?.text().await?)
    }

    /// Calls the platform's API and returns the JSON of a success. The idempotency key is a hash of path and body: the same write
    /// twice is one.
    ///
    /// # Errors
    /// The response is not a success.
    pub async fn platform(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let request = self.request(method, path)?.header("Idempotency-Key", key(path, body)).json(body);
        let response = request.send().await?;
        let status = response.status();
        let body: Value = response.json().await?;
        ensure!(status.is_success(), "{path} returned {status}: {body}");
        Ok(body)
    }

    /// Returns the path of the org in the platform's API, followed by `rest`.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/orgs/{}{rest}", self.stack.simulator().org_id())
    }

    /// Reads JSON from the platform's API.
    ///
    /// # Errors
    /// The API does not respond, or refuses the request.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let response = self.request(Method::GET, path)?.send().await?;
        Ok(response.error_for_status()?.json().await?)
    }

    /// Begins a request to the platform's API with a token of the tenant.
    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder> {
        request(&self.http, &self.stack, method, path)
    }

    /// Sends an unauthenticated request.
    ///
    /// # Errors
    /// The request receives no response.
    pub async fn post(&self, url: &str, content_type: &str, body: String) -> Result<Response> {
        Ok(self.http.post(url).header("content-type", content_type).body(body).send().await?)
    }
}

/// Repeats `probe` until it returns `true`, for at most a minute. A failing probe is repeated; its last error becomes the reason.
///
/// # Errors
/// The minute has passed.
pub async fn eventually(what: &str, mut probe: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let deadline = tokio::time::Instant::now() + TIMEOUT;
    loop {
        let last = probe().await;
        if matches!(last, Ok(true)) {
            return Ok(());
        }
        if tokio::time::Instant::now() >= deadline {
            let reason = last.err().unwrap_or_else(|| anyhow!("the condition does not hold"));
            return Err(reason.context(format!("{what}: not within {} s", TIMEOUT.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Connects the team: link, page, consent and callback. Returns the webhook's URL from the last page.
async fn connect_team(http: &Client, stack: &Stack, org: &Simulator) -> Result<String> {
    let users = org.users();
    let admin = users.iter().find(|user| user.is_admin).context("the org has no admin")?;
    let link = json!({
        "tenant": TENANT, "kind": "team", "environment": "production", "my_domain_url": org.url(),
    });
    let request = request(http, stack, Method::POST, "/v1/connect-links")?.json(&link);
    let link: Value = request.send().await?.error_for_status()?.json().await?;
    let link = link["url"].as_str().context("the link has no URL")?;
    let page = walk(http, stack, link, admin).await?;
    let address = page.split(['"', '<', '>', ' ']).map(|part| part.replace("&#x2F;", "/").replace("&#47;", "/"));
    let mut address = address.filter(|part| part.contains("/webhooks/salesforce/00D"));
    address.next().context("the last page shows no URL for outbound messages")
}

/// Begins a request to the platform's API with a token of the tenant.
fn request(http: &Client, stack: &Stack, method: Method, path: &str) -> Result<RequestBuilder> {
    let token = stack.token(TENANT, TENANT_SCOPE)?;
    Ok(http.request(method, format!("{}{path}", stack.url())).bearer_auth(token))
}

/// Opens a connect link and consents as this user. Returns the HTML of the last page.
async fn walk(http: &Client, stack: &Stack, link: &str, user: &User) -> Result<String> {
    let started = http.post(link).header("origin", stack.url()).send().await?;
    let cookie = header(&started, SET_COOKIE)?.split(';').next().unwrap_or_default().to_owned();
    let consent = http.get(header(&started, LOCATION)?).header("X-Simulator-User", &user.username).send().await?;
    let callback = http.get(header(&consent, LOCATION)?).header(COOKIE, cookie).send().await?;
    ensure!(callback.status() == StatusCode::OK, "the callback returned {}", callback.status());
    Ok(callback.text().await?)
}

/// Returns an idempotency key that depends only on path and body.
fn key(path: &str, body: &Value) -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    (path, body.to_string()).hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

fn header(response: &Response, name: reqwest::header::HeaderName) -> Result<String> {
    let value = response.headers().get(&name).with_context(|| format!("{} has no {name}", response.url().path()))?;
    Ok(value.to_str()?.to_owned())
}

fn object_of(fields: &Value) -> Map<String, Value> {
    fields.as_object().cloned().unwrap_or_default()
}
