//! The simulator as a target: its process, and the admin API that prepares an org as an administrator would.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::check::Finding;
use crate::http::{Body, Http, HttpRequest};
use crate::journal::Journal;
use crate::target::{App, BlockedApp, Endpoint, Target};
use crate::{Error, Org};

/// A simulator's process, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has ended already is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Builds and starts the simulator with a Developer Edition on a free port; returns it and its address.
pub(crate) fn start() -> Result<(Process, String), Error> {
    let failed = |reason: String| Error::Simulator(reason);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built =
        Command::new("cargo").args(["build", "--quiet", "--bin", "org-simulator"]).current_dir(workspace).status();
    if !built.is_ok_and(|status| status.success()) {
        return Err(failed("`cargo build --bin org-simulator` failed".to_owned()));
    }
    // Cargo puts both programs into the same folder.
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?.with_file_name("org-simulator");
    let mut child = Command::new(program)
        .args(["--port", "0", "--orgs", "developer-edition", "--seed", "developer-edition"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let output = child.stdout.take();
    let process = Process(child);
    let mut line = String::new();
    let read = output.map(BufReader::new).map(|mut output| output.read_line(&mut line));
    match (read, line.trim().rsplit_once(" at ")) {
        (Some(Ok(_)), Some((_, url))) => Ok((process, url.to_owned())),
        _ => Err(failed("it printed no address".to_owned())),
    }
}

/// Prepares a simulated org as an administrator prepares a real one, and returns it as a target.
///
/// The administrator creates an app, a duplicate rule that alerts, an assignment rule, the outbound message of Ferry's
/// package and a channel of change events, and takes View Setup and Configuration from a user's profile.
pub fn prepare(url: &str) -> Result<Target, Error> {
    let admin = Admin { http: Http::new()?, url: url.trim_end_matches('/').to_owned() };
    let users = admin.call("GET", "users", Value::Null)?;
    let username = users.pointer("/0/username").and_then(Value::as_str).unwrap_or_default();
    let session = admin.call("POST", "sessions", json!({"username": username}))?;
    let mut target = Target::new(url, session["access_token"].as_str().unwrap_or_default());
    target.is_simulator = true;
    let app = App {
        client_id: "3MVG9.contract".to_owned(),
        client_secret: Some("CONTRACT0000000000000000000000000000000000000000000000000000SECRET".to_owned()),
        login_url: admin.url.clone(),
        redirect_uri: "http://localhost:8599/callback".to_owned(),
        in_browser: false,
    };
    admin.add_app(&app)?;
    admin.call(
        "POST",
        "duplicate-rules",
        json!({"name": "Standard_Lead_Duplicate_Rule", "object": "Lead", "fields": ["Email"], "on_create": "alert", "on_edit": "alert"}),
    )?;
    admin.call(
        "POST",
        "outbound-messages",
        json!({
            "name": "Ferry_Account_Changed", "object": "Account",
            "fields": ["Id", "LastModifiedDate", "SystemModstamp"],
            "endpoint_url": "http://127.0.0.1:9/webhooks/salesforce/unset/unset",
        }),
    )?;
    admin.call("POST", "change-events", json!({"channel": "Ferry__chn", "objects": ["Account"]}))?;
    // A free port: the listener takes it again.
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let listen = free.map_err(|error| Error::Simulator(error.to_string()))?.to_string();
    target.endpoint = Some(Endpoint { url: format!("http://{listen}"), listen });
    target.app = Some(app);
    prepare_refusals(&admin, &mut target)?;
    let other = users.pointer("/1/username").and_then(Value::as_str).unwrap_or_default();
    admin.call(
        "POST",
        "assignment-rules",
        json!({"name": "Standard", "object": "Lead", "active": true, "entries": [{"owner": other}]}),
    )?;
    let session = admin.call("POST", "sessions", json!({"username": other}))?;
    target.limited_token = session["access_token"].as_str().map(str::to_owned);
    limit_profile(&target, other).map_err(|finding| Error::Simulator(format!("{finding:?}")))?;
    Ok(target)
}

/// Takes View Setup and Configuration from the profile of a user.
fn limit_profile(target: &Target, username: &str) -> Result<(), Finding> {
    let connect = || Org::connect(target.clone(), Journal::open(None)?);
    let org = connect().map_err(|error| Finding::NotRun(error.to_string()))?;
    let sets = format!(
        "SELECT PermissionSetId FROM PermissionSetAssignment \
         WHERE Assignee.Username = '{username}' AND PermissionSet.IsOwnedByProfile = TRUE"
    );
    let set = org.query(&sets)?.text("/records/0/PermissionSetId")?;
    org.patch(&format!("sobjects/PermissionSet/{set}"), json!({"PermissionsViewSetup": false}))
        .send()?
        .has_status(204)?;
    Ok(())
}

/// Adds an app that was blocked after a consent, and an app that the user is not approved for.
fn prepare_refusals(admin: &Admin, target: &mut Target) -> Result<(), Error> {
    let Some(usual) = target.app.clone() else { return Ok(()) };
    let app = |name: &str| App { client_id: format!("3MVG9.contract.{name}"), ..usual.clone() };
    let (blocked, unapproved) = (app("blocked"), app("unapproved"));
    for app in [&blocked, &unapproved] {
        admin.add_app(app)?;
    }
    let org = Org::connect(Target { app: Some(blocked.clone()), ..target.clone() }, Journal::open(None)?)?;
    let grant = org.grant().map_err(|finding| Error::Simulator(format!("no consent: {finding:?}")))?;
    let policy = |app: &App| format!("apps/{}/policy", app.client_id);
    admin.call("PUT", &policy(&blocked), json!({"blocked": true}))?;
    admin.call("PUT", &policy(&unapproved), json!({"admin_approved_only": true}))?;
    target.blocked_app = Some(BlockedApp {
        client_id: blocked.client_id,
        client_secret: blocked.client_secret,
        refresh_token: grant.at("/refresh_token").as_str().map(str::to_owned),
    });
    target.unapproved_client_id = Some(unapproved.client_id);
    Ok(())
}

/// The simulator's admin API.
struct Admin {
    http: Http,
    url: String,
}

impl Admin {
    fn add_app(&self, app: &App) -> Result<(), Error> {
        let body = json!({
            "name": app.client_id, "client_id": app.client_id, "client_secret": app.client_secret,
            "redirect_uri": app.redirect_uri,
        });
        self.call("POST", "apps", body).map(drop)
    }

    fn call(&self, method: &'static str, route: &str, body: Value) -> Result<Value, Error> {
        let shown = format!("{method} /_simulator/{route}");
        let request = HttpRequest {
            method,
            url: format!("{}/_simulator/{route}", self.url),
            shown: shown.clone(),
            headers: Vec::new(),
            body: if body.is_null() { Body::None } else { Body::Json(body) },
        };
        match self.http.send(request) {
            Ok(answer) if answer.status < 300 => Ok(answer.json),
            Ok(answer) => Err(Error::Simulator(format!("{shown} -> {}", answer.shown()))),
            Err(_) => Err(Error::Simulator(format!("{shown}: no answer"))),
        }
    }
}
