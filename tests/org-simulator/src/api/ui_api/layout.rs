//! The page layouts. Layouts cannot be created here, so each object has one for all its record types, made of its fields.
//!
//! It has the fields that the user may see, in the sections of Salesforce's own layouts: the plain fields, the addresses,
//! the long texts, and in view mode the users who created and changed the record. The order is that of the object, not
//! that of a real page.

use serde_json::{Value as Json, json};

use crate::api::ui_api::etag::with_etag;
use crate::model::actor::Actor;
use crate::model::ids::{RecordId, numbered};
use crate::model::org::Org;
use crate::model::schema::{Field, FieldKind, Object, PERSON_FIELDS, PERSON_NAME};

/// Key prefixes of layouts and of their sections.
const LAYOUT: &str = "00h";
const SECTION: &str = "01B";

/// Parts of an address that no page shows.
const HIDDEN_PARTS: [&str; 3] = ["Latitude", "Longitude", "GeocodeAccuracy"];

/// The fields of the last section in view mode.
const AUTHORS: [&str; 2] = ["CreatedById", "LastModifiedById"];

/// The use of a layout, which decides which fields it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The fields that can be set on create.
    Create,
    /// The fields that can be set on create or later.
    Edit,
    /// All fields of a page.
    View,
}

impl Mode {
    const NAMES: [(Self, &'static str); 3] = [(Self::Create, "Create"), (Self::Edit, "Edit"), (Self::View, "View")];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(known, _)| *known == self).map_or("View", |(_, name)| name)
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(mode, _)| *mode)
    }
}

/// An item of a layout with one label: a field, or the parts of a compound field.
pub(crate) struct Item<'a> {
    /// The field whose label is shown.
    pub(crate) whole: &'a Field,
    pub(crate) parts: Vec<&'a Field>,
}

/// A section of a layout.
pub(crate) struct Section<'a, 'l> {
    pub(crate) id: RecordId,
    pub(crate) heading: String,
    pub(crate) columns: usize,
    /// The items from left to right; `None` is an empty space at the end of a row that is not full.
    pub(crate) rows: Vec<Vec<Option<&'l Item<'a>>>>,
}

/// The layout for a user's records of an object.
pub(crate) struct Layout<'a> {
    org: &'a Org,
    actor: &'a Actor,
    object: &'a Object,
    mode: Mode,
    items: Vec<Item<'a>>,
}

impl<'a> Layout<'a> {
    pub(crate) fn of(org: &'a Org, actor: &'a Actor, object: &'a Object, mode: Mode) -> Self {
        let mut items: Vec<Item<'a>> = Vec::new();
        for field in object.fields.iter().filter(|field| is_shown(org, actor, object, field, mode)) {
            let whole = object.compound_of(field).and_then(|name| object.field(name)).unwrap_or(field);
            match items.iter_mut().find(|item| item.whole.name == whole.name) {
                Some(item) => item.parts.push(field),
                None => items.push(Item { whole, parts: vec![field] }),
            }
        }
        Self { org, actor, object, mode, items }
    }

    /// Returns the compact layout: the name of a record, as in the layout that an object has at first.
    pub(crate) fn compact(org: &'a Org, actor: &'a Actor, object: &'a Object) -> Self {
        let mut layout = Self::of(org, actor, object, Mode::View);
        layout.items.retain(|item| item.whole.name_field);
        layout
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &'a Field> {
        self.items.iter().flat_map(|item| item.parts.iter().copied())
    }

    pub(crate) fn items(&self) -> &[Item<'a>] {
        &self.items
    }

    fn place(&self) -> usize {
        self.org.schema.objects().position(|known| known.name == self.object.name).unwrap_or_default()
    }

    pub(crate) fn id(&self) -> RecordId {
        numbered(LAYOUT, number(self.place()))
    }

    /// Returns the sections that have items.
    pub(crate) fn sections(&self) -> Vec<Section<'a, '_>> {
        let parts = [
            (self.object.label.as_str(), 2, Part::Plain),
            ("Address", 2, Part::Addresses),
            ("Description", 1, Part::Texts),
            ("System", 2, Part::Authors),
        ];
        let section = |(at, (name, columns, part)): (usize, &(&str, usize, Part))| {
            let items: Vec<&Item<'_>> = self.items.iter().filter(|item| Part::of(item) == *part).collect();
            Section {
                id: numbered(SECTION, number(self.place() * parts.len() + at)),
                heading: format!("{name} Information"),
                columns: *columns,
                rows: items
                    .chunks(*columns)
                    .map(|row| row.iter().copied().map(Some).chain(std::iter::repeat(None)).take(*columns).collect())
                    .collect(),
            }
        };
        parts.iter().enumerate().map(section).filter(|section| !section.rows.is_empty()).collect()
    }

