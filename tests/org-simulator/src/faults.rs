//! Faults that were ordered, and which request each hits.

use crate::{Effect, Fault};

/// Ordered faults, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The effect on this request, if one was ordered; each hit counts.
    pub(crate) fn take(&mut self, method: &str, path: &str) -> Option<Effect> {
        let hits = |fault: &Fault| {
            path.starts_with(&fault.path_prefix)
                && fault.method.as_deref().is_none_or(|m| m.eq_ignore_ascii_case(method))
        };
        let at = self.0.iter().position(|fault| fault.times > 0 && hits(fault))?;
        let fault = &mut self.0[at];
        fault.times -= 1;
        let effect = fault.effect.clone();
        if fault.times == 0 {
            self.0.remove(at);
        }
        Some(effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_as_often_as_it_was_ordered() {
        let mut faults = Faults::default();
        faults.add(Fault {
            path_prefix: "/services/data".to_owned(),
            method: Some("PATCH".to_owned()),
            times: 2,
            effect: Effect::Unavailable,
        });

        assert!(faults.take("GET", "/services/data/v66.0/limits").is_none());
        assert!(faults.take("PATCH", "/services/oauth2/token").is_none());
        assert!(faults.take("PATCH", "/services/data/x").is_some());
        assert!(faults.take("PATCH", "/services/data/x").is_some());
        assert!(faults.take("PATCH", "/services/data/x").is_none());
    }
}
