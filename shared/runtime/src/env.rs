//! The environment. No other module reads it.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

/// The default of `MIRRORED_OBJECTS`: people, companies, deals, activities and users. The template has the same.
pub const DEFAULT_MIRRORED_OBJECTS: &str =
    "Account,Contact,Lead,Opportunity,OpportunityContactRole,Task,Event,User,RecordType";

/// A source of configuration: the process's environment, or pairs in a test. An empty value counts as missing.
pub struct Env {
    lookup: Box<Lookup>,
}

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// A missing or invalid variable. The text names the variable and never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// The variable is not set, or empty.
    #[error("{name} is not set")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// The variable cannot be parsed.
    #[error("{name} is invalid: {reason}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// The parser's reason.
        reason: String,
    },
}

/// A number of days, at most 100 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(pub u16);

impl Days {
    /// Returns the days as a duration.
    #[must_use]
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.0))
    }
}

impl FromStr for Days {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let days = text.parse().ok().filter(|days| *days <= 36_500);
        days.map(Self).ok_or("the value must be a whole number of days, at most 36500")
    }
}

impl Env {
    /// Returns the process's environment.
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    #[must_use]
    pub fn process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// Creates an environment from a lookup function.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { lookup: Box::new(lookup) }
    }

    /// Creates an environment from pairs.
    #[must_use]
    pub fn from_pairs<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self::new(move |name| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
    }

    /// Returns the variable's text, or `None` if it is not set.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// Returns the variable's text.
    ///
    /// # Errors
    /// [`EnvError::Missing`].
    pub fn required(&self, name: &'static str) -> Result<String, EnvError> {
        self.optional(name).ok_or(EnvError::Missing { name })
    }

    /// Parses the variable, or returns `default` if it is not set.
    ///
    /// # Errors
    /// [`EnvError::Invalid`].
    pub fn parsed_or<T>(&self, name: &'static str, default: T) -> Result<T, EnvError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.optional(name).map_or(Ok(default), |text| parse(name, &text))
    }

    /// Parses the variable as a comma-separated list; parses `default` if it is not set.
    ///
    /// # Errors
    /// [`EnvError::Invalid`].
    pub fn list_or<T>(&self, name: &'static str, default: &str) -> Result<Vec<T>, EnvError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let text = self.optional(name).unwrap_or_else(|| default.to_owned());
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| parse(name, part)).collect()
    }
}

fn parse<T>(name: &'static str, text: &str) -> Result<T, EnvError>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    text.parse().map_err(|error: T::Err| EnvError::Invalid { name, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> Env {
        Env::from_pairs([("TABLE", "orgs"), ("EMPTY", ""), ("COUNT", "7"), ("LIST", " a, b ,,c"), ("SECRET", "hush")])
    }

    #[test]
    fn an_empty_value_counts_as_missing() {
        assert_eq!(env().required("TABLE").unwrap(), "orgs");
        assert_eq!(env().required("EMPTY"), Err(EnvError::Missing { name: "EMPTY" }));
        assert_eq!(env().optional("ABSENT"), None);
        assert_eq!(env().parsed_or("EMPTY", 3), Ok(3));
    }

    #[test]
    fn values_are_parsed() {
        assert_eq!(env().parsed_or("COUNT", 3), Ok(7));
        assert_eq!(env().list_or::<String>("LIST", "x").unwrap(), ["a", "b", "c"]);
        assert_eq!(env().list_or::<u8>("ABSENT", "1,2").unwrap(), [1, 2]);
    }

    #[test]
    fn an_error_names_the_variable_and_not_its_value() {
        let error = env().parsed_or("SECRET", 3).unwrap_err().to_string();
        assert!(error.contains("SECRET") && !error.contains("hush"), "{error}");
    }
}
