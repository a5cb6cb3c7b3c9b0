// Checks of jsforce against the org at ORG_URL, with one line for each.

import assert from 'node:assert/strict';

import { ADMIN, ROWS, URL_OF_ORG, addKey, admin, load, refused, run } from './harness.mjs';

const jsforce = load('jsforce');
const { StreamingExtension } = load('jsforce/lib/api/streaming');
const REDIRECT = 'http://localhost:8580/oauth/callback';
const APP = { client_id: 'conformance.jsforce', client_secret: 'not-a-secret' };
const version = '66.0';

let conn;

/** Runs the web server flow with PKCE. A header replaces the person who consents. */
async function authorized() {
  await admin('apps', { name: 'Conformance', ...APP, redirect_uri: REDIRECT });
  const oauth2 = new jsforce.OAuth2({
    loginUrl: URL_OF_ORG,
    clientId: APP.client_id,
    clientSecret: APP.client_secret,
    redirectUri: REDIRECT,
    useVerifier: true,
  });
  const page = oauth2.getAuthorizationUrl({ scope: 'api id refresh_token', state: 'a b' });
  const response = await fetch(page, { redirect: 'manual', headers: { 'x-simulator-user': ADMIN } });
  const back = new URL(response.headers.get('location'));
  assert.equal(back.searchParams.get('state'), 'a b');
  assert.ok(back.searchParams.get('code'), String(back));
  const connection = new jsforce.Connection({ oauth2, version });
  const user = await connection.authorize(back.searchParams.get('code'));
  assert.match(user.id, /^005.{15}$/);
  return connection;
}

const fields = (record, ...names) => names.map((name) => record[name]);

