use std::collections::BTreeMap;

use proptest::prelude::*;

use super::connected::is_usable;
use super::*;
use crate::connections::reservation::NOT_CONNECTED_YET;
use crate::connections::{ConditionState, Connection, ConnectionKind, ConnectionState, USER_INACTIVE};
use crate::{PlatformUser, UserMapping};

const REP_USER: &str = "005D0000001aaaa";
const TEAM_USER: &str = "005D0000001bbbb";
const MAPPED_USER: &str = "005D0000001dddd";
const POLICIES: [(&str, OwnerPolicy); 3] = [
    ("rep-then-team", OwnerPolicy::RepThenTeam),
    ("rep-only", OwnerPolicy::RepOnly),
    ("team-only", OwnerPolicy::TeamOnly),
];
const REPS: [(&str, Option<RepState>); 12] = [
    ("no rep", None),
    ("unknown", Some(RepState::Unknown)),
    ("ambiguous", Some(RepState::Ambiguous)),
    ("found", Some(RepState::Found)),
    ("active", Some(RepState::Active)),
    ("uncertain", Some(RepState::Uncertain)),
    ("blocked", Some(RepState::Blocked(Condition::AppRefused))),
    ("blocked by the org", Some(RepState::Blocked(Condition::UserNotApproved))),
    ("ended", Some(RepState::ReauthRequired)),
    ("frozen", Some(RepState::Frozen)),
    ("disconnected", Some(RepState::Disconnected)),
    ("inactive", Some(RepState::Inactive)),
];
const TEAMS: [(&str, TeamState); 4] = [
    ("missing", TeamState::Missing),
    ("active", TeamState::Active),
    ("uncertain", TeamState::Uncertain),
    ("ended", TeamState::MustReconnect),
];

fn connection(kind: ConnectionKind, user: &str, state: ConnectionState) -> Connection {
    let connection = serde_json::json!({
        "org_id": "00D000000000001",
        "connection_id": kind.connection_id(),
        "tenant": "acme",
        "user_id": user,
        "app": "v2",
        "login_url": "https://login.salesforce.com",
        "instance_url": "https://acme.my.salesforce.com",
        "state": "active",
        "token_version": "0".repeat(32),
        "created_at": "2026-11-22T10:00:00.000Z",
        "connected_at": "2026-11-22T10:00:00.000Z",
        "updated_at": "2026-11-22T10:00:00.000Z",
        "kind": "team",
    });
    let connection: Connection = serde_json::from_value(connection).unwrap();
    Connection { kind, state, ..connection }
}

fn connected(rep: Option<ConnectionState>, team: Option<ConnectionState>) -> Connected {
    let platform_user: PlatformUser = "rep-1".parse().unwrap();
    let kind = ConnectionKind::Personal { platform_user: platform_user.clone() };
    let rep = rep.map(|state| connection(kind, REP_USER, state));
    let team = team.map(|state| connection(ConnectionKind::Team, TEAM_USER, state));
    Connected::new(Some(platform_user), rep, team)
}

fn ended() -> ConnectionState {
    ConnectionState::ReauthRequired { reason: "grant_ended".to_owned() }
}

fn not_connected_yet() -> ConnectionState {
    ConnectionState::ReauthRequired { reason: NOT_CONNECTED_YET.to_owned() }
}

/// A row of the table in the documentation: the values of each input that it is about, and what it says.
struct Row {
    policies: Vec<OwnerPolicy>,
    reps: Vec<Option<RepState>>,
    teams: Vec<TeamState>,
    outcome: String,
}

/// Returns the values that a cell lists, of which `any` is all but "no rep".
fn listed<T: Copy>(cell: &str, names: &[(&str, T)]) -> Vec<T> {
    let of = |name: &str| {
        let found = names.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("the table has an unknown value: {name}")).1
    };
    match cell {
        "any" => names.iter().filter(|(name, _)| *name != "no rep").map(|(_, value)| *value).collect(),
        cell => cell.split(", ").map(of).collect(),
    }
}

