//! The history of an opportunity, and its amount as the total of its products.
//!
//! Sources: the pages of `OpportunityHistory`, `Opportunity` and `OpportunityLineItem` in the Object Reference.

use std::sync::Arc;

use crate::model::actor::Actor;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::store::Row;
use crate::model::value::Value;

const HISTORY: &str = "OpportunityHistory";
/// The fields of a history row, which are those of the opportunity.
const FIELDS: [&str; 7] =
    ["StageName", "Amount", "ExpectedRevenue", "CloseDate", "Probability", "ForecastCategory", "CurrencyIsoCode"];
/// The fields whose change adds a row.
const TRACKED: [&str; 4] = ["StageName", "Amount", "CloseDate", "Probability"];

impl Org {
    /// Adds a row to the history of a new opportunity, or of one whose stage, amount, close date or probability differ
    /// from those in `before`.
    pub(super) fn opportunity_written(&mut self, actor: &Actor, id: RecordId, before: Option<&Row>) {
        let object = "Opportunity";
        let Some(row) = self.store.get(object, id).map(Arc::clone) else { return };
        let value = |row: &Row, field: &str| self.value(object, row, field).clone();
        let differs = |field: &str| before.is_some_and(|before| value(before, field) != value(&row, field));
        if before.is_some() && !TRACKED.iter().any(|field| differs(field)) {
            return;
        }
        let mut fields: Vec<(&str, Value)> = FIELDS.iter().map(|name| (*name, value(&row, name))).collect();
        fields.push(("OpportunityId", Value::Id(id)));
        let mut changed = Vec::new();
        for (field, previous, last) in [
            ("Amount", "PrevAmount", "LastAmountChangedHistoryId"),
            ("CloseDate", "PrevCloseDate", "LastCloseDateChangedHistoryId"),
        ] {
            if let Some(before) = before.filter(|_| differs(field)) {
                fields.push((previous, value(before, field)));
                changed.push(last);
            }
        }
        let history = self.insert_row(Some(actor.user), HISTORY, &fields);
        let changed: Vec<_> = changed.into_iter().map(|field| (field, Value::Id(history))).collect();
        if !changed.is_empty() {
            self.set_fields(object, id, &changed);
        }
    }

    /// Sets the amount of an opportunity to the total of its products; without products it keeps its amount.
    pub(super) fn line_item_written(&mut self, actor: &Actor, item: RecordId) {
        let of = |org: &Self, row: &Row, field: &str| org.value("OpportunityLineItem", row, field).clone();
        let Some(row) = self.store.get("OpportunityLineItem", item) else { return };
        let Some(id) = of(self, row, "OpportunityId").as_id() else { return };
        let book = of(self, row, "PricebookEntryId").as_id().and_then(|entry| {
            let row = self.store.get("PricebookEntry", entry)?;
            self.value("PricebookEntry", row, "Pricebook2Id").as_id()
        });
        let items = self.rows_below("OpportunityLineItem", "OpportunityId", id);
        let sum = |field| items.iter().filter_map(|row| of(self, row, field).as_number()).sum::<f64>();
        let (total, quantity) = (sum("TotalPrice"), sum("Quantity"));
        let Some((object, before)) =
            self.schema.object("Opportunity").cloned().zip(self.store.get("Opportunity", id).map(Arc::clone))
        else {
            return;
        };
        if before.is_deleted() {
            return;
        }
        let mut row = Row::clone(&before);
        let mut set = |field: &str, value: Value| {
            if let Some(at) = object.position(field) {
                row.set(at, value);
            }
        };
        set("HasOpportunityLineItem", Value::Bool(!items.is_empty()));
        if let Some(book) = book.filter(|_| !items.is_empty()) {
            set("Pricebook2Id", Value::Id(book));
        }
        if !items.is_empty() {
            set("Amount", Value::Double(total));
            set("TotalOpportunityQuantity", Value::Double(quantity));
            let probability = self.value("Opportunity", &before, "Probability").as_number();
            set("ExpectedRevenue", probability.map_or(Value::Null, |percent| Value::Double(total * percent / 100.0)));
        }
        self.stamp_changed(&mut row, actor.user);
        self.store.put(&object, id, row);
        self.track(actor, "Opportunity", id, Some(&before));
        self.opportunity_written(actor, id, Some(&before));
        self.notify(actor, "Opportunity", id);
    }
}
