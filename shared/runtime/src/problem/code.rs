//! The table of problem codes.

use http::StatusCode;

/// Declares the codes in one table, so that none can lack a status, a title or a remedy.
macro_rules! problem_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:ident, $title:literal, $next:literal;)+) => {
        /// A stable code of an HTTP problem. Each code has one meaning, one status and one title.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $($(#[$doc])* $variant,)+
        }

        impl ProblemCode {
            /// Every code, sorted by status.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the code as it stands in `type`, for example `not_found`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Returns the HTTP status.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// Returns the title: the meaning of the code in a few words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// Returns the remedy: what the caller can do, in a sentence. A problem may have a more specific one.
            #[must_use]
            pub fn next(self) -> &'static str {
                match self { $(Self::$variant => $next,)+ }
            }
        }
    };
}

impl ProblemCode {
    /// Returns the `type` of a problem with the code.
    pub(super) fn urn(self) -> String {
        format!("urn:ferry:problem:{}", self.as_str())
    }
}

problem_codes! {
    /// The request is malformed or contradicts itself.
    InvalidRequest = "invalid_request", BAD_REQUEST, "The request is invalid",
        "Correct the request as the detail says, and send it again.";
    /// The body of a webhook does not parse as an outbound message.
    MalformedMessage = "malformed_message", BAD_REQUEST, "The body is not an outbound message",
        "Send the outbound message as Salesforce's WSDL for outbound messages describes it.";
    /// Salesforce refused the authorization code: it was used, has expired, or belongs to another app.
    GrantRefused = "grant_refused", BAD_REQUEST, "Salesforce refused the authorization code",
        "Send the person a new connect link (POST /v1/connect-links).";
    /// API Gateway verified no caller.
    Unauthorized = "unauthorized", UNAUTHORIZED, "The request has no verified caller",
        "Send the request with a JWT of the platform's issuer, or signed with Signature Version 4, as the deployment requires.";
    /// The caller signs with IAM, and the deployment refuses such callers.
    IamRefused = "iam_refused", FORBIDDEN, "Callers that sign with IAM are refused",
        "Ask the operator of this installation to set the template parameter IamCallers to all-tenants, or to let callers use JWTs (JwtIssuer).";
    /// The caller's token lacks the scope that the request requires.
    InsufficientScope = "insufficient_scope", FORBIDDEN, "The token lacks a scope",
        "Send the request with a token that has the scope that the detail names.";
    /// An outbound message names another org than the one whose address it was sent to.
    OtherOrg = "other_org", FORBIDDEN, "The message comes from another org",
        "Connect the org that sent the message, so that it gets an address of its own.";
    /// This installation does not write records of the object.
    ObjectNotWritable = "object_not_writable", FORBIDDEN, "The object is not open for writes",
        "Ask the operator of this installation to add the object to the template parameter WritableObjects.";
    /// The header `Ferry-Tenant` names another tenant than the caller's token.
    OtherTenant = "other_tenant", FORBIDDEN, "The token belongs to another tenant",
        "Leave the header Ferry-Tenant out, or send the request with a token that has the scope all-tenants.";
    /// The request names another platform user than the caller's token.
    OtherUser = "other_user", FORBIDDEN, "The token belongs to another user",
        "Leave the user out of the request, or send it with a token of that user or of the platform itself.";
    /// The connection's user lacks a permission in Salesforce.
    SalesforceForbidden = "salesforce_forbidden", FORBIDDEN, "The connected user lacks a permission in Salesforce",
        "Ask an administrator of the org to check the user's permissions: API Enabled, the object, its fields.";
    /// Neither the caller's token nor the header `Ferry-Tenant` names the tenant of the call.
    TenantRequired = "tenant_required", FORBIDDEN, "The call names no tenant",
        "Send the request with a token that has the tenant's claim, or with the scope all-tenants and the header Ferry-Tenant.";
    /// The addressed resource does not exist, or is not visible to the caller.
    NotFound = "not_found", NOT_FOUND, "The resource does not exist",
        "Check the path and its ids, and send the request again.";
    /// Salesforce does not know the object, or hides it from the connection's user.
    ObjectNotVisible = "object_not_visible", NOT_FOUND, "The object does not exist or is hidden",
        "Check the object's API name, and ask an administrator of the org to give the connection's user access to the object in a permission set or in the user's profile.";
    /// The route does not support the method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed",
        "Send the request with one of the methods in Allow.";
    /// No connection exists that may be used.
    ConnectRequired = "connect_required", CONFLICT, "A person has to connect first",
        "Send the person a connect link (POST /v1/connect-links), then send the request again.";
    /// The org is not active, so that it is neither read nor written live.
    OrgNotActive = "org_not_active", CONFLICT, "The org is not active",
        "Ask an administrator of the org to make the team connection.";
    /// The org is active, so that its data cannot be erased.
    OrgActive = "org_active", CONFLICT, "The org is active",
        "Disconnect the org (DELETE /v1/orgs/{org}), then send the request again.";
    /// The org belongs to another tenant.
    OrgOwnedByAnotherTenant = "org_owned_by_another_tenant", CONFLICT, "The org belongs to another tenant",
        "Ask the operator of this installation to transfer the org.";
    /// The grant of the connection has ended.
    ReconnectRequired = "reconnect_required", CONFLICT, "The connection has to be renewed",
        "Send the person a new connect link (POST /v1/connect-links), then send the request again.";
    /// The grant of the connection has not ended, but it cannot be used until a person has acted.
    ConnectionBlocked = "connection_blocked", CONFLICT, "The connection cannot be used until a person has acted",
        "Ask the person whom the detail names to remove the cause, then send the request again.";
    /// Several records have the value that should identify one.
    SeveralRecords = "several_records", CONFLICT, "Several records have this value",
        "Ask an administrator of the org to merge the records or to change their values, or read one of those that the detail names by its id.";
    /// The Salesforce user of the rep is inactive, so that nothing is written in the rep's name.
    UserInactive = "user_inactive", CONFLICT, "The rep's Salesforce user is inactive",
        "Ask an administrator of the org to activate the user, or send the request without `as`, so that the team owns the records.";
    /// Another request with the same idempotency key is being carried out.
    WriteInProgress = "write_in_progress", CONFLICT, "The write is being carried out",
        "Send the request again after the pause in Retry-After, with the same Idempotency-Key.";
    /// The write has not ended, or cannot be made again from what is stored.
    NotRetryable = "not_retryable", CONFLICT, "The write cannot be made again as it is",
        "Send the records that were not written as a new write, changed as its outcome says, with a new Idempotency-Key.";
    /// The consent came from another org than the link is for.
    WrongOrg = "wrong_org", CONFLICT, "The consent came from another org",
        "Ask the person to log in to the org that the link is for, and to open a new connect link.";
    /// The record was deleted in Salesforce.
    RecordDeleted = "record_deleted", GONE, "The record was deleted in Salesforce",
        "Read the record that it was merged into, where the detail names one.";
    /// The position in the change feed is before the oldest change that it has.
    CursorExpired = "cursor_expired", GONE, "The cursor is too old",
        "Read the lists of the objects once, and then the change feed from the time at which you began.";
    /// The settings of the org were changed since the version in `If-Match`.
    SettingsChanged = "settings_changed", PRECONDITION_FAILED, "The settings were changed",
        "Read the settings again, and send the change with their version in If-Match.";
    /// The request, or what it would store, exceeds a size limit.
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, "The payload is too large",
        "Send a smaller request.";
    /// The body has another media type than the route reads.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The media type is not supported",
        "Send the body with `Content-Type: application/json`.";
    /// Salesforce does not know a field, or hides it from the connection's user.
    FieldNotVisible = "field_not_visible", UNPROCESSABLE_ENTITY, "A field does not exist or is hidden",
        "Check the fields' API names, and ask an administrator of the org to assign the permission set Ferry Integration (for Ferry_External_Id__c), or another one that grants the fields, to the connection's user.";
    /// The idempotency key was used for another request.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The idempotency key belongs to another request",
        "Send the request again with a new Idempotency-Key.";
    /// The org does not accept a record as it is. `defects` lists what has to change.
    InvalidRecords = "invalid_records", UNPROCESSABLE_ENTITY, "The org does not accept the records as they are",
        "Change what `defects` lists, and send the request again.";
    /// The org does not accept its settings as they are. `defects` lists what has to change.
    InvalidSettings = "invalid_settings", UNPROCESSABLE_ENTITY, "The org does not accept the settings as they are",
        "Change what `defects` lists, and send the settings again.";
    /// Salesforce rejected the request. `salesforce` holds its codes and the fields concerned.
    SalesforceRejected = "salesforce_rejected", UNPROCESSABLE_ENTITY, "Salesforce rejected the request",
        "Change the request as the codes and fields say, and send it again.";
    /// Salesforce does not accept the app registration.
    AppMisconfigured = "app_misconfigured", INTERNAL_SERVER_ERROR, "Salesforce does not accept the app registration",
        "Ask the operator of this installation to check the app registration.";
    /// A fault of Ferry or of its deployment.
    InternalError = "internal_error", INTERNAL_SERVER_ERROR, "Ferry has an internal error",
        "Ask the operator of this installation to look at its logs.";
    /// The response is not one that Salesforce sends, or cannot be proven to be Salesforce's.
    SalesforceUnusable = "salesforce_unusable", BAD_GATEWAY, "Salesforce returned an unusable response",
        "Ask the operator of this installation to look at its logs.";
    /// The org has used all of its API calls of the day.
    ApiLimit = "api_limit", SERVICE_UNAVAILABLE, "The org's daily API calls are used up",
        "Send the request again after the pause in Retry-After, with the same Idempotency-Key.";
    /// Salesforce is unreachable, overloaded or under maintenance.
    SalesforceUnavailable = "salesforce_unavailable", SERVICE_UNAVAILABLE, "Salesforce is unavailable",
        "Send the request again after the pause in Retry-After, with the same Idempotency-Key.";
    /// Ferry's own state could not be read or written.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Ferry is unavailable",
        "Send the request again after the pause in Retry-After, with the same Idempotency-Key.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_meaning_has_one_code() {
        let distinct = |text: fn(ProblemCode) -> &'static str| -> BTreeSet<_> {
            ProblemCode::ALL.iter().map(|code| text(*code)).collect()
        };
        assert_eq!(distinct(ProblemCode::as_str).len(), ProblemCode::ALL.len());
        assert_eq!(distinct(ProblemCode::title).len(), ProblemCode::ALL.len());
    }

    #[test]
    fn codes_are_sorted_by_status() {
        assert!(ProblemCode::ALL.is_sorted_by_key(|code| code.status()));
    }

    #[test]
    fn every_remedy_is_a_sentence() {
        for code in ProblemCode::ALL {
            let (title, next) = (code.title(), code.next());
            assert!(next.starts_with(|first: char| first.is_ascii_uppercase()) && next.ends_with('.'), "{next}");
            assert!(!title.ends_with('.'), "{title}");
        }
    }
}
