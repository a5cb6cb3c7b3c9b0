//! The steps from Salesforce to the platform: backfill, a single edit, and the nightly refresh.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use org_simulator::{DeliveryState, OutboundMessage};
use serde_json::{Map, Value, json};

use super::Scenario;
use super::connect::WebhookUrl;
use crate::demo::counts::Counts;
use crate::demo::runner::StepOutput;
use crate::poll::until;
use crate::progress::Progress;
use crate::subscription::Subscription;
use crate::template::Template;
use crate::workspace::Workspace;

/// The title of the backfill step. The progress display repeats it with the counts.
pub(crate) const BACKFILL_TITLE: &str = "The backfill copies the org into the mirror";

const TIMEOUT: Duration = Duration::from_secs(60);
const BACKFILL_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// An edit that reached the mirror, with a subscription to its event.
pub(crate) struct MirroredEdit {
    subscription: Subscription,
    subject: String,
}

/// Waits for the backfill, which the activation of the org queued, until the counts of org and mirror agree.
pub(crate) async fn backfill(scenario: &Scenario, progress: Progress) -> Result<StepOutput<Counts>> {
    let counts = until("mirror the org", BACKFILL_TIMEOUT, async || {
        let counts = count(scenario).await?;
        progress.detail(BACKFILL_TITLE, &counts.progress());
        ensure!(counts.agree(), "{} are mirrored", counts.progress());
        Ok(Some(counts))
    })
    .await?;
    ensure!(counts.0.values().any(|(org, _)| *org > 0), "could not check the mirror: the org has no records");
    Ok(StepOutput { evidence: json!({ "counts": counts.to_json() }), value: counts })
}

async fn count(scenario: &Scenario) -> Result<Counts> {
    let in_org = scenario.stack.simulator().record_counts();
    let mut counts = Counts::default();
    for object in scenario.stack.mirrored_objects() {
        let sides = (in_org.get(object).copied().unwrap_or_default(), scenario.mirror.count(object).await?);
        counts.0.insert(object.clone(), sides);
    }
    Ok(counts)
}

/// Edits an opportunity. Salesforce sends an outbound message, and Ferry reads the record again.
pub(crate) async fn edit(scenario: &Scenario, webhook_url: WebhookUrl) -> Result<StepOutput<MirroredEdit>> {
    let simulator = scenario.stack.simulator();
    simulator.define_outbound_message(&OutboundMessage {
        name: "Ferry".to_owned(),
        object: "Opportunity".to_owned(),
        fields: vec!["Id".to_owned(), "SystemModstamp".to_owned()],
        endpoint_url: webhook_url.0,
    })?;
    let id = scenario.mirror.any_record("Opportunity").await?;
    let subject = format!("Opportunity/{id}");
    let subscription = Subscription::to(&scenario.stack, "demo-consumer", &json!({ "subject": [subject] })).await?;
    let before = opportunity(scenario, &id).await?;
    let amount = before["fields"]["Amount"].as_f64().unwrap_or_default() + 1250.0;
    simulator.update_record(&scenario.admin.username, "Opportunity", &id, &fields(&[("Amount", json!(amount))]))?;
    let sent = simulator.deliver_outbound_messages().await;
    let delivery = sent
        .iter()
        .find(|delivery| delivery.record_id == id)
        .context("the org sent no outbound message for the edit")?;
    let outcome = delivery.last_outcome.clone().unwrap_or_default();
    ensure!(delivery.state == DeliveryState::Delivered, "the outbound message was not acknowledged: {outcome}");
    let mirrored = until("mirror the edit", TIMEOUT, async || {
        let now = opportunity(scenario, &id).await?;
        Ok(Some(now).filter(|now| now["fields"]["Amount"].as_f64() == Some(amount)))
    })
    .await?;
    let evidence = json!({
        "record": subject,
        "notification": delivery.notification_id,
        "response": outcome,
        "amount_before": before["fields"]["Amount"],
        "amount_mirrored": mirrored["fields"]["Amount"],
    });
    Ok(StepOutput { evidence, value: MirroredEdit { subscription, subject } })
}