fn documented() -> Vec<Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/writes-and-notes.md");
    let page = std::fs::read_to_string(path).unwrap();
    let header = "| policy | rep | team | connection, owner, reason; or refusal |";
    let lines = page.lines().skip_while(|line| *line != header).skip(2).take_while(|line| line.starts_with('|'));
    let rows = lines.map(|line| {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
        let [policies, reps, teams, outcome] = cells.as_slice() else { panic!("not four cells: {line}") };
        Row {
            policies: listed(policies, &POLICIES),
            reps: listed(reps, &REPS),
            teams: listed(teams, &TEAMS),
            outcome: outcome.clone(),
        }
    });
    rows.collect()
}

/// Describes an outcome as the table does.
fn described(outcome: Result<(OwnerChoice, OwnerReason), RouteError>) -> String {
    match outcome {
        Err(error) => format!("refused: {error}"),
        Ok((choice, reason)) => {
            let (connection, owner) = match choice {
                OwnerChoice::Rep => ("rep", "rep"),
                OwnerChoice::TeamWithOwner => ("team", "rep"),
                OwnerChoice::Team => ("team", "team"),
            };
            let reason = serde_json::to_value(reason).unwrap();
            format!("{connection}, {owner}, {}", reason.as_str().unwrap())
        }
    }
}

#[test]
fn the_documented_table_is_the_rule_row_by_row() {
    let mut seen = BTreeMap::new();
    for row in documented() {
        for policy in &row.policies {
            for rep in &row.reps {
                for team in &row.teams {
                    let case = format!("{policy:?}, {rep:?}, {team:?}");
                    assert_eq!(described(route(*policy, *rep, *team)), row.outcome, "{case}");
                    *seen.entry(case).or_insert(0) += 1;
                }
            }
        }
    }
    assert_eq!(seen.len(), POLICIES.len() * REPS.len() * TEAMS.len(), "the table leaves cases out");
    let repeated: Vec<_> = seen.into_iter().filter(|(_, rows)| *rows != 1).collect();
    assert_eq!(repeated, [], "the table has two rows for a case");
}

/// Returns the rep's and the team's connection, the rep's in a condition that was reported.
fn blocked(condition: Condition) -> Connected {
    let connected = connected(Some(ConnectionState::Active), Some(ConnectionState::Active));
    let since = "2026-11-22T10:00:00Z".parse().unwrap();
    let state = ConditionState { condition, since, reported: true, sessions_replaced: 0 };
    let rep = connected.rep.map(|rep| Connection { condition: Some(state), ..rep });
    Connected { rep, ..connected }
}

/// The list in the documentation has each condition, and the connection that writes under `rep-then-team`.
#[test]
fn the_documented_condition_decides_whether_the_team_writes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/writes-and-notes.md");
    let page = std::fs::read_to_string(path).unwrap();
    let lines = page.lines().skip_while(|line| !line.starts_with("| condition | written by |")).skip(2);
    let rows: Vec<(&str, &str)> = lines
        .map_while(|line| line.strip_prefix("| `"))
        .map(|line| {
            let mut cells = line.split(" | ");
            (cells.next().unwrap().trim_end_matches('`'), cells.next().unwrap())
        })
        .collect();
    let rule = Condition::ALL.map(|condition| {
        let found = Some(FoundUser::Active(REP_USER.parse().unwrap()));
        let blocked = blocked(condition);
        let needs_look_up = blocked.needed_look_up(OwnerPolicy::RepThenTeam).is_some();
        let route = blocked.route(OwnerPolicy::RepThenTeam, found.filter(|_| needs_look_up)).unwrap();
        let by_team = route.write_route.connection_id.is_team();
        assert_eq!(by_team, needs_look_up, "{condition}: the team writes only for a user who is active");
        (condition.code(), if by_team { "the team" } else { "nobody" })
    });
    assert_eq!(rows, rule);
}

#[test]
fn a_condition_that_was_not_reported_does_not_change_the_route() {
    for condition in Condition::ALL {
        let mut connected = blocked(condition);
        for state in connected.rep.iter_mut().filter_map(|rep| rep.condition.as_mut()) {
            state.reported = false;
        }
        let route = connected.route(OwnerPolicy::RepThenTeam, None).unwrap();
        assert!(!route.write_route.connection_id.is_team(), "{condition}");
    }
}

