use futures::future::join_all;
use store::{
    Activation, ActivationRequest, ClaimOutcome, DetectedCopy, Environment, Error, InstallClaim, OrgState, Orgs,
    SecretHash, webhook_secret,
};

use crate::harness::{at, org, other_org, run, tables};

async fn orgs() -> Orgs {
    let (client, tables) = tables().await;
    Orgs::new(client, tables.name("orgs"))
}

fn claim() -> InstallClaim {
    InstallClaim {
        org_id: org(),
        environment: Environment::Production,
        my_domain_url: Some("https://acme.my.salesforce.com".to_owned()),
        instance_name: None,
        organization_type: None,
        package_version: Some("1.0".to_owned()),
        installer_id: None,
        claimed_at: at(0),
    }
}

fn activate(tenant: &str, secret: &str) -> ActivationRequest {
    ActivationRequest {
        org_id: org(),
        tenant: tenant.parse().unwrap(),
        environment: Environment::Production,
        webhook_secret: SecretHash { sha256: secret.to_owned(), created_at: at(1) },
        now: at(1),
    }
}

#[test]
fn a_second_claim_is_only_recorded() {
    run(async {
        let orgs = orgs().await;

        let ClaimOutcome::New(first) = orgs.claim(&claim()).await.unwrap() else { panic!("new") };
        assert_eq!(orgs.claim(&claim()).await.unwrap(), ClaimOutcome::Unchanged(first.clone()));
        let later =
            |second| InstallClaim { package_version: Some("2.0".to_owned()), claimed_at: at(second), ..claim() };
        let ClaimOutcome::Updated(upgraded) = orgs.claim(&later(9)).await.unwrap() else { panic!("noted") };
        assert_eq!((upgraded.package_version.as_deref(), upgraded.claimed_at), (Some("2.0"), first.claimed_at));

        orgs.activate(&activate("acme", "secret")).await.unwrap();
        let active = orgs.load(org()).await.unwrap().unwrap();
        let evil = InstallClaim { package_version: Some("6.6.6".to_owned()), ..later(600) };
        let ClaimOutcome::Updated(noted) = orgs.claim(&evil).await.unwrap() else { panic!("noted") };
        assert_eq!(noted.announced.as_ref().unwrap().package_version.as_deref(), Some("6.6.6"));
        assert_eq!((noted.package_version, noted.environment), (active.package_version, active.environment));
        assert_eq!((noted.state, noted.tenant), (active.state, active.tenant));
        assert_eq!(orgs.load(other_org()).await.unwrap(), None);
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
        assert_eq!(orgs.list().await.unwrap().len(), 1);
        assert_eq!(orgs.load(other_org()).await.unwrap(), None);
    });
}

#[test]
fn a_copy_is_quarantined_once() {
    run(async {
        let orgs = orgs().await;
        orgs.activate(&activate("acme", "secret")).await.unwrap();
        let seen = DetectedCopy { org_id: other_org(), copy_of: org(), at: at(5) };

        assert!(orgs.quarantine(&seen).await.unwrap());
        assert!(!orgs.quarantine(&seen).await.unwrap());
        assert!(!orgs.quarantine(&DetectedCopy { org_id: org(), copy_of: other_org(), at: at(5) }).await.unwrap());

        assert_eq!(orgs.release(other_org(), at(6)).await.unwrap().state, OrgState::Claimed);
        assert!(!orgs.quarantine(&seen).await.unwrap());
        assert_eq!(orgs.load(org()).await.unwrap().unwrap().state, OrgState::Active);
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
fn list_active_returns_only_active_orgs() {
    run(async {
        let orgs = orgs().await;
        orgs.claim(&InstallClaim { org_id: other_org(), ..claim() }).await.unwrap();
        orgs.activate(&activate("acme", "secret")).await.unwrap();

        let active = |orgs: Vec<store::Org>| orgs.into_iter().map(|org| org.org_id).collect::<Vec<_>>();
        assert_eq!(active(orgs.list_active().await.unwrap()), [org()]);
        assert_eq!(orgs.list().await.unwrap().len(), 2);

        orgs.set_state(org(), OrgState::Uninstalled, at(5)).await.unwrap();
        assert_eq!(orgs.list_active().await.unwrap(), []);
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
        assert_eq!(orgs.list_active().await.unwrap(), []);
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
