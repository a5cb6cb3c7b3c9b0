//! The page layout for a new record. Layouts cannot be created here, so each object has one, made of its fields.
//!
//! It has the fields that can be set on create and that the user may see, in the sections of Salesforce's own layouts:
//! the plain fields, the addresses, and the long texts. The order is that of the object, not that of a real page.

use serde_json::{Value as Json, json};

use crate::model::actor::Actor;
use crate::model::ids::numbered;
use crate::model::org::Org;
use crate::model::schema::{Field, FieldKind, Object, PERSON_FIELDS, PERSON_NAME};

/// Key prefixes of layouts and of their sections.
const LAYOUT: &str = "00h";
const SECTION: &str = "01B";

/// Parts of an address that no page shows.
const UNSHOWN: [&str; 3] = ["Latitude", "Longitude", "GeocodeAccuracy"];

/// An item of the layout with one label: a field, or the parts of a compound field.
struct Item<'a> {
    /// The field whose label is shown.
    whole: &'a Field,
    parts: Vec<&'a Field>,
}

/// The layout for a user's new records of an object.
pub(super) struct CreateLayout<'a> {
    org: &'a Org,
    actor: &'a Actor,
    object: &'a Object,
    items: Vec<Item<'a>>,
}

impl<'a> CreateLayout<'a> {
    pub(super) fn of(org: &'a Org, actor: &'a Actor, object: &'a Object) -> Self {
        let mut items: Vec<Item<'a>> = Vec::new();
        for field in object.fields.iter().filter(|field| shown(org, actor, object, field)) {
            let whole = object.compound_of(field).and_then(|name| object.field(name)).unwrap_or(field);
            match items.iter_mut().find(|item| item.whole.name == whole.name) {
                Some(item) => item.parts.push(field),
                None => items.push(Item { whole, parts: vec![field] }),
            }
        }
        Self { org, actor, object, items }
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &'a Field> {
        self.items.iter().flat_map(|item| item.parts.iter().copied())
    }

    pub(super) fn json(&self) -> Json {
        let place = self.org.schema.objects().position(|known| known.name == self.object.name).unwrap_or_default();
        let number = |at: usize| u64::try_from(at + 1).unwrap_or_default();
        let parts = [
            (self.object.label.as_str(), 2, Section::Plain),
            ("Address", 2, Section::Addresses),
            ("Description", 1, Section::Texts),
        ];
        let sections: Vec<Json> = parts
            .iter()
            .enumerate()
            .filter_map(|(at, (name, columns, section))| {
                let rows = self.rows(*section, *columns);
                let id = numbered(SECTION, number(place * parts.len() + at));
                (!rows.is_empty()).then(|| {
                    json!({
                        "collapsible": false, "columns": columns, "heading": format!("{name} Information"), "id": id.as_str(),
                        "layoutRows": rows, "rows": rows.len(), "useHeading": true,
                    })
                })
            })
            .collect();
        let id = numbered(LAYOUT, number(place));
        json!({"id": id.as_str(), "layoutType": "Full", "mode": "Create", "sections": sections})
    }

    /// Returns the items of a section from left to right, with an empty space at the end when a row is not full.
    fn rows(&self, section: Section, columns: usize) -> Vec<Json> {
        let items: Vec<&Item<'_>> = self.items.iter().filter(|item| Section::of(item) == section).collect();
        let row = |items: &[&Item<'_>]| {
            let shown = items.iter().map(|item| self.item(item));
            let gap = std::iter::repeat_n(empty_space(), columns - items.len());
            json!({"layoutItems": shown.chain(gap).collect::<Vec<_>>()})
        };
        items.chunks(columns).map(row).collect()
    }

    fn item(&self, item: &Item<'_>) -> Json {
        // The owner is the creator, and is changed by an action of its own.
        let writeable =
            |field: &Field| field.name != "OwnerId" && self.org.may_edit_field(self.actor, self.object, field);
        let components: Vec<Json> = item
            .parts
            .iter()
            .map(|field| json!({"apiName": field.name, "componentType": "Field", "label": field.label}))
            .collect();
        let lookup = match item.whole.kind {
            FieldKind::Reference => Some(item.whole.name.as_str()),
            _ => item.whole.name_field.then_some("Id"),
        };
        json!({
            "editableForNew": item.parts.iter().any(|field| field.createable && writeable(field)),
            "editableForUpdate": item.parts.iter().any(|field| field.updateable && writeable(field)),
            "label": label(item.whole), "layoutComponents": components, "lookupIdApiName": lookup,
            "required": item.parts.iter().any(|field| field.required()), "sortable": false,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Plain,
    Addresses,
    Texts,
}

impl Section {
    fn of(item: &Item<'_>) -> Self {
        match item.whole.kind {
            FieldKind::Address => Self::Addresses,
            FieldKind::TextArea => Self::Texts,
            _ => Self::Plain,
        }
    }
}

fn shown(org: &Org, actor: &Actor, object: &Object, field: &Field) -> bool {
    let of_person = object.name == "Account"
        && (PERSON_NAME.contains(&field.name.as_str()) || PERSON_FIELDS.iter().any(|(name, ..)| *name == field.name));
    let unshown = UNSHOWN.iter().any(|end| field.name.ends_with(end)) && object.compound_of(field).is_some();
    // The record type is chosen before the page opens, and the page of an account is that of a business account.
    field.createable
        && field.kind != FieldKind::Base64
        && field.name != "RecordTypeId"
        && !of_person
        && !unshown
        && org.may_read_field(actor, object, field)
}

/// Returns the label of a field; a reference is named after the object that it points to.
fn label(field: &Field) -> &str {
    match field.kind {
        FieldKind::Reference => field.label.strip_suffix(" ID").unwrap_or(&field.label),
        _ => &field.label,
    }
}

fn empty_space() -> Json {
    json!({
        "editableForNew": false, "editableForUpdate": false, "label": "",
        "layoutComponents": [{"apiName": null, "componentType": "EmptySpace"}], "lookupIdApiName": null, "required": false,
        "sortable": false,
    })
}
