// Objects that may sleep do, and those that may not do not.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openSession } from '../harness/engine/session.mjs';
import { startMetered } from '../harness/meter/metered.mjs';
import { workerOnly } from '../harness/target.mjs';

const MINUTE = 60_000;

describe('an object with an idle client', workerOnly, () => {
  let metered;
  before(async () => (metered = await startMetered()));
  after(() => metered?.stop());

  for (const [path, keeps] of [['/io/', 'nothing'], ['/awake/', 'a timer']]) {
    test(`has ${keeps} that keeps it awake: ${path}`, async () => {
      const object = `awake${path.replaceAll('/', '-')}`;
      await openSession(metered, { path, query: { object } });
      const { timer } = await metered.state(object);
      assert.equal(timer !== null, keeps !== 'nothing');
    });
  }
});
