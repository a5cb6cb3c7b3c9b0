//! The responses of the SOAP API: results and faults.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use super::xml::tag;
use crate::model::errors::ApiError;
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::value::plain;

/// Partner (`u`) or enterprise (`c`) WSDL, which have different namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wsdl {
    Partner,
    Enterprise,
}

impl Wsdl {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Enterprise => "enterprise",
        }
    }

    /// Returns the letter in the URL.
    pub(super) fn letter(self) -> char {
        match self {
            Self::Partner => 'u',
            Self::Enterprise => 'c',
        }
    }
}

/// A SOAP fault, the error of a whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    code: Cow<'static, str>,
    message: String,
    kind: &'static str,
}

impl Fault {
    pub(super) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), kind: "UnexpectedErrorFault" }
    }

    pub(super) fn login() -> Self {
        let message = "Invalid username, password, security token; or user locked out.";
        Self { kind: "LoginFault", ..Self::new("INVALID_LOGIN", message) }
    }

    pub(super) fn session() -> Self {
        Self::new("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session")
    }

    /// Returns the envelope, which is sent with status 500.
    pub(super) fn envelope(&self, wsdl: Wsdl) -> String {
        let (kind, code) = (self.kind, &*self.code);
        let detail = tag("sf:exceptionCode", code) + &tag("sf:exceptionMessage", &self.message);
        let text = tag("faultstring", &format!("{code}: {}", self.message));
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:sf=\"urn:fault.{}.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body>\
             <soapenv:Fault><faultcode>sf:{code}</faultcode>{text}<detail><sf:{kind} xsi:type=\"sf:{kind}\">{detail}</sf:{kind}>\
             </detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>",
            wsdl.name()
        )
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        Self::new(error.code, error.message)
    }
}

/// Returns the envelope of an operation's result, with the use of the API limit.
pub(super) fn envelope(org: &Org, wsdl: Wsdl, operation: &str, content: &str) -> String {
    let limit = format!(
        "<LimitInfoHeader><limitInfo><current>{}</current><limit>{}</limit><type>API REQUESTS</type></limitInfo></LimitInfoHeader>",
        org.limits.used(org.clock.now()),
        org.limits.max
    );
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns=\"urn:{0}.soap.sforce.com\" xmlns:sf=\"urn:sobject.{0}.soap.sforce.com\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Header>{limit}</soapenv:Header><soapenv:Body>\
         <{operation}Response>{content}</{operation}Response></soapenv:Body></soapenv:Envelope>",
        wsdl.name()
    )
}

/// Returns the `errors` elements of a result; that of a duplicate rule is a `DuplicateError`.
pub(super) fn errors(error: &ApiError) -> String {
    let one = |error: &ApiError| {
        let fields: String = error.fields.iter().flatten().map(|field| tag("fields", field)).collect();
        let rest = tag("message", &error.message) + &tag("statusCode", error.code);
        match &error.more {
            Some(more) => {
                let details = element("duplicateResult", &more.1);
                format!("<errors xsi:type=\"DuplicateError\">{fields}{rest}{details}</errors>")
            }
            None => format!("<errors>{fields}{rest}</errors>"),
        }
    };
    error.all().map(one).collect()
}

/// Returns JSON as elements: a list as repeated ones, and a record with its type and its fields.
fn element(name: &str, json: &Json) -> String {
    let children = |map: &Map<String, Json>| map.iter().map(|(name, value)| element(name, value)).collect::<String>();
    match json {
        Json::Array(items) => items.iter().map(|item| element(name, item)).collect(),
        Json::Object(map) => match map.get("attributes").and_then(|attributes| attributes["type"].as_str()) {
            Some(kind) => {
                let fields = map.iter().filter(|(_, value)| !value.is_object() && !value.is_null());
                let fields: String = fields.map(|(name, value)| tag(&format!("sf:{name}"), &plain(value))).collect();
                format!("<{name} xsi:type=\"sf:sObject\">{}{fields}</{name}>", tag("sf:type", kind))
            }
            None => format!("<{name}>{}</{name}>", children(map)),
        },
        other => tag(name, &plain(other)),
    }
}

/// Returns the result of a failed upsert, which begins with `created`.
pub(super) fn failed_upsert(error: &ApiError) -> String {
    result(&Err(error.clone())).replacen("<result>", "<result><created>false</created>", 1)
}

/// Returns a result with an id or with an error.
pub(super) fn result(outcome: &Result<RecordId, ApiError>) -> String {
    match outcome {
        Ok(id) => format!("<result>{}<success>true</success></result>", tag("id", id.as_str())),
        Err(error) => format!("<result>{}<id xsi:nil=\"true\"/><success>false</success></result>", errors(error)),
    }
}