/// An inactive user is no owner, whatever the connection's condition.
#[test]
fn the_team_does_not_write_for_a_blocked_rep_who_is_inactive() {
    let blocked = blocked(Condition::AppRefused);
    let key = UserKey::Id(REP_USER.parse().unwrap());
    assert_eq!(blocked.needed_look_up(OwnerPolicy::RepThenTeam), Some(key));
    assert_eq!(blocked.route(OwnerPolicy::RepThenTeam, Some(FoundUser::Inactive)), Err(RouteError::RepInactive));
}

/// `IsActive` of a frozen user is true, so the look-up finds nothing wrong.
#[test]
fn nothing_is_written_for_a_frozen_rep() {
    let frozen = ConnectionState::ReauthRequired { reason: USER_INACTIVE.to_owned() };
    let connected = connected(Some(frozen), Some(ConnectionState::Active));
    for (name, policy) in POLICIES {
        let found = connected.needed_look_up(policy).map(|_| FoundUser::Active(REP_USER.parse().unwrap()));
        assert_eq!(connected.route(policy, found), Err(RouteError::RepFrozen), "{name}");
    }
    assert_eq!(
        connected.route(OwnerPolicy::RepThenTeam, Some(FoundUser::Inactive)),
        Err(RouteError::RepInactive),
        "a user who is found inactive does not come back by itself"
    );
}

#[test]
fn a_connected_rep_writes_for_themselves() {
    let connected = connected(Some(ConnectionState::Active), Some(ConnectionState::Active));
    assert_eq!(connected.needed_look_up(OwnerPolicy::RepThenTeam), None);
    let route = connected.route(OwnerPolicy::RepThenTeam, None).unwrap();
    assert!(!route.write_route.connection_id.is_team());
    assert_eq!((route.user_id.short(), route.owner_id), (REP_USER, None));
}

#[test]
fn the_team_names_the_user_of_an_ended_connection() {
    let connected = connected(Some(ended()), Some(ConnectionState::Active));
    let user: RecordId = REP_USER.parse().unwrap();
    assert_eq!(connected.needed_look_up(OwnerPolicy::RepThenTeam), Some(UserKey::Id(user)));
    let route = connected.route(OwnerPolicy::RepThenTeam, Some(FoundUser::Active(user))).unwrap();
    assert_eq!((route.user_id.short(), route.owner_id), (TEAM_USER, Some(user)));
}

/// The team's connection may not see all users. Salesforce itself refuses an inactive owner.
#[test]
fn a_user_hidden_from_the_team_is_named_as_the_owner() {
    let connected = connected(Some(ended()), Some(ConnectionState::Active));
    let route = connected.route(OwnerPolicy::RepThenTeam, Some(FoundUser::NotFound)).unwrap();
    assert_eq!(route.owner_id, Some(REP_USER.parse().unwrap()));
}

#[test]
fn the_team_names_the_user_that_the_look_up_found() {
    let never_finished = connected(Some(not_connected_yet()), Some(ConnectionState::Active));
    for connected in [connected(None, Some(ConnectionState::Active)), never_finished] {
        let key = UserKey::PlatformUser("rep-1".parse().unwrap());
        assert_eq!(connected.needed_look_up(OwnerPolicy::RepThenTeam), Some(key));
        let user: RecordId = "005D0000001cccc".parse().unwrap();
        let route = connected.route(OwnerPolicy::RepThenTeam, Some(FoundUser::Active(user))).unwrap();
        assert_eq!(route.owner_id, Some(user));
        assert_eq!(route.write_route.owner_choice, OwnerChoice::TeamWithOwner);
        assert_eq!(connected.route(OwnerPolicy::RepThenTeam, Some(FoundUser::NotFound)), Err(RouteError::RepUnknown));
    }
}

/// The table in the documentation has the sources of a rep's user in the order of the rule.
#[test]
fn the_documented_sources_of_a_user_are_those_of_the_rule() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/writes-and-notes.md");
    let page = std::fs::read_to_string(path).unwrap();
    let lines = page.lines().skip_while(|line| !line.starts_with("| `known_by` |")).skip(2);
    let rows: Vec<&str> =
        lines.map_while(|line| line.strip_prefix("| `")).map(|line| line.split('`').next().unwrap()).collect();
    let team = Some(ConnectionState::Active);
    let steps = [
        connected(Some(ended()), team.clone()).with_mapping(Some(&mapping("acme"))),
        connected(Some(ended()), team.clone()),
        connected(None, team),
    ];
    let rule = steps.map(|connected| serde_json::to_value(connected.user().unwrap().1).unwrap());
    assert_eq!(rule.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>(), rows);
}

