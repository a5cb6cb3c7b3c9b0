//! Outbound messages: their definitions in the Tooling API, and what arrives at an endpoint.

use std::time::Duration;

use serde_json::{Value, json};

use crate::check::{Check, Finding, applies, differs, holds, not_applicable, same};
use crate::listener::{Listener, Received, Reply};
use crate::org::{Org, query_path};

const FORMAT: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging_wsdl.htm";
const NOTIFICATIONS: &str =
    "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging_notifications.htm";
const TOOLING: &str = "https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_workflowoutboundmessage.htm";
const EDITIONS: &str = "https://help.salesforce.com/s/articleView?id=platform.workflow_om_considerations.htm";

/// The time in which a message must arrive.
const ARRIVAL: Duration = Duration::from_secs(120);
/// The time in which no other message may arrive, to tell that an acknowledged one is not sent again.
const SILENCE: Duration = Duration::from_secs(3);

const ACK: Reply = Reply {
    status: 200,
    content_type: "text/xml; charset=utf-8",
    body: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
        <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>\
        <notificationsResponse xmlns=\"http://soap.sforce.com/2005/09/outbound\"><Ack>true</Ack>\
        </notificationsResponse></soapenv:Body></soapenv:Envelope>",
};
const UNAVAILABLE: Reply = Reply { status: 503, content_type: "text/plain", body: "try again" };
const EMPTY: Reply = Reply { status: 200, content_type: "text/plain", body: "" };

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "the Tooling API returns definitions with their endpoint in Metadata",
        source: TOOLING,
        relied_on: "Ferry sets the webhook URL by itself",
        run: |org| {
            let metadata = definition(org)?.metadata;
            holds(metadata["endpointUrl"].is_string(), "Metadata with endpointUrl", &metadata)
        },
    },
    Check {
        name: "the Name of a definition in the Tooling API is its developer name",
        source: TOOLING,
        relied_on: "definitions whose Name begins with Ferry are found",
        run: |org| {
            let definition = definition(org)?;
            same("Name", &"Ferry_Account_Changed".to_owned(), &definition.name)
        },
    },
    Check {
        name: "the endpoint of a packaged definition can be changed by a PATCH of its Metadata",
        source: TOOLING,
        relied_on: "Ferry sets the webhook URL in a customer's org",
        run: |org| {
            let definition = definition(org)?;
            applies(definition.is_packaged, "the definition is not from a package")?;
            let _restored = Endpoint::set(org, &definition, "https://example.com/contract")?;
            let path = format!("tooling/sobjects/WorkflowOutboundMessage/{}", definition.id);
            org.get(&path).send()?.is(200, &json!({"Metadata": {"endpointUrl": "https://example.com/contract"}}))?;
            Ok(())
        },
    },
    Check {
        name: "the endpoint of an org's own definition can be changed by a PATCH of its Metadata",
        source: TOOLING,
        relied_on: "the webhook URL is set without Setup",
        run: |org| {
            let definition = definition(org)?;
            applies(!definition.is_packaged, "the definition is from a package")?;
            let url =
                if org.target.is_simulator { "http://127.0.0.1:9/contract" } else { "https://example.com/contract" };
            let _restored = Endpoint::set(org, &definition, url)?;
            let path = format!("tooling/sobjects/WorkflowOutboundMessage/{}", definition.id);
            org.get(&path).send()?.is(200, &json!({"Metadata": {"endpointUrl": url}}))?;
            Ok(())
        },
    },
    Check {
        name: "a packaged definition sends as the user who installed the package",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_workflow.htm",
        relied_on: "the user whose view a message has is known",
        run: |org| {
            let definition = definition(org)?;
            applies(definition.is_packaged, "the definition is not from a package")?;
            let user = definition.metadata["integrationUser"].as_str().unwrap_or_default();
            let found = org.query(&format!("SELECT Id FROM User WHERE Username = '{user}' AND IsActive = TRUE"))?;
            same(&format!("active users of this org named {user}"), &json!(1), found.at("/totalSize"))
        },
    },
    Check {
        name: "a sandbox keeps the endpoint of a packaged definition",
        source: EDITIONS,
        relied_on: "messages of a copied org are refused by its organization id",
        run: |org| {
            applies(org.is_sandbox, "the org is not a sandbox")?;
            let definition = definition(org)?;
            applies(definition.is_packaged, "the definition is not from a package")?;
            let url = definition.metadata["endpointUrl"].as_str().unwrap_or_default();
            holds(!url.ends_with("/unset/unset"), "the endpoint of the org that was copied", url)
        },
    },
    Check {
        name: "an edition without outbound messages has no type WorkflowOutboundMessage",
        source: EDITIONS,
        relied_on: "such an edition is told to the operator",
        run: |org| {
            let without = ["Professional Edition", "Team Edition", "Base Edition", "Contact Manager Edition"];
            applies(without.contains(&org.edition.as_str()), "the edition has outbound messages")?;
            org.get(&format!("tooling/{}", query_path("SELECT Id FROM WorkflowOutboundMessage")))
                .send()?
                .fails(400, "INVALID_TYPE")?;
            Ok(())
        },
    },
    Check {
        name: "a message has org, definition, notification and the record",
        source: FORMAT,
        relied_on: "the record that changed is read from the message",
        run: |org| {
            let (message, id) = first_message(org, "message", &[ACK])?;
            let body = &message[0].body;
            let parts = [
                "http://soap.sforce.com/2005/09/outbound".to_owned(),
                format!("<OrganizationId>{}</OrganizationId>", org.id),
                "<ActionId>04k".to_owned(),
                "<Id>04l".to_owned(),
                "xsi:type=\"sf:Account\"".to_owned(),
                "urn:sobject.enterprise.soap.sforce.com".to_owned(),
                format!("<sf:Id>{id}</sf:Id>"),
            ];
            let missing: Vec<_> = parts.iter().filter(|part| !body.contains(*part)).collect();
            holds(missing.is_empty(), &format!("a message with {missing:?}"), body)
        },
    },
    Check {
        name: "a message is a POST of XML in UTF-8",
        source: "recording outbound-messages/contact-managed-package-namespaces.headers.txt",
        relied_on: "requests of another kind are refused",
        run: |org| {
            let (message, _) = first_message(org, "post", &[ACK])?;
            same("the method", &"POST".to_owned(), &message[0].method)?;
            holds(message[0].content_type.to_lowercase().starts_with("text/xml"), "text/xml", &message[0].content_type)
        },
    },
    Check {
        name: "times in a message end in Z",
        source: "recording outbound-messages/account-36-fields.xml",
        relied_on: "the version of a record is read from the message",
        run: |org| {
            let (message, _) = first_message(org, "times", &[ACK])?;
            let time = element(&message[0].body, "sf:LastModifiedDate");
            holds(crate::pattern::has_shape(&time, "0000-00-00T00:00:00.000Z"), "0000-00-00T00:00:00.000Z", time)
        },
    },
    Check {
        name: "a message has no session id",
        source: "https://help.salesforce.com/s/articleView?id=005232763&type=1",
        relied_on: "every call back needs a grant",
        run: |org| {
            let (message, _) = first_message(org, "session", &[ACK])?;
            let session = element(&message[0].body, "SessionId");
            holds(session.is_empty(), "no SessionId, or an empty one", "a SessionId")
        },
    },
    Check {
        name: "a message that was not acknowledged comes again with the same notification id",
        source: NOTIFICATIONS,
        relied_on: "duplicates are found by the notification id",
        run: |org| {
            let (messages, id) = first_message(org, "retry", &[UNAVAILABLE, ACK])?;
            let ids: Vec<String> = messages.iter().map(|message| notification(&message.body, &id)).collect();
            holds(ids[0].starts_with("04l") && ids[0] == ids[1], "the same 04l... twice", format!("{ids:?}"))
        },
    },
    Check {
        name: "200 without an acknowledgement is a failed delivery",
        source: NOTIFICATIONS,
        relied_on: "only the exact acknowledgement ends a delivery",
        run: |org| {
            let (messages, id) = first_message(org, "no ack", &[EMPTY, ACK])?;
            same("the notification", &notification(&messages[0].body, &id), &notification(&messages[1].body, &id))
        },
    },
    Check {
        name: "a message that was acknowledged does not come again at once",
        source: NOTIFICATIONS,
        relied_on: "an acknowledgement ends a delivery",
        run: |org| {
            let definition = definition(org)?;
            let (listener, _restored) = listen(org, &definition)?;
            let id = org.create("Account", json!({"Name": org.name("acknowledged")}))?;
            await_message(org, &listener, &id, &ACK)?;
            org.pass_time(40)?;
            let again = listener.next(org, SILENCE, &ACK)?.filter(|message| message.body.contains(&id));
            holds(again.is_none(), "no second message", "the same message")
        },
    },
    Check {
        name: "a record-triggered flow sends the message of its record",
        source: "https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_visual_workflow.htm",
        relied_on: "SObjectRowId is the input of the flow's action, and the flow finds the message by its name",
        run: |org| {
            let flows = org
                .get(&format!(
                    "tooling/{}",
                    query_path(
                        "SELECT Id FROM Flow WHERE \
                Definition.DeveloperName = 'Ferry_Account_Changed' AND Status = 'Active'"
                    )
                ))
                .send()?;
            applies(
                flows.status == 200 && !flows.list("/records").is_empty(),
                "the org has no active flow Ferry_Account_Changed",
            )?;
            first_message(org, "flow", &[ACK])?;
            Ok(())
        },
    },
];

