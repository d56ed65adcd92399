// A logger of the application's own is given what would be on the console. One that
// panics takes nobody along.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { openClient, openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const PATH = '/logged/';

/** A server of its own: its isolate remembers that a logger has panicked. */
async function start() {
  const server = await startServer();
  const { logs } = server;
  const given = async (event, sid) => {
    const isIt = ({ logged, fields }) => logged === event && (!sid || fields.sid === sid);
    while (!logs.events.some(isIt)) await new Promise(setImmediate);
    return logs.events.find(isIt);
  };
  const open = (transport = 'websocket') => openMember(server, { path: PATH, transport });
  return { server, logs, given, open };
}

describe('a logger', workerOnly, async () => {
  const { server, logs, given, open } = await start();
  after(() => server.stop());

  for (const transport of ['websocket', 'polling']) {
    test(`is given what the console is not: ${transport}`, async () => {
      const player = await open(transport);
      const { sid } = player.client;
      const { server: path, level, fields, line } = await given('join', sid);
      assert.deepEqual([path, level, fields.namespace], [PATH, 'Info', '/']);
      assert.deepEqual(JSON.parse(line), { level: 'info', event: 'join', ...fields });
      await player.ask('fail', 'as asked');
      assert.equal((await given('handler failed', sid)).fields.message, 'as asked');
      await player.client.close();
      await given('disconnect', sid);
      assert.deepEqual(logs.find({ sid }), []);
    });
  }

  test('is given nothing beyond its level', async () => {
    await fetchRaw(server, { path: PATH, query: 'EIO=4&transport=nothing' });
    const player = await open();
    await given('join', player.client.sid);
    assert.ok(!logs.events.some(({ logged }) => logged === 'refused'));
  });

  test('is told of a handler that panics', async () => {
    const player = await open();
    await player.emit('panic');
    const { fields, level } = await given('handler panicked', player.client.sid);
    assert.deepEqual([fields.handler, level], ['event', 'Error']);
    assert.deepEqual(await player.ask('who'), [player.id, '/']);
  });
});

describe('a logger that panics', workerOnly, async () => {
  const { server, logs, open } = await start();
  after(() => server.stop());

  test('takes nobody along, and the console is given what follows', async () => {
    const others = [await open('websocket'), await open('polling')];
    await others[1].ask('set-data', { kept: true });
    const player = await open();
    const held = others[1].client.listen();
    assert.deepEqual(await player.ask('fail', 'panic in the logger'), [{ error: 'internal error' }]);
    await logs.waitFor({ event: 'logger panicked', level: 'error' });
    await logs.waitFor({ event: 'handler failed', message: 'panic in the logger' });
    await held;
    for (const [index, one] of [...others, player].entries()) {
      assert.deepEqual(await one.ask('who'), [one.id, '/'], `client ${index}`);
    }
    assert.deepEqual(await others[1].ask('get-data'), [{ kept: true }]);
    const newcomer = await openClient(server, { path: PATH });
    await logs.waitFor({ event: 'connect', sid: newcomer.sid });
    assert.equal(logs.find({ event: 'logger panicked' }).length, 1);
    await player.client.close();
    await logs.waitFor({ event: 'disconnect', sid: player.client.sid });
  });
});
