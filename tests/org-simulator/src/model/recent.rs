//! The recently viewed records of each user.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::ids::RecordId;

/// Records that are kept for each user.
pub(crate) const PER_USER: usize = 200;

/// The recently viewed records of each user, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RecentItems(BTreeMap<RecordId, Vec<RecordId>>);

impl RecentItems {
    /// Returns the records of a user, newest first.
    pub(crate) fn of(&self, user: RecordId) -> impl Iterator<Item = RecordId> {
        self.0.get(&user).into_iter().flatten().copied()
    }

    pub(crate) fn add(&mut self, user: RecordId, record: RecordId) {
        let items = self.0.entry(user).or_default();
        items.retain(|known| *known != record);
        items.insert(0, record);
        items.truncate(PER_USER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::numbered;

    #[test]
    fn recent_records_are_unique_newest_first_and_limited() {
        let (user, mut items) = (numbered("005", 1), RecentItems::default());
        for n in 0..300 {
            items.add(user, numbered("001", n));
        }
        items.add(user, numbered("001", 250));
        let kept = &items.0[&user];
        assert_eq!(kept.len(), PER_USER);
        assert_eq!(kept[..2], [numbered("001", 250), numbered("001", 299)]);
        assert_eq!(kept.iter().filter(|id| **id == numbered("001", 250)).count(), 1);
    }
}
