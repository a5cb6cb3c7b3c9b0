use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::data::seed::{self, Seed};
use crate::model::actor::Actor;
use crate::model::{people, records, transaction};

fn org() -> Org {
    let clock = Clock::manual("2026-11-22T10:00:00Z".parse::<Timestamp>().unwrap());
    let mut org = Org::production("http://127.0.0.1:1".to_owned(), clock);
    seed::fill(&mut org, Seed::None).unwrap();
    org
}

/// Returns the org after saving and loading its state.
fn reloaded(org: &Org) -> Org {
    let text = serde_json::to_string(&SavedOrg::of(org)).unwrap();
    let saved: SavedOrg = serde_json::from_str(&text).unwrap();
    saved.restore(org.base_url.clone(), org.clock.clone(), Apps::default())
}

/// Returns all records of an object, deleted ones too, as the data API renders them.
fn shown(org: &Org, object: &str) -> Vec<Map<String, Json>> {
    let object = org.schema.object(object).unwrap();
    let rows = org.store.table(&object.name).into_iter().flat_map(|table| table.rows());
    rows.map(|row| org.render_all(object, row, "66.0")).collect()
}

#[derive(Clone, Debug)]
enum Write {
    Create(String, Option<i32>),
    Update(usize, String),
    Delete(usize),
    Undelete(usize),
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let one = prop_oneof![
        ("\\PC{1,20}", any::<Option<i32>>()).prop_map(|(name, n)| Write::Create(name, n)),
        (any::<usize>(), "\\PC{1,20}").prop_map(|(n, name)| Write::Update(n, name)),
        any::<usize>().prop_map(Write::Delete),
        any::<usize>().prop_map(Write::Undelete),
    ];
    proptest::collection::vec(one, 0..25)
}

/// Does a write; a rejected write changes nothing.
fn write(org: &mut Org, actor: &Actor, made: &mut Vec<RecordId>, write: &Write) {
    let id = |n: usize| made.get(n.checked_rem(made.len()).unwrap_or_default()).copied();
    let fields = |json: Json| json.as_object().cloned().unwrap_or_default();
    let _ = match write {
        Write::Create(name, employees) => {
            let fields = fields(json!({"Name": name, "NumberOfEmployees": employees, "Ferry_External_Id__c": name}));
            let created = transaction::transaction(org, |org| Ok(org.create(actor, "Account", &fields)?));
            created.map(|id| made.push(id))
        }
        Write::Update(n, name) => match id(*n) {
            Some(id) => {
                let fields = fields(json!({"Name": name, "Ferry_External_Id__c": name}));
                transaction::transaction(org, |org| Ok(org.update(actor, "Account", id, &fields)?))
            }
            None => Ok(()),
        },
        Write::Delete(n) => {
            id(*n).map_or(Ok(()), |id| transaction::transaction(org, |org| Ok(org.delete(actor, "Account", id)?)))
        }
        Write::Undelete(n) => {
            id(*n).map_or(Ok(()), |id| transaction::transaction(org, |org| Ok(org.undelete(actor, "Account", id)?)))
        }
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_reloaded_org_behaves_like_the_original(before in writes(), after in writes()) {
        let mut first = org();
        let actor = people::admin(&first);
        let mut made = Vec::new();
        before.iter().for_each(|one| write(&mut first, &actor, &mut made, one));

        let mut second = reloaded(&first);

        prop_assert_eq!(shown(&first, "Account"), shown(&second, "Account"));
        let mut made_too = made.clone();
        after.iter().for_each(|one| write(&mut first, &actor, &mut made, one));
        after.iter().for_each(|one| write(&mut second, &actor, &mut made_too, one));
        prop_assert_eq!(shown(&first, "Account"), shown(&second, "Account"));
        prop_assert_eq!(records::record_counts(&first), records::record_counts(&second));
    }
}

#[test]
fn only_additions_to_the_schema_are_saved() {
    let mut first = org();
    assert!(SavedOrg::of(&first).objects.is_empty());
    first.schema.add_custom_object("Broker__c");
    let field = crate::model::schema::Field::new("Rank__c", crate::model::schema::FieldKind::Double);
    first.schema.add_field("Account", field);

    let second = reloaded(&first);

    let names: Vec<_> = SavedOrg::of(&second).objects.into_iter().map(|object| object.name).collect();
    assert_eq!(names, ["Account", "Broker__c"]);
    assert!(second.schema.object("account").unwrap().position("rank__c").is_some());
    assert_eq!(second.schema.by_prefix("a00").unwrap().name, "Broker__c");
    let mut third = reloaded(&second);
    third.schema.add_custom_object("Property__c");
    assert_eq!(third.schema.by_prefix("a01").unwrap().name, "Property__c");
}
