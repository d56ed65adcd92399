// What is billed for in a server of many objects, in a sample of what `npm run cost` counts;
// and figures that break each of the promises.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startMetered } from '../harness/meter/metered.mjs';
import { workerOnly } from '../harness/target.mjs';
import { CONNECT, NOTHING, brokenByMany, countMany, priceOfMany, promised } from './many.mjs';

describe('many objects', workerOnly, () => {
  let metered;
  before(async () => (metered = await startMetered()));
  after(() => metered?.stop());

  test('cost what is promised', async () => {
    const rows = await countMany(metered, [1, 10]);
    for (const row of rows) assert.deepEqual(brokenByMany(row), [], JSON.stringify(row));
    assert.deepEqual(new Set(rows.map(({ what }) => what)), new Set(promised), 'all are counted');
  });
});

describe('a promise is broken', () => {
  const nothing = { fetches: 0, messages: 0, alarms: 0, alarmsSet: 0, rowsWritten: 0, rowsRead: 0 };
  const spent = { ...nothing, wakes: 0, held: 0, pending: 0 };
  const row = (what, more) => ({ what, objects: 10, times: 20, spent: { ...spent, ...more } });

  for (const what of promised) {
    test(`by too many calls: ${what}`, () => {
      assert.deepEqual(brokenByMany(row(what)), []);
      assert.equal(brokenByMany(row(what, { fetches: 1_000 })).length, 1);
    });
    test(`by too many rows: ${what}`, () => {
      assert.equal(brokenByMany(row(what, { rowsWritten: 1_000 })).length, 1);
    });
  }

  for (const name of ['alarms', 'alarmsSet', 'wakes', 'held', 'pending', 'fetches', 'rowsWritten']) {
    test(`by ${name} where nothing happens`, () => {
      assert.equal(brokenByMany(row(NOTHING, { [name]: 1 })).length, 1);
    });
  }

  test('and the price is that of requests and rows', () => {
    const price = priceOfMany({ ...row(CONNECT, { fetches: 1, messages: 20, rowsWritten: 1, rowsRead: 1_000 }), times: 1 });
    assert.ok(Math.abs(price - (0.15 + 0.15 + 1 + 1)) < 1e-9, price);
  });
});
