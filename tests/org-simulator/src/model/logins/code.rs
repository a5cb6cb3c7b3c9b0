//! Authorization codes: each stores a consent, is valid for fifteen minutes and can be exchanged once.

use jiff::{SignedDuration, Timestamp};

use crate::model::logins::{Code, Consent, Logins};

const CODE_LIFE: SignedDuration = SignedDuration::from_mins(15);

impl Logins {
    /// Issues a code for a consent.
    pub(crate) fn issue_code(&mut self, consent: Consent, now: Timestamp) -> String {
        let code = format!("aPrx{}==", self.random.text());
        let expires_at = now.saturating_add(CODE_LIFE).unwrap_or(now);
        self.codes.insert(code.clone(), Code { consent, expires_at, used: false });
        code
    }

    /// Returns the consent of a code, used or not.
    pub(crate) fn consent(&self, code: &str) -> Option<&Consent> {
        self.codes.get(code).map(|code| &code.consent)
    }
}
