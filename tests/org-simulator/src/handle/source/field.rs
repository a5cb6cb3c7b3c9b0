//! Custom fields in source format.

use std::collections::BTreeMap;

use crate::api::soap::xml::Element;
use crate::model::computed::{Computed, Formula, Rollup, RollupFunction};
use crate::model::criteria::FilterItem;
use crate::model::schema::{Dependency, Field, FieldKind, PicklistValue, Schema, relationship_of};
use crate::model::value::Value;

/// Returns the field that an element `CustomField` describes, or why it is not supported.
pub(super) fn field(schema: &Schema, name: &str, xml: &Element) -> Result<Field, String> {
    if !name.ends_with("__c") {
        return Err("changes of standard fields are not supported".to_owned());
    }
    let given = xml.value("type").unwrap_or_default();
    let computed = computed(xml)?;
    let kind = match &computed {
        Some(Computed::Rollup(rollup)) => kind_of_summary(schema, rollup)?,
        _ => kind_of(given).ok_or_else(|| format!("fields of type {given} are not supported"))?,
    };
    let mut field = Field::new(name, kind);
    field.label = xml.value("label").map_or(field.label, str::to_owned);
    if kind.is_text() {
        let usual = if given == "TextArea" { 255 } else { field.length };
        field.length = number(xml, "length")?.unwrap_or(usual);
    }
    if kind.is_number() {
        field.precision = number(xml, "precision")?.unwrap_or(field.precision);
        field.scale = number(xml, "scale")?.unwrap_or(field.scale);
    }
    field.nillable &= !xml.is_true("required");
    (field.unique, field.external_id) = (xml.is_true("unique"), xml.is_true("externalId"));
    field.id_lookup = field.external_id;
    match (kind, xml.value("defaultValue")) {
        (_, None) => {}
        (FieldKind::Boolean, Some(value)) => field.default = Value::Bool(value == "true"),
        (_, Some(_)) => return Err("default values that are formulas are not supported".to_owned()),
    }
    match given {
        "AutoNumber" => number_automatically(&mut field, xml),
        "Lookup" => refer(&mut field, xml),
        "MasterDetail" => {
            refer(&mut field, xml);
            field.make_detail();
            field.updateable = xml.is_true("reparentableMasterDetail");
        }
        "Picklist" | "MultiselectPicklist" => list(&mut field, xml)?,
        _ => {}
    }
    if let Some(computed) = computed {
        field.compute(computed);
    }
    Ok(field)
}

/// Returns the formula or the roll-up summary of a field, if it is one.
fn computed(xml: &Element) -> Result<Option<Computed>, String> {
    if let Some(text) = xml.value("formula") {
        let blanks_as_zero = xml.value("formulaTreatBlanksAs") == Some("BlankAsZero");
        return Formula::parse(text).map(|formula| Some(Computed::Formula(formula.treating_blanks(blanks_as_zero))));
    }
    if xml.value("type") != Some("Summary") {
        return Ok(None);
    }
    let function = match xml.value("summaryOperation") {
        Some("count") => RollupFunction::Count,
        Some("sum") => RollupFunction::Sum,
        Some("min") => RollupFunction::Min,
        Some("max") => RollupFunction::Max,
        other => return Err(format!("the operation {} is not supported", other.unwrap_or_default())),
    };
    let of_detail = |name: &str| xml.value(name).and_then(|path| path.split_once('.'));
    let (object, reference) = of_detail("summaryForeignKey").ok_or("summaryForeignKey names no field of an object")?;
    let field = of_detail("summarizedField").map(|(_, field)| field.to_owned());
    let (object, reference) = (object.to_owned(), reference.to_owned());
    let filter = xml.all("summaryFilterItems").map(filter_item).collect::<Result<_, _>>()?;
    Ok(Some(Computed::Rollup(Rollup { object, reference, function, field, filter })))
}

/// Returns a criterion of a roll-up summary.
fn filter_item(xml: &Element) -> Result<FilterItem, String> {
    if xml.child("valueField").is_some() {
        return Err("filters that compare two fields are not supported".to_owned());
    }
    let field = xml.value("field").unwrap_or_default();
    let field = field.split_once('.').map_or(field, |(_, field)| field).to_owned();
    let operation = xml.value("operation").unwrap_or_default();
    let operation = serde_json::from_value(operation.into());
    let operation = operation.map_err(|_| "a filter has an operation that is not supported".to_owned())?;
    Ok(FilterItem { field, operation, value: xml.value("value").unwrap_or_default().to_owned() })
}

