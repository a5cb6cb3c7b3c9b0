//! Name resolution: paths against the schema, as far as the actor's profile permits.

use std::borrow::Cow;
use std::sync::Arc;

use super::ast::{Join, Path};
use super::pointer;
use crate::data::soql::plan::{Column, Resolved};
use crate::model::access::Permission;
use crate::model::activity_views::is_activity_view;
use crate::model::actor::Actor;
use crate::model::errors::ApiError;
use crate::model::org::Org;
use crate::model::schema::Object;

/// Levels of parents in a path (SOQL reference, "Understanding relationship query limitations").
const MAX_LEVELS: usize = 5;

/// Fields of a polymorphic parent: those of the object `Name`.
const NAME_FIELDS: [&str; 12] = [
    "Alias",
    "Email",
    "FirstName",
    "Id",
    "IsActive",
    "LastName",
    "Name",
    "Phone",
    "Title",
    "Type",
    "UserRoleId",
    "Username",
];

/// The context of name resolution: the org, the actor, the current object and the query's text for messages.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) org: &'a Org,
    pub(super) actor: &'a Actor,
    pub(super) object: &'a Arc<Object>,
    pub(super) alias: Option<&'a str>,
    /// Parents with aliases of their own.
    pub(super) joins: &'a [Join],
    pub(super) text: &'a str,
}

/// Returns the object after FROM, if the actor's profile permits reading it.
pub(super) fn queried(org: &Org, actor: &Actor, from: &Path, text: &str) -> Result<Arc<Object>, ApiError> {
    let known = match from.names.as_slice() {
        [name] => org.schema.object(name).filter(|object| org.has_permission(actor, Permission::Read, object)),
        _ => None,
    };
    if let Some(object) = known.filter(|object| is_activity_view(&object.name)) {
        let message = format!("entity type {} does not support query", object.name);
        return Err(pointer::at("INVALID_TYPE_FOR_OPERATION", text, from.offset, &message));
    }
    known.cloned().ok_or_else(|| {
        let message = ApiError::invalid_type(&from.names.join(".")).message;
        pointer::at("INVALID_TYPE", text, from.offset, &message)
    })
}

impl<'a> Scope<'a> {
    /// Returns the scope of the same query with another object.
    pub(super) fn with(self, object: &'a Arc<Object>) -> Self {
        Self { object, alias: None, joins: &[], ..self }
    }

    pub(super) fn error_at(self, code: &'static str, offset: usize, message: &str) -> ApiError {
        pointer::at(code, self.text, offset, message)
    }

    fn unknown_field(self, path: &Path, name: &str) -> ApiError {
        self.no_column(path, name, &self.object.name)
    }

    fn no_column(self, path: &Path, name: &str, entity: &str) -> ApiError {
        let message = format!(
            "No such column '{name}' on entity '{entity}'. If you are attempting to use a custom field, be sure to append the '__c' after the \
             custom field name. Please reference your WSDL or the describe call for the appropriate names."
        );
        self.error_at("INVALID_FIELD", path.offset, &message)
    }

    fn unknown_relationship(self, path: &Path, name: &str) -> ApiError {
        let message = format!(
            "Didn't understand relationship '{name}' in field path. If you are attempting to use a custom relationship, be sure to append \
             the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
        );
        self.error_at("INVALID_FIELD", path.offset, &message)
    }

