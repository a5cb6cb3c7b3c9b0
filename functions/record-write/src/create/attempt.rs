//! One attempt to create records: carries out the steps of [`writes::creation`] for those that are not decided.
//!
//! Before a request is sent, the client keys of its records are claimed ([`store::client_keys`]). The claim says which records
//! are known, and which may have been created by a request whose response was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use runtime::Schema;
use salesforce::{Classify, Client, JsonObject, RecordId, Retry, SaveError, SaveOptions, SaveOutcome};
use store::client_keys::{Claimed, Sent};
use store::owner_policy::{Route, RouteError};
use store::{ClientKey, Write};
use writes::creation::{self, Step};
use writes::{Attempted, Error, Hidden};

use super::request::NewRecords;
use super::search::{self, Found, Lost};
use super::{Create, matching};
use crate::attempt::sends_since;
use crate::check::{Picklists, check};
use crate::effects::Effects;
use crate::origins::Call;
use crate::rows::{self, RowOutcome};
use crate::{Deps, origins, ownership};

/// The pause while another write sends a request with the same client key.
const CLAIMED_PAUSE: Duration = Duration::from_mins(1);

/// The codes with which Salesforce refuses a whole request because of an object or a field that it hides.
const HIDDEN: [&str; 3] = ["NOT_FOUND", "INVALID_TYPE", "INVALID_FIELD"];

type CallResult<T> = Result<T, salesforce::Error>;

