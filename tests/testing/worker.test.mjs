// What the package dormouse-test does to a Worker, with a stock client.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { io } from 'socket.io-client';
import { start } from '#dormouse-test/index.mjs';
import { workerOnly } from '../harness/target.mjs';
import { buildProject } from './project.mjs';

const folder = workerOnly.skip ? undefined : await buildProject({ vars: { API_SECRET: 'theirs' } });

let objects = 0;
/** Connects a client that is alone in its object. */
function connect(worker, options = {}) {
  objects += 1;
  return worker.connect(io, { path: '/keyed/', query: { key: `object-${objects}` }, ...options });
}

/** It is there, and its object answers it. */
async function answers(client) {
  assert.equal(await client.ask('who'), client.id);
}

/** It has lost its connection, and has another one. */
async function connectsAgain(client, id) {
  await client.next('disconnect');
  await client.next('connect');
  assert.notEqual(client.id, id);
  await answers(client);
}

describe('a started Worker', { ...workerOnly, concurrency: true }, () => {
  let worker;
  before(async () => (worker = await start({ folder, quiet: true })));
  after(() => worker?.stop());

  test('an object that sleeps keeps its clients, and hears them', async () => {
    const ada = await connect(worker);
    assert.equal(await worker.sleep(ada), 1);
    assert.equal(await worker.sleep(ada.id), 0, 'it sleeps already');
    const { wakes } = await worker.meter.spent(() => answers(ada), ada);
    assert.equal(wakes, 1);
    assert.equal(ada.heard('disconnect').length, 0);
  });

  test('one that has something to do does not sleep', async () => {
    const ada = await connect(worker, { transports: ['polling'] });
    await assert.rejects(worker.sleep(ada), /cannot sleep: it has unanswered requests \(1\)/);
    await answers(ada);
  });

  test('a crash, and a deploy that meets an object asleep', async () => {
    const ada = await connect(worker);
    const { id } = ada;
    assert.equal(await worker.abort(ada), 1);
    await connectsAgain(ada, id);
    const { id: second } = ada;
    await worker.sleep(ada);
    assert.equal(await worker.closeWebSockets(ada), 1);
    await connectsAgain(ada, second);
  });

  test('a message is a message, and writes nothing', async () => {
    const ada = await connect(worker, { transports: ['websocket'] });
    const spent = await worker.meter.spent(() => answers(ada), ada);
    const nothing = { requests: 0, alarms: 0, rowsWritten: 0, rowsRead: 0, wakes: 0, workerRequests: 0 };
    assert.deepEqual({ ...spent, workerRequests: 0 }, { ...nothing, messages: 1, sent: 1 });
  });

  test('a client that is refused says why', async () => {
    const refused = connect(worker, { namespace: '/nobody-has-this' });
    await assert.rejects(refused, { message: 'Invalid namespace' });
  });

  test('what does not name an object is an error', async () => {
    await assert.rejects(worker.sleep('nobody'), /“nobody” is neither/);
    await assert.rejects(worker.abort({}), /“undefined” is neither/);
  });
});

describe('a Worker that is killed', workerOnly, () => {
  test('has its rows, its address and its meter afterwards; all of it sleeps', async (t) => {
    const variables = { API_SECRET: 'ours' };
    const worker = await start({ folder, quiet: true, variables });
    t.after(() => worker.stop());
    const all = [await connect(worker), await connect(worker)];
    assert.equal(await worker.sleep(), 2);
    for (const client of all) await answers(client);
    const before = await worker.meter.total();
    const ids = all.map(({ id }) => id);
    // A busy machine needs seconds for what comes before it.
    await all[0].ask('set-alarm', 'say-up', 8_000);
    await worker.kill();
    await assert.rejects(worker.sleep(), /is not running/);
    await worker.restart();
    for (const [index, client] of all.entries()) await connectsAgain(client, ids[index]);
    assert.deepEqual(await all[0].next('alarm'), ['up', 'say-up']);
    const since = await worker.meter.total();
    assert.ok(since.messages > before.messages);

    const body = JSON.stringify({ event: 'x' });
    const send = (secret) => {
      const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' };
      return fetch(`${worker.url}/io/api/v1/emit`, { method: 'POST', headers, body });
    };
    assert.equal((await send('theirs')).status, 401);
    assert.equal((await send('ours')).status, 200);
  });
});

describe('the clock of a Worker', workerOnly, () => {
  let worker;
  before(async () => (worker = await start({ folder, quiet: true, clock: 'manual' })));
  after(() => worker?.stop());

  test('hours of heartbeats pass at once, and clients are still there', async () => {
    const [ada, bob] = [await connect(worker), await connect(worker, { transports: ['polling'] })];
    const began = await worker.clock.now();
    const spent = await worker.meter.spent(() => worker.clock.advance(600_000), ada);
    assert.equal(await worker.clock.now(), began + 600_000);
    const { alarms, rowsWritten, messages, wakes } = spent;
    assert.deepEqual({ alarms, rowsWritten, messages, wakes }, { alarms: 24, rowsWritten: 24, messages: 0, wakes: 24 });
    for (const client of [ada, bob]) {
      assert.equal(client.heard('disconnect').length, 0);
      await answers(client);
      client.close();
    }
  });

  test('an alarm goes off when its time has come, and not before, also after the runtime was killed', async () => {
    const ada = await connect(worker);
    for (const [name, kills] of [['up', false], ['up-again', true]]) {
      await ada.ask('set-alarm', `say-${name}`, 600_000);
      await worker.clock.advance(300_000);
      if (kills) {
        const { id } = ada;
        await worker.kill();
        await worker.restart();
        await connectsAgain(ada, id);
      }
      await worker.clock.advance(290_000);
      assert.equal(ada.heard('alarm').length, 0);
      await worker.clock.advance(10_000);
      assert.deepEqual(await ada.next('alarm'), [name, `say-${name}`]);
    }
  });

  test('it does not go backwards', async () => {
    for (const wrong of [-1, 'soon', undefined, Infinity]) await assert.rejects(worker.clock.advance(wrong), /time goes forward/);
  });
});
