//! The configured list of fields, for example `Account:Name,Industry;Contact:Email`.

use std::collections::BTreeMap;
use std::str::FromStr;

use salesforce::{FieldName, ObjectName};

/// The fields that an operator wants in the mirror, by object. An object that is not listed is mirrored with all of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MirroredFields {
    /// Keyed by the object's name in lower case.
    objects: BTreeMap<String, Vec<FieldName>>,
}

/// An invalid list of fields. Each variant holds the position of the object in the list, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFieldList {
    /// The object is not written as `Account:Name,Industry`.
    #[error("object {0} of the list is not written as Object:Field,Field;")]
    Object(usize),
    /// The same object is listed twice.
    #[error("object {0} of the list was listed before")]
    DuplicateObject(usize),
    /// A field is not the API name of one of the object's own fields.
    #[error("object {0} of the list has an invalid field name")]
    Field(usize),
    /// The same field is listed twice.
    #[error("object {0} of the list names a field twice")]
    DuplicateField(usize),
}

impl MirroredFields {
    /// Returns the configured fields of an object, or `None` if all are mirrored.
    #[must_use]
    pub fn for_object(&self, object: &ObjectName) -> Option<&[FieldName]> {
        self.objects.get(&object.as_str().to_ascii_lowercase()).map(Vec::as_slice)
    }

    /// Returns these lists, with the given ones in place of those of the same objects.
    #[must_use]
    pub fn replaced_by(&self, fields: &BTreeMap<ObjectName, Vec<FieldName>>) -> Self {
        let mut objects = self.objects.clone();
        let lower =
            |(object, fields): (&ObjectName, &Vec<FieldName>)| (object.as_str().to_ascii_lowercase(), fields.clone());
        objects.extend(fields.iter().map(lower));
        Self { objects }
    }
}

impl FromStr for MirroredFields {
    type Err = InvalidFieldList;

    fn from_str(text: &str) -> Result<Self, InvalidFieldList> {
        let mut objects = BTreeMap::new();
        if text.trim().is_empty() {
            return Ok(Self { objects });
        }
        for (position, object) in (1..).zip(text.split(';')) {
            let (name, fields) = object.split_once(':').ok_or(InvalidFieldList::Object(position))?;
            let name: ObjectName = name.trim().parse().map_err(|_| InvalidFieldList::Object(position))?;
            let fields = parse_fields(position, fields)?;
            if objects.insert(name.as_str().to_ascii_lowercase(), fields).is_some() {
                return Err(InvalidFieldList::DuplicateObject(position));
            }
        }
        Ok(Self { objects })
    }
}

fn parse_fields(position: usize, text: &str) -> Result<Vec<FieldName>, InvalidFieldList> {
    let mut fields: Vec<FieldName> = Vec::new();
    for field in text.split(',') {
        // A path names another object's field; its changes do not change this record.
        let field = Some(field.trim()).filter(|field| !field.contains('.')).ok_or(InvalidFieldList::Field(position))?;
        let field = field.parse().map_err(|_| InvalidFieldList::Field(position))?;
        if fields.iter().any(|known| super::is_same(known, &field)) {
            return Err(InvalidFieldList::DuplicateField(position));
        }
        fields.push(field);
    }
    Ok(fields)
}
