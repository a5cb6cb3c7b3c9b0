use std::pin::pin;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use futures::TryStreamExt as _;
use futures::future::join_all;
use store::{
    Activation, ActivationRequest, Announcement, BindingRight, Environment, Error, InstallClaim, LicenseNotice,
    LicenseState, LicenseStatus, ListedOrg, OrgState, Orgs, SecretHash, SeenCopy, webhook_secret,
};

use crate::harness::{at, org, other_org, run, tables};

async fn orgs() -> Orgs {
    let (client, tables) = tables().await;
    Orgs::new(client, tables.name("orgs"))
}

fn claim() -> InstallClaim {
    claim_at(0, "1.0")
}

fn claim_at(second: i64, version: &str) -> InstallClaim {
    let announcement = Announcement {
        package_version: Some(version.to_owned()),
        organization_type: None,
        instance_name: None,
        at: at(second),
    };
    InstallClaim { org_id: org(), environment: Environment::Production, announcement }
}

/// The seconds for which a claim is kept.
const LIFETIME: i64 = 30 * 24 * 60 * 60;

async fn active_orgs(orgs: &Orgs) -> Vec<salesforce::OrgId> {
    let (mut pages, mut active) = (pin!(orgs.active()), Vec::new());
    while let Some(page) = pages.try_next().await.unwrap() {
        active.extend(page.into_iter().map(|org| org.org_id));
    }
    active
}

fn activate(tenant: &str, secret: &str) -> ActivationRequest {
    ActivationRequest {
        org_id: org(),
        tenant: tenant.parse().unwrap(),
        right: BindingRight::Unowned,
        environment: Environment::Production,
        my_domain_url: None,
        webhook_secret: SecretHash { sha256: secret.to_owned(), created_at: at(1) },
        now: at(1),
    }
}

#[test]
fn a_second_claim_is_only_recorded() {
    run(async {
        let orgs = orgs().await;

        let first = orgs.claim(&claim()).await.unwrap();
        assert_eq!(orgs.claim(&claim()).await.unwrap(), first);
        let upgraded = orgs.claim(&claim_at(10, "2.0")).await.unwrap();
        assert_eq!(upgraded.announced.as_ref().unwrap().package_version.as_deref(), Some("2.0"));
        assert_eq!((upgraded.package_version, upgraded.claimed_at), (None, first.claimed_at));

        orgs.activate(&activate("acme", "secret")).await.unwrap();
        let active = orgs.load(org()).await.unwrap().unwrap();
        let noted = orgs.claim(&claim_at(600, "6.6.6")).await.unwrap();
        assert_eq!(noted.announced.as_ref().unwrap().package_version.as_deref(), Some("6.6.6"));
        assert_eq!((noted.package_version, noted.environment), (active.package_version, active.environment));
        assert_eq!((noted.state, noted.tenant, noted.expires_at), (active.state, active.tenant, None));
        assert_eq!(orgs.load(other_org()).await.unwrap(), None);
    });
}

#[test]
fn an_expired_claim_counts_as_absent() {
    run(async {
        let orgs = orgs().await;
        let old = orgs.claim(&claim()).await.unwrap();
        assert_eq!(old.expires_at, Some(at(LIFETIME)));
        assert_eq!(orgs.load(org()).await.unwrap(), Some(old));

        let closed = orgs.close(org(), at(LIFETIME)).await;
        assert!(matches!(closed, Err(Error::NotFound { .. })), "{closed:?}");
        let again = orgs.claim(&claim_at(LIFETIME + 5, "1.0")).await.unwrap();
        assert_eq!((again.claimed_at, again.expires_at), (at(LIFETIME + 5), Some(at(2 * LIFETIME + 5))));
        assert_eq!(orgs.load(org()).await.unwrap(), Some(again));
    });
}

#[test]
fn an_activation_or_a_license_ends_the_expiry() {
    run(async {
        let orgs = orgs().await;
        orgs.claim(&claim()).await.unwrap();
        orgs.activate(&activate("acme", "secret")).await.unwrap();
        assert_eq!(orgs.load(org()).await.unwrap().unwrap().expires_at, None);

        orgs.claim(&InstallClaim { org_id: other_org(), ..claim() }).await.unwrap();
        let license = LicenseState {
            modified_at: at(1),
            status: LicenseStatus::Active,
            license_id: "a0a5e00000AbCdEAAV".parse().unwrap(),
            package_version: None,
            expires_on: None,
            is_sandbox: false,
        };
        orgs.apply_license(&LicenseNotice { org_id: other_org(), license }, at(2)).await.unwrap();
        let licensed = orgs.claim(&InstallClaim { org_id: other_org(), ..claim_at(60, "1.1") }).await.unwrap();
        assert_eq!((licensed.state, licensed.expires_at), (OrgState::Claimed, None));
    });
}

