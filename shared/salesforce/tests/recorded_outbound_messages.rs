//! Compares the parser with an independent XML parser on every recorded outbound message.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure fails the test")]

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use roxmltree::{Document, Node};
use salesforce::soap::outbound_message::{self, Notification, OutboundMessage};

const OUTBOUND: &str = "http://soap.sforce.com/2005/09/outbound";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Returns the recorded bodies by file name, also the one inside an API Gateway event. Empty if there are no recordings.
fn recorded() -> Vec<(String, Vec<u8>)> {
    let Some(folder) = fixtures::path("outbound-messages") else { return Vec::new() };
    let mut bodies: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).filter_map(|path| body(&path)).collect();
    bodies.sort();
    assert!(bodies.len() >= 20, "only {} recorded bodies in {}", bodies.len(), folder.display());
    bodies
}

fn body(path: &PathBuf) -> Option<(String, Vec<u8>)> {
    let name = path.file_name()?.to_str()?.to_owned();
    if name.ends_with(".response.xml") {
        return None;
    }
    match path.extension()?.to_str()? {
        "xml" => Some((name, fs::read(path).unwrap())),
        "json" => {
            let event: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            Some((name, event["body"].as_str().unwrap().as_bytes().to_vec()))
        }
        _ => None,
    }
}

/// Returns the text of an element as the independent parser reads it, without surrounding white space; `None` for null.
fn text<'a>(node: Node<'_, '_>) -> Option<Cow<'a, str>> {
    let text: String = node.children().filter_map(|child| child.text()).collect();
    let nil = node.attribute((XSI, "nil")) == Some("true");
    let text = Some(text.trim_ascii().to_owned()).filter(|text| !text.is_empty() && !nil);
    text.map(Cow::Owned)
}

fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    node.children().find(|child| child.tag_name().name() == name && child.tag_name().namespace() == Some(OUTBOUND))
}

/// Returns the message as the independent parser reads it.
fn independent_reading<'a>(document: &'a Document<'_>) -> OutboundMessage<'a> {
    let message = document.descendants().find(|node| node.has_tag_name((OUTBOUND, "notifications"))).unwrap();
    let header = |name| child(message, name).and_then(text);
    let notifications = message.children().filter(|node| node.has_tag_name((OUTBOUND, "Notification")));
    OutboundMessage {
        organization_id: header("OrganizationId"),
        action_id: header("ActionId"),
        session_id_present: header("SessionId").is_some(),
        notifications: notifications.map(independent_notification).collect(),
    }
}

fn independent_notification<'a>(node: Node<'a, '_>) -> Notification<'a> {
    let record = child(node, "sObject").unwrap();
    let fields = record.children().filter(Node::is_element);
    let fields: Vec<_> = fields.map(|field| (field.tag_name().name(), text(field))).collect();
    let object_type = record.attribute((XSI, "type")).unwrap().split(':').next_back().unwrap();
    Notification {
        id: child(node, "Id").and_then(text),
        object_type: Some(object_type.into()),
        record_id: fields.iter().find(|(name, _)| *name == "Id").unwrap().1.clone(),
        fields,
    }
}

#[test]
fn the_parser_agrees_with_an_independent_parser() {
    for (name, body) in recorded() {
        let message = outbound_message::parse(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        let text = std::str::from_utf8(&body).unwrap().trim_start_matches('\u{feff}').trim_start();
        assert_eq!(message, independent_reading(&Document::parse(text).unwrap()), "{name}");
    }
}

#[test]
fn known_contents_of_the_recordings_are_parsed() {
    let bodies = recorded();
    let read = |file: &str| {
        let (_, body) = bodies.iter().find(|(name, _)| name == file)?;
        Some(outbound_message::parse(body).unwrap())
    };
    let Some(leads) = read("lead-x3-bom-with-session.xml") else { return };
    assert_eq!(leads.notifications.len(), 3);
    assert!(leads.session_id_present);
    let contact = read("contact-managed-package-namespaces.xml").unwrap();
    assert_eq!(contact.notifications[0].fields.len(), 94);
    let scrubbed = read("contact-scrubbed-19char-id.xml").unwrap();
    assert_eq!(scrubbed.notifications[0].record_id.as_deref(), Some("003o000000xxxxxxxxx"));
    let missing = read("contact-leading-newline-missing-elements.xml").unwrap();
    assert_eq!((missing.action_id, missing.session_id_present), (None, false));
}

#[test]
fn validation_accepts_real_ids_and_refuses_scrubbed_ones() {
    for (name, body) in recorded() {
        let message = outbound_message::parse(&body).unwrap();
        match message.validate() {
            Ok(validated) => assert_eq!(validated.changes.len(), message.notifications.len(), "{name}"),
            Err(error) => assert!(!error.to_string().is_empty(), "{name}"),
        }
    }
    let validate = |file: &str| {
        let body = recorded().into_iter().find(|(name, _)| name == file);
        body.map(|(_, body)| outbound_message::parse(&body).unwrap().validate())
    };
    for real in [
        "case-dev-v61.xml",
        "opportunity-single-line.xml",
        "account-36-fields.xml",
        "opportunity-15char-ids-sandbox-v23.xml",
    ] {
        assert!(validate(real).is_none_or(|validated| validated.is_ok()), "{real}");
    }
    let wrong = validate("custom-object-x2-with-session.xml").map(|validated| validated.unwrap_err().to_string());
    assert!(wrong.is_none_or(|error| error == "the notification's Id has a wrong checksum"));
}

#[test]
fn every_truncation_of_a_recording_is_refused() {
    for (name, body) in recorded() {
        let end = body.trim_ascii_end().len();
        for length in (0..end).step_by(7) {
            assert!(outbound_message::parse(&body[..length]).is_err(), "{name} cut at {length}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_recording_never_makes_it_panic(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        for (_, mut body) in recorded() {
            for (position, byte) in &damage {
                let position = position.index(body.len());
                body[position] = *byte;
            }
            if let Ok(message) = outbound_message::parse(&body) {
                let _ = message.validate();
            }
        }
    }

    #[test]
    fn recordings_cut_and_spliced_never_make_it_panic(cuts in proptest::collection::vec(any::<prop::sample::Index>(), 4)) {
        let bodies = recorded();
        for pair in bodies.windows(2) {
            let (one, other) = (&pair[0].1, &pair[1].1);
            let spliced = [&one[..cuts[0].index(one.len())], &other[cuts[1].index(other.len())..]].concat();
            let _ = outbound_message::parse(&spliced);
        }
    }
}
