//! The changes that turn the copy of an org into a sandbox (Sandbox Setup Considerations).

use super::SavedOrg;
use crate::model::ids::IdSource;
use crate::model::kind::OrgKind;
use crate::model::limits::Allowance;
use crate::model::value::Value;

impl SavedOrg {
    /// Returns the same data and metadata under a new OrganizationId: usernames have the sandbox's name as suffix,
    /// e-mail addresses `.invalid`; there are no logins and no pending messages. Definitions of outbound messages keep
    /// their endpoints.
    pub(crate) fn into_sandbox(mut self, name: &str, number: u32) -> Self {
        let mut ids = IdSource::of_org(number);
        self.id = ids.next("00D");
        (self.ids, self.kind, self.limits) = (ids, OrgKind::Sandbox, Allowance::of_api_calls(OrgKind::Sandbox));
        self.random = self.random.fork(&number.to_string());
        self.logins = self.logins.without_logins(self.random.fork("logins"));
        (self.outbox, self.change_events) = (self.outbox.without_queue(), self.change_events.without_events());
        let ending = |value: &Value, end: &str| match value {
            Value::Text(text) => Value::text(format!("{}{end}", &**text)),
            other => other.clone(),
        };
        for table in &mut self.tables {
            match table.object.as_str() {
                "Organization" => {
                    table.change("Id", |_| Value::Id(self.id));
                    table.change("IsSandbox", |_| Value::Bool(true));
                    table.change("InstanceName", |instance| ending(instance, "S"));
                }
                "User" => {
                    table.change("Username", |username| ending(username, &format!(".{name}")));
                    table.change("Email", |email| ending(email, ".invalid"));
                }
                _ => {}
            }
        }
        self
    }
}
