//! The org's clock.

use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use http::StatusCode;
use jiff::SignedDuration;

use super::forms::{self, Inputs, Posted, Problem};
use super::html::{facts, moment, within};
use crate::http::server::late;
use crate::identity::oauth::Form;
use crate::identity::realm::Shared;
use crate::model::org::Org;

pub(super) const PATH: &str = "/_simulator/pages/clock";

/// Amount, unit in seconds, and text of each preset.
const PRESETS: [(&str, &str, &str); 6] = [
    ("1", "60", "1 minute"),
    ("1", "3600", "1 hour"),
    ("2", "3600", "2 hours"),
    ("1", "86400", "1 day"),
    ("30", "86400", "30 days"),
    ("365", "86400", "365 days"),
];

const UNITS: [(&str, &str); 4] = [("1", "seconds"), ("60", "minutes"), ("3600", "hours"), ("86400", "days")];

/// The longest move, in seconds: ten years.
const LONGEST: i64 = 3_652 * 86_400;

pub(super) async fn show(State(shared): State<Shared>) -> Html<String> {
    Html(rendered(&shared.org(), &Form::default(), &[]))
}

/// Moves the clock of all orgs forward; requests that were to take effect later do so.
pub(super) async fn advance(State(shared): State<Shared>, Posted(sent): Posted) -> Response {
    let Some(seconds) = seconds(&sent) else {
        let problem = Problem::new("amount", "Enter a whole number; the clock moves forward, by ten years at most.");
        let page = rendered(&shared.org(), &sent, &[problem]);
        return (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response();
    };
    late::advance_clock(&shared.realm, SignedDuration::from_secs(seconds));
    Redirect::to(PATH).into_response()
}

fn seconds(sent: &Form) -> Option<i64> {
    let unit = UNITS.iter().find(|(unit, _)| *unit == sent.get("unit"))?.0;
    let seconds = sent.get("amount").trim().parse::<i64>().ok()?.checked_mul(unit.parse().ok()?)?;
    (1..=LONGEST).contains(&seconds).then_some(seconds)
}

fn rendered(org: &Org, values: &Form, problems: &[Problem]) -> String {
    let inputs = Inputs { values, problems };
    let moved = SignedDuration::from_millis(org.clock.moved_ms());
    let about = facts(&[("Its time", moment(org.clock.now())), ("Moved by", format!("{moved:#}"))]);
    let presets: String = PRESETS
        .iter()
        .map(|(amount, unit, text)| {
            forms::button(org, PATH, &[("amount", amount), ("unit", unit)], &format!("+ {text}"))
        })
        .collect();
    let units = UNITS.map(|(unit, text)| (unit.to_owned(), text.to_owned()));
    let fields =
        inputs.text("Move forward by", "amount", "a whole number") + &inputs.select("Unit", "unit", "", &units);
    let body = format!(
        "{about}<p>All orgs of this process share the clock. Sessions expire, outbound messages become due, and limits are \
         counted by it. It does not go back.</p><h2>By a preset</h2><div class=\"presets\">{presets}</div>\
         <h2>By a duration</h2>{}{}",
        inputs.summary(),
        forms::form(org, PATH, &fields, "Move the clock")
    );
    within(org, "Clock", PATH, &body)
}
