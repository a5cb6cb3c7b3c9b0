//! The rows of one org in the tables that hold customers' data, page by page: read for an export, deleted for an erasure.
//!
//! The rows of `records`, `origins` and `authorizations` are found by a scan of the whole table, because their keys do not
//! begin with the org alone. The cost is that of reading the table once.

use aws_sdk_dynamodb::Client;
use salesforce::{OrgId, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::WriteId;
use crate::table::{Rows, Table, from_item};
use crate::{
    Error, PageKey, audits, authorizations, budgets, cursors, deliveries, freshness, org_settings, origins, pipelines,
    records, user_mappings, writes,
};

/// A table with rows of orgs. The tables `orgs` and `connections`, which need more than a deletion, are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrgTable {
    /// The mirror.
    Records,
    /// The pipelines.
    Pipelines,
    /// The positions of scans.
    Cursors,
    /// The ledger of deliveries.
    Deliveries,
    /// The ledger of writes.
    Writes,
    /// The order of the writes of each record, and the client keys.
    WriteOrder,
    /// The versions that Ferry's writes made.
    Origins,
    /// The API calls.
    Budgets,
    /// The latencies of changes.
    Freshness,
    /// The connect links and consents that name the org.
    Authorizations,
    /// The mappings of the platform's users.
    Users,
    /// The settings, with their history.
    OrgSettings,
    /// The reports of audits.
    Audits,
}

impl OrgTable {
    /// Every table, the largest first.
    pub const ALL: [Self; 13] = [
        Self::Records,
        Self::Pipelines,
        Self::Cursors,
        Self::Deliveries,
        Self::Writes,
        Self::WriteOrder,
        Self::Origins,
        Self::Budgets,
        Self::Freshness,
        Self::Authorizations,
        Self::Users,
        Self::OrgSettings,
        Self::Audits,
    ];

    /// Returns the name of the table without the stack's.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Pipelines => "pipelines",
            Self::Cursors => "cursors",
            Self::Deliveries => "deliveries",
            Self::Writes => "writes",
            Self::WriteOrder => "write_order",
            Self::Origins => "origins",
            Self::Budgets => "budgets",
            Self::Freshness => "freshness",
            Self::Authorizations => "authorizations",
            Self::Users => "users",
            Self::OrgSettings => "org_settings",
            Self::Audits => "audits",
        }
    }

    fn rows_of_org(self, org: OrgId) -> Rows {
        match self {
            Self::Records => records::rows_of_org(org),
            Self::Pipelines => pipelines::rows_of_org(org),
            Self::Cursors => cursors::rows_of_org(org),
            Self::Deliveries => deliveries::rows_of_org(org),
            Self::Writes => writes::rows_of_org(org),
            Self::WriteOrder => writes::order::rows_of_org(org),
            Self::Origins => origins::rows_of_org(org),
            Self::Budgets => budgets::rows_of_org(org),
            Self::Freshness => freshness::rows_of_org(org),
            Self::Authorizations => authorizations::rows_of_org(org),
            Self::Users => user_mappings::rows_of_org(org),
            Self::OrgSettings => org_settings::rows_of_org(org),
            Self::Audits => audits::rows_of_org(org),
        }
    }
}

/// Rows of which each is about one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordLedger {
    /// The versions of the record that Ferry's writes made.
    Origins,
    /// The deliveries about the record.
    Deliveries,
    /// The client key of the record.
    ClientKeys,
    /// The mark of the record that scans leave out.
    LeftOut,
}

impl RecordLedger {
    /// Returns the name of the table without the stack's.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.table().name()
    }

    fn table(self) -> OrgTable {
        match self {
            Self::Origins => OrgTable::Origins,
            Self::Deliveries => OrgTable::Deliveries,
            Self::ClientKeys => OrgTable::WriteOrder,
            Self::LeftOut => OrgTable::Cursors,
        }
    }

    fn rows(self, org: OrgId, record: RecordId) -> Rows {
        match self {
            Self::Origins => origins::rows_of_record(org, record),
            Self::Deliveries => deliveries::rows_of_record(org, record),
            Self::ClientKeys => writes::client_keys::rows_of_record(org, record),
            Self::LeftOut => cursors::rows_of_record(org, record),
        }
    }
}

