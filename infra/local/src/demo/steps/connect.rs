//! The steps from a package install to an active org with a personal connection.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use org_simulator::{PackageInstall, User};
use serde_json::{Value, json};
use url::Url;

use super::{PLATFORM_USER, Scenario, TENANT};
use crate::demo::browser::{Browser, Page};
use crate::demo::runner::StepOutput;
use crate::stack;

const CONSENT_COOKIE: &str = "__Host-ferry-consent";

/// The webhook URL for the org's outbound messages. It contains a secret, so it is never printed.
pub(crate) struct WebhookUrl(pub(super) String);

/// Installs the package. Its post-install script sends the install notice, which claims the org.
pub(crate) async fn install(scenario: &Scenario) -> Result<StepOutput<()>> {
    let install = PackageInstall {
        callout_url: format!("{}/webhooks/salesforce/installs", scenario.stack.url()),
        package_version: "1.0.0".to_owned(),
        previous_version: None,
        is_push: false,
    };
    let callout = scenario.stack.simulator().install_package(&install).await?;
    ensure!(callout.status == 202, "could not announce the install: status {}: {}", callout.status, callout.body);
    let state = stored_state(scenario).await?;
    ensure!(state == "claimed", "could not claim the org: its state is {state}");
    let evidence = json!({ "callout": callout.sent, "response_status": callout.status, "org_state": state });
    Ok(StepOutput { evidence, value: () })
}

/// Returns the state of the org from its table: a claimed org has no tenant yet, so the HTTP API shows it to no caller.
async fn stored_state(scenario: &Scenario) -> Result<String> {
    let dynamodb = aws_sdk_dynamodb::Client::new(scenario.stack.sdk_config());
    let key = AttributeValue::S(scenario.org_id.clone());
    let get = dynamodb.get_item().table_name(scenario.stack.output("OrgsTable")?).key("org_id", key);
    let item = get.send().await?.item.context("could not claim the org: its table has no item")?;
    Ok(item.get("state").and_then(|state| state.as_s().ok()).cloned().unwrap_or_default())
}

/// The admin opens a connect link and consents, which makes the org active.
pub(crate) async fn team(scenario: &Scenario) -> Result<StepOutput<WebhookUrl>> {
    let link = json!({ "tenant": TENANT, "kind": "team", "environment": "production" });
    let consent = consent(scenario, &link, &scenario.admin).await?;
    let prefix = format!("{}/webhooks/salesforce/", scenario.stack.url());
    let webhook_url = consent.page.find_url(&prefix).context("the connected page does not show the webhook URL")?;
    let org = scenario.platform.get(&scenario.path("")).await?;
    ensure!(org["state"] == "active", "could not activate the org: its state is {}", org["state"]);
    let connection = connection(scenario, "team", "kind", &scenario.admin).await?;
    let mut evidence = consent.evidence;
    evidence.extend([
        ("org_state".to_owned(), org["state"].clone()),
        ("tenant".to_owned(), org["tenant"].clone()),
        ("connection".to_owned(), connection["connection_id"].clone()),
        ("tokens".to_owned(), tokens(scenario, &connection).await?),
        ("webhook_url".to_owned(), json!(format!("{prefix}{}/(secret)", scenario.org_id))),
    ]);
    Ok(StepOutput { evidence: evidence.into_iter().collect(), value: WebhookUrl(webhook_url) })
}

/// A rep opens a connect link and consents to a personal connection.
pub(crate) async fn rep(scenario: &Scenario) -> Result<StepOutput<()>> {
    let link = json!({
        "tenant": TENANT,
        "kind": "personal",
        "platform_user": PLATFORM_USER,
        "org_id": scenario.org_id,
        "environment": "production",
    });
    let consent = consent(scenario, &link, &scenario.rep).await?;
    let connection = connection(scenario, PLATFORM_USER, "platform_user", &scenario.rep).await?;
    let mut evidence = consent.evidence;
    evidence.extend([
        ("rep".to_owned(), json!(scenario.rep.name)),
        ("connection".to_owned(), connection["connection_id"].clone()),
        ("tokens".to_owned(), tokens(scenario, &connection).await?),
    ]);
    Ok(StepOutput { evidence: evidence.into_iter().collect(), value: () })
}

