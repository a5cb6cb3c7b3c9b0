//! The routes of the read API.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use runtime::http::{ActingUser, PathOf, QueryOf};
use runtime::problem::respond;
use salesforce::{ObjectName, OrgId, RecordId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{ConnectionId, Org, PlatformUser, RecordRef};

use crate::filter::{ListQuery, OPPORTUNITY, OpportunityFilter};
use crate::live::LiveReader;
use crate::views::{OrgView, RecordView, Source};
use crate::{Deps, Error, connections, health, mirror};

const ACCOUNT: ObjectName = ObjectName::from_static("Account");
const CONTACT: ObjectName = ObjectName::from_static("Contact");

/// The query parameters of the list of connections.
#[derive(Deserialize)]
struct ConnectionsQuery {
    #[serde(default)]
    platform_user: Option<PlatformUser>,
}

/// Returns the function's router.
pub fn router(deps: Deps) -> Router {
    Router::new()
        .route("/v1/orgs", get(list_orgs))
        .route("/v1/orgs/{org}", get(show_org))
        .route("/v1/orgs/{org}/health", get(show_health))
        .route("/v1/orgs/{org}/connections", get(list_connections))
        .route("/v1/orgs/{org}/connections/{id}", get(show_connection))
        .route("/v1/orgs/{org}/accounts/{id}", get(|deps, id, user| show_record(deps, of(ACCOUNT, id), user)))
        .route("/v1/orgs/{org}/contacts/{id}", get(|deps, id, user| show_record(deps, of(CONTACT, id), user)))
        .route("/v1/orgs/{org}/opportunities/{id}", get(|deps, id, user| show_record(deps, of(OPPORTUNITY, id), user)))
        .route("/v1/orgs/{org}/opportunities", get(list_opportunities))
        .route("/v1/orgs/{org}/records/{object}/{id}", get(show_record))
        .route("/v1/orgs/{org}/pipelines", get(list_pipelines))
        .route("/v1/orgs/{org}/objects", get(list_objects))
        .route("/v1/orgs/{org}/objects/{object}", get(describe_object))
        .with_state(deps)
}

async fn list_orgs(State(deps): State<Deps>) -> Response {
    let orgs = deps.orgs.list_active().await.map_err(Error::Store);
    respond(orgs.map(|orgs| json!({ "orgs": orgs.into_iter().map(OrgView::from).collect::<Vec<_>>() })))
}

async fn show_org(State(deps): State<Deps>, PathOf(org): PathOf<OrgId>) -> Response {
    respond(load_org(&deps, org).await.map(OrgView::from))
}

async fn show_health(State(deps): State<Deps>, PathOf(org): PathOf<OrgId>) -> Response {
    let view = async { health::health(&deps, load_org(&deps, org).await?).await };
    respond(view.await)
}

async fn list_connections(
    State(deps): State<Deps>,
    PathOf(org): PathOf<OrgId>,
    QueryOf(query): QueryOf<ConnectionsQuery>,
) -> Response {
    let view = async {
        load_org(&deps, org).await?;
        let views = match query.platform_user {
            Some(user) => vec![connections::load_for_rep(&deps, org, &user).await?],
            None => connections::list(&deps, org).await?,
        };
        Ok::<_, Error>(json!({ "connections": views }))
    };
    respond(view.await)
}

async fn show_connection(State(deps): State<Deps>, PathOf((org, id)): PathOf<(OrgId, ConnectionId)>) -> Response {
    let connection = async {
        load_org(&deps, org).await?;
        connections::load(&deps, org, &id).await?.ok_or(Error::NotFound("connection"))
    };
    respond(connection.await)
}

/// Adds the object to the path of a route whose records are all of this object.
fn of(object: ObjectName, PathOf((org, id)): PathOf<(OrgId, RecordId)>) -> PathOf<(OrgId, ObjectName, RecordId)> {
    PathOf((org, object, id))
}

async fn show_record(
    State(deps): State<Deps>,
    PathOf((org, object, id)): PathOf<(OrgId, ObjectName, RecordId)>,
    ActingUser(user): ActingUser,
) -> Response {
    let record = RecordRef { object, record_id: id };
    respond(load_record(&deps, org, record, user).await)
}

async fn list_opportunities(
    State(deps): State<Deps>,
    PathOf(org): PathOf<OrgId>,
    QueryOf(mut query): QueryOf<ListQuery>,
) -> Response {
    let page = async {
        let user = query.user.take();
        let filter = OpportunityFilter::try_from(query).map_err(Error::Invalid)?;
        load_opportunities(&deps, org, &filter, user).await
    };
    respond(page.await)
}

async fn list_pipelines(State(deps): State<Deps>, PathOf(org): PathOf<OrgId>) -> Response {
    let view = async {
        load_org(&deps, org).await?;
        let pipelines = deps.pipelines.list(org).await?;
        let refreshed_at = health::pipelines_refreshed_at(&deps, org).await?.map(store::time::format);
        Ok::<_, Error>(json!({ "pipelines": pipelines, "refreshed_at": refreshed_at }))
    };
    respond(view.await)
}

async fn list_objects(State(deps): State<Deps>, PathOf(org): PathOf<OrgId>, ActingUser(user): ActingUser) -> Response {
    let objects = async { LiveReader::open(&deps, org, user.as_ref()).await?.objects().await };
    respond(objects.await.map(|objects| json!({ "objects": objects })))
}

async fn describe_object(
    State(deps): State<Deps>,
    PathOf((org, object)): PathOf<(OrgId, ObjectName)>,
    ActingUser(user): ActingUser,
) -> Response {
    let describe = async { LiveReader::open(&deps, org, user.as_ref()).await?.describe(&object).await };
    respond(describe.await)
}

async fn load_org(deps: &Deps, org: OrgId) -> Result<Org, Error> {
    deps.orgs.load(org).await?.ok_or(Error::NotFound("org"))
}

/// Loads a record: live as the acting user, or from the mirror without one.
async fn load_record(
    deps: &Deps,
    org: OrgId,
    record: RecordRef,
    user: Option<PlatformUser>,
) -> Result<RecordView, Error> {
    let RecordRef { object, record_id } = record;
    match user {
        Some(user) => Ok(LiveReader::open(deps, org, Some(&user)).await?.record(&object, record_id).await?.into()),
        None => {
            load_org(deps, org).await?;
            Ok(mirror::load(deps, org, &object, record_id).await?.into())
        }
    }
}

/// Lists opportunities: live as the acting user, or from the mirror without one.
async fn load_opportunities(
    deps: &Deps,
    org: OrgId,
    filter: &OpportunityFilter,
    user: Option<PlatformUser>,
) -> Result<Value, Error> {
    let (source, rows, next): (_, Vec<RecordView>, _) = match user {
        Some(user) => {
            let list = LiveReader::open(deps, org, Some(&user)).await?.opportunities(filter).await?;
            (Source::Salesforce, list.rows.into_iter().map(RecordView::from).collect(), list.next)
        }
        None => {
            load_org(deps, org).await?;
            let list = mirror::list(deps, org, filter).await?;
            (Source::Mirror, list.rows.into_iter().map(RecordView::from).collect(), list.next)
        }
    };
    Ok(json!({ "source": source, "opportunities": rows, "next": next }))
}
