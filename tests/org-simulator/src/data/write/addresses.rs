//! Keeps the texts and the codes of states and countries equal, in an org with state and country picklists.
//!
//! Sources: Salesforce Help, "State and Country/Territory Picklist Field-Syncing Logic"; the errors in public reports
//! (SalesforceFoundation/NPSP#994 and #2432, a vendor's support page for unknown codes). The text for a code and a text that
//! contradict each other is unverified.

use crate::data::write::Purpose;
use crate::model::errors::ApiError;
use crate::model::places::{Country, State, is_state_code};
use crate::model::schema::Object;
use crate::model::store::Row;
use crate::model::value::Value;

/// The part of an address that a field holds.
#[derive(Clone, Copy)]
enum Part {
    Country,
    State,
}

/// One address of a record.
struct Address<'a> {
    object: &'a Object,
    before: Option<&'a Row>,
    row: &'a mut Row,
    changed: &'a [usize],
    /// The beginning of the names of its fields, such as `Billing`.
    stem: &'a str,
}

/// Completes the addresses of a record, or returns the error of an unknown or contradictory state or country.
pub(super) fn complete(
    object: &Object,
    (before, row): (Option<&Row>, &mut Row),
    changed: &[usize],
    purpose: Purpose,
) -> Result<(), ApiError> {
    let codes = object.fields.iter().filter(|field| field.is_place_code());
    for stem in codes.filter_map(|field| field.name.strip_suffix("CountryCode")) {
        let mut address = Address { object, before, row: &mut *row, changed, stem };
        if purpose == Purpose::Load { address.find_codes() } else { address.complete(purpose)? }
    }
    Ok(())
}

