//! Flows that send outbound messages, as the simulator sends them: after every create and update of a record.

use crate::api::soap::xml::Element;

/// Elements of such a flow; any other element changes what it does.
const ELEMENTS: [&str; 14] = [
    "actionCalls",
    "apiVersion",
    "areMetricsLoggedToDataCloud",
    "customProperties",
    "description",
    "environments",
    "interviewLabel",
    "isTemplate",
    "label",
    "processMetadataValues",
    "processType",
    "runInMode",
    "start",
    "status",
];

/// Elements of its start.
const START: [&str; 6] = ["locationX", "locationY", "connector", "object", "recordTriggerType", "triggerType"];

/// Returns the outbound messages that a flow sends, as `Object.Name`, or why the flow is not supported.
pub(super) fn messages(flow: &Element) -> Result<Vec<String>, String> {
    if flow.value("status") != Some("Active") {
        return Err("the flow is not active".to_owned());
    }
    let unsupported = "only flows that send outbound messages after every create and update are supported";
    let start = flow.child("start").ok_or(unsupported)?;
    let is_usual = flow.children.iter().all(|child| ELEMENTS.contains(&child.name.as_str()))
        && start.children.iter().all(|child| START.contains(&child.name.as_str()))
        && start.value("recordTriggerType") == Some("CreateAndUpdate")
        && start.value("triggerType") == Some("RecordAfterSave")
        && flow.all("actionCalls").all(|call| call.value("actionType") == Some("outboundMessage"));
    let prefix = format!("{}.", start.value("object").unwrap_or_default());
    let names: Vec<String> =
        flow.all("actionCalls").filter_map(|call| call.value("actionName")).map(str::to_owned).collect();
    let is_of_object = !names.is_empty() && names.iter().all(|name| name.starts_with(&prefix));
    if is_usual && is_of_object { Ok(names) } else { Err(unsupported.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: &str = "<Flow><actionCalls><actionName>Account.Changed</actionName><actionType>outboundMessage</actionType>\
                        </actionCalls><start><object>Account</object><recordTriggerType>CreateAndUpdate</recordTriggerType>\
                        <triggerType>RecordAfterSave</triggerType></start><status>Active</status></Flow>";

    #[test]
    fn a_flow_after_every_save_sends_its_messages() {
        assert_eq!(messages(&Element::parse(FLOW).unwrap()), Ok(vec!["Account.Changed".to_owned()]));
    }

    #[test]
    fn other_flows_are_refused() {
        for (old, new) in [
            (">Active<", ">Draft<"),
            ("CreateAndUpdate", "Create"),
            ("RecordAfterSave", "RecordBeforeSave"),
            ("outboundMessage", "emailAlert"),
            ("<start>", "<decisions/><start>"),
            ("<start>", "<start><filters/>"),
            ("<object>Account", "<object>Contact"),
        ] {
            assert!(messages(&Element::parse(&FLOW.replacen(old, new, 1)).unwrap()).is_err(), "{new}");
        }
    }
}
