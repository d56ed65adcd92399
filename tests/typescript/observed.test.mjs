// The options `logger`, `tracing` and `usage`: what functions in TypeScript are given, and what
// a Tail Worker is told of it and of what is traced.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openMember } from '../harness/socket/client.mjs';
import { startApplication } from '../harness/typescript.mjs';

let server;
before(async () => (server = await startApplication('tests/typescript/application/observed.ts', { observed: true })));
after(() => server?.stop());

/** Waits for something that was observed. */
async function observed(what, isIt) {
  const find = () => server.logs.find({ observed: what }).find(isIt);
  while (!find()) await new Promise(setImmediate);
  return find();
}

test('a logger is given what the console is not, and one that throws is in nobody’s way', async () => {
  const player = await openMember(server, { path: '/socket.io/', namespace: '/seen' });
  const { sid } = player.client;
  const { message } = await observed('message', ({ message }) => message.event === 'join' && message.sid === sid);
  const { socket, ...join } = message;
  assert.equal(socket, player.id);
  assert.deepEqual(join, { level: 'info', event: 'join', server: '/socket.io/', sid, namespace: '/seen', recovered: 'false' });
  await server.logs.waitForLine(/from the logger, as asked for/);
  const { indexes } = await observed('point', ({ blobs }) => blobs[0] === 'wake');
  assert.match(indexes[0], /^[0-9a-f]{64}$/);
  assert.deepEqual(await player.ask('wait'), ['waited']);
  assert.deepEqual(server.logs.find({ event: 'join' }), []);
  await player.client.close();
});

test('a listener is traced until it has returned, with what it asks of the platform', async () => {
  const player = await openMember(server, { path: '/socket.io/', namespace: '/seen' });
  const connected = await observed('span', ({ name }) => name === 'connect /seen');
  assert.equal(connected.attributes['messaging.system'], 'socket.io');
  await player.ask('wait');
  const waited = await observed('span', ({ attributes }) => attributes['socketio.ack']);
  assert.equal(waited.name, 'process /seen');
  const below = await observed('span', ({ name, parent }) => name === 'fetch' && parent.startsWith('process'));
  assert.equal(below.parent, 'process /seen');
});

test('what is counted of what is billed is told, and said to whoever asks', async () => {
  const watcher = await openMember(server, { path: '/socket.io/', namespace: '/usage' });
  const { client } = watcher;
  await server.sleep(client.sid);
  await watcher.emit('count');
  const [event, usage] = (await client.packet()).data;
  assert.equal(event, 'usage');
  assert.deepEqual([usage.wakes, usage.wokenBy.message, usage.messages, usage.requests], [1, 1, 1, 0]);
  assert.ok(usage.nanodollars >= 7, JSON.stringify(usage));
  // What it throws is in nobody's way.
  await server.logs.waitForLine(/the function `usage` failed.*from the function that counts, as asked for/s);
  const [since] = await watcher.ask('count');
  assert.deepEqual([since.wakes, since.messages], [1, 2]);
  const [elsewhere, [object]] = await (await fetch(`${server.url}/usage`)).json();
  assert.equal(elsewhere, null);
  await observed('span', ({ attributes }) => attributes['socketio.from_server'] && attributes['socketio.event'] === 'usage');
  assert.deepEqual([object.wakes, object.messages, object.calls], [1, 2, 1]);
  await observed('span', ({ name, status }) => name === 'usage' && status === undefined);
  await client.close();
});
