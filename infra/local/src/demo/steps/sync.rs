//! From Salesforce to the platform: backfill, a single edit, and the schedule.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use org_simulator::{DeliveryState, OutboundMessage};
use serde_json::{Map, Value, json};

use super::Story;
use super::connect::Webhook;
use crate::demo::counts::Counts;
use crate::demo::run::Proven;
use crate::poll::until;
use crate::progress::Progress;
use crate::subscription::Subscription;
use crate::template::Template;
use crate::workspace::Workspace;

const SOON: Duration = Duration::from_secs(60);
const BACKFILL_WITHIN: Duration = Duration::from_secs(15 * 60);

/// An edit that has reached the mirror, and the queue that waits for its event.
pub(crate) struct Edit {
    subscription: Subscription,
    subject: String,
}

/// The activation has queued the backfill; this waits until both sides have the same.
pub(crate) async fn backfill(story: &Story, progress: Progress) -> Result<Proven<Counts>> {
    let counts = until("the mirror of the org", BACKFILL_WITHIN, async || {
        let counts = count(story).await?;
        progress.detail("The backfill mirrors the org", &counts.progress());
        ensure!(counts.agree(), "{}", counts.progress());
        Ok(Some(counts))
    })
    .await?;
    ensure!(counts.0.values().any(|(org, _)| *org > 0), "the org has no records to mirror");
    Ok(Proven { evidence: json!({ "counts": counts.to_json() }), value: counts })
}

async fn count(story: &Story) -> Result<Counts> {
    let in_org = story.stack.simulator().record_counts();
    let mut counts = Counts::default();
    for object in story.stack.mirrored_objects() {
        let sides = (in_org.get(object).copied().unwrap_or_default(), story.mirror.count(object).await?);
        counts.0.insert(object.clone(), sides);
    }
    Ok(counts)
}

/// Somebody edits an opportunity; Salesforce tells Ferry, and Ferry reads what became of it.
pub(crate) async fn edit(story: &Story, webhook: Webhook) -> Result<Proven<Edit>> {
    let simulator = story.stack.simulator();
    simulator.define_outbound_message(&OutboundMessage {
        name: "Ferry".to_owned(),
        object: "Opportunity".to_owned(),
        fields: vec!["Id".to_owned(), "SystemModstamp".to_owned()],
        endpoint_url: webhook.0,
    })?;
    let id = story.mirror.any_record("Opportunity").await?;
    let subject = format!("Opportunity/{id}");
    let subscription = Subscription::to(&story.stack, "demo-consumer", &json!({ "subject": [subject] })).await?;
    let before = opportunity(story, &id).await?;
    let amount = before["fields"]["Amount"].as_f64().unwrap_or_default() + 1250.0;
    simulator.update_record(&story.admin.username, "Opportunity", &id, &fields(&[("Amount", json!(amount))]))?;
    let sent = simulator.deliver_outbound_messages().await;
    let delivery =
        sent.iter().find(|delivery| delivery.record_id == id).context("the org sent no message about the edit")?;
    let outcome = delivery.last_outcome.clone().unwrap_or_default();
    ensure!(delivery.state == DeliveryState::Delivered, "the message was not acknowledged: {outcome}");
    let mirrored = until("the edit in the mirror", SOON, async || {
        let now = opportunity(story, &id).await?;
        Ok(Some(now).filter(|now| now["fields"]["Amount"].as_f64() == Some(amount)))
    })
    .await?;
    let evidence = json!({
        "record": subject,
        "notification": delivery.notification_id,
        "salesforce_got": outcome,
        "amount_before": before["fields"]["Amount"],
        "amount_mirrored": mirrored["fields"]["Amount"],
    });
    Ok(Proven { evidence, value: Edit { subscription, subject } })
}

async fn opportunity(story: &Story, id: &str) -> Result<Value> {
    story.platform.get(&story.path(&format!("/opportunities/{id}"))).await
}

/// The platform's own queue gets the change as an event.
pub(crate) async fn event(_story: &Story, edit: Edit) -> Result<Proven<()>> {
    let changed = |event: &Value| {
        let fields = event["detail"]["data"]["changed_fields"].as_array();
        fields.is_some_and(|fields| fields.iter().any(|field| field == "Amount"))
            && event["detail"]["data"]["created"] != true
    };
    let event = edit.subscription.event(changed).await?;
    ensure!(event["detail-type"] == "record.changed", "the event is a {}", event["detail-type"]);
    ensure!(event["detail"]["subject"] == edit.subject.as_str(), "the event is about {}", event["detail"]["subject"]);
    let detail = &event["detail"];
    let evidence = json!({
        "type": detail["type"],
        "source": detail["source"],
        "subject": detail["subject"],
        "changed_fields": detail["data"]["changed_fields"],
        "id": detail["id"],
    });
    Ok(Proven { evidence, value: () })
}

/// What the schedule starts every night: pipelines, and what no message told of. Gives the first stage of a pipeline.
pub(crate) async fn refresh(story: &Story) -> Result<Proven<String>> {
    let name = "Meridian Optics";
    let simulator = story.stack.simulator();
    let id = simulator.create_record(&story.admin.username, "Account", &fields(&[("Name", json!(name))]))?;
    let input = schedule_input()?;
    let lambda = aws_sdk_lambda::Client::new(story.stack.sdk_config());
    let invoke = lambda.invoke().function_name(story.stack.output("RefreshFunction")?);
    invoke.invocation_type(InvocationType::Event).payload(Blob::new(input.clone())).send().await?;
    let pipelines = until("the pipelines", SOON, async || {
        let answer = story.platform.get(&story.path("/pipelines")).await?;
        let pipelines = answer["pipelines"].as_array().cloned().unwrap_or_default();
        Ok(Some(pipelines).filter(|pipelines| pipelines.iter().any(|pipeline| first_stage(pipeline).is_some())))
    })
    .await?;
    let account = until("the unannounced account in the mirror", SOON, async || {
        story.platform.get(&story.path(&format!("/accounts/{id}"))).await.map(Some)
    })
    .await?;
    ensure!(account["fields"]["Name"] == name, "the mirrored account is called {}", account["fields"]["Name"]);
    let stage = pipelines.iter().find_map(first_stage).context("no pipeline has a stage")?;
    let stages = pipelines.iter().map(|pipeline| {
        let stages = pipeline["stages"].as_array().map_or(0, Vec::len);
        (pipeline["name"].as_str().unwrap_or_default().to_owned(), json!(format!("{stages} stages")))
    });
    let evidence = json!({
        "schedule_sends": input,
        "pipelines": stages.collect::<Map<_, _>>(),
        "first_stage": stage,
        "mirrored_account": format!("{name} ({id})"),
    });
    Ok(Proven { evidence, value: stage })
}

/// What the template's schedule sends to the function.
fn schedule_input() -> Result<String> {
    let template = Template::load(&Workspace::here().template())?;
    let schedule = template.resources("AWS::Scheduler::Schedule").next();
    let input = schedule.and_then(|(_, schedule)| schedule["Target"]["Input"].as_str().map(str::to_owned));
    input.context("the template's schedule sends nothing")
}

fn first_stage(pipeline: &Value) -> Option<String> {
    pipeline["stages"].as_array()?.first()?["api_name"].as_str().map(str::to_owned)
}

fn fields<const N: usize>(pairs: &[(&str, Value); N]) -> Map<String, Value> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}