    /// Returns the names of a path from the queried object on: without its name or alias, and with the relationships that
    /// the alias of a parent stands for.
    pub(super) fn names(self, path: &Path) -> Cow<'_, [String]> {
        match path.names.as_slice() {
            [first, rest @ ..] if !rest.is_empty() && self.is_called(first) => Cow::Borrowed(rest),
            [first, rest @ ..] if !rest.is_empty() => match self.joined(first) {
                Some(join) => Cow::Owned([&self.names(&join.path), rest].concat()),
                None => Cow::Borrowed(&path.names),
            },
            names => Cow::Borrowed(names),
        }
    }

    /// Returns the parent with an alias; a parent's own path may begin with the alias of an earlier one only.
    fn joined(self, alias: &str) -> Option<&'a Join> {
        self.joins.iter().find(|join| join.alias.eq_ignore_ascii_case(alias))
    }

    /// Rejects parents after FROM that the object does not have.
    pub(super) fn check_joins(self) -> Result<(), ApiError> {
        for (at, join) in self.joins.iter().enumerate() {
            let earlier = Self { joins: &self.joins[..at], ..self };
            let first = join.path.names.first().map_or("", String::as_str);
            if join.path.names.len() < 2 || !self.is_called(first) && earlier.joined(first).is_none() {
                let message = ApiError::invalid_type(&join.path.names.join(".")).message;
                return Err(self.error_at("INVALID_TYPE", join.path.offset, &message));
            }
            earlier.resolve(&Path {
                names: [&join.path.names[..], &["Id".to_owned()]].concat(),
                offset: join.path.offset,
            })?;
        }
        Ok(())
    }

    fn is_called(self, name: &str) -> bool {
        self.alias.is_some_and(|alias| alias.eq_ignore_ascii_case(name))
            || name.eq_ignore_ascii_case(&self.object.name) && self.object.relationship(name).is_none()
    }

    /// Resolves a path to its field.
    pub(super) fn resolve(self, path: &Path) -> Result<Resolved, ApiError> {
        let names = self.names(path);
        if names.len() > MAX_LEVELS + 1 {
            let message = "Relationship paths are limited to 5 levels of parents";
            return Err(self.error_at("INVALID_FIELD", path.offset, message));
        }
        self.follow(path, &names)
    }

    fn follow(self, path: &Path, names: &[String]) -> Result<Resolved, ApiError> {
        match names {
            [] => Err(self.unknown_field(path, "")),
            [name] => {
                let at = self.readable(name).ok_or_else(|| self.unknown_field(path, name))?;
                let name = self.object.fields[at].name.clone();
                Ok(Resolved { column: Column::own(self.object, at), name, home: Some((Arc::clone(self.object), at)) })
            }
            [relationship, rest @ ..] => self.follow_up(path, relationship, rest),
        }
    }

    fn follow_up(self, path: &Path, relationship: &str, rest: &[String]) -> Result<Resolved, ApiError> {
        let at = self.parent_reference(path, relationship)?;
        let shown = self.object.fields[at].relationship.clone().unwrap_or_default();
        let Some(object) = self.parent(at) else {
            let field = self.name_field(path, rest)?;
            let name = format!("{shown}.{field}");
            return Ok(Resolved { column: Column::PolymorphicParent { at, field }, name, home: None });
        };
        if !self.org.has_permission(self.actor, Permission::Read, &object) {
            return Err(self.unknown_relationship(path, relationship));
        }
        let found = self.with(&object).follow(path, rest)?;
        let name = format!("{shown}.{}", found.name);
        let column = Column::Parent { at, object: Arc::clone(&object), rest: Box::new(found.column) };
        Ok(Resolved { column, name, home: found.home })
    }

    /// Returns the position of the reference with a relationship name.
    pub(super) fn parent_reference(self, path: &Path, relationship: &str) -> Result<usize, ApiError> {
        let at = self.object.relationship(relationship);
        at.filter(|at| self.org.may_read_field(self.actor, self.object, &self.object.fields[*at]))
            .ok_or_else(|| self.unknown_relationship(path, relationship))
    }

    /// Returns the name of a field of a polymorphic parent.
    pub(super) fn name_field(self, path: &Path, names: &[String]) -> Result<String, ApiError> {
        let [name] = names else {
            return Err(self.unknown_relationship(path, names.first().map_or("", String::as_str)));
        };
        let known = NAME_FIELDS.iter().find(|known| known.eq_ignore_ascii_case(name));
        known.map(|known| (*known).to_owned()).ok_or_else(|| self.no_column(path, name, "Name"))
    }

    fn readable(self, name: &str) -> Option<usize> {
        let at = self.object.position(name)?;
        self.org.may_read_field(self.actor, self.object, self.object.fields.get(at)?).then_some(at)
    }

    /// Returns the object that a reference points to; `None` when it may point to several objects.
    pub(super) fn parent(self, at: usize) -> Option<Arc<Object>> {
        let field = self.object.fields.get(at).filter(|field| !field.is_polymorphic())?;
        self.org.schema.object(field.reference_to.first()?).cloned()
    }
}
