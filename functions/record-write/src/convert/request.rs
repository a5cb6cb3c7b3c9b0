//! The request of a lead conversion: parses and validates the body before Salesforce is called.

use salesforce::RecordId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use writes::{Defect, unknown_members};

/// The maximum length of an opportunity's name.
const MAX_NAME_CHARS: usize = 120;
/// The maximum length of a picklist value.
const MAX_STATUS_CHARS: usize = 255;

const MEMBERS: [&str; 7] = [
    "status",
    "account_id",
    "contact_id",
    "opportunity",
    "owner_id",
    "overwrite_lead_source",
    "send_notification_email",
];
const UNKNOWN_MEMBER: &str = "there is no such member; allowed: status, account_id, contact_id, opportunity, owner_id, overwrite_lead_source, send_notification_email";

/// A conversion of a lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvertLead {
    /// The lead.
    pub lead_id: RecordId,
    /// The converted status; `None` is the org's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The account that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<RecordId>,
    /// The contact that exists, of that account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<RecordId>,
    /// `true` if no opportunity is created.
    #[serde(default)]
    pub without_opportunity: bool,
    /// The name of the opportunity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opportunity_name: Option<String>,
    /// The owner of what is created; `None` is chosen by the owner policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<RecordId>,
    /// `true` if the contact that exists gets the lead's source.
    #[serde(default)]
    pub overwrite_lead_source: bool,
    /// `true` if Salesforce sends the owner an e-mail.
    #[serde(default)]
    pub send_notification_email: bool,
}

impl ConvertLead {
    /// Parses a request body.
    ///
    /// # Errors
    /// All defects, at least one.
    pub fn parse(lead_id: RecordId, body: &Value) -> Result<Self, Vec<Defect>> {
        if !body.is_object() {
            return Err(vec![Defect::whole("the body must be an object")]);
        }
        let mut members = Members { body, defects: unknown_members(body, &MEMBERS, UNKNOWN_MEMBER) };
        if lead_id.key_prefix() != "00Q" {
            members.defects.push(Defect::field("id", "must be the id of a lead"));
        }
        let (without_opportunity, opportunity_name) = members.opportunity();
        let request = Self {
            lead_id,
            status: members.text("status", body.get("status"), MAX_STATUS_CHARS),
            account_id: members.id("account_id", "001", "must be the id of an account"),
            contact_id: members.id("contact_id", "003", "must be the id of a contact"),
            without_opportunity,
            opportunity_name,
            owner_id: members.id("owner_id", "005", "must be the id of a user"),
            overwrite_lead_source: members.flag("overwrite_lead_source"),
            send_notification_email: members.flag("send_notification_email"),
        };
        if request.contact_id.is_some() && request.account_id.is_none() {
            members
                .defects
                .push(Defect::field("account_id", "is required with contact_id: the account of that contact"));
        }
        if request.overwrite_lead_source && request.contact_id.is_none() {
            members
                .defects
                .push(Defect::field("overwrite_lead_source", "is only for a contact that exists (contact_id)"));
        }
        if members.defects.is_empty() { Ok(request) } else { Err(members.defects) }
    }
}

/// The members of a body, and the defects that were found in them. A member that is null is absent.
struct Members<'a> {
    body: &'a Value,
    defects: Vec<Defect>,
}

impl Members<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.body.get(name).filter(|value| !value.is_null())
    }

    fn id(&mut self, name: &str, prefix: &str, detail: &'static str) -> Option<RecordId> {
        let value = self.get(name)?;
        let id = value.as_str().and_then(|text| text.parse::<RecordId>().ok());
        let id = id.filter(|id| id.key_prefix() == prefix);
        if id.is_none() {
            self.defects.push(Defect::field(name, detail));
        }
        id
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.get(name) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.defects.push(Defect::field(name, "must be true or false"));
                false
            }
        }
    }

    fn text(&mut self, name: &str, value: Option<&Value>, max: usize) -> Option<String> {
        let value = value.filter(|value| !value.is_null())?;
        let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
        let text = text.filter(|text| text.chars().count() <= max && !text.chars().any(char::is_control));
        if text.is_none() {
            self.defects.push(Defect::field(name, "must be a text that is neither empty nor too long"));
        }
        text.map(str::to_owned)
    }

    /// Returns whether no opportunity is created, and the name of the one that is.
    fn opportunity(&mut self) -> (bool, Option<String>) {
        match self.body.get("opportunity") {
            None => (false, None),
            Some(Value::Null) => (true, None),
            Some(members @ Value::Object(_)) => {
                let unknown = unknown_members(members, &["name"], "there is no such member; allowed: name");
                let within =
                    |defect: Defect| Defect { field: defect.field.map(|name| format!("opportunity.{name}")), ..defect };
                self.defects.extend(unknown.into_iter().map(within));
                (false, self.text("opportunity.name", members.get("name"), MAX_NAME_CHARS))
            }
            Some(_) => {
                self.defects.push(Defect::field("opportunity", "must be an object, or null for no opportunity"));
                (false, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LEAD: &str = "00Q5e000001AbCdEAK";
    const ACCOUNT: &str = "0015e00000ZkM3hAAF";
    const CONTACT: &str = "0035e00000ZkM3hAAF";

    fn parse(body: &Value) -> Result<ConvertLead, Vec<String>> {
        let parsed = ConvertLead::parse(LEAD.parse().unwrap(), body);
        parsed.map_err(|defects| defects.iter().map(Defect::to_string).collect())
    }

    #[test]
    fn an_opportunity_is_created_unless_it_is_null() {
        let opportunity = |body: Value| {
            let request = parse(&body).unwrap();
            (request.without_opportunity, request.opportunity_name)
        };
        assert_eq!(opportunity(json!({})), (false, None));
        assert_eq!(opportunity(json!({"opportunity": null})), (true, None));
        assert_eq!(opportunity(json!({"opportunity": {}})), (false, None));
        assert_eq!(opportunity(json!({"opportunity": {"name": " New "}})), (false, Some("New".to_owned())));
    }

    #[test]
    fn every_defect_of_a_conversion_is_named() {
        let body = json!({
            "status": "", "account_id": CONTACT, "contact_id": "x", "opportunity": {"name": "x".repeat(121), "stage": "y"},
            "owner_id": ACCOUNT, "overwrite_lead_source": "yes", "more": 1,
        });
        let defects = parse(&body).unwrap_err();
        assert_eq!(defects.len(), 8, "{defects:#?}");
        for place in ["more", "opportunity.stage", "opportunity.name", "status", "account_id", "contact_id", "owner_id"]
        {
            assert!(defects.iter().any(|defect| defect.starts_with(&format!("{place}: "))), "{place} in {defects:#?}");
        }
    }

    #[test]
    fn a_contact_is_named_with_its_account() {
        let defects = parse(&json!({"contact_id": CONTACT})).unwrap_err();
        assert_eq!(defects, ["account_id: is required with contact_id: the account of that contact"]);
        assert!(parse(&json!({"contact_id": CONTACT, "account_id": ACCOUNT, "overwrite_lead_source": true})).is_ok());
        let defects = parse(&json!({"overwrite_lead_source": true})).unwrap_err();
        assert_eq!(defects, ["overwrite_lead_source: is only for a contact that exists (contact_id)"]);
    }

    #[test]
    fn only_a_lead_is_converted() {
        let defects = ConvertLead::parse(ACCOUNT.parse().unwrap(), &json!({})).unwrap_err();
        assert_eq!(defects[0].to_string(), "id: must be the id of a lead");
        assert_eq!(parse(&json!([])).unwrap_err(), ["the body must be an object"]);
    }
}