fn mapping(tenant: &str) -> UserMapping {
    UserMapping {
        org_id: "00D000000000001".parse().unwrap(),
        platform_user: "rep-1".parse().unwrap(),
        tenant: tenant.parse().unwrap(),
        user_id: MAPPED_USER.parse().unwrap(),
        mapped_at: "2026-11-22T10:00:00Z".parse().unwrap(),
    }
}

#[test]
fn the_team_names_the_mapped_user() {
    let user: RecordId = MAPPED_USER.parse().unwrap();
    for rep in [None, Some(ended())] {
        let connected = connected(rep, Some(ConnectionState::Active)).with_mapping(Some(&mapping("acme")));
        assert_eq!(connected.user(), Some((UserKey::Id(user), KnownBy::Mapping)));
        assert_eq!(connected.needed_look_up(OwnerPolicy::RepThenTeam), Some(UserKey::Id(user)));
        let route = connected.route(OwnerPolicy::RepThenTeam, Some(FoundUser::Active(user))).unwrap();
        assert_eq!((route.write_route.owner_choice, route.owner_id), (OwnerChoice::TeamWithOwner, Some(user)));
        for (found, error) in
            [(FoundUser::Inactive, RouteError::RepInactive), (FoundUser::NotFound, RouteError::RepUnknown)]
        {
            assert_eq!(connected.route(OwnerPolicy::RepThenTeam, Some(found)), Err(error));
        }
    }
}

#[test]
fn a_mapping_neither_connects_nor_reconnects_a_rep() {
    let mapped = |rep, team| connected(rep, team).with_mapping(Some(&mapping("acme")));
    let team = Some(ConnectionState::Active);
    let own = mapped(Some(ConnectionState::Active), team.clone());
    assert_eq!(own.needed_look_up(OwnerPolicy::RepThenTeam), None);
    assert_eq!(own.route(OwnerPolicy::RepThenTeam, None).unwrap().user_id.short(), REP_USER);
    let disconnected = mapped(Some(ConnectionState::Revoked), team.clone());
    assert_eq!(disconnected.needed_look_up(OwnerPolicy::RepThenTeam), None);
    assert_eq!(disconnected.route(OwnerPolicy::RepThenTeam, None), Err(RouteError::RepDisconnected));
    assert_eq!(mapped(None, team).route(OwnerPolicy::RepOnly, None), Err(RouteError::RepMustConnect));
}

#[test]
fn a_mapping_of_the_orgs_former_tenant_does_not_count() {
    let connected = connected(None, Some(ConnectionState::Active)).with_mapping(Some(&mapping("globex")));
    assert_eq!(connected.user().map(|(_, known_by)| known_by), Some(KnownBy::LookUp));
}

#[test]
fn a_connection_of_the_orgs_former_tenant_is_not_used() {
    let Connected { platform_user, rep, team, .. } =
        connected(Some(ConnectionState::Active), Some(ConnectionState::Active));
    let rep = rep.map(|rep| Connection { tenant: "globex".parse().unwrap(), ..rep });
    let connected = Connected::new(platform_user, rep, team);
    assert_eq!(connected.route(OwnerPolicy::RepOnly, None), Err(RouteError::RepMustConnect));
}

#[test]
fn a_team_that_cannot_call_makes_no_look_up() {
    for team in [None, Some(ended()), Some(ConnectionState::Revoked), Some(not_connected_yet())] {
        for policy in POLICIES {
            assert_eq!(connected(None, team.clone()).needed_look_up(policy.1), None);
        }
    }
}

#[test]
fn without_an_owner_the_teams_user_owns() {
    let connected = connected(Some(ended()), Some(ConnectionState::Active));
    let route = connected.route(OwnerPolicy::RepThenTeam, None).unwrap().without_owner();
    assert_eq!((route.write_route.owner_choice, route.owner_id), (OwnerChoice::Team, None));
    assert_eq!(route.write_route.owner_reason, OwnerReason::RepMustReconnect);
}

