//! The part of the Tooling API that Ferry needs: the definitions of outbound messages, and where they go.
//!
//! `WorkflowOutboundMessage` can be read and changed through its `Metadata` (Tooling API reference). Not verified against an org:
//! that a packaged definition can be changed this way by a user who may customize the application.

use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::transport::Request;
use crate::{Client, Error, FieldName, JsonObject, ObjectName, RecordId, Soql};

const OUTBOUND_MESSAGE: ObjectName = ObjectName::from_static("WorkflowOutboundMessage");
const FIELDS: [FieldName; 2] = [FieldName::from_static("Id"), FieldName::from_static("Name")];
const NAME: &str = "Name";
const ENDPOINT: &str = "endpointUrl";

/// A definition of an outbound message.
#[derive(Clone, Debug)]
pub struct OutboundMessageDefinition {
    /// Its id.
    pub id: RecordId,
    /// Where its messages go. The address may hold a secret.
    pub endpoint_url: SecretString,
    /// Everything else of its metadata, to be given back as it was.
    rest: JsonObject,
}

impl Client {
    /// The outbound messages whose name `wanted` takes.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when the connection's user may not customize the application.
    pub async fn list_outbound_message_definitions(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<RecordId>, Error> {
        let soql = Soql::select(&FIELDS).from(&OUTBOUND_MESSAGE);
        let page = self.page(&self.search("list outbound messages", "tooling/query", &soql)).await?;
        let named = |record: &&crate::Record| record.text(NAME).is_some_and(&wanted);
        Ok(page.records.iter().filter(named).map(|record| record.id).collect())
    }

    /// One outbound message, with its metadata.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when there is none, or the connection's user may not see it.
    pub async fn fetch_outbound_message_definition(&self, id: &RecordId) -> Result<OutboundMessageDefinition, Error> {
        let answer = self.send(&Request::get("fetch outbound message", self.definition(id))).await?;
        let Row { id, mut metadata } = answer.json()?;
        let Some(Value::String(endpoint)) = metadata.remove(ENDPOINT) else {
            return Err(answer.invalid("an outbound message without an address"));
        };
        Ok(OutboundMessageDefinition { id, endpoint_url: endpoint.into(), rest: metadata })
    }

    /// Has the messages of a definition go to another address; the rest of it stays as it was.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when the connection's user may not change it, or Salesforce does not take the address.
    pub async fn set_outbound_message_endpoint(
        &self,
        definition: &OutboundMessageDefinition,
        url: &SecretString,
    ) -> Result<(), Error> {
        let mut metadata = definition.rest.clone();
        metadata.insert(ENDPOINT.to_owned(), Value::from(url.expose_secret()));
        let path = self.definition(&definition.id);
        let change = json!({ "Metadata": metadata });
        let request = Request::send("set the address of an outbound message", Method::PATCH, path, &change)?;
        self.send(&request).await.map(drop)
    }

    fn definition(&self, id: &RecordId) -> String {
        self.path(&format!("tooling/sobjects/{OUTBOUND_MESSAGE}/{id}"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    id: RecordId,
    metadata: JsonObject,
}
