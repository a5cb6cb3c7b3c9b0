//! The Salesforce users to whom the platform has mapped its users: a mapping outweighs what an e-mail or a Federation ID says.
//! [`crate::owner_policy`] applies it.

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ids::{PlatformUser, Tenant};
use crate::table::{Conditional, Expression, Item, Place, Rows, Table, Update, key, text};
use crate::time;

/// A mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserMapping {
    /// The org.
    pub org_id: OrgId,
    /// The user of the platform.
    pub platform_user: PlatformUser,
    /// The tenant of the platform's user. A mapping of a former owner of the org does not count.
    pub tenant: Tenant,
    /// The Salesforce user.
    pub user_id: RecordId,
    /// The time of the request.
    #[serde(with = "crate::time::millis")]
    pub mapped_at: Timestamp,
}

/// The `users` table.
#[derive(Clone, Debug)]
pub struct UserMappings {
    table: Table,
}

impl UserMappings {
    /// Creates a client for the table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Returns the mapping of a user, if there is one.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn load(&self, org: OrgId, user: &PlatformUser) -> Result<Option<UserMapping>, Error> {
        self.table.get("load the user's mapping", row_key(org, user)).await
    }

    /// Returns the mappings of an org, by the platform's user.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn list(&self, org: OrgId) -> Result<Vec<UserMapping>, Error> {
        self.table.query("list the users' mappings", ("org_id", org.as_str())).await
    }

    /// Stores a mapping in place of the user's former one.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn store(&self, mapping: &UserMapping) -> Result<(), Error> {
        let operation = "store the user's mapping";
        let set = vec![
            ("tenant", text(mapping.tenant.as_str())),
            ("user_id", text(mapping.user_id.as_str())),
            ("mapped_at", text(time::format(mapping.mapped_at))),
        ];
        let update = Update { set, ..Update::default() };
        self.table.update(operation, row_key(mapping.org_id, &mapping.platform_user), update).await.map(drop)
    }

    /// Deletes the mapping of a user. Returns whether there was one.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn delete(&self, org: OrgId, user: &PlatformUser) -> Result<bool, Error> {
        let exists = Expression { text: "attribute_exists(#org_id)", values: Vec::new() };
        let deleted = self.table.delete("delete the user's mapping", row_key(org, user), exists).await?;
        Ok(matches!(deleted, Conditional::Done(_)))
    }
}

/// Returns the rows of an org.
pub(crate) fn rows_of_org(org: OrgId) -> Rows {
    Rows { keys: &["org_id", "platform_user"], place: Place::of_org(org) }
}

fn row_key(org: OrgId, user: &PlatformUser) -> Item {
    key([("org_id", org.as_str()), ("platform_user", user.as_str())])
}
