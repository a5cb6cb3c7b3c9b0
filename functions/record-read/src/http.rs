//! The routes of the read API.

mod orgs;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use runtime::http::{ActingUser, JsonBody, NoQuery, PathOf, QueryOf};
use runtime::problem::{refuse, respond};
use runtime::{Caller, Problem, TenantOrg};
use salesforce::{FieldName, ObjectName, OrgId, RecordId};
use serde_json::json;
use store::{Org, OrgState, PlatformUser, RecordRef};

use crate::feed::FeedQuery;
use crate::forms::FormQuery;
use crate::lists::{self, ListRequest};
use crate::live::LiveReader;
use crate::lookup::LookupQuery;
use crate::matches::{Person, PersonBody};
use crate::metadata::{DescribeView, ObjectView};
use crate::pipelines::PipelinesQuery;
use crate::record_view::{
    self, ACCOUNT_VIEW, CONTACT_VIEW, Kind, LEAD_VIEW, OPPORTUNITY_VIEW, View, ViewQuery, ViewRequest,
};
use crate::search::{Search, SearchQuery};
use crate::summary::OPPORTUNITY;
use crate::users::UsersQuery;
use crate::views::RecordView;
use crate::{Deps, Error, ServeDisconnected, feed, forms, lookup, matches, mirror, pipelines, refresh, search, users};

pub(crate) use orgs::limit;

/// Returns the function's router.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .merge(orgs::routes())
        .route("/v1/changes", get(list_changes))
        .route(
            "/v1/orgs/{org}/accounts/{id}",
            get(|deps, org, id, caller, query| show_view(deps, org, of(&ACCOUNT_VIEW, id), caller, query)),
        )
        .route(
            "/v1/orgs/{org}/contacts/{id}",
            get(|deps, org, id, caller, query| show_view(deps, org, of(&CONTACT_VIEW, id), caller, query)),
        )
        .route(
            "/v1/orgs/{org}/leads/{id}",
            get(|deps, org, id, caller, query| show_view(deps, org, of(&LEAD_VIEW, id), caller, query)),
        )
        .route(
            "/v1/orgs/{org}/opportunities/{id}",
            get(|deps, org, id, caller, query| show_view(deps, org, of(&OPPORTUNITY_VIEW, id), caller, query)),
        )
        .route(
            "/v1/orgs/{org}/opportunities",
            get(|deps, org, path, caller, query| list_records(deps, org, list_of(OPPORTUNITY, path), caller, query)),
        )
        .route("/v1/orgs/{org}/records/{object}", get(list_records))
        .route("/v1/orgs/{org}/records/{object}/{id}", get(show_record))
        .route("/v1/orgs/{org}/records/{object}/{id}/refresh", post(refresh_record))
        .route("/v1/orgs/{org}/users", get(list_users))
        .route("/v1/orgs/{org}/users/{platform_user}", get(show_user))
        .route("/v1/orgs/{org}/records/{object}/by/{field}", get(find_record))
        .route("/v1/orgs/{org}/matches", post(find_matches))
        .route("/v1/orgs/{org}/search", get(search_records))
        .route("/v1/orgs/{org}/pipelines", get(list_pipelines))
        .route("/v1/orgs/{org}/objects", get(list_objects))
        .route("/v1/orgs/{org}/objects/{object}", get(describe_object))
        .route("/v1/orgs/{org}/objects/{object}/form", get(show_form))
        .with_state(deps)
}

async fn list_changes(
    State(deps): State<Deps>,
    caller: Caller,
    QueryOf(query): QueryOf<FeedQuery>,
) -> Result<Response, Problem> {
    caller.require_platform(PLATFORM_ONLY)?;
    Ok(respond(feed::page(&deps, &caller, query).await))
}

/// The reason why a user's own token is not enough for records that were not read as that user.
const PLATFORM_ONLY: &str = "the response may contain records that this user may not see in Salesforce";

/// Adds the view to the path of its route.
fn of(kind: &'static Kind, PathOf((_, id)): PathOf<(OrgId, RecordId)>) -> (&'static Kind, RecordId) {
    (kind, id)
}