#[test]
fn the_license_management_org_is_not_listed() {
    run(async {
        let orgs = orgs().await;
        orgs.activate(&activate("acme", "secret")).await.unwrap();
        assert_eq!(orgs.load_license_management().await.unwrap(), None);

        let secret = |sha256: &str| SecretHash { sha256: sha256.to_owned(), created_at: at(1) };
        orgs.register_license_management(other_org(), None, secret("a")).await.unwrap();
        let registered = orgs.register_license_management(other_org(), None, secret("b")).await.unwrap();

        assert_eq!(orgs.load_license_management().await.unwrap(), Some(registered.clone()));
        assert_eq!(registered.webhook_secrets, [secret("b"), secret("a")]);
        assert_eq!(active_orgs(&orgs).await, [org()]);
        assert_eq!(orgs.load(other_org()).await.unwrap(), None);
    });
}

#[test]
fn a_sighting_never_changes_the_named_org() {
    run(async {
        let orgs = orgs().await;
        orgs.activate(&activate("acme", "secret")).await.unwrap();
        let seen = |second| SeenCopy { org_id: other_org(), seen_at: at(second) };

        assert!(orgs.note_copy(org(), &seen(5)).await.unwrap());
        assert!(!orgs.note_copy(org(), &seen(6)).await.unwrap());

        assert_eq!(orgs.load(other_org()).await.unwrap(), None);
        let original = orgs.load(org()).await.unwrap().unwrap();
        assert_eq!((original.state, original.copies), (OrgState::Active, vec![seen(5)]));
        let unknown = orgs.note_copy(other_org(), &SeenCopy { org_id: org(), seen_at: at(7) }).await;
        assert!(matches!(unknown, Err(Error::NotFound { .. })), "{unknown:?}");
    });
}

