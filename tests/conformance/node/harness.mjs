// Functions that the checks in JavaScript share.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

export const ADMIN = 'admin@larkspur.example';
export const ROWS = 20_000;
export const URL_OF_ORG = process.env.ORG_URL;

/** Loads a package that was installed below the target folder. */
export const load = createRequire(`${process.env.TOOLS}/node/`);

/** Sends a request to the simulator's admin API. */
export async function admin(path, body) {
  const response = await fetch(`${URL_OF_ORG}/_simulator/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

/** Adds an external id field to Account. */
export async function addKey() {
  const key = { name: 'Key__c', type: 'string', length: 40, external_id: true, unique: true };
  await admin('objects', { name: 'Account', fields: [key] });
}

/** Checks that the call is refused with this code. */
export async function refused(code, call) {
  let error;
  try {
    await call();
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, `the call was not refused with ${code}`);
  assert.equal(error.errorCode ?? error.name, code, String(error));
  return error;
}

/** Runs the checks in turn and prints a line for each. */
export async function run(client, checks) {
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log(`passed  ${client}: ${name}`);
    } catch (error) {
      console.log(`FAILED  ${client}: ${name}: ${String(error?.message ?? error).replaceAll('\n', ' ').slice(0, 900)}`);
    }
  }
  console.log('end of checks');
}