struct Consent {
    page: Page,
    evidence: BTreeMap<String, Value>,
}

/// Creates a connect link, and submits Ferry's connect page and Salesforce's consent page as the user.
async fn consent(scenario: &Scenario, link: &Value, user: &User) -> Result<Consent> {
    let link = scenario.platform.post("/v1/connect-links", "unused", link).await?;
    let link = link["url"].as_str().context("could not create the connect link: the response has no URL")?;
    let mut browser = Browser::new()?;
    let connect_page = browser.open(link.parse()?).await?;
    ensure!(connect_page.status == 200, "could not open the connect page: status {}", connect_page.status);
    let salesforce_page = browser.submit(&connect_page, &[]).await?;
    let parameter = |name: &str| Some(salesforce_page.url.query_pairs().find(|(key, _)| key == name)?.1.into_owned());
    let pkce = parameter("code_challenge_method").context("the authorization request has no PKCE challenge")?;
    ensure!(parameter("state").is_some(), "the authorization request has no state");
    let page = browser.submit(&salesforce_page, &[("username", &user.username), ("decision", "allow")]).await?;
    ensure!(page.status == 200, "could not complete the consent: the callback returned status {}", page.status);
    let cookie = cookie_attributes(&browser)?;
    let repeated = repeat_callback(&mut browser, &page.url).await?;
    let evidence = [("pkce", json!(pkce)), ("cookie", json!(cookie)), ("repeated_callback", json!(repeated))];
    Ok(Consent { page, evidence: evidence.map(|(name, value)| (name.to_owned(), value)).into() })
}

/// Returns the attributes of the consent cookie, which ties the consent to the browser. Checks the required ones.
fn cookie_attributes(browser: &Browser) -> Result<String> {
    let mut cookies = browser.set_cookies.iter().filter_map(|cookie| cookie.split_once('='));
    let (_, cookie) =
        cookies.find(|(name, _)| *name == CONSENT_COOKIE).context("the connect page did not set the consent cookie")?;
    let (_, attributes) = cookie.split_once(';').unwrap_or_default();
    let attributes = attributes.trim().to_owned();
    for wanted in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        ensure!(attributes.split("; ").any(|attribute| attribute == wanted), "the consent cookie lacks {wanted}");
    }
    Ok(attributes)
}

/// Opens the callback a second time, which must be rejected because its state was already used.
async fn repeat_callback(browser: &mut Browser, callback: &Url) -> Result<String> {
    let page = browser.open(callback.clone()).await?;
    ensure!((400..500).contains(&page.status), "a repeated callback was not rejected: status {}", page.status);
    Ok(format!("rejected with {}", page.status))
}

/// Returns the org's connection whose `key` has the value `wanted`, after checking that it is active and the user's own.
async fn connection(scenario: &Scenario, wanted: &str, key: &str, user: &User) -> Result<Value> {
    let response = scenario.platform.get(&scenario.path("/connections")).await?;
    let mut connections = response["connections"].as_array().into_iter().flatten();
    let found = connections.find(|connection| connection[key] == wanted).context("the org has no such connection")?;
    ensure!(found["state"] == "active", "could not activate the connection: its state is {}", found["state"]);
    ensure!(found["user_id"] == user.id.as_str(), "the connection belongs to another user than {}", user.name);
    Ok(found.clone())
}

/// Describes the secret with the connection's tokens, without reading its value.
async fn tokens(scenario: &Scenario, connection: &Value) -> Result<Value> {
    let connection = connection["connection_id"].as_str().context("the connection has no connection_id")?;
    let name = format!("ferry/{}/tokens/{}/{connection}", stack::NAME, scenario.org_id);
    let secrets = aws_sdk_secretsmanager::Client::new(scenario.stack.sdk_config());
    let secret = secrets
        .describe_secret()
        .secret_id(&name)
        .send()
        .await
        .with_context(|| format!("could not describe the secret {name}"))?;
    let versions = secret.version_ids_to_stages().map_or(0, std::collections::HashMap::len);
    Ok(json!({ "secret": name, "versions": versions }))
}
