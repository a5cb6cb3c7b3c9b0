//! Who may be at a write: a pure rule.