impl Address<'_> {
    fn name(&self, part: Part, code: bool) -> String {
        let part = match part {
            Part::Country => "Country",
            Part::State => "State",
        };
        format!("{}{part}{}", self.stem, if code { "Code" } else { "" })
    }

    fn position(&self, part: Part, code: bool) -> Option<usize> {
        self.object.position(&self.name(part, code))
    }

    fn get(&self, part: Part, code: bool) -> String {
        self.position(part, code).map(|at| self.row.get(at).as_text().to_owned()).unwrap_or_default()
    }

    fn set(&mut self, part: Part, code: bool, text: &str) {
        if let Some(at) = self.position(part, code) {
            self.row.set(at, if text.is_empty() { Value::Null } else { Value::text(text) });
        }
    }

    /// Returns whether the client has set the field to another value.
    fn is_new(&self, part: Part, code: bool) -> bool {
        let differs = |at: usize| self.before.is_none_or(|before| before.get(at) != self.row.get(at));
        self.position(part, code).is_some_and(|at| self.changed.contains(&at) && differs(at))
    }

    fn error(&self, part: Part, code: bool, message: impl FnOnce(&str) -> String) -> ApiError {
        let name = self.name(part, code);
        let label = self.object.field(&name).map_or("", |field| &field.label);
        ApiError::new("FIELD_INTEGRITY_EXCEPTION", message(label)).fields([name])
    }

    fn unknown_text(&self, part: Part) -> ApiError {
        self.error(part, false, |label| {
            let (one, many) = match part {
                Part::Country => ("country", "a country/territory from the list of valid countries"),
                Part::State => ("state", "a state from the list of valid states"),
            };
            format!(
                "There's a problem with this {one}, even though it may appear correct. Please select {many}.: {label}"
            )
        })
    }

    fn unknown_code(&self, part: Part) -> ApiError {
        let (name, code) = (self.name(part, true), self.get(part, true));
        let kind = match part {
            Part::Country => "country/territory",
            Part::State => "state",
        };
        self.error(part, true, |_| {
            format!("The {name} field contains {code}, which isn't an available {kind}. Your administrator can add it for you.")
        })
    }

    fn complete(&mut self, purpose: Purpose) -> Result<(), ApiError> {
        let touched = [(Part::Country, true), (Part::Country, false), (Part::State, true), (Part::State, false)];
        if !touched.into_iter().any(|(part, code)| self.is_new(part, code)) {
            return Ok(());
        }
        let country = self.country(purpose)?;
        self.state(country, purpose)
    }

    /// Makes the country's code and text equal, and returns the country.
    fn country(&mut self, purpose: Purpose) -> Result<Option<&'static Country>, ApiError> {
        let (code, text) = (self.get(Part::Country, true), self.get(Part::Country, false));
        let (new_code, new_text) = (self.is_new(Part::Country, true), self.is_new(Part::Country, false));
        let found = if new_code && !code.is_empty() {
            let found = Country::coded(&code).ok_or_else(|| self.unknown_code(Part::Country))?;
            if new_text
                && purpose == Purpose::Update
                && Country::named(&text).is_none_or(|named| named.code != found.code)
            {
                return Err(self.unknown_text(Part::Country));
            }
            Some(found)
        } else if new_text && !text.is_empty() {
            Some(Country::named(&text).ok_or_else(|| self.unknown_text(Part::Country))?)
        } else if new_code || new_text {
            None
        } else {
            return Ok(Country::coded(&code));
        };
        self.set(Part::Country, true, found.map_or("", |country| country.code));
        self.set(Part::Country, false, found.map_or("", |country| country.name));
        Ok(found)
    }

    /// Makes the state's code and text equal: a state of the country.
    fn state(&mut self, country: Option<&'static Country>, purpose: Purpose) -> Result<(), ApiError> {
        let (code, text) = (self.get(Part::State, true), self.get(Part::State, false));
        let (new_code, new_text) = (self.is_new(Part::State, true), self.is_new(Part::State, false));
        let by_code = new_code && !code.is_empty();
        let by_text = !by_code && new_text && !text.is_empty();
        let Some(country) = country else {
            if by_code || by_text {
                return Err(self.error(Part::State, by_code, |label| {
                    format!("A country/territory must be specified before specifying a state value for field: {label}")
                }));
            }
            self.set_state(None);
            return Ok(());
        };
        let found = if by_code {
            let found = self.coded_state(country, &code)?;
            let matches = || country.state_named(&text).is_some_and(|named| named == found);
            if new_text && purpose == Purpose::Update && !matches() {
                return Err(self.unknown_text(Part::State));
            }
            Some(found)
        } else if by_text {
            Some(country.state_named(&text).ok_or_else(|| self.unknown_text(Part::State))?)
        } else if new_code || new_text || code.is_empty() {
            None
        } else {
            // The country is new, and the state has to be one of it.
            self.coded_state(country, &code)?;
            return Ok(());
        };
        self.set_state(found);
        Ok(())
    }

    fn coded_state(&self, country: &'static Country, code: &str) -> Result<&'static State, ApiError> {
        country.state_coded(code).ok_or_else(|| {
            if !is_state_code(code) {
                return self.unknown_code(Part::State);
            }
            self.error(Part::State, true, |label| {
                format!("The existing country/territory doesn't recognize the state value for field: {label}")
            })
        })
    }

    fn set_state(&mut self, state: Option<&State>) {
        self.set(Part::State, true, state.map_or("", |(code, _)| code));
        self.set(Part::State, false, state.map_or("", |(_, name)| name));
    }

    /// Finds the codes of texts that were there before the picklists: names and codes are recognized, and no text changes.
    fn find_codes(&mut self) {
        let text = self.get(Part::Country, false);
        let Some(country) = Country::named(&text).or_else(|| Country::coded(&text)) else { return };
        self.set(Part::Country, true, country.code);
        let text = self.get(Part::State, false);
        if let Some((code, _)) = country.state_named(&text).or_else(|| country.state_coded(&text)) {
            self.set(Part::State, true, code);
        }
    }
}