/// Returns the type of a roll-up summary: that of the summarized field, or a number.
fn kind_of_summary(schema: &Schema, rollup: &Rollup) -> Result<FieldKind, String> {
    let Some(name) = &rollup.field else { return Ok(FieldKind::Double) };
    let summarized = schema.object(&rollup.object).and_then(|detail| detail.field(name));
    match summarized.map(|field| field.kind) {
        Some(FieldKind::Int) => Ok(FieldKind::Double),
        Some(kind) => Ok(kind),
        None => Err(format!("the field {}.{name} does not exist", rollup.object)),
    }
}

fn kind_of(given: &str) -> Option<FieldKind> {
    Some(match given {
        "AutoNumber" | "Text" => FieldKind::String,
        "Checkbox" => FieldKind::Boolean,
        "Currency" => FieldKind::Currency,
        "Date" => FieldKind::Date,
        "DateTime" => FieldKind::DateTime,
        "Email" => FieldKind::Email,
        "Html" | "LongTextArea" | "TextArea" => FieldKind::TextArea,
        "Lookup" | "MasterDetail" => FieldKind::Reference,
        "MultiselectPicklist" => FieldKind::MultiPicklist,
        "Number" => FieldKind::Double,
        "Percent" => FieldKind::Percent,
        "Phone" => FieldKind::Phone,
        "Picklist" => FieldKind::Picklist,
        "Url" => FieldKind::Url,
        _ => return None,
    })
}

fn number(xml: &Element, name: &str) -> Result<Option<usize>, String> {
    let text = xml.value(name).map(|text| text.parse().map_err(|_| format!("{name} is not a number: {text}")));
    text.transpose()
}

/// Makes a field an auto-number field.
pub(super) fn number_automatically(field: &mut Field, xml: &Element) {
    (field.createable, field.updateable, field.defaulted_on_create) = (false, false, true);
    field.auto_number = Some(xml.value("displayFormat").unwrap_or("{0}").to_owned());
}

fn refer(field: &mut Field, xml: &Element) {
    field.relationship = Some(relationship_of(&field.name));
    field.reference_to = xml.value("referenceTo").map(str::to_owned).into_iter().collect();
    field.child_relationship = xml.value("relationshipName").map(|name| format!("{name}__r"));
}

