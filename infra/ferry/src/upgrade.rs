//! `ferry upgrade`: who is still on an older app, when that is stopped, and the way back until then.

mod standing;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::civil::Date;
use serde_json::{Value, json};
use store::apps::AppRegistration;
use store::{Connection, Org};

use crate::cli::Failure;
use crate::screen;
use crate::stack::Stack;
use standing::{Standing, Summary, standings, summaries};

/// How many orgs are read at the same time.
const AT_ONCE: usize = 16;

/// Who is left on which app.
pub(crate) async fn status(stack: &Stack, as_json: bool) -> Result<String, Failure> {
    let apps = stack.apps().load().await.map_err(stack.unavailable("read the app registrations"))?;
    let orgs = stack.orgs().list().await.map_err(stack.unavailable("list the orgs"))?;
    let connections = connections(stack, &orgs).await?;
    let now = stack.clock().now();
    let summaries = summaries(&apps, &connections, now);
    let left = standings(&apps, &orgs, &connections, now);
    Ok(if as_json { format!("{:#}", json!({ "apps": summaries, "left": left })) } else { shown(&summaries, &left) })
}

async fn connections(stack: &Stack, orgs: &[Org]) -> Result<Vec<Connection>, Failure> {
    let table = stack.connections();
    let lists = stream::iter(orgs.iter().map(|org| table.list(org.org_id))).buffered(AT_ONCE);
    let lists: Vec<_> = lists.try_collect().await.map_err(stack.unavailable("list the connections"))?;
    Ok(lists.into_iter().flatten().collect())
}

fn shown(summaries: &[Summary], left: &[Standing]) -> String {
    let mut apps = screen::table(["App", "New consents", "Connections", "To reconnect", "Stops"]);
    for app in summaries {
        let stops = match (app.sunset, app.days_left) {
            (Some(sunset), Some(days)) if days > 0 => format!("{sunset}, in {days} days"),
            (Some(sunset), _) => format!("{sunset}: stopped"),
            (None, _) => "never".to_owned(),
        };
        let consents = if app.newest { "this one" } else { "no" };
        apps.add_row([&app.app, consents, &app.live.to_string(), &app.to_reconnect.to_string(), &stops]);
    }
    if left.is_empty() {
        return format!("{apps}\n\nEvery connection is on the app that new consents use.");
    }
    let mut people = screen::table(["Tenant", "Org, Salesforce user", "Connection", "App", "State"]);
    for one in left {
        let user = format!("{}\n{}", one.org_id, one.user_id);
        people.add_row([one.tenant.as_str(), &user, &one.connection, &one.app, one.state]);
    }
    format!(
        "{apps}\n\n{} left on an older app. A connection moves when its person opens a connect link and consents.\n{people}",
        screen::counted(left.len(), "connection is", "connections are"),
    )
}

/// Sets the day on which an app is stopped, or takes it back.
pub(crate) async fn sunset(stack: &Stack, app: &str, on: Option<Date>) -> Result<String, Failure> {
    let apps = change(stack, app, "sunset", on.map_or(Value::Null, |on| on.to_string().into())).await?;
    let now = stack.clock().now();
    let days = apps.iter().find(|known| known.app.name == app).and_then(|known| known.days_left(now));
    Ok(match (on, days) {
        (None, _) => format!("{app} is not stopped any more. Ferry notices within five minutes."),
        (Some(on), Some(days)) if days > 0 => format!(
            "{app} stops on {on} (UTC), in {days} days. Its people are told 60, 30 and 7 days before; \
             `ferry upgrade sunset --app {app} --clear` takes it back."
        ),
        (Some(on), _) => format!("{app} stopped on {on} (UTC). Its people have to connect again."),
    })
}

/// Lets new consents use an app, or no longer.
pub(crate) async fn new_consents(stack: &Stack, app: &str, taken: bool) -> Result<String, Failure> {
    let apps = change(stack, app, "new_consents", taken.into()).await?;
    let newest = store::apps::newest(&apps, stack.clock().now()).map_or("none", |newest| newest.app.name.as_str());
    let stays = if taken { "" } else { " What is connected on it goes on working." };
    Ok(format!("New consents use {newest} now.{stays} Ferry notices within five minutes."))
}

async fn change(
    stack: &Stack,
    app: &str,
    member: &str,
    value: Value,
) -> Result<std::sync::Arc<[AppRegistration]>, Failure> {
    let changed = stack.apps().change(app, &[(member, value)]).await;
    changed.map_err(|error| match error {
        store::Error::NotFound { .. } => {
            Failure::BadInput(format!("there is no app `{app}` in the secret ferry/{}/apps", stack.name()))
        }
        store::Error::Corrupt { source, .. } => Failure::BadInput(format!("nothing was changed: {source}")),
        error => stack.unavailable("change the app registrations")(error),
    })
}
