//! Freshness objectives: the share of an object's changes that has to be in the mirror within a time. Pure.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use salesforce::ObjectName;

/// A share in thousandths, from 0.1 % to 100 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permille(u16);

impl Permille {
    /// Returns the number of thousandths.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

/// The objective for an object: this share of its changes is in the mirror in less than this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objective {
    /// The share of the changes.
    pub share: Permille,
    /// The time from the save in Salesforce; changes that took as long do not meet it.
    pub within: Duration,
}

impl Objective {
    /// Returns whether so many of an object's changes were in time; `None` without changes.
    #[must_use]
    pub fn is_met(&self, in_time: u64, changes: u64) -> Option<bool> {
        let required = u128::from(self.share.get()) * u128::from(changes);
        (changes > 0).then(|| u128::from(in_time) * 1_000 >= required)
    }
}

/// The objectives by object: `Account=99%<60s;*=95%<300s`, in which `*` is every other object. None by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objectives {
    /// The objectives, by the object's name in lower case.
    objects: BTreeMap<String, Objective>,
    others: Option<Objective>,
}

/// An invalid list of objectives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidObjectives {
    /// An entry is not of the form.
    #[error("expected entries such as Account=99%<60s, separated by semicolons")]
    Form,
    /// An object is not the API name of an object, nor `*`.
    #[error("expected the API name of an object, or *, before the equals sign")]
    Object,
    /// A share is no percentage with at most one decimal, greater than 0 and at most 100.
    #[error("expected a share from 0.1% to 100%, with at most one decimal")]
    Share,
    /// A time is no number of whole seconds from 1 to a week.
    #[error("expected a time from 1s to 604800s, in whole seconds")]
    Time,
    /// Two entries are for the same object.
    #[error("expected one entry for each object")]
    Twice,
}

const WEEK: u64 = 7 * 24 * 60 * 60;

impl Objectives {
    /// Returns the objective for an object. The case of its name does not matter.
    #[must_use]
    pub fn of(&self, object: &ObjectName) -> Option<Objective> {
        self.objects.get(&object.as_str().to_ascii_lowercase()).copied().or(self.others)
    }
}

impl FromStr for Objectives {
    type Err = InvalidObjectives;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let mut objectives = Self::default();
        for entry in list.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (object, objective) = entry.split_once('=').ok_or(InvalidObjectives::Form)?;
            let objective = objective.parse()?;
            let replaced = if object.trim() == "*" {
                objectives.others.replace(objective)
            } else {
                let object: ObjectName = object.trim().parse().map_err(|_| InvalidObjectives::Object)?;
                objectives.objects.insert(object.as_str().to_ascii_lowercase(), objective)
            };
            if replaced.is_some() {
                return Err(InvalidObjectives::Twice);
            }
        }
        Ok(objectives)
    }
}

impl FromStr for Objective {
    type Err = InvalidObjectives;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (share, within) = text.split_once('<').ok_or(InvalidObjectives::Form)?;
        let seconds = within.trim().strip_suffix('s').ok_or(InvalidObjectives::Time)?;
        let seconds = digits(seconds).filter(|seconds| (1..=WEEK).contains(seconds)).ok_or(InvalidObjectives::Time)?;
        Ok(Self { share: share.trim().parse()?, within: Duration::from_secs(seconds) })
    }
}

impl FromStr for Permille {
    type Err = InvalidObjectives;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = InvalidObjectives::Share;
        let percent = text.strip_suffix('%').ok_or(invalid)?;
        let (whole, tenths) = percent.split_once('.').unwrap_or((percent, "0"));
        let tenths = digits(tenths).filter(|tenths| *tenths < 10 && percent.len() <= 5).ok_or(invalid)?;
        let permille = digits(whole).and_then(|whole| whole.checked_mul(10)?.checked_add(tenths));
        let permille = permille.filter(|permille| (1..=1_000).contains(permille)).ok_or(invalid)?;
        u16::try_from(permille).map(Self).map_err(|_| invalid)
    }
}

/// Parses digits without a sign.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(list: &str) -> Result<Objectives, InvalidObjectives> {
        list.parse()
    }

    #[test]
    fn an_object_has_its_own_objective_or_that_of_all_others() {
        let objectives = parse("Account=99%<60s; Deal__c = 99.9% < 5s ;*=95%<300s").unwrap();
        let of = |object: &str| {
            let objective = objectives.of(&object.parse().unwrap()).unwrap();
            (objective.share.get(), objective.within.as_secs())
        };
        assert_eq!([of("account"), of("Deal__c"), of("Lead")], [(990, 60), (999, 5), (950, 300)]);
        assert_eq!(parse("Account=99%<60s").unwrap().of(&"Lead".parse().unwrap()), None);
        assert_eq!(parse(""), Ok(Objectives::default()));
    }

    #[test]
    fn an_objective_is_met_by_its_share_of_the_changes() {
        let objective: Objective = "99.5%<60s".parse().unwrap();
        for (in_time, changes, expected) in
            [(0, 0, None), (995, 1_000, Some(true)), (994, 1_000, Some(false)), (1, 1, Some(true)), (0, 1, Some(false))]
        {
            assert_eq!(objective.is_met(in_time, changes), expected, "{in_time} of {changes}");
        }
    }

    proptest! {
        #[test]
        fn a_written_objective_is_read_back(permille in 1..=1_000_u16, seconds in 1..=WEEK, object in "[A-Z][a-z]{1,8}") {
            let list = format!("{object}={}.{}%<{seconds}s", permille / 10, permille % 10);
            let objective = parse(&list).unwrap().of(&object.parse().unwrap()).unwrap();
            prop_assert_eq!((objective.share.get(), objective.within), (permille, Duration::from_secs(seconds)));
        }

        #[test]
        fn a_text_never_panics(text in "[A-Za-z0-9*=%<.; s-]{0,40}") {
            let _ = parse(&text);
        }
    }

    #[test]
    fn a_list_that_cannot_be_meant_is_refused() {
        use InvalidObjectives::{Form, Object, Share, Time, Twice};
        for (list, expected) in [
            ("Account", Form),
            ("Account=99%", Form),
            ("Acc ount=99%<60s", Object),
            ("=99%<60s", Object),
            ("Account=0%<60s", Share),
            ("Account=101%<60s", Share),
            ("Account=99<60s", Share),
            ("Account=99.95%<60s", Share),
            ("Account=.%<60s", Share),
            ("Account=-9%<60s", Share),
            ("Account=99%<60", Time),
            ("Account=99%<0s", Time),
            ("Account=99%<1m", Time),
            ("Account=99%<604801s", Time),
            ("Account=99%<60s;account=95%<60s", Twice),
            ("*=99%<60s;*=95%<60s", Twice),
        ] {
            assert_eq!(parse(list), Err(expected), "{list}");
        }
    }
}