/// Sets the values of a picklist.
fn list(field: &mut Field, xml: &Element) -> Result<(), String> {
    let set = xml.child("valueSet").ok_or("the picklist has no values")?;
    let values = set.child("valueSetDefinition").ok_or("global value sets are not supported")?;
    field.restricted = set.is_true("restricted");
    for value in values.all("value").filter(|value| value.value("isActive") != Some("false")) {
        let name = value.value("fullName").unwrap_or_default();
        let is_default = value.is_true("default");
        if is_default {
            (field.default, field.defaulted_on_create) = (Value::text(name), true);
        }
        field.picklist.push(PicklistValue::new(name, is_default));
    }
    if let Some(controller) = set.value("controllingField") {
        let valid_for = set.all("valueSettings").map(|setting| {
            let with = setting.all("controllingFieldValue").map(|value| value.text.trim().to_owned()).collect();
            (setting.value("valueName").unwrap_or_default().to_owned(), with)
        });
        let valid_for: BTreeMap<_, _> = valid_for.collect();
        field.dependency = Some(Dependency { controller: controller.to_owned(), valid_for });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(members: &str) -> Result<Field, String> {
        field(&Schema::default(), "F__c", &Element::parse(&format!("<CustomField>{members}</CustomField>")).unwrap())
    }

    #[test]
    fn a_field_has_its_type_size_and_flags() {
        let text =
            read("<type>Text</type><length>40</length><unique>true</unique><externalId>true</externalId>").unwrap();
        assert_eq!((text.kind, text.length, text.unique, text.id_lookup), (FieldKind::String, 40, true, true));
        let number =
            read("<type>Number</type><precision>9</precision><scale>3</scale><required>true</required>").unwrap();
        assert_eq!((number.precision, number.scale, number.nillable), (9, 3, false));
        let checkbox = read("<type>Checkbox</type><defaultValue>true</defaultValue><label>Is Key</label>").unwrap();
        assert_eq!((checkbox.default, checkbox.label.as_str()), (Value::Bool(true), "Is Key"));
        assert_eq!(read("<type>TextArea</type>").unwrap().length, 255);
        let number = read("<type>AutoNumber</type><displayFormat>A-{0000}</displayFormat>").unwrap();
        assert_eq!((number.auto_number.as_deref(), number.createable), (Some("A-{0000}"), false));
    }

    #[test]
    fn a_look_up_has_names_in_both_directions() {
        let field =
            read("<type>Lookup</type><referenceTo>Account</referenceTo><relationshipName>Deals</relationshipName>");
        let field = field.unwrap();
        assert_eq!(
            (field.relationship.as_deref(), field.child_relationship.as_deref()),
            (Some("F__r"), Some("Deals__r"))
        );
        assert_eq!(field.reference_to, ["Account"]);
    }

    #[test]
    fn a_picklist_has_active_values_and_its_dependency() {
        let field = read(
            "<type>Picklist</type><valueSet><controllingField>C__c</controllingField><restricted>true</restricted>\
             <valueSetDefinition><value><fullName>A</fullName><default>true</default></value>\
             <value><fullName>B</fullName><isActive>false</isActive></value></valueSetDefinition>\
             <valueSettings><controllingFieldValue>X</controllingFieldValue><controllingFieldValue>Y</controllingFieldValue>\
             <valueName>A</valueName></valueSettings></valueSet>",
        );
        let field = field.unwrap();
        assert_eq!(field.picklist, [PicklistValue::new("A", true)]);
        assert_eq!((field.restricted, &field.default), (true, &Value::text("A")));
        assert_eq!(field.dependency.unwrap().valid_for["A"], ["X", "Y"]);
    }

    #[test]
    fn a_formula_and_a_summary_keep_their_settings() {
        let zero = "<type>Number</type><formula>A__c</formula><formulaTreatBlanksAs>BlankAsZero</formulaTreatBlanksAs>";
        let Some(Computed::Formula(formula)) = read(zero).unwrap().computed.map(|computed| *computed) else { panic!() };
        assert!(formula.blanks_as_zero);
        let summary = "<type>Summary</type><summaryOperation>count</summaryOperation>\
                       <summaryForeignKey>A__c.B__c</summaryForeignKey><summaryFilterItems><field>A__c.C__c</field>\
                       <operation>notEqual</operation><value>x</value></summaryFilterItems>";
        let Some(Computed::Rollup(rollup)) = read(summary).unwrap().computed.map(|computed| *computed) else {
            panic!()
        };
        let item = &rollup.filter[0];
        assert_eq!((item.field.as_str(), item.value.as_str()), ("C__c", "x"));
    }

    #[test]
    fn unsupported_fields_are_refused_with_a_reason() {
        for (members, reason) in [
            ("<type>Summary</type>", "the operation"),
            (
                "<type>Summary</type><summaryOperation>count</summaryOperation><summaryForeignKey>A__c.B__c</summaryForeignKey>\
                 <summaryFilterItems><field>A__c.C__c</field><operation>equals</operation><valueField>A__c.D__c</valueField>\
                 </summaryFilterItems>",
                "two fields",
            ),
            (
                "<type>Summary</type><summaryOperation>count</summaryOperation><summaryForeignKey>A__c.B__c</summaryForeignKey>\
                 <summaryFilterItems><field>A__c.C__c</field><operation>within</operation></summaryFilterItems>",
                "an operation",
            ),
            ("<type>EncryptedText</type>", "type EncryptedText"),
            ("<type>Text</type><defaultValue>\"a\"</defaultValue>", "default values"),
            ("<type>Picklist</type><valueSet><valueSetName>G</valueSetName></valueSet>", "global value sets"),
            ("<type>Text</type><length>x</length>", "length is not a number"),
        ] {
            let error = read(members).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
