//! From a package install to an active org with a personal connection.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use org_simulator::{PackageInstall, User};
use serde_json::{Value, json};
use url::Url;

use super::{PLATFORM_USER, Story, TENANT};
use crate::demo::browser::{Browser, Page};
use crate::demo::run::Proven;
use crate::stack;

const CONSENT_COOKIE: &str = "__Host-ferry-consent";

/// The address for the org's outbound messages. It holds a secret, so it is never shown.
pub(crate) struct Webhook(pub(super) String);

/// The package's post-install script tells Ferry of the org.
pub(crate) async fn install(story: &Story) -> Result<Proven<()>> {
    let install = PackageInstall {
        callout_url: format!("{}/webhooks/salesforce/installs", story.stack.url()),
        package_version: "1.0.0".to_owned(),
        previous_version: None,
        is_push: false,
    };
    let answer = story.stack.simulator().install_package(&install).await?;
    ensure!(answer.status == 202, "the install was answered {}: {}", answer.status, answer.body);
    let org = story.platform.get(&story.path("")).await?;
    ensure!(org["state"] == "claimed", "the org is not claimed but {}", org["state"]);
    let evidence = json!({ "package_sent": answer.sent, "answered": answer.status, "org_state": org["state"] });
    Ok(Proven { evidence, value: () })
}

/// The admin follows a link and consents; only this makes the org active.
pub(crate) async fn team(story: &Story) -> Result<Proven<Webhook>> {
    let link = json!({ "tenant": TENANT, "kind": "team", "environment": "production" });
    let consent = consent(story, &link, &story.admin).await?;
    let beginning = format!("{}/webhooks/salesforce/", story.stack.url());
    let webhook =
        consent.page.address(&beginning).context("the connected page shows no address for outbound messages")?;
    let org = story.platform.get(&story.path("")).await?;
    ensure!(org["state"] == "active", "the org is not active but {}", org["state"]);
    let connection = connection(story, "team", "kind", &story.admin).await?;
    let mut evidence = consent.evidence;
    evidence.extend([
        ("org_state".to_owned(), org["state"].clone()),
        ("tenant".to_owned(), org["tenant"].clone()),
        ("connection".to_owned(), connection["connection_id"].clone()),
        ("tokens".to_owned(), tokens(story, &connection).await?),
        ("webhook".to_owned(), json!(format!("{beginning}{}/(secret)", story.org_id))),
    ]);
    Ok(Proven { evidence: evidence.into_iter().collect(), value: Webhook(webhook) })
}

/// A rep consents to act in the rep's own name.
pub(crate) async fn rep(story: &Story) -> Result<Proven<()>> {
    let link = json!({
        "tenant": TENANT,
        "kind": "personal",
        "platform_user": PLATFORM_USER,
        "org_id": story.org_id,
        "environment": "production",
    });
    let consent = consent(story, &link, &story.rep).await?;
    let connection = connection(story, PLATFORM_USER, "platform_user", &story.rep).await?;
    let mut evidence = consent.evidence;
    evidence.extend([
        ("rep".to_owned(), json!(story.rep.name)),
        ("connection".to_owned(), connection["connection_id"].clone()),
        ("tokens".to_owned(), tokens(story, &connection).await?),
    ]);
    Ok(Proven { evidence: evidence.into_iter().collect(), value: () })
}

struct Consent {
    page: Page,
    evidence: BTreeMap<String, Value>,
}

/// From the platform's link through both consent pages, as a person goes.
async fn consent(story: &Story, link: &Value, user: &User) -> Result<Consent> {
    let link = story.platform.post("/v1/connect-links", "unused", link).await?;
    let link = link["url"].as_str().context("the link has no address")?;
    let mut browser = Browser::new()?;
    let connect_page = browser.open(link.parse()?).await?;
    ensure!(connect_page.status == 200, "the connect page was answered {}", connect_page.status);
    let salesforce_page = browser.submit(&connect_page, &[]).await?;
    let asked = |name: &str| Some(salesforce_page.url.query_pairs().find(|(key, _)| key == name)?.1.into_owned());
    let pkce = asked("code_challenge_method").context("the authorization request has no PKCE")?;
    ensure!(asked("state").is_some(), "the authorization request has no state");
    let page = browser.submit(&salesforce_page, &[("username", &user.username), ("decision", "allow")]).await?;
    ensure!(page.status == 200, "the callback was answered {}", page.status);
    let cookie = cookie_attributes(&browser)?;
    let again = replay(&mut browser, &page.url).await?;
    let evidence = [("pkce", json!(pkce)), ("cookie", json!(cookie)), ("callback_repeated", json!(again))];
    Ok(Consent { page, evidence: evidence.map(|(name, value)| (name.to_owned(), value)).into() })
}

/// How the cookie that ties the consent to the browser is protected.
fn cookie_attributes(browser: &Browser) -> Result<String> {
    let mut cookies = browser.set_cookies.iter().filter_map(|cookie| cookie.split_once('='));
    let (_, cookie) =
        cookies.find(|(name, _)| *name == CONSENT_COOKIE).context("the consent is not tied to the browser")?;
    let (_, attributes) = cookie.split_once(';').unwrap_or_default();
    let attributes = attributes.trim().to_owned();
    for wanted in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        ensure!(attributes.split("; ").any(|attribute| attribute == wanted), "the cookie is not {wanted}");
    }
    Ok(attributes)
}

/// The same callback once more, which has to be refused: its state is used up.
async fn replay(browser: &mut Browser, callback: &Url) -> Result<String> {
    let again = browser.open(callback.clone()).await?;
    ensure!((400..500).contains(&again.status), "a used-up callback was answered {}", again.status);
    Ok(format!("refused with {}", again.status))
}

async fn connection(story: &Story, wanted: &str, key: &str, user: &User) -> Result<Value> {
    let answer = story.platform.get(&story.path("/connections")).await?;
    let mut connections = answer["connections"].as_array().into_iter().flatten();
    let found = connections.find(|connection| connection[key] == wanted).context("the connection is not there")?;
    ensure!(found["state"] == "active", "the connection is not active but {}", found["state"]);
    ensure!(found["user_id"] == user.id.as_str(), "the connection is not that of {}", user.name);
    Ok(found.clone())
}

/// The secret with the connection's tokens; what it holds is not read.
async fn tokens(story: &Story, connection: &Value) -> Result<Value> {
    let connection = connection["connection_id"].as_str().context("the connection has no id")?;
    let name = format!("ferry/{}/tokens/{}/{connection}", stack::NAME, story.org_id);
    let secrets = aws_sdk_secretsmanager::Client::new(story.stack.sdk_config());
    let secret =
        secrets.describe_secret().secret_id(&name).send().await.with_context(|| format!("no secret {name}"))?;
    let versions = secret.version_ids_to_stages().map_or(0, std::collections::HashMap::len);
    Ok(json!({ "secret": name, "versions": versions }))
}
