use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Returns a user. `number` is the last digit of the id.
fn user(number: usize, federation_id: Option<&str>, username: &str, email: &str, active: bool) -> Record {
    let fields = json!({
        "IsActive": active, "FederationIdentifier": federation_id, "Username": username, "Email": email,
    });
    Record { object: USER, id: id(number), fields: fields.as_object().unwrap().clone() }
}

fn id(number: usize) -> RecordId {
    format!("005000000000{number:03}").parse().unwrap()
}

fn found(rows: &[Record], platform_user: &str) -> FoundUser {
    by_platform_user(rows, &platform_user.parse().unwrap())
}

#[test]
fn a_federation_id_outweighs_a_username_and_an_email() {
    let rows = [
        user(1, None, "x@acme.example", "rep", true),
        user(2, None, "rep", "y@acme.example", true),
        user(3, Some("rep"), "z@acme.example", "z@acme.example", true),
    ];
    assert_eq!(found(&rows, "rep"), FoundUser::Active(id(3)));
    assert_eq!(found(&rows[..2], "rep"), FoundUser::Active(id(2)));
    assert_eq!(found(&rows[..1], "rep"), FoundUser::Active(id(1)));
    assert_eq!(found(&[], "rep"), FoundUser::NotFound);
}

#[test]
fn an_inactive_user_with_the_federation_id_is_not_passed_over() {
    let rows =
        [user(1, Some("rep"), "a@acme.example", "a@acme.example", false), user(2, None, "b@acme.example", "rep", true)];
    assert_eq!(found(&rows, "rep"), FoundUser::Inactive);
}

#[test]
fn several_active_users_are_not_a_match() {
    let email = "sam@acme.example";
    let rows = [
        user(1, None, "a", email, true),
        user(2, None, "b", "Sam@Acme.example", true),
        user(3, None, "c", email, false),
    ];
    assert_eq!(found(&rows, email), FoundUser::Several);
    assert_eq!(found(&rows[1..], email), FoundUser::Active(id(2)));
    assert_eq!(found(&rows[2..], email), FoundUser::Inactive);
}

#[test]
fn the_case_of_a_federation_id_counts() {
    let rows = [user(1, Some("SSmith"), "a", "a", true), user(2, Some("ssmith"), "b", "b", true)];
    assert_eq!(found(&rows, "ssmith"), FoundUser::Active(id(2)));
    assert_eq!(found(&rows[..1], "ssmith"), FoundUser::NotFound);
}

#[test]
fn a_result_that_may_be_cut_is_not_a_match() {
    let rows: Vec<Record> = (0..200).map(|number| user(number, None, "a", "rep", number == 7)).collect();
    assert_eq!(found(&rows, "rep"), FoundUser::Several);
    assert_eq!(found(&rows[..199], "rep"), FoundUser::Active(id(7)));
}

#[test]
fn a_look_up_is_one_query_with_a_quoted_id() {
    let key = UserKey::PlatformUser("o'neil' OR Name != '".parse().unwrap());
    insta::assert_snapshot!(
        query(&key, &CRITERIA).to_string(),
        @r"SELECT Id, IsActive, FederationIdentifier, Username, Email FROM User WHERE (((FederationIdentifier = 'o\'neil\' OR Name != \'' OR Username = 'o\'neil\' OR Name != \'') OR Email = 'o\'neil\' OR Name != \'') AND UserType = 'Standard') ORDER BY Id LIMIT 200"
    );
    insta::assert_snapshot!(
        query(&UserKey::Id(id(1)), &CRITERIA).to_string(),
        @"SELECT Id, IsActive FROM User WHERE Id = '005000000000001AAA' ORDER BY Id LIMIT 200"
    );
}

proptest! {
    #[test]
    fn a_match_is_active_and_has_the_platform_users_id(
        users in prop::collection::vec(("[ab]?", "[ab]", "[ab]", any::<bool>()), 0..6),
    ) {
        let rows: Vec<Record> = users
            .iter()
            .enumerate()
            .map(|(number, (federation_id, username, email, active))| {
                let federation_id = Some(federation_id.as_str()).filter(|id| !id.is_empty());
                user(number, federation_id, username, email, *active)
            })
            .collect();
        if let FoundUser::Active(found) = found(&rows, "a") {
            let row = rows.iter().find(|row| row.id == found).unwrap();
            prop_assert!(is_active(row));
            prop_assert!([&FEDERATION_ID, &USERNAME, &EMAIL].iter().any(|field| row.text(field.as_str()) == Some("a")));
        }
    }
}