    /// Returns the layout of a new record, as UI API includes it in default values.
    pub(super) fn json(&self) -> Json {
        let sections: Vec<Json> = self.sections().iter().map(|section| self.section_json(section)).collect();
        json!({"id": self.id().as_str(), "layoutType": "Full", "mode": self.mode.name(), "sections": sections})
    }

    /// Returns the layout as a resource of UI API (UI API guide, record layout).
    pub(super) fn resource(&self, layout_type: &str, record_type: &str) -> Json {
        let mut body = self.json();
        body["layoutType"] = Json::from(layout_type);
        body["objectApiName"] = Json::from(self.object.name.as_str());
        body["recordTypeId"] = Json::from(record_type);
        body["saveOptions"] = json!([]);
        with_etag(body)
    }

    fn section_json(&self, section: &Section<'_, '_>) -> Json {
        let row = |items: &Vec<Option<&Item<'_>>>| {
            let items: Vec<Json> =
                items.iter().map(|item| item.map_or_else(empty_space, |item| self.item(item))).collect();
            json!({"layoutItems": items})
        };
        json!({
            "collapsible": false, "columns": section.columns, "heading": section.heading, "id": section.id.as_str(),
            "layoutRows": section.rows.iter().map(row).collect::<Vec<_>>(), "rows": section.rows.len(), "useHeading": true,
        })
    }

    /// Returns whether a user can set an item of a new record, and of an existing one.
    pub(crate) fn editable(&self, item: &Item<'_>) -> (bool, bool) {
        // The owner is the creator, and is changed by an action of its own.
        let writeable =
            |field: &Field| field.name != "OwnerId" && self.org.may_edit_field(self.actor, self.object, field);
        (
            item.parts.iter().any(|field| field.createable && writeable(field)),
            item.parts.iter().any(|field| field.updateable && writeable(field)),
        )
    }

    fn item(&self, item: &Item<'_>) -> Json {
        let (for_new, for_update) = self.editable(item);
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
            "editableForNew": for_new, "editableForUpdate": for_update, "label": item.label(),
            "layoutComponents": components, "lookupIdApiName": lookup, "required": item.required(), "sortable": false,
        })
    }
}

impl Item<'_> {
    /// Returns the label of the field; a reference is named after the object that it points to.
    pub(crate) fn label(&self) -> &str {
        match self.whole.kind {
            FieldKind::Reference => self.whole.label.strip_suffix(" ID").unwrap_or(&self.whole.label),
            _ => &self.whole.label,
        }
    }

    pub(crate) fn required(&self) -> bool {
        self.parts.iter().any(|field| field.required())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Plain,
    Addresses,
    Texts,
    Authors,
}

impl Part {
    fn of(item: &Item<'_>) -> Self {
        match item.whole.kind {
            _ if AUTHORS.contains(&item.whole.name.as_str()) => Self::Authors,
            FieldKind::Address => Self::Addresses,
            FieldKind::TextArea => Self::Texts,
            _ => Self::Plain,
        }
    }
}

fn number(at: usize) -> u64 {
    u64::try_from(at + 1).unwrap_or_default()
}

fn is_shown(org: &Org, actor: &Actor, object: &Object, field: &Field, mode: Mode) -> bool {
    let has_place = match mode {
        Mode::Create => field.createable,
        Mode::Edit => field.createable || field.updateable,
        Mode::View => {
            let is_kept = field.calculated || field.auto_number.is_some() || field.name_field;
            field.createable || field.updateable || is_kept || AUTHORS.contains(&field.name.as_str())
        }
    };
    let of_person = object.name == "Account"
        && (PERSON_NAME.contains(&field.name.as_str()) || PERSON_FIELDS.iter().any(|(name, ..)| *name == field.name));
    let unshown = HIDDEN_PARTS.iter().any(|end| field.name.ends_with(end)) && object.compound_of(field).is_some();
    // The record type is chosen before the page opens, and the page of an account is that of a business account.
    has_place
        && field.kind != FieldKind::Base64
        && field.name != "RecordTypeId"
        && !of_person
        && !unshown
        && org.may_read_field(actor, object, field)
}

fn empty_space() -> Json {
    json!({
        "editableForNew": false, "editableForUpdate": false, "label": "",
        "layoutComponents": [{"apiName": null, "componentType": "EmptySpace"}], "lookupIdApiName": null, "required": false,
        "sortable": false,
    })
}
