//! The fields of prices and of the products of an opportunity.

use super::Record;
use crate::model::currencies::CURRENCY;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::store::Row;
use crate::model::value::Value;

fn value_of(org: &Org, object: &str, id: Option<RecordId>, field: &str) -> Value {
    let row = id.and_then(|id| org.store.get(object, id));
    row.map_or(Value::Null, |row| org.value(object, row, field).clone())
}

/// Copies the product's name and code; a price with the standard price has that of the standard price book.
pub(super) fn price(org: &Org, record: &mut Record<'_>) {
    let product = record.get("Product2Id").as_id();
    record.set("Name", value_of(org, "Product2", product, "Name"));
    record.set("ProductCode", value_of(org, "Product2", product, "ProductCode"));
    if *record.get("UseStandardPrice") != Value::Bool(true) {
        return;
    }
    let prices = product.map(|product| org.rows_below("PricebookEntry", "Product2Id", product)).unwrap_or_default();
    let currency = record.get(CURRENCY).clone();
    let standard = prices.iter().find(|row| {
        let book = org.value("PricebookEntry", row, "Pricebook2Id").as_id();
        let same_currency = *org.value("PricebookEntry", row, CURRENCY) == currency;
        same_currency && value_of(org, "Pricebook2", book, "IsStandard") == Value::Bool(true)
    });
    if let Some(standard) = standard {
        record.set("UnitPrice", org.value("PricebookEntry", standard, "UnitPrice").clone());
    }
}

/// Sets the product, the list price and the total of a product of an opportunity; a total that is given sets the price.
///
/// Without a currency of its own, a new one has that of the opportunity.
pub(super) fn line_item(org: &Org, record: &mut Record<'_>) {
    if record.before.is_none() && !record.was_given(CURRENCY) {
        let currency = value_of(org, "Opportunity", record.get("OpportunityId").as_id(), CURRENCY);
        record.set(CURRENCY, currency);
    }
    if record.get("PricebookEntryId").is_null() {
        find_entry(org, record);
    }
    let entry = record.get("PricebookEntryId").as_id();
    let product = value_of(org, "PricebookEntry", entry, "Product2Id");
    let opportunity = value_of(org, "Opportunity", record.get("OpportunityId").as_id(), "Name");
    let name = value_of(org, "Product2", product.as_id(), "Name");
    record.set("Name", Value::text(format!("{} {}", opportunity.as_text(), name.as_text())));
    record.set("ProductCode", value_of(org, "Product2", product.as_id(), "ProductCode"));
    record.set("Product2Id", product);
    record.set("ListPrice", value_of(org, "PricebookEntry", entry, "UnitPrice"));
    let discount = 1.0 - record.get("Discount").as_number().unwrap_or_default() / 100.0;
    let Some(quantity) = record.get("Quantity").as_number() else { return };
    if record.was_given("TotalPrice")
        && let Some(total) = record.get("TotalPrice").as_number()
    {
        let divisor = quantity * discount;
        record.set("UnitPrice", Value::Double(if divisor == 0.0 { 0.0 } else { total / divisor }));
    } else if let Some(price) = record.get("UnitPrice").as_number() {
        record.set("TotalPrice", Value::Double(price * quantity * discount));
    }
}

/// Finds the price of the product in the opportunity's price book.
fn find_entry(org: &Org, record: &mut Record<'_>) {
    let book = value_of(org, "Opportunity", record.get("OpportunityId").as_id(), "Pricebook2Id");
    let prices = record.get("Product2Id").as_id().map(|id| org.rows_below("PricebookEntry", "Product2Id", id));
    let prices = prices.unwrap_or_default();
    let currency = record.get(CURRENCY).clone();
    let of = |row: &Row, field: &str| org.value("PricebookEntry", row, field).clone();
    let found = prices.iter().find(|row| of(row, "Pricebook2Id") == book && of(row, CURRENCY) == currency);
    if let Some(id) = found.and_then(|row| row.id()) {
        record.set("PricebookEntryId", Value::Id(id));
    }
}
