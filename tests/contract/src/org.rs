//! The org as a check sees it: requests, queries, and the check's own records.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use crate::Error;
use crate::answer::Answer;
use crate::check::{Finding, Outcome, Verdict, not_applicable};
use crate::http::{Body, Http, HttpRequest};
use crate::journal::{Entry, Journal, Record};
use crate::mask::Mask;
use crate::target::Target;

/// The version of the API in the paths of requests, which Ferry uses too.
pub(crate) const VERSION: &str = "66.0";

/// The most records that one request of the collections resource writes.
const COLLECTION: usize = 200;

/// The org that is checked, with the records that the checks have created in it.
#[derive(Debug)]
pub struct Org {
    pub(crate) target: Target,
    pub(crate) http: Http,
    /// The org's id, in 18 characters.
    pub(crate) id: String,
    /// `Organization.OrganizationType`.
    pub(crate) edition: String,
    pub(crate) is_sandbox: bool,
    is_trial: bool,
    mask: Mutex<Mask>,
    journal: Mutex<Journal>,
}

impl Org {
    /// Connects to the org, and binds the journal to it.
    pub(crate) fn connect(target: Target, journal: Journal) -> Result<Self, Error> {
        let mut mask = Mask::default();
        mask.hide(&target.access_token, "ACCESS_TOKEN");
        mask.hide(&target.instance_url, "https://INSTANCE");
        if let Some((_, host)) = target.instance_url.split_once("://") {
            mask.hide(host, "INSTANCE");
        }
        let blocked = target.blocked_app.as_ref();
        let secrets = [
            (target.app.as_ref().and_then(|app| app.client_secret.as_ref()), "CLIENT_SECRET"),
            (blocked.and_then(|app| app.client_secret.as_ref()), "CLIENT_SECRET"),
            (blocked.and_then(|app| app.refresh_token.as_ref()), "REFRESH_TOKEN"),
            (target.limited_token.as_ref(), "ACCESS_TOKEN"),
        ];
        for (secret, shown) in secrets {
            mask.hide(secret.map_or("", String::as_str), shown);
        }
        let mut org = Self {
            http: Http::new()?,
            id: String::new(),
            edition: String::new(),
            is_sandbox: false,
            is_trial: false,
            mask: Mutex::new(mask),
            journal: Mutex::new(journal),
            target,
        };
        org.identify()?;
        Ok(org)
    }

    fn identify(&mut self) -> Result<(), Error> {
        let soql = "SELECT Id, IsSandbox, OrganizationType, TrialExpirationDate FROM Organization";
        let found = self.get(&query_path(soql)).send().and_then(|answer| answer.has_status(200));
        let found = found.map_err(|finding| Error::Org(self.mask(&format!("{finding:?}"))))?;
        let row = found.at("/records/0").clone();
        row["Id"].as_str().unwrap_or_default().clone_into(&mut self.id);
        row["OrganizationType"].as_str().unwrap_or_default().clone_into(&mut self.edition);
        self.is_sandbox = row["IsSandbox"] == true;
        self.is_trial = row["TrialExpirationDate"].is_string();
        self.hide(&self.id, "ORG_ID");
        self.hide(self.id.get(..15).unwrap_or_default(), "ORG_ID");
        if let Ok(user) = self.get("/services/oauth2/userinfo").send() {
            for (pointer, shown) in
                [("/preferred_username", "USERNAME"), ("/email", "EMAIL"), ("/user_id", "USER_ID"), ("/name", "NAME")]
            {
                self.hide(user.at(pointer).as_str().unwrap_or_default(), shown);
            }
        }
        self.journal().bind(&self.id)
    }

    /// Refuses an org of which nothing says that it is for tests: neither a sandbox, a Developer Edition nor a trial.
    pub(crate) fn refuse_production(&self) -> Result<(), Error> {
        if self.is_sandbox || self.is_trial || self.edition == "Developer Edition" {
            return Ok(());
        }
        Err(Error::Production { edition: self.edition.clone() })
    }

