//! The attributes of an org's item that functions with few rights change, beside the key. Their policies in
//! `infra/template.yaml` permit these attributes and no others (`dynamodb:Attributes`), so that a stolen role of such a
//! function cannot make another tenant the owner of an org.

/// The attributes that [`note_copy`](super::Orgs::note_copy) changes.
pub const NOTED_COPY: &[&str] = &["copies", "revision", "updated_at"];

/// The attributes that [`close`](super::Orgs::close) changes.
pub const CLOSED: &[&str] = &["closed_at", "revision", "state", "updated_at", "webhook_secrets"];

/// The attributes that [`stamp_closing`](super::Orgs::stamp_closing) and [`mark_erased`](super::Orgs::mark_erased) change.
pub const ERASED: &[&str] = &[
    "announced",
    "closed_at",
    "copies",
    "edition",
    "erased_at",
    "installer_id",
    "instance_name",
    "my_domain_url",
    "organization_type",
    "package_version",
    "revision",
    "updated_at",
    "webhook_secrets",
];

/// The attributes that version 0.1.0 stored and no later one reads.
pub(super) const RETIRED: &[&str] = &["installer_id", "instance_name", "organization_type"];

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::{Edition, Environment, Org, OrgState, SeenCopy, rule};
    use super::*;
    use crate::table::{changed, key, to_item};
    use crate::webhook_secret::SecretHash;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn any_org() -> impl Strategy<Value = Org> {
        let state = select(vec![
            OrgState::Claimed,
            OrgState::Active,
            OrgState::Uninstalled,
            OrgState::Disconnected,
            OrgState::Quarantined,
        ]);
        let optional = || proptest::option::of(0..1_000_i64);
        (state, any::<bool>(), optional(), optional(), 0..3_usize, 0..3_usize).prop_map(
            |(state, has_owner, closed, erased, secrets, copies)| Org {
                state,
                tenant: has_owner.then(|| "acme".parse().unwrap()),
                my_domain_url: Some("https://acme.my.salesforce.com".to_owned()),
                package_version: Some("1.1".to_owned()),
                edition: Some(Edition {
                    organization_type: "Team Edition".to_owned(),
                    outbound_messages_unsupported: false,
                    proven_at: at(1),
                }),
                closed_at: closed.map(at),
                erased_at: erased.map(at),
                webhook_secrets: vec![SecretHash { sha256: "hash".to_owned(), created_at: at(1) }; secrets],
                copies: vec![SeenCopy { org_id: "00D79000000exLEEAY".parse().unwrap(), seen_at: at(2) }; copies],
                ..Org::claimed("00D5e000000KQ2eEAG".parse().unwrap(), Environment::Production, at(0))
            },
        )
    }

    /// Panics unless the change is limited to the attributes.
    fn assert_limited(before: &Org, after: Option<Org>, permitted: &[&str]) {
        let Some(after) = after else { return };
        let after = Org { revision: before.revision + 1, ..rule::with_expiry(after) };
        let items = [before, &after].map(|org| to_item("compare", org).unwrap());
        for name in changed(&items[0], &items[1], &key([("org_id", "")])) {
            assert!(permitted.contains(&name), "{name} is changed");
        }
    }

    proptest! {
        #[test]
        fn each_change_is_limited_to_its_attributes(org in any_org()) {
            let (now, copy) = (at(5_000), SeenCopy { org_id: "00D7900000000xxEAA".parse().unwrap(), seen_at: at(5_000) });
            assert_limited(&org, rule::note_copy(&org, &copy), NOTED_COPY);
            assert_limited(&org, rule::close(&org, now), CLOSED);
            assert_limited(&org, rule::stamp_closing(&org, now), ERASED);
            assert_limited(&org, rule::erased(&org, now), ERASED);
        }
    }

    #[test]
    fn no_limited_change_makes_an_owner() {
        for permitted in [NOTED_COPY, CLOSED, ERASED] {
            assert!(!permitted.iter().any(|name| ["tenant", "bound_at", "license", "activated_at"].contains(name)));
        }
        assert!(RETIRED.iter().all(|name| ERASED.contains(name)));
    }
}
