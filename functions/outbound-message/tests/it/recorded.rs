//! Bodies recorded from real orgs.

use std::fs;
use std::path::PathBuf;

use crate::harness::{TestContext, run};

fn recorded_bodies() -> Vec<PathBuf> {
    let Some(folder) = fixtures::path("outbound-messages") else { return Vec::new() };
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
    paths.sort();
    paths
}

#[test]
fn a_recorded_body_of_another_org_is_never_acknowledged_here() {
    run(async {
        let context = TestContext::new().await;
        for path in recorded_bodies() {
            let response = context.post(&context.address(), fs::read(&path).unwrap()).await;
            let problem = response.problem();
            assert!(["other_org", "malformed_message"].contains(&problem.as_str()), "{}: {problem}", path.display());
        }
        assert_eq!(context.queued().await, []);
    });
}

#[test]
fn a_recorded_body_becomes_hints_once_it_names_the_org() {
    run(async {
        let context = TestContext::new().await;
        let mut acknowledged = 0;
        for path in recorded_bodies() {
            let Ok(body) = fs::read_to_string(&path) else { continue };
            let body = renamed(&body, context.org.as_str());
            let expected = body.matches("<Notification>").count();
            let response = context.post(&context.address(), body).await;
            // Some bodies were masked by their authors, so that their ids are none.
            if response.is_ack() {
                acknowledged += 1;
                assert_eq!(context.queued().await.len(), expected, "{}", path.display());
            } else {
                assert_eq!(response.problem(), "malformed_message", "{}", path.display());
            }
        }
        assert!(acknowledged >= 10 || recorded_bodies().is_empty(), "{acknowledged} acknowledged");
    });
}

/// Returns the body with another org's id.
fn renamed(body: &str, org: &str) -> String {
    let Some((head, rest)) = body.split_once("OrganizationId>") else { return body.to_owned() };
    let Some((_, tail)) = rest.split_once("</") else { return body.to_owned() };
    format!("{head}OrganizationId>{org}</{tail}")
}
