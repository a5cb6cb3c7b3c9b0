//! The Tooling API: the definitions of outbound messages and their endpoints.
//!
//! `WorkflowOutboundMessage` is read and updated through its `Metadata` (Tooling API reference). Not verified against an org:
//! that a user with "Customize Application" can update a packaged definition this way.

use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::transport::Request;
use crate::{Client, Error, FieldName, JsonObject, ObjectName, RecordId, Soql};

const OUTBOUND_MESSAGE: ObjectName = ObjectName::from_static("WorkflowOutboundMessage");
const FIELDS: [FieldName; 2] = [FieldName::ID, FieldName::from_static("Name")];
const NAME: &str = "Name";
const ENDPOINT: &str = "endpointUrl";

/// A definition of an outbound message.
#[derive(Clone, Debug)]
pub struct OutboundMessageDefinition {
    /// The id.
    pub id: RecordId,
    /// The endpoint of its messages. The URL may hold a secret.
    pub endpoint_url: SecretString,
    /// The rest of its metadata, which an update has to send back unchanged.
    rest: JsonObject,
}

impl Client {
    /// Lists the outbound messages whose name matches `wanted`; `None` if the org has no outbound messages, which the list of
    /// the Tooling objects confirms with a second request.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the connected user lacks "Customize Application"; an error that passes if the two requests
    /// contradict each other.
    pub async fn list_outbound_message_definitions(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<Vec<RecordId>>, Error> {
        let soql = Soql::select(&FIELDS).from(&OUTBOUND_MESSAGE);
        let request = self.query_request("list the outbound messages", "tooling/query", &soql);
        let page = match self.page(&request).await {
            Ok(page) => page,
            Err(error) if error.is_hidden() => {
                return if self.has_outbound_messages().await? { Err(error.contradicted()) } else { Ok(None) };
            }
            Err(error) => return Err(error),
        };
        let named = |record: &&crate::Record| record.text(NAME).is_some_and(&wanted);
        Ok(Some(page.records.iter().filter(named).map(|record| record.id).collect()))
    }

    /// Returns whether the list of the Tooling objects has outbound messages.
    async fn has_outbound_messages(&self) -> Result<bool, Error> {
        let request = Request::get("list the Tooling objects", self.path("tooling/sobjects"));
        let listed: Listed = self.send(&request).await?.json()?;
        Ok(listed.sobjects.iter().any(|object| object.name.eq_ignore_ascii_case(OUTBOUND_MESSAGE.as_str())))
    }

    /// Fetches an outbound message with its metadata.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if it does not exist or is not visible to the connected user.
    pub async fn fetch_outbound_message_definition(&self, id: &RecordId) -> Result<OutboundMessageDefinition, Error> {
        let response = self.send(&Request::get("fetch the outbound message", self.definition_path(id))).await?;
        let Row { id, mut metadata } = response.json()?;
        let Some(Value::String(endpoint)) = metadata.remove(ENDPOINT) else {
            return Err(response.invalid("an outbound message without an endpoint"));
        };
        Ok(OutboundMessageDefinition { id, endpoint_url: endpoint.into(), rest: metadata })
    }

    /// Changes the endpoint of an outbound message, and nothing else.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the connected user may not change it, or Salesforce does not accept the URL.
    pub async fn set_outbound_message_endpoint(
        &self,
        definition: &OutboundMessageDefinition,
        url: &SecretString,
    ) -> Result<(), Error> {
        let mut metadata = definition.rest.clone();
        metadata.insert(ENDPOINT.to_owned(), Value::from(url.expose_secret()));
        let path = self.definition_path(&definition.id);
        let change = json!({ "Metadata": metadata });
        let request = Request::send("change the endpoint of the outbound message", Method::PATCH, path, &change)?;
        self.send(&request).await.map(drop)
    }

    fn definition_path(&self, id: &RecordId) -> String {
        self.path(&format!("tooling/sobjects/{OUTBOUND_MESSAGE}/{id}"))
    }
}

#[derive(Deserialize)]
struct Listed {
    sobjects: Vec<ListedObject>,
}

#[derive(Deserialize)]
struct ListedObject {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    id: RecordId,
    metadata: JsonObject,
}