const checks = {
  'the web server flow with PKCE, refresh and identity': async () => {
    conn = await authorized();
    const identity = await conn.identity();
    assert.equal(identity.username, ADMIN);
    const before = conn.accessToken;
    const renewed = await conn.oauth2.refreshToken(conn.refreshToken);
    assert.notEqual(renewed.access_token, before);
    assert.equal(renewed.instance_url, URL_OF_ORG);
    await assert.rejects(conn.oauth2.refreshToken('5Aep861.unknown'), { name: 'invalid_grant' });
    const { access_token: accessToken } = await admin('sessions', { username: ADMIN });
    conn = new jsforce.Connection({ instanceUrl: URL_OF_ORG, accessToken, version });
  },
  'a record is created, read, changed and deleted': async () => {
    const accounts = conn.sobject('Account');
    const made = await accounts.create({ Name: 'Conformance', AnnualRevenue: 12.5 });
    assert.deepEqual(fields(made, 'success', 'errors'), [true, []]);
    assert.deepEqual(fields(await accounts.retrieve(made.id), 'Name', 'AnnualRevenue', 'IsDeleted'), ['Conformance', 12.5, false]);
    assert.equal((await accounts.update({ Id: made.id, Phone: '1' })).success, true);
    assert.equal((await accounts.findOne({ Id: made.id }, ['Phone'])).Phone, '1');
    assert.equal((await accounts.destroy(made.id)).success, true);
    await refused('ENTITY_IS_DELETED', () => accounts.retrieve(made.id));
  },
  'an upsert creates, then updates': async () => {
    const first = await conn.sobject('Account').upsert({ Key__c: 'J-1', Name: 'First' }, 'Key__c');
    assert.deepEqual(fields(first, 'success', 'created'), [true, true]);
    const second = await conn.sobject('Account').upsert({ Key__c: 'J-1', Name: 'Second' }, 'Key__c');
    assert.deepEqual(fields(second, 'id', 'success', 'created'), [first.id, true, false]);
    assert.equal((await conn.sobject('Account').retrieve(first.id)).Name, 'Second');
  },
  'collections have an outcome for each record': async () => {
    const rows = [0, 1, 2].map((n) => (n === 1 ? { Company: 'Collection' } : { LastName: `L${n}`, Company: 'Collection' }));
    const outcome = await conn.sobject('Lead').create(rows, { allOrNone: false });
    assert.deepEqual(outcome.map((one) => one.success), [true, false, true]);
    assert.deepEqual(fields(outcome[1].errors[0], 'statusCode', 'fields'), ['REQUIRED_FIELD_MISSING', ['LastName']]);
    const halted = await conn.sobject('Lead').create(rows, { allOrNone: true });
    assert.equal(halted[0].errors[0].statusCode, 'ALL_OR_NONE_OPERATION_ROLLED_BACK');
    assert.equal(await conn.sobject('Lead').count({ Company: 'Collection' }), 2);
    const ids = outcome.filter((one) => one.success).map((one) => one.id);
    const changed = await conn.sobject('Lead').update(ids.map((Id) => ({ Id, Phone: '7' })));
    assert.deepEqual(changed.map((one) => one.success), [true, true]);
    const upserted = await conn.sobject('Account').upsert([{ Key__c: 'J-1', Name: 'Third' }, { Key__c: 'J-2', Name: 'New' }], 'Key__c');
    assert.deepEqual(upserted.map((one) => one.created), [false, true]);
    const read = await conn.sobject('Lead').retrieve(ids);
    assert.deepEqual(read.map((row) => row.Phone), ['7', '7']);
    assert.deepEqual((await conn.sobject('Lead').destroy(ids)).map((one) => one.success), [true, true]);
  },
  'a composite request refers to created records': async () => {
    const base = `/services/data/v${version}/sobjects`;
    const response = await conn.requestPost('/composite', {
      allOrNone: true,
      compositeRequest: [
        { method: 'POST', url: `${base}/Account`, referenceId: 'account', body: { Name: 'Composite' } },
        { method: 'POST', url: `${base}/Contact`, referenceId: 'contact', body: { LastName: 'Of it', AccountId: '@{account.id}' } },
        { method: 'GET', url: `${base}/Contact/@{contact.id}?fields=AccountId`, referenceId: 'read' },
      ],
    });
    const [account, , read] = response.compositeResponse;
    assert.deepEqual(response.compositeResponse.map((part) => part.httpStatusCode), [201, 201, 200]);
    assert.equal(read.body.AccountId, account.body.id);
  },
  'twenty thousand rows are upserted in bulk': async () => {
    const input = Array.from({ length: ROWS }, (_, n) => ({ Key__c: `B-${n}`, Name: `Bulk ${n}`, AnnualRevenue: n }));
    const result = await conn.bulk2.loadAndWaitForResults({
      object: 'Account',
      operation: 'upsert',
      externalIdFieldName: 'Key__c',
      input,
      pollInterval: 200,
      pollTimeout: 120_000,
    });
    assert.deepEqual(fields(result, 'failedResults', 'unprocessedRecords').map((rows) => rows.length), [0, 0]);
    assert.equal(result.successfulResults.length, ROWS);
    assert.deepEqual(fields(result.successfulResults[ROWS - 1], 'sf__Created', 'Key__c'), ['true', `B-${ROWS - 1}`]);
    assert.equal(await conn.sobject('Account').count({ Name: { $like: 'Bulk %' } }), ROWS);
  },
  'twenty thousand rows are queried in bulk, after polling': async () => {
    await admin('settings', { bulk: { processing_ms: 400 } });
    conn.bulk2.pollInterval = 100;
    const stream = await conn.bulk2.query("SELECT Id, Name, AnnualRevenue, Owner.Username FROM Account WHERE Key__c LIKE 'B-%'");
    const rows = await stream.toArray();
    assert.equal(rows.length, ROWS);
    assert.equal(new Set(rows.map((row) => row.Id)).size, ROWS);
    const sample = rows.find((row) => row.Name === 'Bulk 12');
    assert.deepEqual(fields(sample, 'AnnualRevenue', 'Owner.Username'), ['12.0', ADMIN]);
    await admin('settings', { bulk: { processing_ms: 0 } });
  },
  'rows of a bulk job fail one by one': async () => {
    const input = [{ Name: 'One "by" one,\nquoted', Key__c: 'J-9' }, { Name: '', Key__c: 'J-8' }];
    const options = { object: 'Account', operation: 'insert', input, pollInterval: 100, pollTimeout: 60_000 };
    const result = await conn.bulk2.loadAndWaitForResults(options);
    assert.deepEqual(result.successfulResults.map((row) => row.Name), ['One "by" one,\nquoted']);
    assert.deepEqual(
      result.failedResults.map((row) => fields(row, 'sf__Id', 'sf__Error', 'Key__c')),
      [['', 'REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --', 'J-8']],
    );
  },
  'a bulk job is aborted and deleted': async () => {
    const job = conn.bulk2.createJob({ object: 'Account', operation: 'insert' });
    await job.open();
    await job.uploadData('Name\nNever\n');
    await job.abort();
    assert.equal((await job.check()).state, 'Aborted');
    assert.deepEqual((await job.getUnprocessedRecords()).map((row) => row.Name), ['Never']);
    await job.delete();
    await refused('NOT_FOUND', () => job.check());
    await refused('INVALIDJOB', () => conn.bulk2.createJob({ object: 'Nope', operation: 'insert' }).open());
    await refused('API_ERROR', () => conn.bulk2.query('SELECT COUNT() FROM Account'));
  },
  'five thousand rows are read page by page': async () => {
    const soql = "SELECT Id, Name FROM Account WHERE Name LIKE 'Bulk %' ORDER BY Name LIMIT 5001";
    const first = await conn.query(soql);
    assert.deepEqual([first.totalSize, first.done, first.records.length], [5_001, false, 2_000]);
    const all = await conn.query(soql, { autoFetch: true, maxFetch: 10_000 });
    assert.equal(new Set(all.records.map((row) => row.Id)).size, 5_001);
    const last = await conn.queryMore((await conn.queryMore(first.nextRecordsUrl)).nextRecordsUrl);
    assert.deepEqual([last.done, last.records.length], [true, 1_001]);
    const parents = await conn.query("SELECT Name, Owner.Username, (SELECT LastName FROM Contacts) FROM Account WHERE Name = 'Composite'");
    assert.equal(parents.records[0].Owner.Username, ADMIN);
    assert.deepEqual(parents.records[0].Contacts.records.map((row) => row.LastName), ['Of it']);
  },
  "describe, limits and versions return the org's data": async () => {
    const account = await conn.sobject('Account').describe();
    const key = account.fields.find((field) => field.name === 'Key__c');
    assert.deepEqual(fields(key, 'externalId', 'unique', 'type', 'custom'), [true, true, 'string', true]);
    assert.equal(account.keyPrefix, '001');
    const all = await conn.describeGlobal();
    assert.ok(all.sobjects.some((object) => object.name === 'Opportunity'));
    const limits = await conn.limits();
    assert.ok(limits.DailyBulkV2QueryJobs.Remaining < limits.DailyBulkV2QueryJobs.Max);
    assert.equal(conn.limitInfo.apiUsage.limit, limits.DailyApiRequests.Max);
    const versions = await conn.request('/services/data');
    assert.ok(versions.some((known) => known.version === version));
  },
  'changes are found by their time': async () => {
    const now = Date.now();
    const [from, to] = [new Date(now - 600_000), new Date(now + 600_000)];
    const made = await conn.sobject('Contact').create({ LastName: 'Replicated' });
    assert.ok((await conn.sobject('Contact').updated(from, to)).ids.includes(made.id));
    await conn.sobject('Contact').destroy(made.id);
    const { deletedRecords } = await conn.sobject('Contact').deleted(from, to);
    assert.ok(deletedRecords.some((record) => record.id === made.id));
  },
  'a change is received by a subscriber of its channel, and again by replay': async () => {
    const channel = '/data/AccountChangeEvent';
    await conn.tooling.create('PlatformEventChannelMember', {
      FullName: 'ChangeEvents_AccountChangeEvent',
      Metadata: { eventChannel: 'ChangeEvents', selectedEntity: 'AccountChangeEvent' },
    });
    const live = conn.streaming.createClient();
    let arrived;
    const next = new Promise((resolve) => { arrived = resolve; });
    await live.subscribe(channel, (event) => arrived(event));
    const made = await conn.sobject('Account').create({ Name: 'Streamed' });
    const event = await next;
    assert.deepEqual(fields(event.payload.ChangeEventHeader, 'entityName', 'changeType', 'recordIds'), ['Account', 'CREATE', [made.id]]);
    assert.equal(event.payload.ChangeEventHeader.changeOrigin, `com/salesforce/api/rest/${version}`);
    assert.equal(event.payload.Name, 'Streamed');
    await live.disconnect();

    await conn.sobject('Account').update({ Id: made.id, Phone: '7' });
    const replayed = conn.streaming.createClient([new StreamingExtension.Replay(channel, event.event.replayId)]);
    const changed = await new Promise((resolve) => { replayed.subscribe(channel, resolve); });
    assert.deepEqual(Object.keys(changed.payload).sort(), ['ChangeEventHeader', 'LastModifiedDate', 'Phone']);
    await replayed.disconnect();

    const topic = conn.streaming.channel('/data/ChangeEvents');
    const shared = new Promise((resolve) => { topic.subscribe(resolve).then(() => conn.sobject('Account').destroy(made.id)); });
    assert.equal((await shared).payload.ChangeEventHeader.changeType, 'DELETE');

    const stranger = new jsforce.Connection({ instanceUrl: URL_OF_ORG, accessToken: 'not a session', version });
    const refusal = await new Promise((resolve) => {
      stranger.streaming.createClient([new StreamingExtension.AuthFailure(resolve)]).subscribe(channel, () => {});
    });
    assert.deepEqual(fields(refusal, 'error', 'successful'), ['403::Handshake denied', false]);
  },
  "refusals have Salesforce's codes": async () => {
    const unknown = await refused('INVALID_FIELD', () => conn.sobject('Account').create({ Name: 'x', Nope: 1 }));
    assert.equal(unknown.message, "No such column 'Nope' on sobject of type Account");
    await refused('REQUIRED_FIELD_MISSING', () => conn.sobject('Account').create({ Phone: '1' }));
    await refused('DUPLICATE_VALUE', () => conn.sobject('Account').create({ Name: 'x', Key__c: 'J-1' }));
    await refused('MALFORMED_QUERY', () => conn.query('SELECT FROM Account'));
    await refused('INVALID_TYPE', () => conn.query('SELECT Id FROM Nope'));
    await refused('NOT_FOUND', () => conn.request('/services/data/v66.0/nowhere'));
    const stranger = new jsforce.Connection({ instanceUrl: URL_OF_ORG, accessToken: 'not a session', version });
    await refused('INVALID_SESSION_ID', () => stranger.query('SELECT Id FROM Account'));
  },
};

await addKey();
await run('jsforce', checks);
process.exit(0);
