// `connection` listeners, whose closures are gone after sleep and are made again.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { startApplication } from '../harness/typescript.mjs';
import { Queue, within } from '#dormouse-test/wait.mjs';

// With a compatibility date of 2026, AsyncLocalStorage is there unless it is switched off.
const NOBODY_FOLLOWS = ['no_nodejs_compat', 'no_nodejs_compat_v2', 'no_nodejs_als'];

async function start(t, name, options) {
  const server = await startApplication(`tests/typescript/application/${name}.ts`, options);
  t.after(() => server.stop());
  return server;
}

async function open(t, server, namespace = '/', auth = {}) {
  const socket = io(`${server.url}${namespace}`, { transports: ['websocket'], forceNew: true, auth });
  t.after(() => socket.close());
  socket.said = new Queue();
  socket.on('said', (text) => socket.said.push(text));
  socket.on('name?', (ack) => ack('Ada'));
  await within(once(socket, 'connect'), 'connect');
  return socket;
}

const ask = (socket, ...event) => socket.timeout(8_000).emitWithAck(...event);

async function says(socket, ...texts) {
  for (const text of texts) assert.equal(await socket.said.next(`${text}`), text);
}

test('what listeners do through the socket happens once', async (t) => {
  const server = await start(t, 'replay');
  const socket = await open(t, server);
  await says(socket, 'before', 'after', 'everybody');
  const first = await ask(socket, 'what');
  const data = { connections: 1, waited: 1, name: 'Ada' };
  assert.deepEqual(first, { middleware: 1, listener: 1, replayed: false, data, rooms: ['after', 'before'] });
  await says(socket, 'timer');
  await ask(socket, 'leave room');

  assert.equal(await server.sleep(socket.id), true);
  // These come while the listener waits, and wait for it, in order.
  for (const number of [1, 2, 3]) socket.emit('ordered', number);
  const second = await ask(socket, 'what');
  assert.deepEqual(second, { middleware: 1, listener: 2, replayed: true, data, rooms: ['after'] });
  await says(socket, 1, 2, 3, 'timer');
});

test('a question is not asked again, and the error says so', async (t) => {
  const server = await start(t, 'replay');
  const socket = await open(t, server, '/asks');
  assert.equal(await ask(socket, 'late'), 'late');
  assert.equal(await server.sleep(socket.id), true);
  assert.equal(await ask(socket, 'early'), 'early');
  await server.logs.waitForLine(/ask only `if \(!socket\.replayed\)`/);
});

test('the callback of a question is not called again', async (t) => {
  const server = await start(t, 'replay');
  const socket = await open(t, server, '/calls');
  const answers = () => ask(socket, 'answers');
  while ((await answers()).length < 2);
  assert.deepEqual(await answers(), ['Ada', ['Ada']]);
  assert.equal(await server.sleep(socket.id), true);
  assert.deepEqual(await answers(), ['Ada', ['Ada']]);
});

test('a socket that a listener disconnects', async (t) => {
  const server = await start(t, 'replay');
  const staying = await open(t, server, '/sync');
  await says(staying, 'hello');
  assert.equal(await server.sleep(staying.id), true);
  assert.equal(await ask(staying, 'what'), true);
  const leaving = await open(t, server, '/sync', { leave: true });
  if (leaving.connected) await within(once(leaving, 'disconnect'), 'disconnect');
  await says(leaving, 'hello');
});

test('without AsyncLocalStorage, the Worker does not start', async (t) => {
  await assert.rejects(start(t, 'replay', { flags: NOBODY_FOLLOWS }), /nodejs_als/);
});

test('without replay, it is not needed', async (t) => {
  const server = await start(t, 'no-replay', { flags: NOBODY_FOLLOWS });
  const socket = await open(t, server);
  assert.match(await ask(socket, 'error'), /would be lost when the object sleeps; use io\.handle\("chat"/);
  socket.on('heard', (text) => socket.said.push(text));
  for (const text of ['hello', 'again']) {
    assert.equal(await ask(socket, 'shout', text), 'shouted');
    await says(socket, text);
    assert.equal(await server.sleep(socket.id), true);
  }
});

test('strict mode forgets what sleep forgets, and warns', async (t) => {
  for (const strict of [false, true]) {
    const server = await start(t, 'strict', { strict });
    const socket = await open(t, server);
    assert.equal(await ask(socket, 'count'), 1);
    assert.equal(await ask(socket, 'count'), strict ? 1 : 2);
    assert.equal(await ask(socket, 'timer'), 'late');
    await ask(socket, 'listen');
    if (strict) {
      await server.logs.waitForLine(/setTimeout .* is called by a handler/);
      await server.logs.waitForLine(/"lost" is registered outside/);
      await assert.rejects(socket.timeout(100).emitWithAck('lost'));
    } else {
      assert.equal(await ask(socket, 'lost'), 'heard');
    }
  }
});