/// A definition of the org, as the Tooling API shows it.
struct Definition {
    id: String,
    name: String,
    is_packaged: bool,
    metadata: Value,
}

/// Returns the definition of accounts that is Ferry's.
fn definition(org: &Org) -> Result<Definition, Finding> {
    let soql =
        "SELECT Id, Name, NamespacePrefix, EntityDefinitionId FROM WorkflowOutboundMessage WHERE Name LIKE 'Ferry%'";
    let found = org.get(&format!("tooling/{}", query_path(soql))).send()?;
    let row = found.list("/records").iter().find(|row| row["EntityDefinitionId"] == "Account");
    let row = row.ok_or_else(|| {
        not_applicable("the org has no outbound message of Ferry's for accounts (README.md says how to deploy it)")
    })?;
    let id = row["Id"].as_str().unwrap_or_default().to_owned();
    let record = org.get(&format!("tooling/sobjects/WorkflowOutboundMessage/{id}")).send()?.has_status(200)?;
    Ok(Definition {
        name: row["Name"].as_str().unwrap_or_default().to_owned(),
        is_packaged: row["NamespacePrefix"].is_string(),
        metadata: record.at("/Metadata").clone(),
        id,
    })
}

/// A changed endpoint, which gets its old URL when this is dropped.
struct Endpoint<'a> {
    org: &'a Org,
    path: String,
    before: Value,
}