#[test]
fn one_of_sixteen_tenants_gets_the_org() {
    run(async {
        let orgs = orgs().await;
        orgs.claim(&claim()).await.unwrap();

        let requests: Vec<_> = (0..16).map(|n| activate(&format!("tenant-{n}"), &format!("secret-{n}"))).collect();
        let outcomes = join_all(requests.iter().map(|request| orgs.activate(request))).await;

        let owner = orgs.load(org()).await.unwrap().unwrap().tenant;
        for (request, outcome) in requests.iter().zip(outcomes) {
            match outcome {
                Ok(Activation::Activated(_)) => assert_eq!(owner.as_ref(), Some(&request.tenant)),
                Err(Error::OwnedByAnotherTenant { .. }) => assert_ne!(owner.as_ref(), Some(&request.tenant)),
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn concurrent_activations_store_one_secret() {
    run(async {
        let orgs = orgs().await;

        let requests: Vec<_> = (0..8).map(|n| activate("acme", &format!("secret-{n}"))).collect();
        let outcomes = join_all(requests.iter().map(|request| orgs.activate(request))).await;

        let made = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Activation::Activated(_)))).count();
        assert_eq!(made, 1);
        assert!(outcomes.iter().all(Result::is_ok));
        assert_eq!(orgs.load(org()).await.unwrap().unwrap().webhook_secrets.len(), 1);
    });
}

#[test]
fn concurrent_rotations_keep_two_live_secrets() {
    run(async {
        let orgs = orgs().await;
        orgs.activate(&activate("acme", "first")).await.unwrap();

        let secrets = ["second", "third"].map(|text| SecretHash { sha256: text.to_owned(), created_at: at(2) });
        let rotated = join_all(secrets.map(|secret| orgs.rotate_webhook_secret(org(), secret, None))).await;

        assert!(rotated.iter().all(Result::is_ok), "{rotated:?}");
        let known = orgs.load(org()).await.unwrap().unwrap();
        assert_eq!(known.webhook_secrets.len(), webhook_secret::MAX_LIVE);
        assert_eq!(known.revision, 3);
    });
}

#[test]
fn claims_are_not_among_the_active_orgs() {
    run(async {
        let orgs = orgs().await;
        orgs.claim(&InstallClaim { org_id: other_org(), ..claim() }).await.unwrap();
        orgs.activate(&activate("acme", "secret")).await.unwrap();

        assert_eq!(active_orgs(&orgs).await, [org()]);

        orgs.set_state(org(), OrgState::Uninstalled, at(5)).await.unwrap();
        assert_eq!(active_orgs(&orgs).await, []);
    });
}

#[test]
fn the_active_orgs_are_read_in_pages() {
    run(async {
        let (client, tables) = tables().await;
        let table = tables.name("orgs");
        for first in (0..1_200).step_by(25) {
            let puts = (first..first + 25).map(|n| put(&format!("00D5e{n:010}"))).collect();
            client.batch_write_item().request_items(&table, puts).send().await.unwrap();
        }
        let orgs = Orgs::new(client, table);

        let (mut pages, mut sizes, mut ids) = (pin!(orgs.active()), Vec::new(), Vec::new());
        while let Some(page) = pages.try_next().await.unwrap() {
            assert!(page.iter().all(ListedOrg::is_polled));
            sizes.push(page.len());
            ids.extend(page.into_iter().map(|org| org.org_id));
        }

        assert_eq!(sizes, [1_000, 200]);
        ids.dedup();
        assert_eq!(ids.len(), 1_200);
        assert!(ids.is_sorted());
    });
}

/// Returns a request that stores an active org as version 0.1.0 did.
fn put(org: &str) -> WriteRequest {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let edition = [("organization_type", text("Team Edition")), ("proven_at", text("2026-11-22T10:00:00.000Z"))];
    let edition = edition.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let org: salesforce::OrgId = org.parse().unwrap();
    let put = PutRequest::builder()
        .item("org_id", text(org.as_str()))
        .item("state", text("active"))
        .item("tenant", text("acme"))
        .item("environment", text("production"))
        .item("edition", AttributeValue::M(edition))
        .item("webhook_secrets", AttributeValue::L(Vec::new()))
        .item("claimed_at", text("2026-11-22T10:00:00.000Z"))
        .item("updated_at", text("2026-11-22T10:00:00.000Z"))
        .item("revision", AttributeValue::N("1".to_owned()));
    WriteRequest::builder().put_request(put.build().unwrap()).build()
}

#[test]
fn a_change_keeps_attributes_that_it_does_not_know_until_the_erasure() {
    run(async {
        let (client, tables) = tables().await;
        let table = tables.name("orgs");
        let orgs = Orgs::new(client.clone(), &table);
        orgs.activate(&activate("acme", "secret")).await.unwrap();
        let of_org = ("org_id", AttributeValue::S(org().to_string()));
        let stored = async || {
            let item = client.get_item().table_name(&table).key(of_org.0, of_org.1.clone()).consistent_read(true);
            item.send().await.unwrap().item.unwrap()
        };
        let update = client.update_item().table_name(&table).key(of_org.0, of_org.1.clone());
        let update = update.update_expression("SET installer_id = :user, of_a_later_version = :user");
        let user = AttributeValue::S("0055e000001mKpCAAU".to_owned());
        update.expression_attribute_values(":user", user.clone()).send().await.unwrap();

        orgs.close(org(), at(5)).await.unwrap();
        assert_eq!((&stored().await["installer_id"], &stored().await["of_a_later_version"]), (&user, &user));

        orgs.mark_erased(org(), at(6)).await.unwrap();
        let erased = stored().await;
        assert!(!erased.contains_key("installer_id"), "version 0.1.0 stored the id of a user: {erased:?}");
        assert!(erased.contains_key("tenant"));
    });
}

#[test]
fn a_closed_org_stays_its_tenants() {
    run(async {
        let orgs = orgs().await;
        orgs.activate(&activate("acme", "secret")).await.unwrap();

        let closed = orgs.close(org(), at(5)).await.unwrap();
        assert_eq!(orgs.close(org(), at(6)).await.unwrap(), closed);

        assert_eq!((closed.state, closed.webhook_secrets.len()), (OrgState::Disconnected, 0));
        assert_eq!(active_orgs(&orgs).await, []);
        let refused = orgs.activate(&activate("evil", "theirs")).await;
        assert!(matches!(refused, Err(Error::OwnedByAnotherTenant { .. })), "{refused:?}");
        let Ok(Activation::Activated(again)) = orgs.activate(&activate("acme", "newer")).await else {
            panic!("active")
        };
        assert_eq!(again.webhook_secrets[0].sha256, "newer");
        let unknown = orgs.close(other_org(), at(7)).await;
        assert!(matches!(unknown, Err(Error::NotFound { .. })), "{unknown:?}");
    });
}

#[test]
fn an_unknown_org_has_no_state_to_set() {
    run(async {
        let refused = orgs().await.set_state(org(), OrgState::Uninstalled, at(0)).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?}");
    });
}
