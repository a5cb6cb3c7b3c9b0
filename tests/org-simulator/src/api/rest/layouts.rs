//! `sobjects/{object}/describe/layouts` and `describe/compactLayouts`: the layouts of an object and their record types.
//!
//! An object has one layout and the compact layout that Salesforce gives it at first (REST API guide, describe layouts and
//! describe compact layouts; the items are those of the SOAP API's `DescribeLayout`).

use serde_json::{Value as Json, json};

use crate::api::call::{Call, Response, unknown};
use crate::api::describe::field_details;
use crate::api::ui_api::layout::{Item, Layout, Mode, Section};
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::record_types::RecordTypeInfo;
use crate::model::schema::{FieldKind, Object};

/// Serves `describe/layouts` and `describe/compactLayouts`, each for all record types or for one.
pub(super) fn serve(
    org: &Org,
    actor: &Actor,
    call: &Call,
    (object, rest): (&Object, &[&str]),
) -> Result<Response, ApiError> {
    let described = Described { org, actor, call, object };
    let types = org.record_types(object);
    let known = |id: &str| {
        let id = RecordId::parse(id).ok_or_else(ApiError::not_found)?;
        types.iter().find(|info| info.id == id.as_str()).ok_or_else(ApiError::not_found)
    };
    let body = match rest {
        ["layouts"] => described.layouts(&types),
        ["layouts", id] => known(id).map(|_| described.layout())?,
        ["compactLayouts"] => described.compact_layouts(&types),
        ["compactLayouts", id] => known(id).map(|_| described.compact_layout())?,
        _ => return Err(unknown(call)),
    };
    Ok(Response::json(body))
}

struct Described<'a> {
    org: &'a Org,
    actor: &'a Actor,
    call: &'a Call,
    object: &'a Object,
}

impl Described<'_> {
    fn is_available(&self, info: &RecordTypeInfo) -> bool {
        let usable =
            RecordId::parse(&info.id).is_some_and(|id| self.org.may_use_record_type(self.actor, self.object, id));
        info.is_master || info.active && usable
    }

    fn url(&self, kind: &str, info: &RecordTypeInfo) -> String {
        format!("/services/data/v{}/sobjects/{}/describe/{kind}/{}", self.call.version, self.object.name, info.id)
    }

    /// Returns the layouts, which are null when the object has more than one record type, and the mappings.
    fn layouts(&self, types: &[RecordTypeInfo]) -> Json {
        let own = types.iter().filter(|info| !info.is_master);
        let layouts = if own.clone().count() > 1 { Json::Null } else { json!([self.layout()]) };
        let id = Layout::of(self.org, self.actor, self.object, Mode::View).id();
        let mapping = |info: &RecordTypeInfo| {
            json!({
                "active": info.active, "available": self.is_available(info), "defaultRecordTypeMapping": info.is_default,
                "developerName": info.developer_name, "layoutId": id.as_str(), "master": info.is_master, "name": info.name,
                "picklistsForRecordType": null, "recordTypeId": info.id, "urls": {"layout": self.url("layouts", info)},
            })
        };
        let mappings: Vec<Json> = types.iter().map(mapping).collect();
        let selects = own.filter(|info| self.is_available(info)).count() > 1;
        json!({"layouts": layouts, "recordTypeMappings": mappings, "recordTypeSelectorRequired": [selects]})
    }

    fn layout(&self) -> Json {
        let layout = |mode| Layout::of(self.org, self.actor, self.object, mode);
        let (detail, edit) = (layout(Mode::View), layout(Mode::Edit));
        json!({
            "buttonLayoutSection": {"detailButtons": []}, "detailLayoutSections": self.sections(&detail),
            "editLayoutSections": self.sections(&edit), "feedView": null, "highlightsPanelLayoutSection": null,
            "id": detail.id().as_str(), "multirowEditLayoutSections": [], "offlineLinks": [],
            "quickActionList": {"quickActionListItems": []}, "relatedContent": null, "relatedLists": [], "saveOptions": [],
        })
    }

    fn sections(&self, layout: &Layout<'_>) -> Vec<Json> {
        let mut tab = 0;
        let mut section = |section: &Section<'_, '_>| {
            let mut row = |items: &Vec<Option<&Item<'_>>>| {
                let items: Vec<Json> = items.iter().map(|item| self.item(layout, *item, &mut tab)).collect();
                json!({"layoutItems": items, "numItems": section.columns})
            };
            let rows: Vec<Json> = section.rows.iter().map(&mut row).collect();
            json!({
                "collapsed": false, "columns": section.columns, "heading": section.heading, "layoutRows": rows,
                "layoutSectionId": section.id.as_str(), "parentLayoutId": layout.id().as_str(), "rows": section.rows.len(),
                "tabOrder": "LeftToRight", "useCollapsibleSection": false, "useHeading": true,
            })
        };
        layout.sections().iter().map(&mut section).collect()
    }

    /// Returns an item, or the placeholder of an empty space; `tab` counts the components.
    fn item(&self, layout: &Layout<'_>, item: Option<&Item<'_>>, tab: &mut usize) -> Json {
        let Some(item) = item else {
            return json!({
                "editableForNew": false, "editableForUpdate": false, "label": "", "layoutComponents": [], "placeholder": true,
                "required": false,
            });
        };
        let mut component = |field| {
            *tab += 1;
            json!({
                "components": [], "details": field_details(self.org, self.actor, self.object, field), "displayLines": 1,
                "tabOrder": *tab, "type": "Field", "value": field.name,
            })
        };
        // The parts of a compound field are components of the whole.
        let parts: Vec<Json> =
            item.parts.iter().filter(|part| part.name != item.whole.name).map(|part| component(part)).collect();
        let mut whole = component(item.whole);
        if item.whole.kind == FieldKind::Address {
            whole["fieldType"] = Json::from(item.whole.kind.name());
        }
        whole["components"] = Json::Array(parts);
        let (for_new, for_update) = layout.editable(item);
        json!({
            "editableForNew": for_new, "editableForUpdate": for_update, "label": item.label(),
            "layoutComponents": [whole], "placeholder": false, "required": item.required(),
        })
    }

    fn compact_layouts(&self, types: &[RecordTypeInfo]) -> Json {
        let mapping = |info: &RecordTypeInfo| {
            json!({
                "available": self.is_available(info), "compactLayoutId": null, "compactLayoutName": SYSTEM,
                "recordTypeId": info.id, "recordTypeName": info.name,
                "urls": {"compactLayout": self.url("compactLayouts", info)},
            })
        };
        let mappings: Vec<Json> = types.iter().map(mapping).collect();
        json!({
            "compactLayouts": [self.compact_layout()], "defaultCompactLayoutId": null,
            "recordTypeCompactLayoutMappings": mappings,
        })
    }

    fn compact_layout(&self) -> Json {
        let layout = Layout::compact(self.org, self.actor, self.object);
        let mut tab = 0;
        let items: Vec<Json> = layout.items().iter().map(|item| self.item(&layout, Some(item), &mut tab)).collect();
        json!({
            "actions": [], "fieldItems": items, "id": null, "imageItems": [], "label": "System Default", "name": SYSTEM,
            "objectType": self.object.name,
        })
    }
}

/// Name of the compact layout that every object has at first.
const SYSTEM: &str = "SYSTEM";
