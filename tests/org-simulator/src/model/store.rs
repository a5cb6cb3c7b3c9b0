//! The records in memory, with indexes and an undo journal for failed transactions.

mod row;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::ids::RecordId;
use crate::model::schema::Object;
use crate::model::value::Value;

pub(crate) use row::Row;

type Index = HashMap<String, Vec<RecordId>>;

/// The records of one object, in the order of their ids; deleted ones stay until they are purged.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: BTreeMap<RecordId, Arc<Row>>,
    indexes: HashMap<usize, Index>,
    live: usize,
}

impl Table {
    pub(crate) fn get(&self, id: RecordId) -> Option<&Arc<Row>> {
        self.rows.get(&id)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.values()
    }

    /// Returns the number of records that are not in the recycle bin.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Returns the live records with that value in an indexed field, without regard to case.
    pub(crate) fn find(&self, field: usize, value: &Value) -> &[RecordId] {
        self.indexes.get(&field).and_then(|index| index.get(&index_key(value))).map_or(&[], Vec::as_slice)
    }

    fn put(&mut self, object: &Object, id: RecordId, row: Option<Arc<Row>>) -> Option<Arc<Row>> {
        let before = match &row {
            Some(row) => self.rows.insert(id, Arc::clone(row)),
            None => self.rows.remove(&id),
        };
        if let Some(old) = before.as_ref().filter(|old| !old.is_deleted()) {
            self.live -= 1;
            self.unindex(object, id, old);
        }
        if let Some(new) = row.as_ref().filter(|new| !new.is_deleted()) {
            self.live += 1;
            self.index(object, id, new);
        }
        before
    }

    fn index(&mut self, object: &Object, id: RecordId, row: &Row) {
        for (at, value) in indexed_values(object, row) {
            // Most keys belong to one record, so the list is created without spare capacity.
            let index = self.indexes.entry(at).or_default();
            index.entry(index_key(value)).and_modify(|ids| ids.push(id)).or_insert_with(|| vec![id]);
        }
    }

    fn unindex(&mut self, object: &Object, id: RecordId, row: &Row) {
        for (at, value) in indexed_values(object, row) {
            let Some(index) = self.indexes.get_mut(&at) else { continue };
            if let Some(ids) = index.get_mut(&index_key(value)) {
                ids.retain(|known| *known != id);
            }
        }
    }
}

fn indexed_values<'a>(object: &'a Object, row: &'a Row) -> impl Iterator<Item = (usize, &'a Value)> {
    let fields = object.fields.iter().enumerate().filter(|(_, f)| f.indexed());
    fields.map(|(at, _)| (at, row.get(at))).filter(|(_, value)| !value.is_null())
}

fn index_key(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_lowercase(),
        Value::Double(n) => n.to_string(),
        Value::Digits(digits) => digits.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Id(id) => id.to_string(),
        _ => String::new(),
    }
}

struct Undo {
    object: Arc<Object>,
    id: RecordId,
    before: Option<Arc<Row>>,
}

/// A position in the journal, for [`Store::rollback`].
#[derive(Clone, Copy)]
pub(crate) struct Mark(usize);

/// All records of the org.
#[derive(Default)]
pub(crate) struct Store {
    tables: HashMap<String, Table>,
    journal: Vec<Undo>,
    revision: u64,
}

impl Store {
    /// Returns the records of an object, by the exact name of the object.
    pub(crate) fn table(&self, object: &str) -> Option<&Table> {
        self.tables.get(object)
    }

    pub(crate) fn get(&self, object: &str, id: RecordId) -> Option<&Arc<Row>> {
        self.table(object)?.get(id)
    }

    /// Stores a record and adds its previous state to the journal.
    pub(crate) fn put(&mut self, object: &Arc<Object>, id: RecordId, mut row: Row) {
        row.shrink();
        if !self.tables.contains_key(&object.name) {
            self.tables.insert(object.name.clone(), Table::default());
        }
        let Some(table) = self.tables.get_mut(&object.name) else { return };
        let before = table.put(object, id, Some(Arc::new(row)));
        self.revision += 1;
        self.journal.push(Undo { object: Arc::clone(object), id, before });
    }

    /// Deletes a record permanently, not into the recycle bin, and adds it to the journal.
    pub(crate) fn purge(&mut self, object: &Arc<Object>, id: RecordId) {
        let Some(table) = self.tables.get_mut(&object.name) else { return };
        let before = table.put(object, id, None);
        self.revision += 1;
        self.journal.push(Undo { object: Arc::clone(object), id, before });
    }

    /// Returns a number that grows with every change of a record.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the current position in the journal.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.journal.len())
    }

    /// Undoes all changes since the mark.
    pub(crate) fn rollback(&mut self, mark: Mark) {
        self.revision += 1;
        while self.journal.len() > mark.0 {
            let Some(undo) = self.journal.pop() else { return };
            if let Some(table) = self.tables.get_mut(&undo.object.name) {
                table.put(&undo.object, undo.id, undo.before);
            }
        }
    }

    /// Returns the records that were changed since the last commit, in order, each with its state before the change.
    pub(crate) fn uncommitted(&self) -> impl Iterator<Item = (&Arc<Object>, RecordId, Option<&Arc<Row>>)> {
        self.journal.iter().map(|undo| (&undo.object, undo.id, undo.before.as_ref()))
    }

    /// Makes all changes so far permanent.
    pub(crate) fn commit(&mut self) {
        self.journal.clear();
    }

    /// Rebuilds the indexes of an object whose fields changed.
    pub(crate) fn reindex(&mut self, object: &Object) {
        let Some(table) = self.tables.get_mut(&object.name) else { return };
        table.indexes.clear();
        let live: Vec<(RecordId, Arc<Row>)> =
            table.rows.iter().filter(|(_, row)| !row.is_deleted()).map(|(id, row)| (*id, Arc::clone(row))).collect();
        for (id, row) in live {
            table.index(object, id, &row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::numbered;
    use crate::model::schema;
    use crate::model::schema::Schema;

    fn account(object: &Object, id: RecordId, key: &str) -> Row {
        let mut row = Row::default();
        row.set(schema::ID, Value::Id(id));
        row.set(object.position("Ferry_External_Id__c").unwrap(), Value::text(key));
        row
    }

    #[test]
    fn a_rollback_restores_rows_and_indexes() {
        let object = Arc::clone(Schema::standard().object("Account").unwrap());
        let key = object.position("Ferry_External_Id__c").unwrap();
        let (mut store, id) = (Store::default(), numbered("001", 1));
        store.put(&object, id, account(&object, id, "A-1"));
        store.commit();

        let mark = store.mark();
        store.put(&object, id, account(&object, id, "A-2"));
        store.put(&object, numbered("001", 2), account(&object, numbered("001", 2), "A-3"));
        store.rollback(mark);

        let table = store.table("Account").unwrap();
        assert_eq!(table.find(key, &Value::text("a-1")), [id]);
        assert!(table.find(key, &Value::text("A-2")).is_empty());
        assert_eq!(table.live(), 1);
    }
}
