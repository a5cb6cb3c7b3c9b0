//! A cursor only moves forward: a pure rule.
