//! Installs the metadata of an SFDX project into an org.

use std::collections::BTreeSet;

use super::project::{MetadataFile, Project};
use super::{SourceReport, field, flow};
use crate::api::soap::xml::Element;
use crate::messages::definitions;
use crate::model::org::Org;
use crate::model::outbox::delivery::OutboundMessage;
use crate::model::outbox::settings::OutboundSettings;
use crate::model::schema::{Field, FieldKind, Object};
use crate::model::sharing::SharingDefault;
use crate::model::value::Value;

/// Installs a project: its objects first, then fields, outbound messages and permission sets.
pub(crate) fn install(org: &mut Org, project: &Project) -> SourceReport {
    let report = SourceReport { installed: Vec::new(), skipped: project.skipped.clone() };
    let mut install = Install { org, report, sent: BTreeSet::new() };
    for file in &project.files {
        install.object(file);
    }
    install.fields(&project.files);
    for phase in [Install::flow, Install::workflow, Install::permission_set] {
        for file in &project.files {
            phase(&mut install, file);
        }
    }
    for file in &project.files {
        if !["object", "field", "flow", "workflow", "permissionset"].contains(&file.kind.as_str()) {
            install.skip(file, "", "this kind of metadata is not supported");
        }
    }
    install.report
}

struct Install<'a> {
    org: &'a mut Org,
    report: SourceReport,
    /// Outbound messages that a flow sends, as `Object.Name`.
    sent: BTreeSet<String>,
}

