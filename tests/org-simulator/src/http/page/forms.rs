//! Forms: their inputs, the errors at them, and the token that protects them.
//!
//! A page of another site can make a browser send a form to loopback, but cannot read the token that the form needs.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::response::{Html, IntoResponse as _, Response};
use http::StatusCode;
use subtle::ConstantTimeEq as _;

use super::html::within;
use crate::Error;
use crate::identity::oauth::Form;
use crate::identity::realm::Shared;
use crate::model::org::Org;
use crate::wire::html::escaped;

const TOKEN: &str = "form_token";

/// The fields of a form that one of the org's own pages contained.
pub(super) struct Posted(pub(super) Form);

impl FromRequest<Shared> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Response> {
        let body = Bytes::from_request(request, shared).await.map_err(|rejection| rejection.into_response())?;
        let form = Form::parse(&body);
        let token = token(&shared.org());
        if bool::from(form.get(TOKEN).as_bytes().ct_eq(token.as_bytes())) {
            return Ok(Self(form));
        }
        let text = "This form did not come from a page of this org. Reload the page and send the form again.";
        let page = within(&shared.org(), "Refused", "", &format!("<p>{text}</p>"));
        Err((StatusCode::FORBIDDEN, Html(page)).into_response())
    }
}

/// Returns the token of the org's forms.
pub(super) fn token(org: &Org) -> String {
    org.random.fork("forms").text()
}

/// Returns a form that is sent with POST; the fields are HTML.
pub(super) fn form(org: &Org, action: &str, fields: &str, button: &str) -> String {
    let token = token(org);
    format!(
        "<form class=\"stack\" method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"{TOKEN}\" value=\"{token}\">{fields}\
         <button>{}</button></form>",
        escaped(action),
        escaped(button)
    )
}

/// Returns a form that is a single button, which sends these values.
pub(super) fn button(org: &Org, action: &str, values: &[(&str, &str)], text: &str) -> String {
    let hidden: String = values.iter().map(|(name, value)| hidden(name, value)).collect();
    form(org, action, &hidden, text).replacen("class=\"stack\"", "class=\"inline\"", 1)
}

/// Returns an input that is not shown.
pub(super) fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value))
}

/// A problem with a form, at one of its fields or, if `field` is empty, with the whole.
pub(super) struct Problem {
    pub(super) field: String,
    pub(super) text: String,
}

impl Problem {
    pub(super) fn new(field: &str, text: impl Into<String>) -> Self {
        Self { field: field.to_owned(), text: text.into() }
    }

    /// Returns the problem of an error of the admin API.
    pub(super) fn of(field: &str, error: &Error) -> Self {
        Self::new(field, error.to_string())
    }
}

/// Writes the inputs of a form with the values that they have and the problems with them.
pub(super) struct Inputs<'a> {
    pub(super) values: &'a Form,
    pub(super) problems: &'a [Problem],
}

impl Inputs<'_> {
    /// Returns the list of problems, with a link to the field of each.
    pub(super) fn summary(&self) -> String {
        if self.problems.is_empty() {
            return String::new();
        }
        let item = |problem: &Problem| {
            let (field, text) = (escaped(&problem.field), escaped(&problem.text));
            let text = if field.is_empty() { text } else { format!("<a href=\"#f-{field}\">{field}</a>: {text}") };
            format!("<li>{text}</li>")
        };
        let items: String = self.problems.iter().map(item).collect();
        format!("<div class=\"problems\" role=\"alert\"><p>The form has problems:</p><ul>{items}</ul></div>")
    }

    /// Returns a line of text.
    pub(super) fn text(&self, label: &str, name: &str, hint: &str) -> String {
        let value = escaped(self.values.get(name));
        self.field(label, name, hint, |attributes| {
            format!("<input {attributes} value=\"{value}\" autocomplete=\"off\">")
        })
    }

    /// Returns a text of several lines.
    pub(super) fn area(&self, label: &str, name: &str, hint: &str) -> String {
        // A parser of HTML drops the first line break in a textarea.
        let value = escaped(self.values.get(name));
        self.field(label, name, hint, |attributes| format!("<textarea {attributes} rows=\"4\">\n{value}</textarea>"))
    }

    /// Returns a choice of values, each with its text.
    pub(super) fn select(&self, label: &str, name: &str, hint: &str, options: &[(String, String)]) -> String {
        let current = self.values.get(name);
        let known = options.iter().any(|(value, _)| value == current);
        let added = (!known && !current.is_empty()).then(|| (current.to_owned(), current.to_owned()));
        let option = |(value, text): &(String, String)| {
            let selected = if value == current { " selected" } else { "" };
            format!("<option value=\"{}\"{selected}>{}</option>", escaped(value), escaped(text))
        };
        let options: String = added.iter().chain(options).map(option).collect();
        self.field(label, name, hint, |attributes| format!("<select {attributes}>{options}</select>"))
    }

    fn field(&self, label: &str, name: &str, hint: &str, control: impl Fn(&str) -> String) -> String {
        let (id, label) = (escaped(name), escaped(label));
        let own: Vec<&Problem> = self.problems.iter().filter(|problem| problem.field == name).collect();
        let mut described = Vec::new();
        let mut notes = String::new();
        if !hint.is_empty() {
            described.push(format!("h-{id}"));
            notes += &format!("<p class=\"hint\" id=\"h-{id}\">{}</p>", escaped(hint));
        }
        if !own.is_empty() {
            described.push(format!("e-{id}"));
            let texts: Vec<String> = own.iter().map(|problem| escaped(&problem.text)).collect();
            notes += &format!("<p class=\"error\" id=\"e-{id}\">{}</p>", texts.join("<br>"));
        }
        let invalid = if own.is_empty() { "" } else { " aria-invalid=\"true\"" };
        let described =
            if described.is_empty() { String::new() } else { format!(" aria-describedby=\"{}\"", described.join(" ")) };
        let control = control(&format!("id=\"f-{id}\" name=\"{id}\"{invalid}{described}"));
        format!("<div class=\"field\"><label for=\"f-{id}\">{label}</label>{control}{notes}</div>")
    }
}

/// Returns the active users, as the choices of an input.
pub(super) fn users(org: &Org) -> Vec<(String, String)> {
    let users = crate::model::people::users(org).into_iter().filter(|user| user.is_active);
    users.map(|user| (user.username.clone(), format!("{} ({})", user.name, user.username))).collect()
}

/// Returns the names of all objects, as the choices of an input.
pub(super) fn objects(org: &Org) -> Vec<(String, String)> {
    let mut names: Vec<String> = org.schema.objects().map(|object| object.name.clone()).collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), name)).collect()
}