/// An attempt to create records. Records are known by their positions in the request.
pub(super) struct Attempt<'a> {
    create: &'a Create,
    deps: &'a Deps,
    client: &'a Client,
    route: &'a Route,
    write: &'a Write,
    /// The records as they are sent.
    records: Vec<JsonObject>,
    keys: Vec<ClientKey>,
    /// The outcomes so far.
    rows: Vec<Option<RowOutcome>>,
    /// The requests that may have created records, or may still do so.
    sent: BTreeMap<usize, Sent>,
    /// The records whose client keys this attempt has claimed.
    held: BTreeSet<usize>,
    /// The requests of this attempt. Each is sent within a minute of its time.
    request: Sent,
    has_sent: bool,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        create: &'a Create,
        deps: &'a Deps,
        (client, route): (&'a Client, &'a Route),
        write: &'a Write,
        records: Vec<JsonObject>,
    ) -> Self {
        let known = rows::resumed(write.response.as_ref(), records.len());
        let rows = known.map_or_else(|| vec![None; records.len()], |rows| rows.into_iter().map(Some).collect());
        let sent_at = store::time::to_millis(deps.ledger.clock.now());
        let request = Sent { write_id: write.write_id, user_id: route.user_id, sent_at };
        let (sent, held) = (BTreeMap::new(), BTreeSet::new());
        let keys = create.client_keys();
        Self { create, deps, client, route, write, records, keys, rows, sent, held, request, has_sent: false }
    }

    /// Carries out the steps of the state machine until it ends.
    pub(super) async fn run(mut self) -> Result<Attempted, Error> {
        self.claim().await?;
        if self.open().is_empty() {
            return Ok(self.completed());
        }
        let mut step = creation::begin(!self.sent.is_empty());
        loop {
            step = match step {
                Step::LookForEarlier => {
                    let searched_at = self.now();
                    let settled_at = self.sent.values().map(|sent| creation::no_effect_from(sent.sent_at)).max();
                    let found = self.look().await?;
                    creation::after_looking_for_earlier(found, searched_at, settled_at.unwrap_or(searched_at))
                }
                Step::Create if self.claim_again().await? => {
                    self.deps.ledger.writes.mark_sent(self.write, Some(self.request.sent_at)).await?;
                    creation::after_creating(self.send().await?)
                }
                Step::Create => Step::Wait(CLAIMED_PAUSE),
                Step::LookForLost(lost) => creation::after_looking_for_lost(lost, self.look().await?),
                Step::Done(attempted) => return Ok(attempted),
                Step::Wait(pause) => return self.undecided(Error::MayTakeEffect { pause }).await,
                Step::NotSent(error) => {
                    self.give_up().await?;
                    self.deps.ledger.writes.mark_sent(self.write, None).await?;
                    return self.undecided(Error::Salesforce(error)).await;
                }
                Step::Defer(error) => return self.undecided(Error::OutcomeUnknown(error)).await,
                Step::Refuse(error) => {
                    self.give_up().await?;
                    return self.refused(error).await;
                }
            };
        }
    }

    fn now(&self) -> Timestamp {
        self.deps.ledger.clock.now()
    }

    /// Returns the records that are not decided, in the order in which they are sent.
    fn open(&self) -> Vec<usize> {
        let is_open =
            |index: &usize| self.rows.get(*index).is_some_and(|row| row.as_ref().is_none_or(|row| row.retryable));
        rows::by_parent(&self.records).into_iter().filter(is_open).collect()
    }

    fn key(&self, index: usize) -> Option<ClientKey> {
        self.keys.get(index).cloned()
    }

    fn decide(&mut self, index: usize, row: RowOutcome) {
        if row.success {
            self.sent.remove(&index);
            self.held.remove(&index);
        }
        if let Some(known) = self.rows.get_mut(index) {
            *known = Some(row);
        }
    }

    /// Claims the client keys of the open records, and notes what the claims found.
    async fn claim(&mut self) -> Result<(), Error> {
        let open = self.open();
        let keys: Vec<_> = open.iter().filter_map(|index| Some((self.key(*index)?, None))).collect();
        let claimed = self.deps.client_keys.claim(self.write.org_id, &keys, self.request).await?;
        for (index, claimed) in open.into_iter().zip(claimed) {
            self.note(index, claimed);
        }
        Ok(())
    }

    fn note(&mut self, index: usize, claimed: Claimed) {
        match claimed {
            Claimed::Yes => {
                self.held.insert(index);
                // The row of an earlier attempt has expired.
                if let Some(sent_at) = self.write.sent_at.filter(|_| self.write.may_be_sent()) {
                    self.sent.insert(index, Sent { sent_at, ..self.request });
                }
            }
            Claimed::Sent(earlier) => {
                self.sent.insert(index, earlier);
            }
            Claimed::Created { record, by } => self.decide(index, rows::existing(record, by == self.write.write_id)),
        }
    }

    /// Claims the keys of the open records whose earlier requests had no effect. Returns whether all open records are claimed.
    async fn claim_again(&mut self) -> Result<bool, Error> {
        let others: Vec<usize> = self.open().into_iter().filter(|index| !self.held.contains(index)).collect();
        let key = |index: &usize| Some((self.key(*index)?, self.sent.get(index).copied()));
        let keys: Vec<_> = others.iter().filter_map(key).collect();
        let claimed = self.deps.client_keys.claim(self.write.org_id, &keys, self.request).await?;
        for (index, claimed) in others.into_iter().zip(claimed) {
            match claimed {
                Claimed::Yes => drop(self.held.insert(index)),
                claimed => self.note(index, claimed),
            }
        }
        Ok(self.open().iter().all(|index| self.held.contains(index)))
    }

    /// Gives up the claims of records that were not created.
    async fn give_up(&mut self) -> Result<(), Error> {
        let keys: Vec<_> = std::mem::take(&mut self.held).into_iter().filter_map(|index| self.key(index)).collect();
        Ok(self.deps.client_keys.release(self.write.org_id, &keys, self.request).await?)
    }

    /// Sends the open records, and those again that were refused for a reason that passes by itself, as [`rows`] decides.
    /// `Err` within `Ok` is a request without an answer; what was answered before is in the rows.
    async fn send(&mut self) -> Result<CallResult<Attempted>, Error> {
        let began = self.now();
        let mut count = 0;
        loop {
            let open = self.open();
            let records: Vec<JsonObject> = open.iter().filter_map(|index| self.records.get(*index).cloned()).collect();
            let from = self.now();
            self.has_sent = true;
            self.sent.extend(open.iter().map(|index| (*index, self.request)));
            let NewRecords { all_or_none, duplicates, .. } = self.create.new;
            let options = SaveOptions { all_or_none, allow_duplicates: duplicates.allows() };
            let outcomes = match self.client.create(&self.create.object, &records, options).await {
                Ok(outcomes) => outcomes,
                Err(error) => return Ok(Err(error)),
            };
            count += 1;
            self.take_created(&open, &outcomes).await?;
            let effects = self.effects();
            let changed = origins::from_outcomes(effects.call_since(from), &records, &outcomes);
            effects.publish(&self.create.object, &changed).await;
            self.require_active_owner(&outcomes).await?;
            for (index, row) in open.into_iter().zip(rows::classified(outcomes, all_or_none)) {
                self.decide(index, row);
            }
            let sends = sends_since(began, count, self.deps, self.write);
            let known: Vec<RowOutcome> = self.rows.iter().flatten().cloned().collect();
            match rows::next_step(&known, all_or_none, sends) {
                rows::Step::Finish => {
                    self.give_up().await?;
                    return Ok(Ok(self.completed()));
                }
                rows::Step::Defer(retry) => {
                    self.give_up().await?;
                    self.deps.ledger.writes.mark_sent(self.write, None).await?;
                    return Ok(Ok(self.partial(retry)));
                }
                rows::Step::SendAgain(pause) => {
                    tracing::info!(org.id = %self.write.org_id, sends = count, "sending records again");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Stores the records that a request created.
    async fn take_created(&self, sent: &[usize], outcomes: &[SaveOutcome]) -> Result<(), Error> {
        let created = sent.iter().zip(outcomes).filter(|(_, outcome)| outcome.success);
        let created: Vec<_> = created.filter_map(|(index, outcome)| Some((self.key(*index)?, outcome.id?))).collect();
        Ok(self.deps.client_keys.take_all(self.write.org_id, &created, self.request).await?)
    }

    /// Refuses the write if Salesforce refused the owner that the route names, and no record was written.
    async fn require_active_owner(&mut self, outcomes: &[SaveOutcome]) -> Result<(), Error> {
        let Some(owner) = self.route.owner_id else { return Ok(()) };
        if !outcomes.iter().any(|outcome| ownership::is_inactive(&outcome.errors)) {
            return Ok(());
        }
        self.deps.ledger.users.forget(self.write.org_id, owner);
        let written = self.rows.iter().flatten().any(|row| row.success);
        if written || outcomes.iter().any(|outcome| outcome.success) {
            return Ok(());
        }
        self.give_up().await?;
        Err(Error::NoRoute(RouteError::RepInactive))
    }

    /// Searches for the records that requests may have created. `Ok(Ok(None))` says that some are missing.
    async fn look(&mut self) -> Result<CallResult<Option<Attempted>>, Error> {
        let (compared, found) = match self.search().await {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let mut taken: BTreeSet<RecordId> = self.rows.iter().flatten().filter_map(|row| row.id).collect();
        loop {
            let lost = self.lost();
            let candidates = search::candidates(&lost, &compared, &found, |found| !taken.contains(&found.record.id));
            let assigned = matching::assign(&candidates);
            let pairs =
                lost.iter().zip(assigned).filter_map(|(lost, row)| Some((lost.position, lost.sent, found.get(row?)?)));
            let pairs: Vec<(usize, Sent, &Found)> = pairs.collect();
            if pairs.is_empty() {
                break;
            }
            for (position, sent, found) in pairs {
                taken.insert(found.record.id);
                self.take_found(position, sent, found).await?;
            }
        }
        Ok(Ok(self.open().is_empty().then(|| self.completed())))
    }

    /// Decides a record that was found, unless it is that of another client key.
    async fn take_found(&mut self, position: usize, sent: Sent, found: &Found) -> Result<(), Error> {
        let (org, id) = (self.write.org_id, found.record.id);
        let Some(key) = self.key(position) else { return Ok(()) };
        if !self.deps.client_keys.take(org, &key, id, sent).await? {
            return Ok(());
        }
        tracing::info!(org.id = %org, write.id = %self.write.write_id, sf.object = %self.create.object,
            "found a record that a request without a response had created");
        let outcome = SaveOutcome { id: Some(id), success: true, created: true, errors: Vec::new() };
        let records: Vec<JsonObject> = self.records.get(position).cloned().into_iter().collect();
        let (write_id, user_id, at) = (sent.write_id, sent.user_id, found.created_at);
        let call = Call { write_id, user_id, from: at, to: at };
        let changed = origins::from_outcomes(call, &records, &[outcome]);
        self.effects().publish(&self.create.object, &changed).await;
        self.decide(position, rows::existing(id, sent.write_id == self.write.write_id));
        Ok(())
    }

    fn lost(&self) -> Vec<Lost<'_>> {
        let lost = |position: usize| {
            Some(Lost { position, fields: self.records.get(position)?, sent: self.sent.get(&position).copied()? })
        };
        self.open().into_iter().filter_map(lost).collect()
    }

    /// Searches for the lost records. If a field of the query is hidden, the object is described again and related records are
    /// left out.
    async fn search(&self) -> CallResult<(Vec<matching::Compared>, Vec<Found>)> {
        match self.search_with(true).await {
            Err(error) if error.has_code("INVALID_FIELD") => {
                let (connection, object) = (&self.route.write_route.connection_id, &self.create.object);
                self.deps.metadata.schemas.forget((self.write.org_id, connection), std::slice::from_ref(object));
                self.search_with(false).await
            }
            found => found,
        }
    }

    async fn search_with(&self, paths: bool) -> CallResult<(Vec<matching::Compared>, Vec<Found>)> {
        let object = &self.create.object;
        let connection = (self.write.org_id, &self.route.write_route.connection_id);
        let (schema, failed) =
            self.deps.metadata.schemas.load(self.client, connection, std::slice::from_ref(object), self.now()).await?;
        if let Some((_, error)) = failed.into_iter().next() {
            return Err(error);
        }
        let hidden = salesforce::Error::InvalidResponse { operation: "describe the object", what: "no object" };
        let describe = schema.object(object).ok_or(hidden)?;
        search::search(self.client, (object, describe), &self.lost(), paths).await
    }

    fn effects(&self) -> Effects<'a> {
        Effects { deps: self.deps, route: self.route, write: self.write }
    }

    /// Ends an attempt that leaves records open. What is decided is kept.
    async fn undecided(mut self, error: Error) -> Result<Attempted, Error> {
        if !self.has_sent {
            self.give_up().await?;
        }
        let retry = error.retry();
        match retry {
            Retry::After(_) | Retry::Unknown(_) if self.has_decided() => Ok(self.partial(retry)),
            _ => Err(error),
        }
    }

    /// Ends an attempt whose request Salesforce refused as a whole. Beside records that are decided, it is the outcome of the
    /// others.
    async fn refused(mut self, error: salesforce::Error) -> Result<Attempted, Error> {
        let error = self.explained(error).await;
        let Error::Salesforce(salesforce::Error::Rejected { problems, .. }) = &error else { return Err(error) };
        if error.retry() != Retry::Never || !self.has_decided() {
            return Err(error);
        }
        let reason = |problem: &salesforce::Problem| SaveError {
            code: problem.code.clone(),
            fields: problem.fields.clone(),
            ..SaveError::default()
        };
        let errors: Vec<SaveError> = problems.iter().map(reason).collect();
        let open = self.open();
        let refusal = SaveOutcome { id: None, success: false, created: false, errors };
        let rows = rows::classified(vec![refusal; open.len()], self.create.new.all_or_none);
        open.into_iter().zip(rows).for_each(|(index, row)| self.decide(index, row));
        Ok(self.completed())
    }

    /// Finds the object or the fields for which Salesforce refused the whole request. Costs one more call.
    async fn explained(&self, error: salesforce::Error) -> Error {
        if !HIDDEN.iter().any(|code| error.has_code(code)) {
            return error.into();
        }
        let object = &self.create.object;
        match self.client.find_object(object).await {
            Ok(None) => Error::Hidden(Hidden::Object(object.clone())),
            Ok(Some(describe)) => {
                let defects = check(&Schema::of([describe]), &Picklists::default(), &self.create.rows(&self.records));
                if defects.is_empty() { error.into() } else { Error::Refused(defects) }
            }
            Err(_) => error.into(),
        }
    }

    fn has_decided(&self) -> bool {
        self.rows.iter().flatten().any(|row| !row.retryable)
    }

    fn outcome(&self) -> Vec<RowOutcome> {
        self.rows.iter().map(|row| row.clone().unwrap_or_else(rows::undecided)).collect()
    }

    fn partial(&self, retry: Retry) -> Attempted {
        Attempted::Partial { outcome: rows::stored(&self.outcome()), retry }
    }

    fn completed(&self) -> Attempted {
        let rows = self.outcome();
        let failed = rows.iter().filter(|row| !row.success).count();
        tracing::info!(org.id = %self.write.org_id, records = rows.len(), failed, "created {} records", rows.len());
        Attempted::Completed(rows::stored(&rows))
    }
}
