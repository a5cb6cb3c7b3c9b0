//! The rules that decide which requests a fault affects.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Effect;

/// A fault for the next requests that match.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// The beginning of the path, for example `/services/data/v66.0/composite`.
    pub path_prefix: String,
    /// HTTP method; any method when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// The number of requests that are affected before the fault is used up.
    pub times: u32,
    /// The effect on these requests.
    pub effect: Effect,
}

/// A fault with all the conditions that can select its requests. A condition that is not set selects every request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// HTTP method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The beginning of the path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path_prefix: String,
    /// The whole path, where `*` matches any characters within one segment and `**` any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The number of matching requests that pass unaffected first.
    #[serde(default)]
    pub skip: u32,
    /// The number of requests that are affected before the fault is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// The share of the matching requests that are affected, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// The seed of this fault's random numbers; the same seed selects the same requests.
    #[serde(default)]
    pub seed: u64,
    /// The time of the org's clock from which the fault is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The time of the org's clock at which the fault ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The effect on these requests.
    pub effect: Effect,
}

impl FaultRule {
    /// Returns a fault that affects every request; the other fields restrict it.
    #[must_use]
    pub fn new(effect: Effect) -> Self {
        Self {
            method: None,
            path_prefix: String::new(),
            path: None,
            skip: 0,
            times: None,
            probability: None,
            seed: 0,
            from: None,
            until: None,
            effect,
        }
    }

    /// Returns whether the request meets all conditions of the fault.
    pub(super) fn matches(&self, method: &str, path: &str, now: Timestamp) -> bool {
        self.method.as_deref().is_none_or(|method_name| method_name.eq_ignore_ascii_case(method))
            && path.starts_with(&self.path_prefix)
            && self.path.as_deref().is_none_or(|pattern| fits(pattern.as_bytes(), path.as_bytes()))
            && self.from.is_none_or(|from| from <= now)
            && self.until.is_none_or(|until| now < until)
    }
}

impl From<Fault> for FaultRule {
    fn from(fault: Fault) -> Self {
        Self {
            path_prefix: fault.path_prefix,
            method: fault.method,
            times: Some(fault.times),
            ..Self::new(fault.effect)
        }
    }
}

/// Returns whether a path matches a pattern with `*` and `**`.
pub(crate) fn fits(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=path.len()).any(|from| fits(rest, &path[from..])),
        [b'*', rest @ ..] => {
            let segment = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
            (0..=segment).any(|from| fits(rest, &path[from..]))
        }
        [first, rest @ ..] => path.split_first().is_some_and(|(byte, path)| byte == first && fits(rest, path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_matches_within_a_segment_and_two_across() {
        for (pattern, path, expected) in [
            ("/services/data/*/query", "/services/data/v66.0/query", true),
            ("/services/data/*/query", "/services/data/v66.0/x/query", false),
            ("/services/data/**/query", "/services/data/v66.0/x/query", true),
            ("/services/data/v66.0/sobjects/Account/001*", "/services/data/v66.0/sobjects/Account/0015e0", true),
            ("/services/data/v66.0/sobjects/Account/*", "/services/data/v66.0/sobjects/Account", false),
            ("**", "/anything/at/all", true),
            ("/services/oauth2/token", "/services/oauth2/token", true),
            ("/services/oauth2/token", "/services/oauth2/tokens", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), path.as_bytes()), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_serialized_rule_reads_back() {
        let rule = FaultRule {
            path: Some("/services/**".to_owned()),
            probability: Some(0.25),
            until: Some(Timestamp::UNIX_EPOCH),
            ..FaultRule::new(Effect::Trickle { chunk_bytes: 1, pause_ms: 2 })
        };
        let json = serde_json::to_value(&rule).unwrap();
        assert_eq!(serde_json::from_value::<FaultRule>(json).unwrap(), rule);
        let misspelt = serde_json::json!({"probabilty": 0.5, "effect": {"kind": "unavailable"}});
        assert!(serde_json::from_value::<FaultRule>(misspelt).is_err());
    }
}
