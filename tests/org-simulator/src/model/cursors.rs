//! Query results with more pages, which clients read by locator.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::data::soql::found::Found;
use crate::model::actor::Actor;
use crate::model::ids::RecordId;

/// Results that stay open for one user; the oldest is closed to make room.
const OPEN_PER_USER: usize = 10;

/// Results that stay open in the org, including those of subqueries.
const OPEN_PER_ORG: usize = 2_000;

/// The time after which a query locator is invalid.
const LIFE: SignedDuration = SignedDuration::from_hours(48);

/// A result that has more pages.
pub(crate) struct Cursor {
    pub(crate) locator: String,
    pub(crate) actor: Actor,
    pub(crate) found: Found,
    pub(crate) page: usize,
    pub(crate) opened: Timestamp,
    /// The cursor holds the child records of one record and does not count against the user's limit.
    pub(crate) nested: bool,
}

/// The open cursors of an org, oldest first.
#[derive(Default)]
pub(crate) struct Cursors(VecDeque<Cursor>);

impl Cursors {
    /// Stores a cursor; the oldest ones are closed when there are too many.
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

    /// Closes the cursors whose locators have expired.
    pub(crate) fn close_old(&mut self, now: Timestamp) {
        self.0.retain(|cursor| now.duration_since(cursor.opened) < LIFE);
    }

    /// Takes out a cursor of the user, with its position for [`Cursors::put_back`].
    pub(crate) fn take(&mut self, locator: &str, user: RecordId) -> Option<(usize, Cursor)> {
        let mine = |cursor: &Cursor| cursor.locator == locator && cursor.actor.user == user;
        let at = self.0.iter().position(mine)?;
        Some((at, self.0.remove(at)?))
    }

    /// Puts a cursor back at its position.
    pub(crate) fn put_back(&mut self, at: usize, cursor: Cursor) {
        self.0.insert(at.min(self.0.len()), cursor);
    }
}
