//! The countries and states of an org with state and country picklists.
//!
//! A selection of ISO 3166. As in a new org, only some countries have states, and names are the integration values. No
//! code of a state is used by two countries here, unlike in ISO 3166-2.

/// A country: its code, its name, and the codes and names of its states.
pub(crate) struct Country {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) states: &'static [State],
}

/// The code and the name of a state.
pub(crate) type State = (&'static str, &'static str);

const fn country(code: &'static str, name: &'static str, states: &'static [State]) -> Country {
    Country { code, name, states }
}

pub(crate) const COUNTRIES: [Country; 14] = [
    country("AU", "Australia", &[("NSW", "New South Wales"), ("QLD", "Queensland"), ("VIC", "Victoria")]),
    country("BE", "Belgium", &[]),
    country("BR", "Brazil", &[("BA", "Bahia"), ("RJ", "Rio de Janeiro"), ("SP", "São Paulo")]),
    country("CA", "Canada", &[("BC", "British Columbia"), ("ON", "Ontario"), ("QC", "Quebec")]),
    country("FI", "Finland", &[]),
    country("FR", "France", &[]),
    country("DE", "Germany", &[]),
    country("IE", "Ireland", &[("CO", "Cork"), ("D", "Dublin"), ("G", "Galway")]),
    country("JP", "Japan", &[("01", "Hokkaido"), ("13", "Tokyo"), ("27", "Osaka")]),
    country("MX", "Mexico", &[("DF", "Federal District"), ("JA", "Jalisco"), ("NL", "Nuevo León")]),
    country("NL", "Netherlands", &[]),
    country("NO", "Norway", &[]),
    country("GB", "United Kingdom", &[]),
    country("US", "United States", &[("CA", "California"), ("NY", "New York"), ("TX", "Texas"), ("WA", "Washington")]),
];

impl Country {
    pub(crate) fn coded(code: &str) -> Option<&'static Self> {
        COUNTRIES.iter().find(|country| country.code.eq_ignore_ascii_case(code))
    }

    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        COUNTRIES.iter().find(|country| country.name.to_lowercase() == name.to_lowercase())
    }

    pub(crate) fn state_coded(&self, code: &str) -> Option<&State> {
        self.states.iter().find(|(known, _)| known.eq_ignore_ascii_case(code))
    }

    pub(crate) fn state_named(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|(_, known)| known.to_lowercase() == name.to_lowercase())
    }
}

/// Returns whether a country has a state with that code.
pub(crate) fn is_state_code(code: &str) -> bool {
    COUNTRIES.iter().any(|country| country.state_coded(code).is_some())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_code_is_used_twice() {
        let states = COUNTRIES.iter().flat_map(|country| country.states).map(|(code, _)| *code);
        let mut seen = HashSet::new();
        assert!(states.into_iter().all(|code| seen.insert(code)));
        let countries: HashSet<&str> = COUNTRIES.iter().map(|country| country.code).collect();
        assert_eq!(countries.len(), COUNTRIES.len());
    }
}