impl Install<'_> {
    fn installed(&mut self, kind: &str, name: &str) {
        self.report.installed.push(format!("{kind} {name}"));
    }

    fn skip(&mut self, file: &MetadataFile, part: &str, reason: impl std::fmt::Display) {
        let path = &file.path;
        let separator = if part.is_empty() { "" } else { ": " };
        self.report.skipped.push(format!("{path}{separator}{part}: {reason}"));
    }

    fn object(&mut self, file: &MetadataFile) {
        if file.kind != "object" {
            return;
        }
        if !file.name.ends_with("__c") {
            return self.skip(file, "", "only the settings of custom objects (__c) are supported");
        }
        self.org.schema.add_custom_object(&file.name);
        let Ok(object) = self.org.object(&file.name) else { return };
        let mut object = Object::clone(&object);
        object.label = file.root.value("label").map_or(object.label, str::to_owned);
        object.label_plural = file.root.value("pluralLabel").map_or(object.label_plural, str::to_owned);
        if let Some(name) = file.root.child("nameField") {
            object.add(name_field(name));
        }
        self.org.schema.insert(object);
        self.installed("object", &file.name);
        match file.root.value("sharingModel") {
            None | Some("ReadWrite") => {}
            Some("Private") => {
                if let Err(error) = self.org.set_sharing_default(&file.name, SharingDefault::Private) {
                    self.skip(file, "sharingModel", error);
                }
            }
            Some(other) => self.skip(file, "sharingModel", format!("{other} is not supported; the object is public")),
        }
        let parts = file.root.children.iter().filter(|child| !child.children.is_empty());
        for part in parts.filter(|part| !["actionOverrides", "fields", "nameField"].contains(&part.name.as_str())) {
            let name = format!("{} {}", part.name, part.value("fullName").unwrap_or_default());
            self.skip(file, name.trim_end(), "it is not supported");
        }
    }

    /// Installs all fields. One that cannot be installed yet, as a formula that reads another one, is tried again after
    /// the others.
    fn fields(&mut self, files: &[MetadataFile]) {
        let mut waiting: Vec<SourceField<'_>> = files.iter().flat_map(fields_of).collect();
        loop {
            let mut refused = Vec::new();
            let tried = waiting.len();
            for field in waiting {
                match self.field(&field) {
                    Ok(()) => self.installed("field", &field.full_name()),
                    Err(reason) => refused.push((field, reason)),
                }
            }
            if refused.len() == tried {
                for (field, reason) in refused {
                    self.skip(field.file, &field.full_name(), reason);
                }
                return;
            }
            waiting = refused.into_iter().map(|(field, _)| field).collect();
        }
    }

    fn field(&mut self, source: &SourceField<'_>) -> Result<(), String> {
        let known = self.org.object(source.object).map_err(|_| "the object does not exist")?;
        let field = field::field(&self.org.schema, source.name, source.xml)?;
        if let Some(unknown) = field.reference_to.iter().find(|to| self.org.object(to).is_err()) {
            return Err(format!("the object {unknown} does not exist"));
        }
        self.org.define_field(&known.name, field).map_err(|error| error.to_string())
    }

    fn flow(&mut self, file: &MetadataFile) {
        if file.kind != "flow" {
            return;
        }
        match flow::messages(&file.root) {
            Ok(messages) => {
                self.sent.extend(messages);
                self.installed("flow", &file.name);
            }
            Err(reason) => self.skip(file, "", reason),
        }
    }

    fn workflow(&mut self, file: &MetadataFile) {
        if file.kind != "workflow" {
            return;
        }
        for part in &file.root.children {
            let name = part.value("fullName").unwrap_or_default();
            if part.name == "outboundMessages" {
                self.outbound_message(file, name, part);
            } else if !part.children.is_empty() {
                self.skip(file, &format!("{} {name}", part.name), "it is not supported");
            }
        }
    }

    fn outbound_message(&mut self, file: &MetadataFile, name: &str, xml: &Element) {
        let full = format!("{}.{name}", file.name);
        let definition = OutboundMessage {
            name: name.to_owned(),
            object: file.name.clone(),
            fields: xml.all("fields").map(|field| field.text.trim().to_owned()).collect(),
            endpoint_url: xml.value("endpointUrl").unwrap_or_default().to_owned(),
        };
        if let Err(error) = definitions::define_outbound_message(self.org, &definition) {
            return self.skip(file, &full, error);
        }
        let mut settings = OutboundSettings {
            active: self.sent.contains(&full),
            include_session_id: xml.is_true("includeSessionId"),
            integration_user: xml.value("integrationUser").map(str::to_owned),
            ..OutboundSettings::default()
        };
        settings.api_version = xml.value("apiVersion").map_or(settings.api_version, str::to_owned);
        if !settings.active {
            self.skip(file, &full, "no installed flow sends it, so it is not active");
        }
        if let Some(user) = settings.integration_user.take_if(|user| self.org.user_named(user).is_none()) {
            self.skip(
                file,
                &full,
                format!("the user {user} does not exist, so it contains what an administrator sees"),
            );
        }
        match definitions::configure_outbound_message(self.org, name, settings) {
            Ok(()) => self.installed("outbound message", &full),
            Err(error) => {
                // The definition was just added.
                let _ = definitions::remove_outbound_message(self.org, name);
                self.skip(file, &full, error);
            }
        }
    }

    /// Creates a permission set with its system permissions, which no user has yet.
    fn permission_set(&mut self, file: &MetadataFile) {
        if file.kind != "permissionset" {
            return;
        }
        let Ok(object) = self.org.object("PermissionSet") else { return };
        let label = file.root.value("label").unwrap_or(&file.name);
        let mut fields = vec![
            ("IsOwnedByProfile".to_owned(), Value::Bool(false)),
            ("Name".to_owned(), Value::text(file.name.as_str())),
            ("Label".to_owned(), Value::text(label)),
        ];
        for permission in file.root.all("userPermissions").filter(|permission| permission.is_true("enabled")) {
            let name = permission.value("name").unwrap_or_default();
            let field = format!("Permissions{name}");
            if object.field(&field).is_some() {
                fields.push((field, Value::Bool(true)));
            } else {
                self.skip(file, &format!("userPermissions {name}"), "the permission is not supported");
            }
        }
        let parts: BTreeSet<&str> = file
            .root
            .children
            .iter()
            .filter(|child| !child.children.is_empty())
            .map(|child| child.name.as_str())
            .collect();
        for part in parts.into_iter().filter(|part| *part != "userPermissions") {
            self.skip(file, part, "they have no effect: profiles have access unless it is restricted");
        }
        let fields: Vec<(&str, Value)> = fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        self.org.insert_setup("PermissionSet", &fields);
        self.installed("permission set", &file.name);
    }
}

/// A field in a file.
struct SourceField<'a> {
    file: &'a MetadataFile,
    object: &'a str,
    name: &'a str,
    xml: &'a Element,
}

impl SourceField<'_> {
    fn full_name(&self) -> String {
        format!("{}.{}", self.object, self.name)
    }
}

/// Returns the field that a file describes, or the fields in the file of an object.
fn fields_of<'a>(file: &'a MetadataFile) -> Vec<SourceField<'a>> {
    match file.kind.as_str() {
        "object" => {
            let fields = file.root.children.iter().filter(|child| child.name == "fields");
            let field = |xml: &'a Element| {
                let name = xml.value("fullName").unwrap_or_default();
                SourceField { file, object: &file.name, name, xml }
            };
            fields.map(field).collect()
        }
        "field" => {
            let object = file.folders.iter().rev().nth(1).map_or("", String::as_str);
            vec![SourceField { file, object, name: &file.name, xml: &file.root }]
        }
        _ => Vec::new(),
    }
}

/// Returns the field `Name` of a custom object.
fn name_field(xml: &Element) -> Field {
    let mut field = Field { length: 80, name_field: true, ..Field::new("Name", FieldKind::String) };
    field.label = xml.value("label").map_or(field.label, str::to_owned);
    if xml.value("type") == Some("AutoNumber") {
        field::number_automatically(&mut field, xml);
    }
    field
}
