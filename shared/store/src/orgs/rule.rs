//! What may happen to an org: a pure rule.
