use futures::future::join_all;
use serde_json::{Value, json};
use store::{Authorization, AuthorizationId, Authorizations, Error, Purpose};

use crate::harness::{at, run, tables};

async fn stored() -> (Authorizations, AuthorizationId) {
    let (client, tables) = tables().await;
    let authorizations = Authorizations::new(client, tables.name("authorizations"));
    let id = AuthorizationId::derive(Purpose::State, "secret");
    let authorization = Authorization { id: id.clone(), payload: json!({"tenant": "acme"}), expires_at: at(600) };
    authorizations.store(&authorization).await.unwrap();
    (authorizations, id)
}

#[test]
fn one_of_many_callers_consumes_an_authorization() {
    run(async {
        let (authorizations, id) = stored().await;

        let consumed = join_all((0..16).map(|_| authorizations.consume::<Value>(&id, at(1)))).await;

        let got: Vec<Value> = consumed.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(got, [json!({"tenant": "acme"})]);
        assert_eq!(authorizations.consume::<Value>(&id, at(2)).await.unwrap(), None);
    });
}

#[test]
fn an_expired_authorization_is_not_returned() {
    run(async {
        let (authorizations, id) = stored().await;
        assert_eq!(authorizations.peek::<Value>(&id, at(600)).await.unwrap(), None);
        assert_eq!(authorizations.consume::<Value>(&id, at(600)).await.unwrap(), None);
        assert!(authorizations.consume::<Value>(&id, at(599)).await.unwrap().is_some());
    });
}

#[test]
fn peeking_does_not_consume() {
    run(async {
        let (authorizations, id) = stored().await;
        assert!(authorizations.peek::<Value>(&id, at(1)).await.unwrap().is_some());
        assert!(authorizations.consume::<Value>(&id, at(1)).await.unwrap().is_some());
        assert_eq!(authorizations.peek::<Value>(&id, at(1)).await.unwrap(), None);
    });
}

#[test]
fn an_id_is_not_stored_twice() {
    run(async {
        let (authorizations, id) = stored().await;
        let again = Authorization { id, payload: json!({"tenant": "evil"}), expires_at: at(600) };
        let refused = authorizations.store(&again).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
    });
}
