//! The tables whose streams the function reads, identified by the `eventSourceARN` of a stream record.

/// The names of the streamed tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamTables {
    /// The mirror.
    pub records: String,
    /// The `connections` table.
    pub connections: String,
    /// The `orgs` table.
    pub orgs: String,
    /// The ledger of writes.
    pub writes: String,
    /// The reports of audits.
    pub audits: String,
    /// The `pipelines` table.
    pub pipelines: String,
    /// The `cursors` table, of which the rows of objects' fields are published.
    pub cursors: String,
    /// The API calls of orgs, and the warnings of them.
    pub budgets: String,
}

/// A streamed table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamTable {
    Records,
    Connections,
    Orgs,
    Writes,
    Audits,
    Pipelines,
    Cursors,
    Budgets,
}

impl StreamTables {
    /// Finds the table of a stream; `None` where the ARN is not the stream of a known table.
    pub(crate) fn find(&self, event_source_arn: &str) -> Option<StreamTable> {
        let (_, resource) = event_source_arn.split_once(":table/")?;
        let (name, stream) = resource.split_once('/')?;
        if !stream.starts_with("stream/") {
            return None;
        }
        let tables = [
            (&self.records, StreamTable::Records),
            (&self.connections, StreamTable::Connections),
            (&self.orgs, StreamTable::Orgs),
            (&self.writes, StreamTable::Writes),
            (&self.audits, StreamTable::Audits),
            (&self.pipelines, StreamTable::Pipelines),
            (&self.cursors, StreamTable::Cursors),
            (&self.budgets, StreamTable::Budgets),
        ];
        tables.into_iter().find(|(table, _)| *table == name).map(|(_, table)| table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_found_by_its_whole_name() {
        let name = |noun: &str| format!("ferry-{noun}");
        let tables = StreamTables {
            records: name("records"),
            connections: name("connections"),
            orgs: name("orgs"),
            writes: name("writes"),
            audits: name("audits"),
            pipelines: name("pipelines"),
            cursors: name("cursors"),
            budgets: name("budgets"),
        };
        let find = |table: &str| {
            tables.find(&format!(
                "arn:aws:dynamodb:eu-central-1:123456789012:table/{table}/stream/2026-11-22T10:00:00.000"
            ))
        };
        assert_eq!(find("ferry-records"), Some(StreamTable::Records));
        assert_eq!(find("ferry-connections"), Some(StreamTable::Connections));
        assert_eq!(find("ferry-orgs"), Some(StreamTable::Orgs));
        assert_eq!(find("ferry-writes"), Some(StreamTable::Writes));
        assert_eq!(find("ferry-audits"), Some(StreamTable::Audits));
        assert_eq!(find("ferry-pipelines"), Some(StreamTable::Pipelines));
        assert_eq!(find("ferry-cursors"), Some(StreamTable::Cursors));
        assert_eq!(find("ferry-budgets"), Some(StreamTable::Budgets));
        assert_eq!(find("ferry-orgs-2"), None);
        assert_eq!(tables.find("arn:aws:dynamodb:eu-central-1:123456789012:table/ferry-orgs"), None);
        assert_eq!(tables.find(""), None);
    }
}