async fn opportunity(scenario: &Scenario, id: &str) -> Result<Value> {
    scenario.platform.get(&scenario.path(&format!("/opportunities/{id}?expand=none"))).await
}

/// Receives the edit as an event from the platform's queue.
pub(crate) async fn event(edit: MirroredEdit) -> Result<StepOutput<()>> {
    let changed = |event: &Value| {
        let fields = event["detail"]["data"]["changed_fields"].as_array();
        fields.is_some_and(|fields| fields.iter().any(|field| field == "Amount"))
            && event["detail"]["data"]["created"] != true
    };
    // The events of the backfill come before it in the stream.
    let event = edit.subscription.event_within(BACKFILL_TIMEOUT, changed).await?;
    ensure!(
        event["detail-type"] == "record.changed",
        "the event has the type {}, not record.changed",
        event["detail-type"]
    );
    ensure!(
        event["detail"]["subject"] == edit.subject.as_str(),
        "the event has the subject {}",
        event["detail"]["subject"]
    );
    let detail = &event["detail"];
    let evidence = json!({
        "type": detail["type"],
        "source": detail["source"],
        "subject": detail["subject"],
        "changed_fields": detail["data"]["changed_fields"],
        "id": detail["id"],
    });
    Ok(StepOutput { evidence, value: () })
}

/// Starts the nightly refresh with the schedule's input. It reads the pipelines, and a new account that no outbound message announced.
///
/// Returns the first stage of a pipeline.
pub(crate) async fn refresh(scenario: &Scenario) -> Result<StepOutput<String>> {
    let name = "Meridian Optics";
    let simulator = scenario.stack.simulator();
    let id = simulator.create_record(&scenario.admin.username, "Account", &fields(&[("Name", json!(name))]))?;
    let input = schedule_input()?;
    let lambda = aws_sdk_lambda::Client::new(scenario.stack.sdk_config());
    let invoke = lambda.invoke().function_name(scenario.stack.output("RefreshFunction")?);
    invoke.invocation_type(InvocationType::Event).payload(Blob::new(input.clone())).send().await?;
    let pipelines = until("read the pipelines", TIMEOUT, async || {
        let response = scenario.platform.get(&scenario.path("/pipelines")).await?;
        let pipelines = response["pipelines"].as_array().cloned().unwrap_or_default();
        Ok(Some(pipelines).filter(|pipelines| pipelines.iter().any(|pipeline| first_stage(pipeline).is_some())))
    })
    .await?;
    let account = until("mirror the new account", TIMEOUT, async || {
        scenario.platform.get(&scenario.path(&format!("/accounts/{id}?expand=none"))).await.map(Some)
    })
    .await?;
    ensure!(account["fields"]["Name"] == name, "the mirrored account has the name {}", account["fields"]["Name"]);
    let stage = pipelines.iter().find_map(first_stage).context("could not choose a stage: the pipelines have none")?;
    let stages = pipelines.iter().map(|pipeline| {
        let stages = pipeline["stages"].as_array().map_or(0, Vec::len);
        (pipeline["name"].as_str().unwrap_or_default().to_owned(), json!(format!("{stages} stages")))
    });
    let evidence = json!({
        "schedule_input": input,
        "pipelines": stages.collect::<Map<_, _>>(),
        "first_stage": stage,
        "mirrored_account": format!("{name} ({id})"),
    });
    Ok(StepOutput { evidence, value: stage })
}

/// Returns the input that the template's schedule sends to the function.
fn schedule_input() -> Result<String> {
    let template = Template::load(&Workspace::here().template())?;
    let schedule = template.resources("AWS::Scheduler::Schedule").next();
    let input = schedule.and_then(|(_, schedule)| schedule["Target"]["Input"].as_str().map(str::to_owned));
    input.context("could not read the schedule's input: infra/template.yaml has none")
}

/// Returns the API name of a pipeline's first stage.
fn first_stage(pipeline: &Value) -> Option<String> {
    pipeline["stages"].as_array()?.first()?["api_name"].as_str().map(str::to_owned)
}

fn fields<const N: usize>(pairs: &[(&str, Value); N]) -> Map<String, Value> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}
