//! `POST /webhooks/salesforce/installs`: the package's install notice.
//!
//! Anyone can send one, so it makes no event, and only a claim that expires: it makes an unknown org `claimed`, and of a known
//! org it changes only what was announced. Only a token response of that very org activates it. The notice names no tenant: the
//! tenant that connects the org owns it.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use runtime::http::JsonBody;
use runtime::problem::refuse;
use runtime::{Problem, ProblemCode};
use salesforce::OrgId;
use serde::{Deserialize, Serialize};
use store::{Announcement, Environment, InstallClaim, Org, OrgState};

use crate::Deps;

/// The largest body; a notice has less than 1 KiB.
const MAX_BYTES: usize = 4 * 1024;
/// The longest text, in characters. A package's version, an edition and an instance are shorter.
const MAX_TEXT: usize = 80;

/// The body of an install notice. Unknown members are ignored, because packages of any version send it.
#[derive(Clone, Debug, Deserialize)]
struct Install {
    organization_id: OrgId,
    #[serde(default)]
    package_version: Option<Text>,
    #[serde(default)]
    previous_version: Option<Text>,
    #[serde(default)]
    is_upgrade: bool,
    #[serde(default)]
    is_push: bool,
    #[serde(default)]
    is_sandbox: bool,
    #[serde(default)]
    instance_name: Option<Text>,
    #[serde(default)]
    organization_type: Option<Text>,
}

/// A short text of printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Text(String);

impl TryFrom<String> for Text {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = text.len() <= MAX_TEXT && text.chars().all(|character| (' '..='~').contains(&character));
        if fits { Ok(Self(text)) } else { Err("the text is too long or has characters that are not printable ASCII") }
    }
}

#[derive(Serialize)]
struct Claimed {
    org_id: OrgId,
    state: OrgState,
}

/// Records an install. The response is the same for every org, so that it does not disclose who is a customer.
pub(crate) async fn claim(State(deps): State<Deps>, request: Request) -> Result<Response, Problem> {
    let JsonBody(install) = JsonBody::<Install>::from_request(bounded(request).await?, &()).await?;
    let org_id = install.organization_id;
    let kind = install.kind();
    let claimed = deps.orgs.claim(&install.into_claim(deps.clock.now())).await.map_err(|error| refuse(&error))?;
    log(&claimed, kind);
    Ok((StatusCode::ACCEPTED, Json(Claimed { org_id, state: OrgState::Claimed })).into_response())
}

/// Logs the notice, and the org that it is about.
fn log(org: &Org, kind: &'static str) {
    let (id, state, owned) = (org.org_id, org.state, org.tenant.is_some());
    tracing::info!(org.id = %id, org.state = ?state, org.owned = owned, install.kind = kind, "received an install notice of org {id}: {kind}");
    if state == OrgState::Uninstalled || state == OrgState::Disconnected {
        tracing::info!(org.id = %id, "org {id} has the package again; its admin has to connect it");
    }
}

/// Reads no more than [`MAX_BYTES`].
async fn bounded(request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    match to_bytes(body, MAX_BYTES).await {
        Ok(bytes) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Err(_) => Err(Problem::new(ProblemCode::PayloadTooLarge).detail(format!("the limit is {MAX_BYTES} bytes"))),
    }
}

impl Install {
    /// The kind of the install, by the package's own word; for the log only.
    fn kind(&self) -> &'static str {
        match (self.is_push, self.is_upgrade || self.previous_version.is_some()) {
            (true, _) => "push_upgrade",
            (false, true) => "upgrade",
            (false, false) => "install",
        }
    }

    fn into_claim(self, now: Timestamp) -> InstallClaim {
        let text = |text: Option<Text>| text.map(|Text(text)| text).filter(|text| !text.is_empty());
        InstallClaim {
            org_id: self.organization_id,
            environment: if self.is_sandbox { Environment::Sandbox } else { Environment::Production },
            announcement: Announcement {
                package_version: text(self.package_version),
                organization_type: text(self.organization_type),
                instance_name: text(self.instance_name),
                at: now,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn install(more: Value) -> Result<Install, serde_json::Error> {
        let mut body = json!({"organization_id": "00D5e000000KQ2eEAG"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(body)
    }

    #[test]
    fn the_org_id_suffices_and_gets_its_18_characters() {
        let claim = install(json!({"organization_id": "00D5e000000KQ2e"})).unwrap().into_claim(Timestamp::UNIX_EPOCH);
        assert_eq!(claim.org_id.to_string(), "00D5e000000KQ2eEAG");
        assert_eq!(claim.environment, Environment::Production);
        assert_eq!(claim.announcement.package_version, None);
    }

    #[test]
    fn the_members_of_a_notice_are_parsed() {
        let claim = install(json!({
            "installer_id": "0055e000001mKpCAAU", "package_version": "2.1.0", "is_sandbox": true,
            "org_domain_url": "https://evil.example", "instance_name": "", "organization_type": null,
            "something_newer": {"a": 1},
        }));
        let claim = claim.unwrap().into_claim(Timestamp::UNIX_EPOCH);
        assert_eq!(claim.environment, Environment::Sandbox);
        let announced = claim.announcement;
        assert_eq!(announced.package_version.as_deref(), Some("2.1.0"));
        assert_eq!((announced.instance_name, announced.organization_type), (None, None));
    }

    #[test]
    fn upgrades_and_push_upgrades_are_distinguished() {
        assert_eq!(install(json!({})).unwrap().kind(), "install");
        assert_eq!(install(json!({"previous_version": "2.0.0"})).unwrap().kind(), "upgrade");
        assert_eq!(install(json!({"is_upgrade": true, "is_push": true})).unwrap().kind(), "push_upgrade");
    }

    #[test]
    fn invalid_members_are_refused() {
        for wrong in [
            json!({"organization_id": "0015e000000KQ2eEAG"}),
            json!({"organization_id": "00D5e000000KQ2eAAA"}),
            json!({"organization_id": null}),
            json!({"package_version": "1".repeat(MAX_TEXT + 1)}),
            json!({"instance_name": "NA1\n"}),
            json!({"organization_type": "Enterprise\u{202e}Edition"}),
            json!({"organization_type": "Édition"}),
            json!({"is_sandbox": "yes"}),
        ] {
            assert!(install(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
