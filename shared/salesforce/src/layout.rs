//! Page layouts: the order of an object's fields on the page of a record type, and which of them the page requires.

use serde::Deserialize;

use crate::transport::Request;
use crate::{Client, Error, ObjectName, RecordId};

/// The page on which a user creates or edits the records of a record type.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layout {
    /// The sections from top to bottom.
    #[serde(rename = "editLayoutSections")]
    pub sections: Vec<LayoutSection>,
}

/// A section of a page.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutSection {
    /// The heading in the user's language.
    #[serde(default)]
    pub heading: Option<String>,
    #[serde(default)]
    layout_rows: Vec<LayoutRow>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutRow {
    #[serde(default)]
    layout_items: Vec<LayoutItem>,
}

/// An item of a page: a field, the parts of a compound field, or an empty space.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutItem {
    /// Label in the user's language; empty for an empty space.
    #[serde(default)]
    pub label: Option<String>,
    /// `true` if the page is not saved without a value.
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    layout_components: Vec<LayoutComponent>,
}

/// A field on a page.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutComponent {
    /// `Field`, `Separator`, `EmptySpace`, ...
    #[serde(rename = "type", default)]
    kind: String,
    /// The API name of a field.
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    components: Vec<LayoutComponent>,
}

impl LayoutSection {
    /// Returns the items from left to right and top to bottom.
    pub fn items(&self) -> impl Iterator<Item = &LayoutItem> {
        self.layout_rows.iter().flat_map(|row| &row.layout_items)
    }
}

impl LayoutItem {
    /// Returns the fields of the item; none for an empty space.
    pub fn fields(&self) -> impl Iterator<Item = &LayoutComponent> {
        self.layout_components.iter().filter(|component| component.is_field())
    }
}

impl LayoutComponent {
    /// Returns the API name of the field.
    pub fn name(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    /// Returns the names of the parts of a compound field; none for another field.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.components.iter().filter(|component| component.is_field()).map(Self::name)
    }

    fn is_field(&self) -> bool {
        self.kind == "Field" && self.value.is_some()
    }
}

impl Client {
    /// Fetches the page of a record type, as the connected user's profile has it.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if the object has no page or the record type is unknown.
    pub async fn fetch_layout(&self, object: &ObjectName, record_type: &RecordId) -> Result<Layout, Error> {
        let path = self.path(&format!("sobjects/{object}/describe/layouts/{record_type}"));
        self.send(&Request::get("fetch the page layout", path)).await?.json()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_item_has_fields_and_a_compound_field_has_parts() {
        let field = |name: &str| json!({"components": [], "type": "Field", "value": name, "details": {}});
        let address = json!({
            "type": "Field", "fieldType": "address", "value": "BillingAddress",
            "components": [field("BillingStreet"), {"type": "Separator", "value": ", "}, field("BillingCity")],
        });
        let empty = json!({"label": "", "layoutComponents": [], "placeholder": true, "required": false});
        let layout: Layout = serde_json::from_value(json!({"id": "00h", "editLayoutSections": [{
            "heading": "Account Information",
            "layoutRows": [
                {"layoutItems": [{"label": "Name", "required": true, "layoutComponents": [field("Name")]}, empty]},
                {"layoutItems": [{"label": "Billing Address", "required": false, "layoutComponents": [address]}]},
            ],
        }]}))
        .unwrap();

        let items: Vec<&LayoutItem> = layout.sections[0].items().collect();

        assert_eq!(items.len(), 3);
        assert_eq!(items[0].fields().map(LayoutComponent::name).collect::<Vec<_>>(), ["Name"]);
        assert!(items[0].required && items[1].fields().next().is_none());
        let address = items[2].fields().next().unwrap();
        assert_eq!(address.parts().collect::<Vec<_>>(), ["BillingStreet", "BillingCity"]);
    }
}