/// The result of deleting a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedPage {
    /// The number of deleted rows.
    pub deleted: u64,
    /// The key after which the next page starts; `None` at the end of the table.
    pub next: Option<PageKey>,
}

/// The tables with rows of orgs.
#[derive(Clone, Debug)]
pub struct OrgData {
    tables: [Table; OrgTable::ALL.len()],
}

impl OrgData {
    /// Creates a client for the tables with the names that `name_of` returns.
    pub fn new(client: &Client, name_of: impl Fn(OrgTable) -> String) -> Self {
        Self { tables: OrgTable::ALL.map(|table| Table::new(client.clone(), name_of(table))) }
    }

    fn table(&self, table: OrgTable) -> &Table {
        let [
            records,
            pipelines,
            cursors,
            deliveries,
            writes,
            write_order,
            origins,
            budgets,
            freshness,
            authorizations,
            users,
            org_settings,
            audits,
        ] = &self.tables;
        match table {
            OrgTable::Records => records,
            OrgTable::Pipelines => pipelines,
            OrgTable::Cursors => cursors,
            OrgTable::Deliveries => deliveries,
            OrgTable::Writes => writes,
            OrgTable::WriteOrder => write_order,
            OrgTable::Origins => origins,
            OrgTable::Budgets => budgets,
            OrgTable::Freshness => freshness,
            OrgTable::Authorizations => authorizations,
            OrgTable::Users => users,
            OrgTable::OrgSettings => org_settings,
            OrgTable::Audits => audits,
        }
    }

    /// Returns a page of the org's rows as they are stored, and the key of its end; `None` at the end of the table. A page
    /// may be empty.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn page(
        &self,
        org: OrgId,
        table: OrgTable,
        after: Option<PageKey>,
    ) -> Result<(Vec<Map<String, Value>>, Option<PageKey>), Error> {
        let operation = "read the org's data";
        let (items, next) = self.table(table).page(operation, table.rows_of_org(org), after, false).await?;
        let rows = items.into_iter().map(|item| from_item(operation, item)).collect::<Result<_, _>>()?;
        Ok((rows, next))
    }

    /// Deletes a page of the org's rows. Deleting a page again does no harm.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn delete_page(&self, org: OrgId, table: OrgTable, after: Option<PageKey>) -> Result<DeletedPage, Error> {
        let rows = table.rows_of_org(org);
        let (deleted, next) = self.table(table).delete_page("delete the org's data", rows, after).await?;
        Ok(DeletedPage { deleted, next })
    }

    /// Deletes a page of the rows of a ledger that name a record.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn delete_record_page(
        &self,
        org: OrgId,
        record: RecordId,
        ledger: RecordLedger,
        after: Option<PageKey>,
    ) -> Result<DeletedPage, Error> {
        let rows = ledger.rows(org, record);
        let (deleted, next) = self.table(ledger.table()).delete_page("delete the record's data", rows, after).await?;
        Ok(DeletedPage { deleted, next })
    }

    /// Returns the finished writes of a page whose outcome names a record, and the key of the page's end.
    ///
    /// # Errors
    /// Only those of the table.
    pub async fn writes_of_record(
        &self,
        org: OrgId,
        record: RecordId,
        after: Option<PageKey>,
    ) -> Result<(Vec<WriteId>, Option<PageKey>), Error> {
        let operation = "find the writes of the record";
        let rows = writes::rows_of_record(org, record);
        let (items, next) = self.table(OrgTable::Writes).page(operation, rows, after, true).await?;
        let writes = items.into_iter().map(|item| from_item::<WriteKey>(operation, item).map(|key| key.write_id));
        Ok((writes.collect::<Result<_, _>>()?, next))
    }
}

#[derive(Deserialize)]
struct WriteKey {
    write_id: WriteId,
}