impl<'a> Endpoint<'a> {
    fn set(org: &'a Org, definition: &Definition, url: &str) -> Result<Self, Finding> {
        let path = format!("tooling/sobjects/WorkflowOutboundMessage/{}", definition.id);
        let mut metadata = definition.metadata.clone();
        metadata["endpointUrl"] = json!(url);
        org.patch(&path, json!({"Metadata": metadata})).send()?.has_status(204)?;
        Ok(Self { org, path, before: definition.metadata.clone() })
    }
}

impl Drop for Endpoint<'_> {
    fn drop(&mut self) {
        // The check has its result; a URL that stayed is visible in Setup.
        let _ = self.org.patch(&self.path, json!({"Metadata": self.before})).send();
    }
}

/// Listens at the operator's endpoint, and lets the definition send there.
fn listen<'a>(org: &'a Org, definition: &Definition) -> Result<(Listener, Endpoint<'a>), Finding> {
    let endpoint = org.target.endpoint.as_ref();
    let endpoint = endpoint.ok_or_else(|| not_applicable("no listener is given (--listener and --listen)"))?;
    let listener = Listener::bind(org, &endpoint.listen)?;
    let set = Endpoint::set(org, definition, &format!("{}/{}", endpoint.url, org.key("messages")))?;
    Ok((listener, set))
}

/// Creates an account, and returns the messages about it that got these replies, with the account's id.
fn first_message(org: &Org, name: &str, replies: &[Reply]) -> Result<(Vec<Received>, String), Finding> {
    let definition = definition(org)?;
    let (listener, _restored) = listen(org, &definition)?;
    let id = org.create("Account", json!({"Name": org.name(name)}))?;
    let messages = replies.iter().map(|reply| await_message(org, &listener, &id, reply)).collect::<Result<_, _>>()?;
    Ok((messages, id))
}

/// Waits for a message about the record and replies to it; acknowledges all others.
fn await_message(org: &Org, listener: &Listener, id: &str, reply: &Reply) -> Result<Received, Finding> {
    let pause = if org.target.is_simulator { 2 } else { 15 };
    for _ in 0..ARRIVAL.as_secs() / pause {
        if let Some(message) = listener.next_about(org, Duration::from_secs(pause), (id, reply), &ACK)? {
            return Ok(message);
        }
        if org.target.is_simulator {
            org.pass_time(20)?;
        }
    }
    Err(differs("a message within 2 minutes", "none"))
}

/// Returns the id of the notification about the record; a message may have several.
fn notification(message: &str, record: &str) -> String {
    let about = message.split("<Notification>").skip(1).find(|notification| notification.contains(record));
    about.map(|notification| element(notification, "Id")).unwrap_or_default()
}

/// Returns the text of the first element with this name; empty if there is none.
fn element(xml: &str, name: &str) -> String {
    let rest = xml.split_once(&format!("<{name}>")).map(|(_, rest)| rest).unwrap_or_default();
    rest.split('<').next().unwrap_or_default().to_owned()
}