/// Earlier versions wrote as the team for a rep who was not known.
#[test]
fn the_route_of_an_earlier_version_is_read() {
    let stored = serde_json::json!({
        "connection_id": "team", "owner_choice": "team", "owner_reason": "rep_not_connected",
    });
    let route: WriteRoute = serde_json::from_value(stored).unwrap();
    assert_eq!((route.owner_choice, route.owner_reason), (OwnerChoice::Team, OwnerReason::RepNotConnected));
}

#[test]
fn a_rep_is_sent_a_link_unless_a_link_cannot_help() {
    for reason in [OwnerReason::RepMustReconnect, OwnerReason::RepNotConnected] {
        assert!(reason.next().unwrap().contains("POST /v1/connect-links"));
    }
    for reason in
        [OwnerReason::RepConnected, OwnerReason::RepBlocked, OwnerReason::NoActingUser, OwnerReason::PolicyTeamOnly]
    {
        assert_eq!(reason.next(), None);
    }
    assert!(RouteError::RepDisconnected.next().contains("POST /v1/connect-links"));
    assert!(!RouteError::RepInactive.next().contains("connect-links"));
}

#[test]
fn policies_are_parsed_by_name() {
    for (name, policy) in POLICIES {
        assert_eq!(name.parse(), Ok(policy));
    }
    assert_eq!("Rep-Only".parse::<OwnerPolicy>(), Err(UnknownPolicy));
}

fn any_state() -> impl Strategy<Value = ConnectionState> {
    prop_oneof![
        Just(ConnectionState::Active),
        Just(ConnectionState::Uncertain),
        Just(ended()),
        Just(not_connected_yet()),
        Just(ConnectionState::Revoked),
    ]
}

fn any_policy() -> impl Strategy<Value = OwnerPolicy> {
    prop::sample::select(POLICIES.map(|(_, policy)| policy).to_vec())
}

fn any_found() -> impl Strategy<Value = FoundUser> {
    prop_oneof![
        Just(FoundUser::Active(REP_USER.parse().unwrap())),
        Just(FoundUser::Inactive),
        Just(FoundUser::Several),
        Just(FoundUser::NotFound),
    ]
}

proptest! {
    #[test]
    fn a_route_uses_a_usable_connection(
        policy in any_policy(),
        acting in any::<bool>(),
        rep in prop::option::of(any_state()),
        team in prop::option::of(any_state()),
        found in any_found(),
    ) {
        let mut connected = connected(rep, team);
        if !acting {
            (connected.platform_user, connected.rep) = (None, None);
        }
        let found = connected.needed_look_up(policy).map(|_| found);
        if let Ok(Route { write_route, owner_id, .. }) = connected.route(policy, found) {
            let by_team = write_route.connection_id.is_team();
            let used = if by_team { &connected.team } else { &connected.rep };
            prop_assert!(used.as_ref().is_some_and(is_usable));
            prop_assert_eq!(write_route.owner_choice == OwnerChoice::Rep, !by_team);
            prop_assert_eq!(owner_id.is_some(), write_route.owner_choice == OwnerChoice::TeamWithOwner);
            prop_assert_eq!(acting && by_team, owner_id.is_some(), "a write for a rep never is the team's own");
            prop_assert!(!(policy == OwnerPolicy::RepOnly && owner_id.is_some()));
        }
    }

    #[test]
    fn nothing_is_written_for_a_disconnected_or_inactive_rep(
        policy in any_policy(),
        rep in any_state(),
        team in prop::option::of(any_state()),
    ) {
        let disconnected = connected(Some(ConnectionState::Revoked), team.clone());
        prop_assert_eq!(disconnected.needed_look_up(policy), None);
        prop_assert_eq!(disconnected.route(policy, None), Err(RouteError::RepDisconnected));
        let inactive = connected(Some(rep), team);
        if inactive.needed_look_up(policy).is_some() {
            prop_assert!(inactive.route(policy, Some(FoundUser::Inactive)).is_err());
        }
    }
}
