// The ready-made loggers: what a Tail Worker is told on a diagnostics channel, and what is
// written into a dataset.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { objectId } from '../harness/runtime/built.mjs';
import { startServer } from '../harness/server.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';

const PATH = '/observed/';

/** Waits for something that was observed. */
async function observed(logs, what, isIt) {
  const find = () => logs.find({ observed: what }).find(isIt);
  while (!find()) await new Promise(setImmediate);
  return find();
}

describe('what others observe of the log', workerOnly, async () => {
  const server = await startServer({ observed: true });
  after(() => server.stop());
  const { logs } = server;
  const message = (event, sid) =>
    observed(logs, 'message', ({ message }) => message.event === event && (!sid || message.sid === sid));

  test('is a message on a channel for each line', async () => {
    const player = await openMember(server, { path: PATH });
    const { sid } = player.client;
    const { channel, message: join } = await message('join', sid);
    assert.equal(channel, 'dormouse:log');
    const { socket, ...others } = join;
    assert.equal(socket, player.id);
    assert.deepEqual(others, { level: 'info', event: 'join', server: PATH, sid, namespace: '/', recovered: 'false' });
    await player.ask('fail', 'as "asked"');
    const failed = await message('handler failed', sid);
    assert.deepEqual([failed.message.level, failed.message.message], ['error', 'as "asked"']);
    // The console is given the same.
    await logs.waitFor({ event: 'handler failed', sid });
    await player.client.close();
  });

  test('is a data point for each line, without what says who somebody is', async () => {
    const player = await openMember(server, { path: PATH });
    const { sid } = player.client;
    const object = objectId(sid);
    await server.sleep(sid);
    await player.ask('fail', 'their words');
    const { indexes, blobs, doubles } = await observed(logs, 'point', ({ blobs }) => blobs[0] === 'handler failed');
    assert.deepEqual([indexes, blobs, doubles], [[object], ['handler failed', 'error', PATH, '', '/', 'fail'], [1]]);
    const woken = await observed(logs, 'point', ({ blobs }) => blobs[0] === 'wake' && blobs[3] === 'message');
    assert.deepEqual([woken.indexes, woken.blobs, woken.doubles], [[object], ['wake', 'info', PATH, 'message', '', ''], [1]]);
    await player.client.close();
    await observed(logs, 'point', ({ blobs }) => blobs[0] === 'disconnect');
    for (const point of logs.find({ observed: 'point' })) {
      const text = JSON.stringify(point);
      for (const secret of [sid, player.id, 'their words']) assert.ok(!text.includes(secret), text);
    }
  });

  test('is told once where the binding is missing', async () => {
    for (let client = 0; client < 2; client += 1) {
      const player = await openMember(server, { path: '/unbound/' });
      assert.deepEqual(await player.ask('who'), [player.id, '/']);
    }
    const told = () => logs.find({ event: 'misconfigured' }).filter(({ message }) => message.includes('NOWHERE'));
    while (!told().length) await new Promise(setImmediate);
    assert.equal(told().length, 1);
    assert.match(told()[0].message, /binding NOWHERE.*\[\[analytics_engine_datasets\]\]/);
  });
});

describe('without Node’s modules', workerOnly, async () => {
  const server = await startServer({ observed: true, flags: ['no_nodejs_compat', 'no_nodejs_compat_v2'] });
  after(() => server.stop());
  const { logs } = server;

  test('the console is given what would be on the channel, and is told why', async () => {
    const player = await openMember(server, { path: PATH });
    const { message } = await logs.waitFor({ event: 'misconfigured' });
    assert.match(message, /diagnostics_channel.*nodejs_compat/);
    // Once as the channel's, and once as its own.
    const { sid } = player.client;
    while (logs.find({ event: 'join', sid }).length < 2) await new Promise(setImmediate);
    assert.deepEqual(await player.ask('who'), [player.id, '/']);
    assert.deepEqual(logs.find({ observed: 'message' }), []);
    assert.equal(logs.find({ event: 'misconfigured' }).length, 1);
  });
});
