//! Compound fields: addresses and geolocations, which combine other fields of the same record.

use serde_json::{Map, Value as Json};

use super::{Field, FieldKind};
use crate::model::schema::Object;
use crate::model::store::Row;
use crate::model::value::Place;

/// The parts of an address: the suffix of the field's name, and the key in the compound value.
const ADDRESS: [(&str, &str); 10] = [
    ("City", "city"),
    ("Country", "country"),
    ("CountryCode", "countryCode"),
    ("GeocodeAccuracy", "geocodeAccuracy"),
    ("Latitude", "latitude"),
    ("Longitude", "longitude"),
    ("PostalCode", "postalCode"),
    ("State", "state"),
    ("StateCode", "stateCode"),
    ("Street", "street"),
];
const LOCATION: [(&str, &str); 2] = [("Latitude__s", "latitude"), ("Longitude__s", "longitude")];

impl Field {
    /// Returns the names of the fields that a compound field combines, each with its key in the value.
    fn parts(&self) -> Vec<(String, &'static str)> {
        let (stem, parts): (&str, &[_]) = match self.kind {
            FieldKind::Address => (self.name.strip_suffix("Address").unwrap_or(&self.name), &ADDRESS),
            FieldKind::Location => (self.name.strip_suffix('c').unwrap_or(&self.name), &LOCATION),
            _ => ("", &[]),
        };
        parts.iter().map(|(end, key)| (format!("{stem}{end}"), *key)).collect()
    }
}

impl Field {
    /// Returns the fields that a custom geolocation field has for its coordinates.
    pub(crate) fn custom_parts(&self) -> Vec<Self> {
        let parts = if self.kind == FieldKind::Location { self.parts() } else { Vec::new() };
        let part = |(name, _): (String, _)| Self { precision: 18, scale: 15, ..Self::new(&name, FieldKind::Double) };
        parts.into_iter().map(part).collect()
    }

    /// Returns the names of the fields with the latitude and the longitude of a compound field.
    pub(crate) fn coordinates(&self) -> Option<(String, String)> {
        let named = |key: &str| self.parts().into_iter().find(|(_, known)| *known == key).map(|(name, _)| name);
        named("latitude").zip(named("longitude"))
    }
}

impl Object {
    /// Returns the value of a field as the data API renders it.
    pub(crate) fn render_field(&self, row: &Row, at: usize, version: &str) -> Json {
        let Some((field, id)) = self.fields.get(at).zip(row.id()) else { return Json::Null };
        let place = Place { version, object: &self.name, field: &field.name, id };
        if !field.kind.is_compound() {
            return row.get(at).json(place);
        }
        let part = |(name, key): (String, &str)| Some((key.to_owned(), row.get(self.position(&name)?).json(place)));
        let parts: Map<String, Json> = field.parts().into_iter().filter_map(part).collect();
        if parts.values().all(Json::is_null) { Json::Null } else { Json::Object(parts) }
    }

    /// Returns the compound field that a field is part of, and the field's name in it: `("BillingAddress", "City")`.
    pub(crate) fn part_of_compound(&self, field: &Field) -> Option<(&str, String)> {
        let compound = self.compound_of(field)?;
        let parts = self.field(compound).map(Field::parts).unwrap_or_default();
        let key = parts.into_iter().find(|(name, _)| *name == field.name).map(|(_, key)| key);
        let capitalized =
            |key: &str| key.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(key.chars().skip(1)).collect();
        Some((compound, key.map_or_else(|| field.name.clone(), capitalized)))
    }

    /// Returns the compound field that a field is part of (`compoundFieldName` of describe).
    pub(crate) fn compound_of(&self, field: &Field) -> Option<&str> {
        let named = ["FirstName", "LastName", "Salutation"].contains(&field.name.as_str());
        if named && self.field("Name").is_some() {
            return Some("Name");
        }
        let compounds = self.fields.iter().filter(|compound| compound.kind.is_compound());
        let mut holding = compounds.filter(|compound| compound.parts().iter().any(|(name, _)| *name == field.name));
        holding.next().map(|compound| compound.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::ids::numbered;
    use crate::model::schema::{self, Schema};
    use crate::model::value::Value;

    #[test]
    fn an_address_shows_its_parts_and_is_null_without_any() {
        let account = Schema::standard().object("Account").unwrap().clone();
        let mut row = Row::default();
        row.set(schema::ID, Value::Id(numbered("001", 1)));
        let at = account.position("BillingAddress").unwrap();
        assert_eq!(account.render_field(&row, at, "66.0"), Json::Null);

        row.set(account.position("BillingCity").unwrap(), Value::text("Oslo"));
        row.set(account.position("BillingLatitude").unwrap(), Value::Double(59.9));

        let expected = json!({
            "city": "Oslo", "country": null, "geocodeAccuracy": null, "latitude": 59.9, "longitude": null, "postalCode": null,
            "state": null, "street": null,
        });
        assert_eq!(account.render_field(&row, at, "66.0"), expected);
    }

    #[test]
    fn parts_name_their_compound_field() {
        let schema = Schema::standard();
        let of = |object: &str, field: &str| {
            let object = schema.object(object).unwrap();
            object.compound_of(object.field(field).unwrap()).map(str::to_owned)
        };
        assert_eq!(of("Contact", "MailingCity").as_deref(), Some("MailingAddress"));
        assert_eq!(of("Lead", "City").as_deref(), Some("Address"));
        assert_eq!(of("Lead", "LastName").as_deref(), Some("Name"));
        assert_eq!(of("Account", "Phone"), None);
    }
}
