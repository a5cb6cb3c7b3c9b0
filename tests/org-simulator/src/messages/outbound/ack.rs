//! Parses an endpoint's response. Only the exact acknowledgement acknowledges a message.

use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const OUTBOUND: &str = "http://soap.sforce.com/2005/09/outbound";
/// The maximum number of characters of a fault's text.
const FAULT_TEXT: usize = 200;

type Path = [(&'static str, &'static str)];
const ACK: &Path = &[(SOAP, "Envelope"), (SOAP, "Body"), (OUTBOUND, "notificationsResponse"), (OUTBOUND, "Ack")];
const FAULT: &Path = &[(SOAP, "Envelope"), (SOAP, "Body"), (SOAP, "Fault"), ("", "faultstring")];

/// The content of a response body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// `Envelope/Body/notificationsResponse/Ack` with the text `true`, in the correct namespaces.
    Acknowledged,
    /// An `Ack` with another text.
    Refused,
    /// A SOAP 1.1 fault, with the beginning of its `faultstring`.
    Fault(String),
    /// Any other body.
    NoAck,
}

pub(super) fn verdict(body: &str) -> Verdict {
    if let Some(text) = text_at(body, ACK) {
        return if text.trim() == "true" { Verdict::Acknowledged } else { Verdict::Refused };
    }
    match text_at(body, FAULT) {
        Some(text) => Verdict::Fault(text.trim().chars().take(FAULT_TEXT).collect()),
        None => Verdict::NoAck,
    }
}

/// Returns the text of the element at that path, if the document is well-formed to its end.
fn text_at(body: &str, wanted: &Path) -> Option<String> {
    let mut reader = NsReader::from_str(body);
    let (mut depth, mut matched) = (0_usize, 0_usize);
    let mut text = None;
    loop {
        let (namespace, event) = reader.read_resolved_event().ok()?;
        match event {
            Event::Start(start) => {
                let right = wanted.get(depth).is_some_and(|(ns, name)| {
                    let bound = match &namespace {
                        ResolveResult::Bound(bound) => bound.0 == *ns,
                        _ => ns.is_empty(),
                    };
                    bound && start.local_name().as_ref() == *name
                });
                matched += usize::from(right && matched == depth);
                depth += 1;
            }
            Event::End(_) => {
                depth = depth.checked_sub(1)?;
                matched = matched.min(depth);
            }
            Event::Text(part) if matched == wanted.len() && depth == wanted.len() => text = Some((*part).to_owned()),
            Event::DocType(_) => return None,
            Event::Eof => return text.filter(|_| depth == 0),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACKNOWLEDGEMENT: &str = "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <notificationsResponse xmlns=\"http://soap.sforce.com/2005/09/outbound\"><Ack>true</Ack></notificationsResponse></s:Body></s:Envelope>";

    #[test]
    fn only_the_exact_response_acknowledges() {
        assert_eq!(verdict(ACKNOWLEDGEMENT), Verdict::Acknowledged);
        assert_eq!(verdict(&ACKNOWLEDGEMENT.replace(">true<", ">false<")), Verdict::Refused);
        for wrong in [
            String::new(),
            "{\"ok\":true}".to_owned(),
            ACKNOWLEDGEMENT.replace("2005/09/outbound", "2006/outbound"),
            ACKNOWLEDGEMENT.replace("notificationsResponse", "response"),
            ACKNOWLEDGEMENT.replace("</s:Envelope>", ""),
            ACKNOWLEDGEMENT.replace("s:Body", "Body"),
        ] {
            assert_eq!(verdict(&wrong), Verdict::NoAck, "{wrong}");
        }
    }

    #[test]
    fn a_fault_is_reported_with_its_text() {
        let fault = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>s:Server</faultcode>\
             <faultstring>no such tenant</faultstring></s:Fault></s:Body></s:Envelope>";
        assert_eq!(verdict(fault), Verdict::Fault("no such tenant".to_owned()));
    }
}