async fn show_view(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    (kind, id): (&'static Kind, RecordId),
    caller: Caller,
    QueryOf(mut query): QueryOf<ViewQuery>,
) -> Result<Response, Problem> {
    let user = caller.acting_user(query.user.take())?;
    let view = async {
        let request = ViewRequest::new(kind, query).map_err(Error::Invalid)?;
        load_view(&deps, &org, (kind, id), &request, user).await
    };
    Ok(respond(view.await))
}

async fn show_record(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    PathOf((_, object, id)): PathOf<(OrgId, ObjectName, RecordId)>,
    ActingUser(user): ActingUser,
) -> Response {
    let record = RecordRef { object, record_id: id };
    respond(load_record(&deps, &org, record, user).await)
}

async fn find_record(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    PathOf((_, object, field)): PathOf<(OrgId, ObjectName, FieldName)>,
    caller: Caller,
    QueryOf(query): QueryOf<LookupQuery>,
) -> Result<Response, Problem> {
    let user = caller.acting_user(query.user)?;
    Ok(respond(lookup::find(&deps, &org, (&object, &field), &query.value, user.as_ref()).await))
}

async fn find_matches(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    ActingUser(user): ActingUser,
    JsonBody(body): JsonBody<PersonBody>,
) -> Response {
    let found = async {
        let person = Person::try_from(body).map_err(Error::Invalid)?;
        matches::find(&deps, &org, &person, user.as_ref()).await
    };
    respond(found.await)
}

async fn search_records(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    caller: Caller,
    QueryOf(mut query): QueryOf<SearchQuery>,
) -> Result<Response, Problem> {
    let user = caller.acting_user(query.user.take())?;
    let found = async {
        let search = Search::try_from(query).map_err(Error::Invalid)?;
        search::search(&deps, &org, &search, user.as_ref()).await
    };
    Ok(respond(found.await))
}

async fn refresh_record(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    PathOf((_, object, id)): PathOf<(OrgId, ObjectName, RecordId)>,
    caller: Caller,
    NoQuery {}: NoQuery,
) -> Result<Response, Problem> {
    caller.require_platform(PLATFORM_ONLY)?;
    let record = async {
        let row = refresh::refresh(&deps, &org, &object, id).await?;
        Ok::<_, Error>(RecordView::from(row).with_page(mirror::instance_url(&deps, &org).await?.as_ref()))
    };
    Ok(respond(record.await))
}

async fn list_records(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    PathOf((_, object)): PathOf<(OrgId, ObjectName)>,
    caller: Caller,
    QueryOf(query): QueryOf<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let mut request = ListRequest::parse(query).map_err(|error| refuse(&error))?;
    request.user = caller.acting_user(request.user)?;
    Ok(respond(lists::page(&deps, &org, &object, &request).await))
}

/// Adds the object to the path of a list whose records are all of this object.
fn list_of(object: ObjectName, PathOf(org): PathOf<OrgId>) -> PathOf<(OrgId, ObjectName)> {
    PathOf((org, object))
}

async fn list_users(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    caller: Caller,
    QueryOf(mut query): QueryOf<UsersQuery>,
) -> Result<Response, Problem> {
    query.user = caller.acting_user(query.user.take())?;
    Ok(respond(users::list(&deps, &org, &caller, query).await))
}

async fn show_user(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    PathOf((_, platform_user)): PathOf<(OrgId, PlatformUser)>,
    caller: Caller,
    NoQuery {}: NoQuery,
) -> Result<Response, Problem> {
    caller.acting_user(Some(platform_user.clone()))?;
    Ok(respond(users::show(&deps, &org, &caller, platform_user).await))
}

async fn list_pipelines(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    QueryOf(query): QueryOf<PipelinesQuery>,
) -> Response {
    respond(pipelines::list(&deps, &org, query).await)
}

async fn list_objects(State(deps): State<Deps>, TenantOrg(org): TenantOrg, ActingUser(user): ActingUser) -> Response {
    let objects = async {
        let objects = LiveReader::open(&deps, &org, user.as_ref()).await?.objects().await?;
        let org_mirror = mirror::of(&deps, org.org_id).await?;
        let view = |summary| ObjectView::new(summary, &org_mirror);
        Ok::<_, Error>(json!({ "objects": objects.into_iter().map(view).collect::<Vec<_>>() }))
    };
    respond(objects.await)
}

async fn describe_object(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    PathOf((_, object)): PathOf<(OrgId, ObjectName)>,
    ActingUser(user): ActingUser,
) -> Response {
    let describe = async {
        let describe = LiveReader::open(&deps, &org, user.as_ref()).await?.describe(&object).await?;
        Ok::<_, Error>(DescribeView::new(describe, &mirror::of(&deps, org.org_id).await?))
    };
    respond(describe.await)
}

async fn show_form(
    State(deps): State<Deps>,
    TenantOrg(org): TenantOrg,
    PathOf((_, object)): PathOf<(OrgId, ObjectName)>,
    caller: Caller,
    QueryOf(mut query): QueryOf<FormQuery>,
) -> Result<Response, Problem> {
    query.user = caller.acting_user(query.user.take())?;
    Ok(respond(forms::form(&deps, &org, &object, query).await))
}

/// Checks that the org's mirror may be read: it is active, or the deployment serves disconnected orgs and the org's tenant
/// has connected it. An operator can make a tenant the owner that has not.
pub(crate) fn require_served(deps: &Deps, org: &Org) -> Result<(), Error> {
    let is_connected_once = org.bound_at.is_none_or(|bound| org.activated_at.is_some_and(|active| active >= bound));
    match (org.state, deps.serve_disconnected) {
        (OrgState::Active, _) => Ok(()),
        (_, ServeDisconnected::On) if is_connected_once => Ok(()),
        (state, _) => Err(Error::OrgNotActive(state)),
    }
}

/// Loads a view: live as the acting user, or without one from the mirror, or through the team if the object is not mirrored.
async fn load_view(
    deps: &Deps,
    org: &Org,
    (kind, id): (&Kind, RecordId),
    request: &ViewRequest,
    user: Option<PlatformUser>,
) -> Result<View, Error> {
    let org_mirror = mirror::of(deps, org.org_id).await?;
    match user {
        None if org_mirror.has(&kind.object) => {
            require_served(deps, org)?;
            record_view::load_mirrored(deps, (org, &org_mirror), (kind, id), request).await
        }
        user => record_view::load_live(deps, org, (kind, id), request, user.as_ref()).await,
    }
}

/// Loads a record: live as the acting user, or without one from the mirror, or through the team if the object is not
/// mirrored.
async fn load_record(
    deps: &Deps,
    org: &Org,
    record: RecordRef,
    user: Option<PlatformUser>,
) -> Result<RecordView, Error> {
    let RecordRef { object, record_id } = record;
    let org_mirror = mirror::of(deps, org.org_id).await?;
    match user {
        None if org_mirror.has(&object) => {
            require_served(deps, org)?;
            let row = mirror::load(deps, (org.org_id, &org_mirror), &object, record_id).await?;
            Ok(RecordView::from(row).with_page(mirror::instance_url(deps, org).await?.as_ref()))
        }
        user => record_view::load_record(deps, org, (&object, record_id), user.as_ref()).await,
    }
}
