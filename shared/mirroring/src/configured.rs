//! `MIRRORED_FIELDS`: `Account:Name,Industry;Contact:Email`.

use std::collections::BTreeMap;
use std::str::FromStr;

use salesforce::{FieldName, ObjectName};

/// The fields that an operator wants in the mirror, by object. An object that is not named has all of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MirroredFields {
    /// By the object's name in lower case.
    objects: BTreeMap<String, Vec<FieldName>>,
}

/// What is wrong with a list of fields, by the place of the object in it, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is not of the form `Account:Name,Industry`.
    #[error("object {0} is not written as Object:Field,Field, with a semicolon before the next object")]
    Object(usize),
    /// The same object is named twice.
    #[error("object {0} was named before")]
    ObjectTwice(usize),
    /// A field is not an API name of the object's own.
    #[error("object {0} has something that is no API name of a field of its own")]
    Field(usize),
    /// The same field is named twice.
    #[error("object {0} has a field twice")]
    FieldTwice(usize),
}

impl MirroredFields {
    /// The fields that are configured for an object; `None` for all.
    #[must_use]
    pub fn of(&self, object: &ObjectName) -> Option<&[FieldName]> {
        self.objects.get(&object.as_str().to_ascii_lowercase()).map(Vec::as_slice)
    }
}

impl FromStr for MirroredFields {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut objects = BTreeMap::new();
        if text.trim().is_empty() {
            return Ok(Self { objects });
        }
        for (place, object) in (1..).zip(text.split(';')) {
            let (name, fields) = object.split_once(':').ok_or(Malformed::Object(place))?;
            let name: ObjectName = name.trim().parse().map_err(|_| Malformed::Object(place))?;
            let fields = parse_fields(place, fields)?;
            if objects.insert(name.as_str().to_ascii_lowercase(), fields).is_some() {
                return Err(Malformed::ObjectTwice(place));
            }
        }
        Ok(Self { objects })
    }
}

fn parse_fields(place: usize, text: &str) -> Result<Vec<FieldName>, Malformed> {
    let mut fields: Vec<FieldName> = Vec::new();
    for field in text.split(',') {
        // A path leads to another object's field, which a change of this record says nothing about.
        let field = Some(field.trim()).filter(|field| !field.contains('.')).ok_or(Malformed::Field(place))?;
        let field = field.parse().map_err(|_| Malformed::Field(place))?;
        if fields.iter().any(|known| super::is_same(known, &field)) {
            return Err(Malformed::FieldTwice(place));
        }
        fields.push(field);
    }
    Ok(fields)
}
