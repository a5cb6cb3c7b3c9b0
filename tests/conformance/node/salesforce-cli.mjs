// Checks of the Salesforce CLI against the org at ORG_URL, with one line for each.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ADMIN, ROWS, URL_OF_ORG, addKey, admin, run } from './harness.mjs';

const SF = join(process.env.TOOLS, 'node/node_modules/@salesforce/cli/bin/run.js');
const home = await mkdtemp(join(tmpdir(), 'conformance-'));
const { access_token: token } = await admin('sessions', { username: ADMIN });
const env = {
  PATH: process.env.PATH,
  HOME: home,
  SF_ACCESS_TOKEN: token,
  SF_AUTOUPDATE_DISABLE: 'true',
  SF_DISABLE_TELEMETRY: 'true',
  SF_USE_GENERIC_UNIX_KEYCHAIN: 'true',
  SF_SKIP_NEW_VERSION_CHECK: 'true',
  SF_ORG_API_VERSION: '66.0',
};

/** Runs a command. Returns its exit code and its output as JSON. */
function sf(...words) {
  return new Promise((resolve) => {
    const options = { cwd: home, env, maxBuffer: 64 << 20 };
    execFile(process.execPath, [SF, ...words], options, (error, stdout, stderr) => {
      let json;
      try {
        json = JSON.parse(stdout);
      } catch {
        json = { unreadable: stdout.slice(0, 600), stderr: stderr.slice(0, 600) };
      }
      resolve({ code: error?.code ?? 0, json });
    });
  });
}

/** Runs a command that must succeed in the org. Returns its result. */
async function result(...words) {
  const { code, json } = await sf(...words, '--target-org', 'org', '--json');
  assert.equal(code, 0, `sf ${words.join(' ')}: ${JSON.stringify(json).slice(0, 900)}`);
  return json.result;
}

/** Returns a response through `sf api request rest`, which prints it unchanged. */
async function rest(...words) {
  const { code, json } = await sf('api', 'request', 'rest', ...words, '--target-org', 'org');
  assert.equal(code, 0, JSON.stringify(json));
  return json;
}

async function file(name, text) {
  const path = join(home, name);
  await writeFile(path, text);
  return path;
}

let made;