    /// Returns a name for a record: the mark of the run, and what the check calls it.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{} {what}", self.journal().mark)
    }

    /// Returns a text that is another in each run, of letters and digits.
    pub(crate) fn key(&self, what: &str) -> String {
        let mark = self.journal().mark.clone();
        format!("fc-{}-{what}", mark.rsplit(' ').next().unwrap_or_default())
    }

    /// Begins a request with the user's session. A path with a leading slash begins at the host, others at the data API.
    pub(crate) fn request(&self, method: &'static str, path: &str) -> Request<'_> {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/services/data/v{VERSION}/{path}") };
        let request = HttpRequest {
            method,
            url: format!("{}{path}", self.target.instance_url),
            shown: format!("{method} {path}"),
            headers: vec![
                ("authorization".to_owned(), format!("Bearer {}", self.target.access_token)),
                // The names of the checks' records are alike, and an org's duplicate rules may alert.
                ("sforce-duplicate-rule-header".to_owned(), "allowSave=true".to_owned()),
            ],
            body: Body::None,
        };
        Request { org: self, request }
    }

    pub(crate) fn get(&self, path: &str) -> Request<'_> {
        self.request("GET", path)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Request<'_> {
        self.request("POST", path).json(body)
    }

    pub(crate) fn patch(&self, path: &str, body: Value) -> Request<'_> {
        self.request("PATCH", path).json(body)
    }

    pub(crate) fn delete(&self, path: &str) -> Request<'_> {
        self.request("DELETE", path)
    }

    /// Sends a query and requires that it succeeds.
    pub(crate) fn query(&self, soql: &str) -> Result<Answer, Finding> {
        self.get(&query_path(soql)).send()?.has_status(200)
    }

    /// Sends a query of the Tooling API and requires that it succeeds.
    pub(crate) fn tooling_query(&self, soql: &str) -> Result<Answer, Finding> {
        self.get(&format!("tooling/{}", query_path(soql))).send()?.has_status(200)
    }

    /// Creates a record, which is deleted after the check, and returns its id.
    pub(crate) fn create(&self, object: &str, fields: Value) -> Result<String, Finding> {
        let created = self.post(&format!("sobjects/{object}"), fields).send()?.has_status(201)?;
        let id = created.text("/id")?;
        self.own(object, &id);
        Ok(id)
    }

    /// Creates records by one request of the collections resource for each 200, and returns their ids.
    pub(crate) fn create_all(&self, object: &str, records: Vec<Value>) -> Result<Vec<String>, Finding> {
        let mut ids = Vec::with_capacity(records.len());
        for records in records.chunks(COLLECTION) {
            let records: Vec<Value> = records.iter().map(|fields| typed(object, fields)).collect();
            let body = json!({"allOrNone": true, "records": records});
            let created = self.post("composite/sobjects", body).send()?.has_status(200)?;
            for result in created.list("") {
                let id = result["id"].as_str().ok_or_else(|| created.unlike("an id for each record"))?;
                self.own(object, id);
                ids.push(id.to_owned());
            }
        }
        Ok(ids)
    }

    /// Notes a record that the check created by a request of its own, so that it is deleted after the check.
    pub(crate) fn own(&self, object: &str, id: &str) {
        let mut journal = self.journal();
        journal.created.push(Record { object: object.to_owned(), id: id.to_owned() });
        // The file is written again after the check; the record's mark is what finds it until then.
        let _ = journal.store();
    }

    /// Deletes the records that are noted, the newest first, and returns the paths of those that could not be deleted.
    pub(crate) fn delete_own(&self) -> Vec<String> {
        let mut records = std::mem::take(&mut self.journal().created);
        records.reverse();
        let groups = records.chunk_by(|a, b| a.object == b.object).flat_map(|group| group.chunks(COLLECTION));
        let mut left: Vec<Record> = groups.flat_map(|group| self.delete_group(group)).collect();
        left.reverse();
        let paths = left.iter().map(|record| format!("sobjects/{}/{}", record.object, record.id)).collect();
        self.journal().created = left;
        paths
    }

    /// Deletes up to 200 records, and returns those that are still there.
    fn delete_group(&self, group: &[Record]) -> Vec<Record> {
        let ids: Vec<&str> = group.iter().map(|record| record.id.as_str()).collect();
        let answer = self.delete(&format!("composite/sobjects?ids={}&allOrNone=false", ids.join(","))).send();
        let results = answer.ok().filter(|answer| answer.status == 200);
        let is_gone = |at: usize| {
            let result = results.as_ref().map(|answer| answer.at(&format!("/{at}"))).unwrap_or(&Value::Null);
            // A record that was deleted by the check or with its parent is gone as well.
            let gone = ["ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"];
            let code = result.pointer("/errors/0/statusCode").and_then(Value::as_str).unwrap_or_default();
            result["success"] == true || gone.contains(&code)
        };
        group.iter().enumerate().filter(|(at, _)| !is_gone(*at)).map(|(_, record)| record.clone()).collect()
    }

    /// Returns a session of a user without View Setup and Configuration, or a finding that there is none.
    pub(crate) fn limited_session(&self) -> Result<&str, Finding> {
        let token = self.target.limited_token.as_deref();
        token.ok_or_else(|| {
            not_applicable("no session of a user without View Setup is given (CONTRACT_LIMITED_ACCESS_TOKEN)")
        })
    }

    /// Shows `shown` for the value in everything that is reported.
    pub(crate) fn hide(&self, value: &str, shown: &'static str) {
        self.lock_mask().hide(value, shown);
    }

    /// Returns the text without secrets and personal data.
    pub(crate) fn mask(&self, text: &str) -> String {
        self.lock_mask().apply(text)
    }

    pub(crate) fn outcome_of(&self, area: &str, check: &str) -> Option<Outcome> {
        self.journal().outcome_of(area, check).cloned()
    }

    pub(crate) fn note(&self, entry: Entry) -> Result<(), Error> {
        self.journal().add(entry)
    }

    /// Lets time pass: waits, or moves the simulator's clock.
    pub(crate) fn pass_time(&self, seconds: u64) -> Verdict {
        if self.target.is_simulator {
            self.post("/_simulator/clock", json!({"advance_seconds": seconds})).send()?.has_status(200)?;
        } else {
            std::thread::sleep(std::time::Duration::from_secs(seconds));
        }
        Ok(())
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_mask(&self) -> MutexGuard<'_, Mask> {
        self.mask.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that a check builds and sends.
#[must_use]
pub(crate) struct Request<'a> {
    org: &'a Org,
    request: HttpRequest,
}

