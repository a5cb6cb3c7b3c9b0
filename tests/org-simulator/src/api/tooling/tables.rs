//! The Tooling objects and their rows, for queries. Only the resource of a single record returns `Metadata`.

use std::sync::Arc;

use jiff::Timestamp;

use super::channels::developer_name as developer_name_of_channel;
use crate::model::change_events::names::event_name;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::outbox::Definition;
use crate::model::packages::{InstallRequest, NAMESPACE, PACKAGE};
use crate::model::people;
use crate::model::schema::{self, Access, Field, FieldKind, Object, Schema};
use crate::model::store::Row;
use crate::model::value::Value;

pub(super) const MESSAGES: &str = "WorkflowOutboundMessage";
pub(super) const CHANNELS: &str = "PlatformEventChannel";
pub(super) const MEMBERS: &str = "PlatformEventChannelMember";
pub(super) const INSTALL_REQUESTS: &str = "PackageInstallRequest";

/// Names and types of fields.
type Fields = &'static [(&'static str, &'static str)];

/// Object, key prefix and fields. The type is text, number or Boolean by the first letter, or a reference by the
/// object's name.
const OBJECTS: &[(&str, &str, Fields)] = &[
    (
        MESSAGES,
        "04k",
        &[
            ("Name", "s"),
            ("FullName", "s"),
            ("ApiVersion", "d"),
            ("EndpointUrl", "s"),
            ("EntityDefinitionId", "s"),
            ("IncludeSessionId", "b"),
            ("IntegrationUserId", "s"),
            ("ManageableState", "s"),
            ("NamespacePrefix", "s"),
        ],
    ),
    (
        CHANNELS,
        "0YL",
        &[
            ("DeveloperName", "s"),
            ("FullName", "s"),
            ("ChannelType", "s"),
            ("MasterLabel", "s"),
            ("ManageableState", "s"),
            ("NamespacePrefix", "s"),
        ],
    ),
    (
        MEMBERS,
        "0v8",
        &[
            ("DeveloperName", "s"),
            ("FullName", "s"),
            ("EventChannel", "s"),
            ("SelectedEntity", "s"),
            ("ManageableState", "s"),
            ("NamespacePrefix", "s"),
        ],
    ),
    (
        INSTALL_REQUESTS,
        "0Hf",
        &[
            ("SubscriberPackageVersionKey", "s"),
            ("NameConflictResolution", "s"),
            ("SecurityType", "s"),
            ("PackageInstallSource", "s"),
            ("EnableRss", "b"),
            ("UpgradeType", "s"),
            ("ApexCompileType", "s"),
            ("SkipHandlers", "s"),
            ("Status", "s"),
        ],
    ),
    ("SubscriberPackage", "033", &[("Name", "s"), ("NamespacePrefix", "s")]),
    (
        "SubscriberPackageVersion",
        "04t",
        &[("MajorVersion", "i"), ("MinorVersion", "i"), ("PatchVersion", "i"), ("BuildNumber", "i"), ("IsBeta", "b")],
    ),
    (
        "InstalledSubscriberPackage",
        "0A3",
        &[("SubscriberPackageId", "SubscriberPackage"), ("SubscriberPackageVersionId", "SubscriberPackageVersion")],
    ),
];