const checks = {
  'login with an access token': async () => {
    const words = ['org', 'login', 'access-token', '--instance-url', URL_OF_ORG, '--alias', 'org', '--no-prompt', '--json'];
    const { code, json } = await sf(...words);
    assert.equal(code, 0, JSON.stringify(json));
    assert.equal(json.result.username, ADMIN);
    const org = await result('org', 'display');
    assert.deepEqual([org.username, org.instanceUrl, org.connectedStatus], [ADMIN, `${URL_OF_ORG}/`, 'Connected']);
  },
  'a record is created, read, changed and deleted': async () => {
    const account = ['--sobject', 'Account'];
    made = (await result('data', 'create', 'record', ...account, '--values', "Name='By the CLI' Key__c=C-1")).id;
    const read = await result('data', 'get', 'record', ...account, '--record-id', made);
    assert.deepEqual([read.Name, read.Key__c], ['By the CLI', 'C-1']);
    await result('data', 'update', 'record', ...account, '--record-id', made, '--values', 'Phone=1');
    assert.equal((await result('data', 'get', 'record', ...account, '--where', 'Key__c=C-1')).Phone, '1');
    await result('data', 'delete', 'record', ...account, '--record-id', made);
    const gone = await sf('data', 'get', 'record', ...account, '--record-id', made, '--target-org', 'org', '--json');
    assert.equal(gone.code === 0, false);
    assert.equal(gone.json.name, 'ENTITY_IS_DELETED', JSON.stringify(gone.json).slice(0, 600));
  },
  'an upsert creates, then updates': async () => {
    const words = (name) => ['/services/data/v66.0/sobjects/Account/Key__c/C-2', '--method', 'PATCH', '--body', JSON.stringify({ Name: name })];
    const first = await rest(...words('First'));
    const second = await rest(...words('Second'));
    assert.deepEqual([first.created, second.created, second.id], [true, false, first.id]);
  },
  'collections and composite have an outcome for each part': async () => {
    const lead = (fields) => ({ attributes: { type: 'Lead' }, Company: 'Collection', ...fields });
    const records = [lead({ LastName: 'One' }), lead({})];
    const body = JSON.stringify({ allOrNone: false, records });
    const outcome = await rest('/services/data/v66.0/composite/sobjects', '--method', 'POST', '--body', body);
    assert.deepEqual(outcome.map((one) => one.errors[0]?.statusCode), [undefined, 'REQUIRED_FIELD_MISSING']);
    const base = '/services/data/v66.0/sobjects';
    const composite = {
      compositeRequest: [
        { method: 'POST', url: `${base}/Account`, referenceId: 'account', body: { Name: 'Composite' } },
        { method: 'GET', url: `${base}/Account/@{account.id}?fields=Name`, referenceId: 'read' },
      ],
    };
    const words = ['--method', 'POST', '--body', JSON.stringify(composite)];
    const response = await rest('/services/data/v66.0/composite', ...words);
    assert.deepEqual(response.compositeResponse.map((part) => part.httpStatusCode), [201, 200]);
    assert.equal(response.compositeResponse[1].body.Name, 'Composite');
  },
  'twenty thousand rows are upserted in bulk': async () => {
    const rows = Array.from({ length: ROWS }, (_, n) => `B-${n},Bulk ${n},${n}\n`);
    const path = await file('rows.csv', `Key__c,Name,AnnualRevenue\n${rows.join('')}`);
    const info = await result('data', 'upsert', 'bulk', '--sobject', 'Account', '--file', path, '--external-id', 'Key__c', '--wait', '5');
    const { processedRecords, successfulRecords, failedRecords } = info.jobInfo ? {
      processedRecords: info.jobInfo.numberRecordsProcessed,
      successfulRecords: info.records.successfulResults.length,
      failedRecords: info.jobInfo.numberRecordsFailed,
    } : info;
    assert.deepEqual([processedRecords, successfulRecords, failedRecords], [ROWS, ROWS, 0], JSON.stringify(info).slice(0, 300));
  },
  'twenty thousand rows are exported in bulk': async () => {
    await admin('settings', { bulk: { page_records: 7_000 } });
    const path = join(home, 'export.csv');
    const soql = "SELECT Id, Name, Key__c FROM Account WHERE Key__c LIKE 'B-%'";
    const info = await result('data', 'export', 'bulk', '--query', soql, '--output-file', path, '--result-format', 'csv', '--wait', '5');
    assert.equal(info.totalSize, ROWS);
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    assert.equal(lines.length, ROWS + 1);
    assert.equal(new Set(lines).size, ROWS + 1);
    assert.equal(lines[0].replaceAll('"', ''), 'Id,Name,Key__c');
  },
  'rows of a bulk job fail one by one': async () => {
    const path = await file('mixed.csv', 'Name,Key__c\nOne by one,C-9\n,C-8\n');
    const words = ['data', 'import', 'bulk', '--sobject', 'Account', '--file', path, '--wait', '5'];
    const failed = await sf(...words, '--target-org', 'org', '--json');
    assert.equal(failed.code, 1, JSON.stringify(failed.json));
    assert.equal(failed.json.name, 'FailedRecordDetailsError', JSON.stringify(failed.json).slice(0, 600));
    const job = JSON.stringify(failed.json).match(/750\w{15}/)[0];
    const info = await result('data', 'bulk', 'results', '--job-id', job);
    assert.deepEqual([info.status, info.processedRecords, info.successfulRecords, info.failedRecords], ['JobComplete', 2, 1, 1]);
    const csv = await readFile(join(home, info.failedFilePath), 'utf8');
    assert.match(csv, /"REQUIRED_FIELD_MISSING:Required fields are missing: \[Name\]:Name --",,C-8/);
  },
  'five thousand rows are read page by page': async () => {
    const found = await result('data', 'query', '--query', "SELECT Id, Name FROM Account WHERE Name LIKE 'Bulk %' LIMIT 5001");
    assert.deepEqual([found.totalSize, found.done, found.records.length], [5_001, true, 5_001]);
    assert.equal(new Set(found.records.map((row) => row.Id)).size, 5_001);
  },
  'a query is shown as CSV by its columns': async () => {
    const soql = "SELECT Name, Owner.Username FROM Account WHERE Key__c = 'C-9'";
    const words = ['data', 'query', '--query', soql, '--result-format', 'csv', '--target-org', 'org'];
    const { code, json } = await sf(...words);
    assert.equal(code, 0, JSON.stringify(json));
    assert.equal(json.unreadable.trim(), `Name,Owner.Username\nOne by one,${ADMIN}`);
  },
  "describe and limits return the org's data": async () => {
    const described = await result('sobject', 'describe', '--sobject', 'Account');
    assert.equal(described.fields.find((field) => field.name === 'Key__c').externalId, true);
    assert.ok((await result('sobject', 'list', '--sobject', 'all')).includes('Opportunity'));
    const limits = await result('org', 'list', 'limits');
    const daily = limits.find((limit) => limit.name === 'DailyApiRequests');
    assert.ok(daily.remaining > 0 && daily.remaining < daily.max, JSON.stringify(daily));
  },
  "refusals have Salesforce's codes": async () => {
    for (const [code, ...words] of [
      ['INVALID_TYPE', 'data', 'query', '--query', 'SELECT Id FROM Nope'],
      ['MALFORMED_QUERY', 'data', 'query', '--query', 'SELECT FROM Account'],
      ['DUPLICATE_VALUE', 'data', 'create', 'record', '--sobject', 'Account', '--values', 'Name=x Key__c=C-2'],
      ['NOT_FOUND', 'sobject', 'describe', '--sobject', 'Nope'],
    ]) {
      const { code: status, json } = await sf(...words, '--target-org', 'org', '--json');
      assert.deepEqual([status, json.name], [1, code], JSON.stringify(json).slice(0, 600));
    }
  },
};

await addKey();
await run('salesforce-cli', checks);
await rm(home, { recursive: true, force: true, maxRetries: 3 });
process.exit(0);
