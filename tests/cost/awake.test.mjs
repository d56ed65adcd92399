// Objects that may sleep do, and those that may not do not.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openSession } from '../harness/engine/session.mjs';
import { startMetered } from '../harness/meter/metered.mjs';
import { openClient } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';

const MINUTE = 60_000;
const PASSWORD = 'correct horse battery staple';

describe('an object with an idle client', workerOnly, () => {
  let metered;
  before(async () => (metered = await startMetered({ variables: { ADMIN_PASSWORD: PASSWORD } })));
  after(() => metered?.stop());

  for (const [path, keeps] of [['/io/', 'nothing'], ['/admin/', 'nothing'], ['/awake/', 'a timer']]) {
    test(`has ${keeps} that keeps it awake: ${path}`, async () => {
      const object = `awake${path.replaceAll('/', '-')}`;
      await openSession(metered, { path, query: { object } });
      const { timer } = await metered.state(object);
      assert.equal(timer !== null, keeps !== 'nothing');
    });
  }

  test('has a timer as long as somebody watches, and nothing is stored for it', async () => {
    const object = 'watched';
    const client = await openClient(metered, { path: '/admin/', query: { object } });
    const before = await metered.state(object);
    assert.equal(before.timer, null);
    await client.send(`0/admin,${JSON.stringify({ username: 'admin', password: PASSWORD })}`);
    assert.match(await client.next('answer to CONNECT'), /^0\/admin,/);
    for (const event of ['session', 'config', 'server_stats']) {
      assert.ok((await client.next(event)).startsWith(`2/admin,["${event}"`), event);
    }
    const watched = await metered.state(object);
    assert.notEqual(watched.timer, null);
    await client.send('1/admin,');
    await client.send('0/plain,');
    assert.match(await client.next('answer to CONNECT'), /^0\/plain,/);
    const after = await metered.state(object);
    assert.equal(after.timer, null);
    for (const { counts } of [watched, after]) assert.equal(counts.rowsWritten, before.counts.rowsWritten);
  });
});