/// Replaces the contents of `scratch` by the Tooling objects of `org`.
pub(super) fn fill_tables(scratch: &mut Org, org: &Org) {
    scratch.schema = Schema::default();
    // An org whose edition has no outbound messages does not know their type; unverified.
    let exists = |name: &str| name != MESSAGES || org.features.outbound_messages;
    for (name, prefix, fields) in OBJECTS.iter().filter(|(name, ..)| exists(name)) {
        let mut object = Object::new(name, prefix, false);
        object.access = Access::ReadOnly;
        for (field, kind) in *fields {
            object.add(field_of(field, kind));
        }
        scratch.schema.insert(object);
    }
    for definition in org.outbox.definitions() {
        put(scratch, org, MESSAGES, definition.action_id, &message(org, definition));
    }
    for channel in org.change_events.channels() {
        let values = [
            ("DeveloperName", Value::text(developer_name_of_channel(&channel.name))),
            ("FullName", Value::text(&channel.name)),
            ("ChannelType", Value::text("data")),
            ("MasterLabel", Value::text(&channel.label)),
            ("ManageableState", Value::text("unmanaged")),
        ];
        put(scratch, org, CHANNELS, channel.id, &values);
    }
    for member in org.change_events.members() {
        let values = [
            ("DeveloperName", Value::text(&member.name)),
            ("FullName", Value::text(&member.name)),
            ("EventChannel", Value::text(&member.channel)),
            ("SelectedEntity", Value::text(event_name(&member.object).unwrap_or_default())),
            ("ManageableState", Value::text("unmanaged")),
        ];
        put(scratch, org, MEMBERS, member.id, &values);
    }
    for request in &org.install_requests.all {
        install_request(scratch, org, request);
    }
    let Some(package) = &org.package else { return };
    let ids = [&package.id, &package.package_id, &package.version_id].map(|id| RecordId::parse(id));
    let [Some(id), Some(package_id), Some(version_id)] = ids else { return };
    let named = [("Name", Value::text(PACKAGE)), ("NamespacePrefix", Value::text(NAMESPACE))];
    put(scratch, org, "SubscriberPackage", package_id, &named);
    let mut numbers = package.version.split('.').map(|part| Value::Int(part.parse().unwrap_or_default()));
    let mut number = || numbers.next().unwrap_or(Value::Int(0));
    let version = [
        ("MajorVersion", number()),
        ("MinorVersion", number()),
        ("PatchVersion", number()),
        ("BuildNumber", Value::Int(1)),
        ("IsBeta", Value::Bool(false)),
    ];
    put(scratch, org, "SubscriberPackageVersion", version_id, &version);
    let installed =
        [("SubscriberPackageId", Value::Id(package_id)), ("SubscriberPackageVersionId", Value::Id(version_id))];
    put(scratch, org, "InstalledSubscriberPackage", id, &installed);
}

fn field_of(name: &str, kind: &str) -> Field {
    let mut field = match kind {
        "s" => Field::new(name, FieldKind::String),
        "d" => Field::new(name, FieldKind::Double),
        "i" => Field::new(name, FieldKind::Int),
        "b" => Field::new(name, FieldKind::Boolean),
        target => Field {
            relationship: Some(target.to_owned()),
            reference_to: vec![target.to_owned()],
            ..Field::new(name, FieldKind::Reference)
        },
    };
    field.name_field = name == "Name";
    field
}

fn message(org: &Org, definition: &Definition) -> Vec<(&'static str, Value)> {
    let settings = &definition.settings;
    let user = settings.integration_user.as_deref().and_then(|username| org.user_named(username));
    vec![
        ("Name", Value::text(developer_name(&definition.message.name))),
        ("FullName", Value::text(full_name(definition))),
        ("ApiVersion", Value::Double(settings.api_version.parse().unwrap_or_default())),
        ("EndpointUrl", Value::text(definition.message.endpoint_url.as_str())),
        ("EntityDefinitionId", Value::text(definition.message.object.as_str())),
        ("IncludeSessionId", Value::Bool(settings.include_session_id)),
        ("IntegrationUserId", Value::text(user.unwrap_or_else(|| people::admin(org).user).as_str())),
        ("ManageableState", Value::text("unmanaged")),
    ]
}

fn install_request(scratch: &mut Org, org: &Org, request: &InstallRequest) {
    let moment = |moment: Timestamp| Value::Instant(crate::model::datetime::whole_seconds(moment));
    let mut values = vec![
        ("SubscriberPackageVersionKey", Value::text(request.version_key.as_str())),
        ("Status", Value::text(request.status.name())),
        ("CreatedById", Value::Id(request.user)),
        ("LastModifiedById", Value::Id(request.user)),
        ("CreatedDate", moment(request.created)),
        ("LastModifiedDate", moment(request.changed)),
        ("SystemModstamp", moment(request.changed)),
    ];
    values.extend(request.options.iter().cloned());
    put(scratch, org, INSTALL_REQUESTS, request.id, &values);
}

/// Returns the full name of a definition in metadata: object and name.
pub(super) fn full_name(definition: &Definition) -> String {
    format!("{}.{}", definition.message.object, developer_name(&definition.message.name))
}

/// Returns a developer name: letters, digits and single underscores.
fn developer_name(name: &str) -> String {
    let parts = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("_")
}

fn put(scratch: &mut Org, org: &Org, name: &str, id: RecordId, values: &[(&str, Value)]) {
    let Some(object) = scratch.schema.object(name).map(Arc::clone) else { return };
    let mut row = Row::default();
    org.stamp_new(&mut row, id, people::admin(org).user);
    row.set(schema::ID, Value::Id(id));
    for (field, value) in values {
        if let Some(at) = object.position(field) {
            row.set(at, value.clone());
        }
    }
    scratch.store.put(&object, id, row);
}
