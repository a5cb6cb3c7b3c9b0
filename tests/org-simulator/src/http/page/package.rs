//! The package: the page to which install links lead.

use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;

use super::forms::{self, Inputs, Posted, Problem};
use super::html::{facts, moment, not_found, within};
use crate::identity::oauth::Form;
use crate::identity::realm::Shared;
use crate::messages::packages::{self, PackageInstall, versions};
use crate::model::ids::RecordId;
use crate::model::org::Org;
use crate::model::packages::{NAMESPACE, PACKAGE};
use crate::wire::html::escaped;

pub(super) const PATH: &str = "/_simulator/pages/package";
/// The path of Salesforce's install links.
pub(crate) const INSTALL_PATH: &str = "/packaging/installPackage.apexp";

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LinkParameters {
    /// Id of a version (`04t`).
    p0: String,
}

pub(super) async fn show(State(shared): State<Shared>) -> Html<String> {
    Html(rendered(&shared.org(), &Form::default(), &[]))
}

/// Shows the version that an install link names.
pub(super) async fn from_link(State(shared): State<Shared>, Query(params): Query<LinkParameters>) -> Response {
    let org = shared.org();
    let version = RecordId::parse(&params.p0).and_then(versions::version_of);
    if version.is_none() && !params.p0.is_empty() {
        let problem = Problem::new("version", format!("The link names no version of the package: {}", params.p0));
        let page = rendered(&org, &Form::default(), &[problem]);
        return (StatusCode::NOT_FOUND, Html(page)).into_response();
    }
    let values = Form::default().with("version", &version.unwrap_or_default());
    Html(rendered(&org, &values, &[])).into_response()
}

/// Installs or upgrades the package.
pub(super) async fn install(State(shared): State<Shared>, Posted(sent): Posted) -> Response {
    match installed(&shared, &sent).await {
        Ok(()) => Redirect::to(PATH).into_response(),
        Err(problem) => {
            let page = rendered(&shared.org(), &sent, &[problem]);
            (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response()
        }
    }
}

async fn installed(shared: &Shared, sent: &Form) -> Result<(), Problem> {
    let version = sent.get("version").trim();
    if versions::version_of(versions::version_id(version)).as_deref() != Some(version) {
        return Err(Problem::new("version", "A version has three numbers, for example 1.2.0."));
    }
    let url = sent.get("callout_url").trim();
    if url.is_empty() {
        return packages::install_silently(shared, version).map_err(|error| Problem::of("", &error));
    }
    let previous_version = shared.org().package.as_ref().map(|package| package.version.clone());
    let install = PackageInstall {
        callout_url: url.to_owned(),
        package_version: version.to_owned(),
        previous_version,
        is_push: false,
    };
    let response = packages::install(shared, &install).await.map_err(|error| Problem::of("callout_url", &error))?;
    if (200..300).contains(&response.status) {
        return Ok(());
    }
    let text = format!("The package is installed, but the callout was answered with status {}.", response.status);
    Err(Problem::new("callout_url", text))
}

/// Uninstalls the package.
pub(super) async fn uninstall(State(shared): State<Shared>, Posted(_): Posted) -> Response {
    match packages::uninstall(&shared) {
        Ok(()) => Redirect::to(PATH).into_response(),
        Err(error) => not_found(&shared.org(), PATH, &error.to_string()),
    }
}

fn rendered(org: &Org, values: &Form, problems: &[Problem]) -> String {
    let inputs = Inputs { values, problems };
    let present = match &org.package {
        Some(package) => {
            let facts = facts(&[
                ("Package", format!("{PACKAGE}, namespace <code>{NAMESPACE}</code>")),
                ("Version", format!("{} <code>{}</code>", escaped(&package.version), escaped(&package.version_id))),
                ("Installed", moment(package.installed_at)),
                ("Install link", link(&package.version)),
            ]);
            facts + &forms::button(org, &format!("{PATH}/uninstall"), &[], "Uninstall")
        }
        None => format!("<p>{PACKAGE}, namespace <code>{NAMESPACE}</code>, is not installed.</p>"),
    };
    let version = values.get("version");
    let title = if version.is_empty() { "Package".to_owned() } else { format!("Install {PACKAGE} {version}") };
    let fields = inputs.text("Version", "version", "three numbers, for example 1.2.0")
        + &inputs.text(
            "Callout",
            "callout_url",
            "the URL on this machine that the post-install script calls; empty for no callout",
        );
    let button = if org.package.is_some() { "Upgrade" } else { "Install" };
    let body = format!(
        "{}<h2>{button} {PACKAGE}</h2><p>This stores the version in the org {}, as its administrator would install it. If there \
         is a License Management Org, it gets a lead and a license. Then the post-install script sends the ids of the org and of \
         the installing user, the version and the org's address to the callout URL.</p>{}",
        inputs.summary() + &present,
        org.id,
        forms::form(org, PATH, &fields, button)
    );
    within(org, &title, PATH, &body)
}

fn link(version: &str) -> String {
    let path = format!("{INSTALL_PATH}?p0={}", versions::version_id(version));
    format!("<a href=\"{path}\">{path}</a>")
}
