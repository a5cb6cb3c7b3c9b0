//! Objects and fields that the mirror had and the settings leave out.

use futures::future::join;
use jiff::SignedDuration;
use pipeline_refresh::removal::Removal;
use salesforce::{ObjectName, Record};
use serde_json::{Value, json};
use store::{Change, ChangeKey, ChangesFrom, CursorName, DeletionReason, MirrorRecord, RefreshKind};

use crate::fields::hide;
use crate::harness::{ACCOUNT, TestContext, run};

const CONTACT: ObjectName = ObjectName::from_static("Contact");

impl TestContext {
    async fn rows(&self, object: &ObjectName) -> Vec<MirrorRecord> {
        self.deps.records.list(self.org, object, None, 500).await.unwrap().records
    }

    /// Returns the places of an object's rows in the change feed.
    async fn change_keys(&self, object: &ObjectName) -> Vec<ChangeKey> {
        let from = ChangesFrom::Time(jiff::Timestamp::UNIX_EPOCH);
        let page = self.deps.records.changed_since(self.org, object, from, 500).await.unwrap();
        page.records.into_iter().map(|found| found.key).collect()
    }

    /// Returns whether a row of an object has the field.
    async fn has_field(&self, object: &ObjectName, field: &str) -> bool {
        self.rows(object).await.iter().any(|row| row.fields.contains_key(field))
    }

    /// Returns the number of Accounts whose rows have the field.
    async fn accounts_with(&self, field: &str) -> usize {
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.deps.records.list(self.org, &ACCOUNT, after, 500).await.unwrap();
            count += page.records.iter().filter(|row| row.fields.contains_key(field)).count();
            after = page.next;
            if after.is_none() {
                return count;
            }
        }
    }

    /// Returns whether the removal of Accounts is between two pages.
    async fn is_half_way(&self) -> bool {
        let cursor = self.deps.cursors.load(self.org, &CursorName::removal(&ACCOUNT)).await.unwrap();
        let state = cursor.and_then(|cursor| cursor.checkpoint);
        state.is_some_and(|state| serde_json::from_str::<Removal>(&state).unwrap().after.is_some())
    }

    /// Stores a record as a function does that has read it now by earlier settings.
    async fn store_by_earlier_settings(&self, object: &ObjectName, id: &str) {
        let fields: Value = self.simulator.record(object.as_str(), id).unwrap().into();
        let Value::Object(fields) = fields else { panic!("not a record") };
        let record = Record { object: object.clone(), id: id.parse().unwrap(), fields };
        let change = Change::Upsert { record, read_at: self.deps.clock.now() };
        self.deps.records.apply(self.org, object, change).await.unwrap();
    }
}

#[test]
fn a_field_that_is_left_out_is_removed_from_every_row() {
    run(async {
        let mut context = TestContext::connected().await;
        let phone = json!({ "Name": "Acme", "Phone": "1", "Industry": "Energy" });
        let account = context.create(&context.admin, "Account", &phone);
        context.set_now(json!({ "objects": ["Account"] })).await;
        context.refresh(RefreshKind::Backfill).await;
        let before = context.change_keys(&ACCOUNT).await;
        assert!(context.has_field(&ACCOUNT, "Phone").await);

        context.set_now(json!({ "objects": ["Account"], "fields": { "Account": ["Name", "Industry"] } })).await;
        context.refresh(RefreshKind::Nightly).await;
        assert!(!context.has_field(&ACCOUNT, "Phone").await);
        let acme = context.rows(&ACCOUNT).await.into_iter().find(|row| row.record_id.as_str() == account).unwrap();
        assert_eq!(acme.fields["Industry"], "Energy");
        assert_eq!(context.change_keys(&ACCOUNT).await, before, "that is no change of the records");

        // A function that had begun before ends now.
        context.store_by_earlier_settings(&ACCOUNT, &account).await;
        assert!(context.has_field(&ACCOUNT, "Phone").await);
        let [again] = context.queued().await.try_into().unwrap();
        context.pass(SignedDuration::from_mins(20));
        assert!(context.work_on(&[again]).await.is_empty());
        assert!(!context.has_field(&ACCOUNT, "Phone").await);

        // No row is processed any more.
        context.store_by_earlier_settings(&ACCOUNT, &account).await;
        context.refresh(RefreshKind::Nightly).await;
        assert!(context.has_field(&ACCOUNT, "Phone").await);
        context.set_now(json!({ "objects": ["Account"] })).await;
        context.refresh(RefreshKind::Nightly).await;
        context.set_now(json!({ "objects": ["Account"], "fields": { "Account": ["Name", "Industry"] } })).await;
        context.refresh(RefreshKind::Nightly).await;
        assert!(!context.has_field(&ACCOUNT, "Phone").await, "the same list is new after another one");
    });
}

