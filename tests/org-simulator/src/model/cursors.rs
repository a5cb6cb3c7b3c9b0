//! The results of queries that have more pages.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::data::soql::found::Found;
use crate::model::actor::Actor;
use crate::model::ids::RecordId;

/// Results a user keeps open; the oldest is closed for the next.
const OPEN_PER_USER: usize = 10;

/// Results kept open for all users, those of subqueries included.
const OPEN_PER_ORG: usize = 2_000;

/// How long a locator is good for.
const LIFE: SignedDuration = SignedDuration::from_hours(48);

/// A result that has more pages.
pub(crate) struct Cursor {
    pub(crate) locator: String,
    pub(crate) actor: Actor,
    pub(crate) found: Found,
    pub(crate) page: usize,
    pub(crate) opened: Timestamp,
    /// It holds the children of one record, and is not counted against the user.
    pub(crate) nested: bool,
}

/// Results that have more pages.
#[derive(Default)]
pub(crate) struct Cursors(VecDeque<Cursor>);

impl Cursors {
    /// Keeps a result open; the oldest is closed where there are too many.
    pub(crate) fn open(&mut self, cursor: Cursor) {
        let mine = |known: &Cursor| known.actor.user == cursor.actor.user && !known.nested;
        if !cursor.nested && self.0.iter().filter(|known| mine(known)).count() >= OPEN_PER_USER {
            let oldest = self.0.iter().position(mine);
            oldest.map(|at| self.0.remove(at));
        }
        if self.0.len() >= OPEN_PER_ORG {
            self.0.pop_front();
        }
        self.0.push_back(cursor);
    }

    /// Closes the results whose locators are too old.
    pub(crate) fn close_old(&mut self, now: Timestamp) {
        self.0.retain(|cursor| now.duration_since(cursor.opened) < LIFE);
    }

    /// Takes out a result of the user, with its place for [`Cursors::put_back`].
    pub(crate) fn take(&mut self, locator: &str, user: RecordId) -> Option<(usize, Cursor)> {
        let mine = |cursor: &Cursor| cursor.locator == locator && cursor.actor.user == user;
        let at = self.0.iter().position(mine)?;
        Some((at, self.0.remove(at)?))
    }

    /// Puts a result back in its place.
    pub(crate) fn put_back(&mut self, at: usize, cursor: Cursor) {
        self.0.insert(at.min(self.0.len()), cursor);
    }
}
