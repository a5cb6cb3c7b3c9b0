//! The list of an org's writes, of records and of notes.

use runtime::{Caller, InvalidCursor, ListId, Problem};
use salesforce::{ObjectName, OrgId};
use serde::{Deserialize, Serialize};
use store::{ListedState, Org, PlatformUser, WriteFilter, WritePosition, WriteState};
use writes::ListedWrite;

/// The default number of writes in a page.
const DEFAULT_LIMIT: usize = 50;
/// The maximum number of writes in a page. Each is read with its outcome.
const MAX_LIMIT: usize = 100;

/// The query of a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    /// States, separated by commas.
    state: Option<String>,
    user: Option<PlatformUser>,
    object: Option<ObjectName>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// A validated request for a page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListRequest {
    filter: WriteFilter,
    list: ListId,
    after: Option<WritePosition>,
    limit: usize,
}

/// A page of writes.
#[derive(Serialize)]
pub(crate) struct Page {
    writes: Vec<ListedWrite>,
    /// The cursor of the next page; null at the end.
    next: Option<String>,
}

impl ListRequest {
    /// Checks the query.
    ///
    /// # Errors
    /// The problem of the first invalid parameter.
    pub(crate) fn parse(org: OrgId, query: ListQuery) -> Result<Self, Problem> {
        let ListQuery { state, user, object, cursor, limit } = query;
        let states = state.iter().flat_map(|states| states.split(',')).map(listed_state);
        let mut states = states.collect::<Option<Vec<_>>>().ok_or_else(|| {
            Problem::invalid("state must be one or several of queued, in_progress, finished, failed and with_failures")
        })?;
        states.dedup();
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Problem::invalid(format!("limit must be a number from 1 to {MAX_LIMIT}")));
        }
        let folded = object.as_ref().map(|object| object.as_str().to_ascii_lowercase());
        let list = ListId::of(&("writes", org, &states, &user, folded));
        let after = cursor.map(|cursor| list.position(&cursor)).transpose().map_err(|invalid| {
            Problem::invalid(match invalid {
                InvalidCursor::OfAnotherList => "cursor belongs to another list: send it with the same filters",
                InvalidCursor::NotACursor => "cursor must be the value of next in the previous page",
            })
        })?;
        let filter = WriteFilter { states, users: user.into_iter().collect(), object, since: None };
        Ok(Self { filter, list, after, limit })
    }

    /// Returns the page, for a caller that sees the writes of all users or only its own.
    ///
    /// # Errors
    /// The problem of a table that was not available.
    pub(crate) async fn page(self, deps: &writes::Deps, org: &Org, caller: &Caller) -> Result<Page, Problem> {
        let page = writes::list(deps, org, self.filter, caller.sees_only(), (self.after, self.limit)).await;
        let page = page.map_err(|error| runtime::problem::refuse(&error))?;
        let next = page.next.map(|position| self.list.cursor(&position));
        Ok(Page { writes: page.writes.into_iter().map(ListedWrite::from).collect(), next })
    }
}

fn listed_state(name: &str) -> Option<ListedState> {
    Some(match name {
        "queued" => ListedState::Is(WriteState::Queued),
        "in_progress" => ListedState::Is(WriteState::InProgress),
        "finished" => ListedState::Is(WriteState::Finished),
        "failed" => ListedState::Is(WriteState::Failed),
        "with_failures" => ListedState::WithFailures,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: ListQuery) -> Result<ListRequest, String> {
        let org = "00D5e000000KQ2eEAG".parse().unwrap();
        ListRequest::parse(org, query).map_err(|problem| problem.detail.unwrap_or_default())
    }

    #[test]
    fn a_query_has_several_states_and_a_limit() {
        let query = |state: &str| ListQuery { state: Some(state.to_owned()), ..ListQuery::default() };
        let request = parse(query("failed,with_failures")).unwrap();
        assert_eq!(request.filter.states, [ListedState::Is(WriteState::Failed), ListedState::WithFailures]);
        assert_eq!((request.limit, request.after), (DEFAULT_LIMIT, None));
        for state in ["", "done", "failed,", "Failed"] {
            assert!(parse(query(state)).unwrap_err().starts_with("state must be"), "{state}");
        }
        for limit in [0, 101] {
            let refused = parse(ListQuery { limit: Some(limit), ..ListQuery::default() }).unwrap_err();
            assert_eq!(refused, "limit must be a number from 1 to 100");
        }
    }

    #[test]
    fn a_cursor_of_other_filters_is_refused() {
        let query = |object: &str, cursor| ListQuery { object: object.parse().ok(), cursor, ..ListQuery::default() };
        let at = WritePosition {
            created_at: "2026-11-22T10:00:00Z".parse().unwrap(),
            write_id: "2f1c3a52-7b0e-5d5f-8f3a-61e204c7b9d3".parse().unwrap(),
        };
        let cursor = parse(query("Account", None)).unwrap().list.cursor(&at);
        assert_eq!(parse(query("account", Some(cursor.clone()))).unwrap().after, Some(at));
        assert!(parse(query("Lead", Some(cursor))).unwrap_err().starts_with("cursor belongs to another list"));
        assert!(
            parse(query("Lead", Some("x".to_owned()))).unwrap_err().starts_with("cursor must be the value of next")
        );
    }
}
