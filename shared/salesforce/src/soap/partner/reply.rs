//! Reads responses: the results of the items, the usage of the API, and faults. Elements without a meaning are skipped.

use crate::soap::outbound_message::ParseError;
use crate::soap::outbound_message::element::{Element, SOAP};
use crate::soap::outbound_message::reader::Reader;
use crate::{ApiUsage, Error, RecordId, SaveError};

/// A response.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) operation: &'static str,
    /// The usage of the API: SOAP reports it in its own header, not in `Sforce-Limit-Info` (SOAP API Developer Guide,
    /// `LimitInfoHeader`).
    pub(super) usage: Option<ApiUsage>,
    /// The results of the items, in their order.
    pub(super) outcomes: Vec<Outcome>,
}

/// The result of one item.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The values with their names; none is null.
    values: Vec<(String, String)>,
    pub(super) errors: Vec<SaveError>,
}

/// The error of a whole request. Its message may hold record data: never log it.
pub(crate) struct Fault {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Reply {
    /// Parses the response to the operation of this name.
    pub(super) fn parse(operation: &'static str, name: &str, body: &[u8]) -> Result<Self, Error> {
        let mut reply = Self { operation, usage: None, outcomes: Vec::new() };
        let response = format!("{name}Response");
        read_envelope(body, |xml, part, element| match part {
            Part::Header if element.name == "LimitInfoHeader" => {
                reply.usage = read_usage(xml)?;
                Ok(())
            }
            Part::Body if element.name == response => xml.children(|xml, element| match element.name {
                "result" => read_outcome(xml).map(|outcome| reply.outcomes.push(outcome)),
                _ => xml.skip(),
            }),
            Part::Header | Part::Body => xml.skip(),
        })
        .map_err(|_| Error::InvalidResponse { operation, what: "unexpected XML" })?;
        Ok(reply)
    }
}

impl Outcome {
    pub(super) fn success(&self) -> bool {
        self.value("success") == Some("true")
    }

    /// Returns an id; `None` if it is absent, null or malformed.
    pub(super) fn id(&self, name: &str) -> Option<RecordId> {
        self.value(name)?.parse().ok()
    }

    /// Returns all ids of a name.
    pub(super) fn ids(&self, name: &str) -> Vec<RecordId> {
        let named = self.values.iter().filter(|(of, _)| of == name);
        named.filter_map(|(_, id)| id.parse().ok()).collect()
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }
}

/// Returns the fault of a response; `None` if it has none with a code of Salesforce.
pub(crate) fn fault(body: &[u8]) -> Option<Fault> {
    let (mut code, mut message) = (None, None);
    let read = read_envelope(body, |xml, part, element| match part {
        Part::Body if (element.namespace, element.name) == (SOAP, "Fault") => xml.children(|xml, element| {
            match element.name {
                "faultcode" => code = xml.value(&element)?.and_then(|name| Some(name.strip_prefix("sf:")?.to_owned())),
                "faultstring" => message = xml.value(&element)?.map(|text| text.into_owned()),
                _ => xml.skip()?,
            }
            Ok(())
        }),
        Part::Header | Part::Body => xml.skip(),
    });
    read.ok()?;
    Some(Fault { code: code?, message: message.unwrap_or_default() })
}

/// A part of an envelope.
#[derive(Clone, Copy)]
enum Part {
    Header,
    Body,
}

/// Calls `read` for each element of the header and of the body.
fn read_envelope<'a>(
    body: &'a [u8],
    mut read: impl FnMut(&mut Reader<'a>, Part, Element<'a>) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    Reader::new(body)?.children(|xml, root| {
        if (root.namespace, root.name) != (SOAP, "Envelope") {
            return Err(ParseError::NoEnvelope);
        }
        xml.children(|xml, element| {
            let part = match (element.namespace, element.name) {
                (SOAP, "Header") => Part::Header,
                (SOAP, "Body") => Part::Body,
                _ => return xml.skip(),
            };
            xml.children(|xml, element| read(xml, part, element))
        })
    })
}

/// Reads `LimitInfoHeader`: a `limitInfo` for each kind of limit.
fn read_usage(xml: &mut Reader<'_>) -> Result<Option<ApiUsage>, ParseError> {
    let mut usage = None;
    xml.children(|xml, _| {
        let (mut current, mut limit, mut kind) = (None, None, None);
        xml.children(|xml, element| {
            let value = match element.name {
                "current" => &mut current,
                "limit" => &mut limit,
                "type" => &mut kind,
                _ => return xml.skip(),
            };
            *value = xml.value(&element)?;
            Ok(())
        })?;
        let number = |text: Option<std::borrow::Cow<'_, str>>| text.and_then(|text| text.parse().ok());
        if kind.as_deref() == Some("API REQUESTS") {
            usage = number(current).zip(number(limit)).map(|(used, max)| ApiUsage { used, max });
        }
        Ok(())
    })?;
    Ok(usage)
}

fn read_outcome(xml: &mut Reader<'_>) -> Result<Outcome, ParseError> {
    let mut outcome = Outcome::default();
    xml.children(|xml, element| {
        if element.name == "errors" {
            let error = read_error(xml)?;
            outcome.errors.push(error.with_duplicate());
        } else if let Some(value) = xml.value(&element)? {
            outcome.values.push((element.name.to_owned(), value.into_owned()));
        }
        Ok(())
    })?;
    Ok(outcome)
}

/// Reads an error, with the records that a duplicate rule found (`DuplicateError`).
fn read_error(xml: &mut Reader<'_>) -> Result<SaveError, ParseError> {
    let mut error = SaveError::default();
    xml.children(|xml, element| {
        let text = match element.name {
            "duplicateResult" => return read_matches(xml, &mut error.existing_ids),
            "fields" => {
                error.fields.extend(xml.value(&element)?.map(|field| field.into_owned()));
                return Ok(());
            }
            "message" => &mut error.message,
            "statusCode" => &mut error.code,
            _ => return xml.skip(),
        };
        *text = xml.value(&element)?.unwrap_or_default().into_owned();
        Ok(())
    })?;
    Ok(error)
}

/// Reads the ids of the matched records, which are at `matchResults/matchRecords/record`.
fn read_matches(xml: &mut Reader<'_>, ids: &mut Vec<RecordId>) -> Result<(), ParseError> {
    xml.children(|xml, element| match element.name {
        "matchResults" | "matchRecords" => read_matches(xml, ids),
        "record" => xml.children(|xml, element| {
            if element.name != "Id" {
                return xml.skip();
            }
            let id = xml.value(&element)?.and_then(|id| id.parse().ok());
            ids.extend(id.filter(|id| !ids.contains(id)));
            Ok(())
        }),
        _ => xml.skip(),
    })
}