impl Request<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self.request.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves out the session.
    pub(crate) fn without_session(mut self) -> Self {
        self.request.headers.retain(|(name, _)| name != "authorization");
        self
    }

    /// Sends the request to another host of the org, for example its login host.
    pub(crate) fn at_host(mut self, base: &str) -> Self {
        self.request.url = self.request.url.replacen(&self.org.target.instance_url, base, 1);
        self
    }

    pub(crate) fn json(mut self, body: Value) -> Self {
        self.request.body = Body::Json(body);
        self
    }

    pub(crate) fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.request.body = Body::Form(owned);
        self
    }

    pub(crate) fn body(mut self, content_type: &'static str, text: &str) -> Self {
        self.request.body = Body::Text(content_type, text.to_owned());
        self
    }

    pub(crate) fn send(self) -> Result<Answer, Finding> {
        self.org.http.send(self.request)
    }
}

/// Returns the fields of a record with its type, as the collections resource takes them.
pub(crate) fn typed(object: &str, fields: &Value) -> Value {
    let mut record = Map::new();
    record.insert("attributes".to_owned(), json!({"type": object}));
    record.extend(fields.as_object().cloned().unwrap_or_default());
    Value::Object(record)
}

/// Returns the path of a query.
pub(crate) fn query_path(soql: &str) -> String {
    format!("query?q={}", encode(soql))
}

/// Returns the text for use in a path segment or a query.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
