use super::*;

fn claims(pairs: &[(&str, &str)]) -> VerifiedIdentity {
    VerifiedIdentity::Jwt(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn headers(tenant: Option<&str>) -> HeaderMap {
    tenant.map(|tenant| (http::HeaderName::from_static(TENANT_HEADER), tenant.parse().unwrap())).into_iter().collect()
}

fn with_user_claim() -> CallerRules {
    CallerRules { user_claim: Some("sub".to_owned()), ..CallerRules::default() }
}

fn with_iam() -> CallerRules {
    CallerRules { iam: IamCallers::AllTenants, ..CallerRules::default() }
}

fn tenant_of(
    rules: &CallerRules,
    identity: &VerifiedIdentity,
    named: Option<&str>,
) -> Result<String, (ProblemCode, String)> {
    match rules.caller(Some(identity), &headers(named)) {
        Ok(caller) => Ok(caller.tenant.into()),
        Err(problem) => Err((problem.code, problem.detail.unwrap_or_default())),
    }
}

fn refused(rules: &CallerRules, identity: &VerifiedIdentity, named: Option<&str>) -> ProblemCode {
    tenant_of(rules, identity, named).unwrap_err().0
}

#[test]
fn the_tenant_is_the_claims() {
    let rules = CallerRules::default();
    let acme = claims(&[("tenant", "acme"), ("scope", "ferry/read")]);
    assert_eq!(tenant_of(&rules, &acme, None).unwrap(), "acme");
    assert_eq!(tenant_of(&rules, &acme, Some("acme")).unwrap(), "acme");
    let renamed = CallerRules { tenant_claim: "org_name".to_owned(), ..rules };
    assert_eq!(refused(&renamed, &acme, None), ProblemCode::TenantRequired);
}

#[test]
fn a_token_of_one_tenant_cannot_name_another() {
    let acme = claims(&[("tenant", "acme"), ("scope", "ferry/read ferry/write ferry/admin all-tenants")]);
    assert_eq!(refused(&CallerRules::default(), &acme, Some("globex")), ProblemCode::OtherTenant);
    let nameless = claims(&[("scope", "ferry/read ferry/admin")]);
    assert_eq!(refused(&CallerRules::default(), &nameless, Some("globex")), ProblemCode::TenantRequired);
}

#[test]
fn all_tenants_is_a_scope_and_the_header_names_the_tenant() {
    let rules = CallerRules::default();
    let machine = claims(&[("scope", "ferry/read ferry/all-tenants")]);
    assert_eq!(tenant_of(&rules, &machine, Some("globex")).unwrap(), "globex");
    assert_eq!(refused(&rules, &machine, None), ProblemCode::TenantRequired);
    let with_home = claims(&[("tenant", "acme"), ("scp", "[ferry/read ferry/all-tenants]")]);
    assert_eq!(tenant_of(&rules, &with_home, Some("globex")).unwrap(), "globex");
    assert_eq!(tenant_of(&rules, &with_home, None).unwrap(), "acme");
}

#[test]
fn a_claim_with_several_tenants_is_no_tenant() {
    for value in ["[acme globex]", "[acme]", ""] {
        let (code, detail) = tenant_of(&CallerRules::default(), &claims(&[("tenant", value)]), None).unwrap_err();
        assert_eq!(code, ProblemCode::TenantRequired);
        assert!(detail.contains("tenant"), "{detail}");
    }
}

#[test]
fn the_scopes_are_those_with_the_prefix() {
    let rules = CallerRules { scope_prefix: "https://api.example.com/".to_owned(), ..CallerRules::default() };
    let scopes = |text: &str| {
        let identity = claims(&[("tenant", "acme"), ("scope", text)]);
        Vec::from_iter(rules.caller(Some(&identity), &HeaderMap::new()).unwrap().scopes)
    };
    assert_eq!(scopes("openid https://api.example.com/read"), [Scope::Read]);
    assert_eq!(scopes("ferry/read read write admin https://api.example.com/readx"), []);
    assert_eq!(scopes("[https://api.example.com/write https://api.example.com/admin]"), [Scope::Write, Scope::Admin]);
}

#[test]
fn an_iam_caller_is_refused_unless_it_is_permitted() {
    assert_eq!(refused(&CallerRules::default(), &VerifiedIdentity::Iam, Some("acme")), ProblemCode::IamRefused);
    let text = Problem::new(ProblemCode::IamRefused).next;
    assert!(text.contains("IamCallers"), "{text}");

    assert_eq!(refused(&with_iam(), &VerifiedIdentity::Iam, None), ProblemCode::TenantRequired);
    let caller = with_iam().caller(Some(&VerifiedIdentity::Iam), &headers(Some("acme"))).unwrap();
    assert_eq!((caller.tenant.as_str(), caller.scopes.len(), caller.user), ("acme", 3, None));
}

#[test]
fn a_request_without_a_verified_caller_is_unauthorized() {
    for rules in [CallerRules::default(), with_iam()] {
        let problem = rules.caller(None, &headers(Some("acme"))).unwrap_err();
        assert_eq!(problem.code, ProblemCode::Unauthorized);
    }
}

#[test]
fn the_tenant_header_is_one_tenant() {
    let machine = claims(&[("scope", "ferry/all-tenants")]);
    let mut twice = headers(Some("acme"));
    twice.append(TENANT_HEADER, "globex".parse().unwrap());
    let problem = CallerRules::default().caller(Some(&machine), &twice).unwrap_err();
    assert_eq!(problem.code, ProblemCode::InvalidRequest);
    for invalid in ["", &"x".repeat(129), "acme,globex", "acme, globex"] {
        assert_eq!(refused(&CallerRules::default(), &machine, Some(invalid)), ProblemCode::InvalidRequest);
    }
}

#[test]
fn a_users_token_acts_only_as_that_user() {
    let identity = claims(&[("tenant", "acme"), ("sub", "rep-1"), ("scope", "ferry/read")]);
    let user = |text: &str| text.parse::<PlatformUser>().unwrap();
    let rep = with_user_claim().caller(Some(&identity), &HeaderMap::new()).unwrap();
    assert_eq!(rep.acting_user(None), Ok(Some(user("rep-1"))));
    assert_eq!(rep.acting_user(Some(user("rep-1"))), Ok(Some(user("rep-1"))));
    assert_eq!(rep.acting_user(Some(user("rep-2"))).unwrap_err().code, ProblemCode::OtherUser);
    assert_eq!(rep.sees_only(), Some(&user("rep-1")));

    let unbound = CallerRules::default().caller(Some(&identity), &HeaderMap::new()).unwrap();
    assert_eq!(unbound.acting_user(Some(user("rep-2"))), Ok(Some(user("rep-2"))));
    assert_eq!((unbound.acting_user(None), unbound.sees_only()), (Ok(None), None));
}

#[test]
fn an_administrator_sees_the_connections_of_all() {
    let identity = claims(&[("tenant", "acme"), ("sub", "rep-1"), ("scope", "ferry/read ferry/admin")]);
    let admin = with_user_claim().caller(Some(&identity), &HeaderMap::new()).unwrap();
    assert_eq!(admin.sees_only(), None);
    assert_eq!(admin.acting_user(None).unwrap().unwrap().as_str(), "rep-1");
}

#[test]
fn a_token_whose_user_is_unclear_is_unauthorized() {
    for value in ["[a b]", ""] {
        let identity = claims(&[("tenant", "acme"), ("sub", value), ("scope", "ferry/read")]);
        assert_eq!(refused(&with_user_claim(), &identity, None), ProblemCode::Unauthorized);
    }
    let machine = claims(&[("tenant", "acme"), ("scope", "ferry/read")]);
    assert_eq!(with_user_claim().caller(Some(&machine), &HeaderMap::new()).unwrap().user, None);
}

#[test]
fn an_unknown_route_requires_the_scope_admin() {
    for (method, route, scope) in [
        ("GET", "/v1/orgs", Scope::Read),
        ("HEAD", "/v1/orgs/{org}", Scope::Read),
        ("GET", "/v1/orgs/{org}/notes/{id}", Scope::Read),
        ("POST", "/v1/orgs/{org}/records/{object}", Scope::Write),
        ("PATCH", "/v1/orgs/{org}/notes/{id}", Scope::Write),
        ("DELETE", "/v1/orgs/{org}/records/{object}/{id}", Scope::Write),
        ("POST", "/v1/orgs/{org}/leads/{id}/convert", Scope::Write),
        ("DELETE", "/v1/orgs/{org}/notes/{id}", Scope::Write),
        ("PUT", "/v1/orgs/{org}/notes/{id}/links/{record}", Scope::Write),
        ("DELETE", "/v1/orgs/{org}/notes/{id}/links/{record}", Scope::Write),
        ("DELETE", "/v1/orgs/{org}/connections/{id}", Scope::Admin),
        ("POST", "/v1/orgs/{org}/writes/{id}/retry", Scope::Write),
        ("POST", "/v1/orgs/{org}/records-of-all", Scope::Admin),
        ("POST", "/v1/orgs/{org}", Scope::Admin),
        ("POST", "/v1/orgs/{other}/records/{object}", Scope::Admin),
        ("DELETE", "/v1/orgs/{org}/records/{object}", Scope::Admin),
        ("PUT", "/v1/orgs/{org}/notes", Scope::Admin),
        ("POST", "/v1/connect-links", Scope::Admin),
        ("POST", "/v1/orgs/{org}/erasures", Scope::Admin),
        ("GET", "/v1/webhook-endpoints", Scope::Admin),
        ("GET", "/v1/webhook-endpoints/{id}/deliveries", Scope::Admin),
        ("GET", "/v1/webhook-endpoints-of-all", Scope::Read),
        ("OPTIONS", "/v1/orgs", Scope::Admin),
        ("NEW", "/v2/records", Scope::Admin),
    ] {
        assert_eq!(required_scope(&method.parse().unwrap(), route), scope, "{method} {route}");
    }
}

#[test]
fn the_rules_are_read_from_the_environment() {
    assert_eq!(CallerRules::from_env(&Env::from_pairs([])), Ok(CallerRules::default()));
    let pairs = [
        ("TENANT_CLAIM", "customer"),
        ("USER_CLAIM", "email"),
        ("JWT_SCOPE_PREFIX", "crm."),
        ("IAM_CALLERS", "all-tenants"),
    ];
    let rules = CallerRules::from_env(&Env::from_pairs(pairs)).unwrap();
    let expected = CallerRules {
        tenant_claim: "customer".to_owned(),
        user_claim: Some("email".to_owned()),
        scope_prefix: "crm.".to_owned(),
        iam: IamCallers::AllTenants,
    };
    assert_eq!(rules, expected);
    let error = CallerRules::from_env(&Env::from_pairs([("IAM_CALLERS", "everybody")])).unwrap_err();
    assert!(matches!(error, EnvError::Invalid { name: "IAM_CALLERS", .. }));
}