#[test]
fn a_removal_ends_when_the_settings_restore_the_field() {
    run(async {
        let mut context = TestContext::connected().await;
        for number in 0..1_600 {
            let account = json!({ "Name": format!("Account {number}"), "Phone": "1" });
            context.create(&context.admin, "Account", &account);
        }
        let wide = json!({ "objects": ["Account"] });
        context.set_now(wide.clone()).await;
        context.refresh(RefreshKind::Backfill).await;
        let all = context.accounts_with("Phone").await;
        assert!(all >= 1_600, "{all}");

        context.set_now(json!({ "objects": ["Account"], "fields": { "Account": ["Name"] } })).await;
        let task = context.task(RefreshKind::Incremental).for_object(ACCOUNT);
        let widen = async {
            while !context.is_half_way().await {}
            context.set(wide).await;
            context.pass(SignedDuration::from_mins(2));
        };
        let (failed, ()) = join(context.work_on(&[task]), widen).await;
        assert!(failed.is_empty());
        let left = context.accounts_with("Phone").await;
        assert!(0 < left && left < all, "{left} of {all}");

        let [again] = context.queued().await.try_into().unwrap();
        assert!(context.work_on(&[again]).await.is_empty());
        context.refresh(RefreshKind::Backfill).await;
        assert_eq!(context.accounts_with("Phone").await, all);
    });
}

#[test]
fn a_field_is_also_removed_from_rows_that_only_messages_brought() {
    run(async {
        let mut context = TestContext::connected().await;
        let account = context.create(&context.admin, "Account", &json!({ "Name": "Acme", "Phone": "1" }));
        context.store_by_earlier_settings(&ACCOUNT, &account).await;
        assert!(context.has_field(&ACCOUNT, "Phone").await);
        context.set_now(json!({ "objects": ["Account"], "fields": { "Account": ["Name"] } })).await;
        context.refresh(RefreshKind::Nightly).await;
        assert!(!context.has_field(&ACCOUNT, "Phone").await);
    });
}

#[test]
fn a_field_that_salesforce_hides_is_kept() {
    run(async {
        let mut context = TestContext::connected().await;
        context.create(&context.admin, "Account", &json!({ "Name": "Acme", "Phone": "1", "Industry": "Energy" }));
        let fields = json!({ "Account": ["Name", "Industry", "Phone"] });
        context.set_now(json!({ "objects": ["Account"], "fields": fields })).await;
        context.refresh(RefreshKind::Backfill).await;
        hide(&context, &["Phone"]);
        context.pass(SignedDuration::from_mins(30));
        context.refresh(RefreshKind::Backfill).await;
        assert!(context.has_field(&ACCOUNT, "Phone").await);
    });
}

#[test]
fn the_rows_of_an_object_that_is_left_out_are_tombstones() {
    run(async {
        let mut context = TestContext::connected().await;
        let lovelace = context.create(&context.admin, "Contact", &json!({ "LastName": "Lovelace" }));
        context.set_now(json!({ "objects": ["Account", "Contact"] })).await;
        context.refresh(RefreshKind::Backfill).await;
        let (contacts, accounts) = (context.count(&CONTACT).await, context.count(&ACCOUNT).await);
        assert!(contacts.live > 0);

        context.set_now(json!({ "objects": ["Account"] })).await;
        let calls = context.simulator.api_calls();
        let task = context.task(RefreshKind::Backfill).for_object(CONTACT);
        assert!(context.work_on(&[task]).await.is_empty());
        assert_eq!(context.simulator.api_calls(), calls, "it needs no call");
        let rows = context.rows(&CONTACT).await;
        assert_eq!(rows.len() as u64, contacts.live);
        let is_excluded = |row: &MirrorRecord| row.deletion_reason == Some(DeletionReason::Excluded) && row.deleted;
        assert!(rows.iter().all(|row| is_excluded(row) && row.fields.is_empty()));
        assert_eq!(context.count(&ACCOUNT).await, accounts);

        context.pass(SignedDuration::from_secs(1));
        context.store_by_earlier_settings(&CONTACT, &lovelace).await;
        assert_eq!(context.count(&CONTACT).await.live, 1);
        // The message of the second time is lost; the next night goes on.
        drop(context.queued().await);
        context.pass(SignedDuration::from_mins(20));
        context.refresh(RefreshKind::Nightly).await;
        assert_eq!(context.count(&CONTACT).await.live, 0);
        let names = [CursorName::backfill(&CONTACT), CursorName::removal(&CONTACT)];
        for name in names {
            assert!(context.deps.cursors.load(context.org, &name).await.unwrap().is_none(), "{name}");
        }
        assert!(context.deps.cursors.load(context.org, &CursorName::backfill(&ACCOUNT)).await.unwrap().is_some());

        context.set_now(json!({ "objects": ["Account", "Contact"] })).await;
        context.refresh(RefreshKind::Nightly).await;
        assert_eq!(context.count(&CONTACT).await.live, contacts.live, "it is copied anew");
    });
}

#[test]
fn a_field_that_is_left_out_is_not_reported_as_hidden() {
    run(async {
        let mut context = TestContext::connected().await;
        context.set_now(json!({ "objects": ["Account"] })).await;
        context.refresh(RefreshKind::Backfill).await;
        context.set_now(json!({ "objects": ["Account"], "fields": { "Account": ["Name"] } })).await;
        context.refresh(RefreshKind::Nightly).await;
        let seen = context.deps.cursors.seen_fields(context.org, &ACCOUNT).await.unwrap().unwrap();
        assert_eq!(seen.last_change, None);
    });
}
