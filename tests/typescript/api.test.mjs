// socket.io's interface, call by call, awake and asleep between any two steps.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { io } from 'socket.io-client';
import { startApplication } from '../harness/typescript.mjs';
import { Queue, within } from '#dormouse-test/wait.mjs';

for (const mode of ['awake', 'asleep', 'strict']) describe(mode, () => suite(mode));

function suite(mode) {
  const replays = mode !== 'awake';
  let server;
  let first;
  const open = [];
  before(async () => (server = await startApplication('tests/typescript/application/api.ts', { strict: mode === 'strict' })));
  after(async () => {
    for (const socket of open) socket.close();
    await server?.stop();
  });

  async function connect(namespace = '/', options = {}) {
    const socket = io(`${server.url}${namespace}`, { transports: ['websocket'], forceNew: true, ...options });
    open.push(socket);
    socket.heard = new Queue();
    for (const event of ['heard', 'message']) socket.on(event, (text) => socket.heard.push(text));
    socket.on('double', (number, ack) => ack(number * 2));
    socket.on('maybe', (ack) => socket.auth?.name === 'Ada' && ack('yes'));
    const refused = new Promise((_, reject) => socket.on('connect_error', reject));
    await within(Promise.race([once(socket, 'connect'), refused]), 'connect');
    first ??= socket.id;
    return socket;
  }

  async function sleep() {
    if (mode === 'asleep') assert.equal(await server.sleep(first), true);
  }

  /** Returns what an event is acknowledged with, as a list. */
  async function ask(socket, ...event) {
    await sleep();
    const { promise, resolve } = Promise.withResolvers();
    socket.emit(...event, (...values) => resolve(values));
    return within(promise, event[0]);
  }

  async function hears(socket, ...texts) {
    for (const text of texts) assert.equal(await socket.heard.next(text), text);
  }

  test('what is known of a socket', async () => {
    const socket = await connect('/', { auth: { name: 'Ada' }, query: { q: 'x' } });
    const [known] = await ask(socket, 'describe');
    const { url, ...rest } = known;
    assert.match(url, /^\/socket\.io\/\?.*q=x/);
    assert.deepEqual(rest, {
      id: socket.id,
      nsp: '/',
      auth: { name: 'Ada' },
      q: 'x',
      // The client for Node sends none over WebSocket.
      agent: 'undefined',
      recovered: false,
      replayed: replays,
      connected: true,
      disconnected: false,
      transport: 'websocket',
    });
    assert.deepEqual(await ask(socket, 'rooms', 'a'), [['a']]);
  });

  test('acknowledgements that clients give', async () => {
    const socket = await connect();
    assert.deepEqual(await ask(socket, 'callback'), [42]);
    assert.deepEqual(await ask(socket, 'timed'), ['operation has timed out']);
    assert.deepEqual(await ask(socket, 'timed well'), [null, 8]);
    assert.deepEqual(await ask(socket, 'asked'), [16, 18]);
    assert.deepEqual(await ask(socket, 'silence'), ['operation has timed out']);
  });

  test('flags, and events without a name', async () => {
    const socket = await connect();
    await ask(socket, 'flags');
    await hears(socket, 'volatile', 'compressed', 'sent', 'written');
  });

  test('many sockets', async () => {
    const [ada, bob] = [await connect('/', { auth: { name: 'Ada' } }), await connect('/', { auth: { name: 'Bob' } })];
    for (const socket of [ada, bob]) await ask(socket, 'rooms', 'pair');
    const answers = await ask(ada, 'everybody', 'pair');
    assert.deepEqual(answers, [
      [4, 4],
      ['operation has timed out', ['yes']],
      2,
      2,
      [
        [true, 'Ada', 'Ada'],
        [true, 'Bob', 'Bob'],
      ],
    ]);
    assert.deepEqual(await ask(ada, 'count', 'pair'), [1, 2, 0]);
    const counted = await fetch(`${server.url}/count?room=pair&room=${ada.id}`);
    assert.equal(await counted.json(), 2);
    await ask(bob, 'rooms', 'quiet');
    await ask(ada, 'others', 'pair');
    await hears(bob, 'to', 'broadcast', 'local', 'all');
    await hears(ada, 'all');
    assert.deepEqual(await ask(ada, 'remote', bob.id), [100, 1]);
    await hears(bob, 'remote');
    assert.deepEqual(await ask(ada, 'moved', 'pair', 'other'), [2, 0]);
  });

  test('sockets that are disconnected', async () => {
    const witness = await connect();
    await ask(witness, 'rooms', 'witness');
    const ends = async (how, ...said) => {
      const socket = await connect();
      const ended = once(socket, 'disconnect');
      await sleep();
      how(socket);
      assert.equal((await within(ended, 'disconnect'))[0], 'io server disconnect');
      await hears(witness, ...said);
    };
    const said = ['disconnecting server namespace disconnect true', 'disconnect server namespace disconnect 0'];
    await ends(({ id }) => witness.emit('thrown out', id, false, () => {}), ...said);
    await ends((socket) => socket.emit('leave me', false), ...said);
    await ends((socket) => socket.emit('leave me', true), ...said);
    await assert.rejects(connect('/leaving'), /rejected by server/);
    const left = await connect('/handled');
    await sleep();
    left.close();
    await hears(witness, 'handled client namespace disconnect /handled');
  });

  test('data is saved, and what listeners do to it again is not', async () => {
    const socket = await connect('/', { auth: { name: 'Ada' } });
    assert.deepEqual(await ask(socket, 'data', 'a', [1]), [{ name: 'Ada', a: [1] }]);
    assert.deepEqual(await ask(socket, 'data', 'name', null), [{ a: [1] }]);
    // The `connection` listener would set the name again.
    assert.deepEqual(await ask(socket, 'data', 'b', 2), [{ a: [1], b: 2 }]);
    assert.deepEqual(await ask(socket, 'data anew', { c: 3 }), [{ c: 3 }]);
    assert.deepEqual(await ask(socket, 'data', 'd', 4), [{ c: 3, d: 4 }]);
    await ask(socket, 'too much data');
    await server.logs.waitForLine(/socket\.data was not saved/);
  });

  test('checks and listeners of all events', async () => {
    const socket = await connect();
    assert.deepEqual(await ask(socket, 'slow'), ['slow']);
    socket.emit('forbidden');
    await hears(socket, 'error forbidden');
    const [log] = await ask(socket, 'log');
    // Before, it was another memory.
    const before = ['first slow', 'any slow', 'first forbidden', 'any forbidden', 'out heard error forbidden'];
    const now = ['first log', 'any log', 'out heard logged'];
    assert.deepEqual(log, replays ? now : [...before, ...now]);
  });

  test('listeners that are called once, or removed', async () => {
    const socket = await connect();
    assert.deepEqual(await ask(socket, 'once'), ['first']);
    assert.deepEqual(await ask(socket, 'once'), [replays ? 'first' : 'then']);
    assert.deepEqual(await ask(socket, 'removed'), ['left']);
  });

  test('listeners that fail', async () => {
    const socket = await connect();
    assert.deepEqual(await ask(socket, 'throw'), [{ error: 'internal error' }]);
    assert.deepEqual(await ask(socket, 'throw later'), [{ error: 'internal error' }]);
    assert.deepEqual(await ask(socket, 'sum', 1, 2), [3]);
  });

  test('arguments that are not what they should be', async () => {
    const socket = await connect();
    assert.deepEqual(await ask(socket, 'sum', 1, 2), [3]);
    const [{ error }] = await ask(socket, 'sum', 1, 'x');
    assert.match(error, /^argument 2: /);
    assert.deepEqual(await ask(socket, 'trim', '  x '), ['x']);
    assert.deepEqual(await ask(socket, 'late', 'good'), ['good']);
    assert.deepEqual(await ask(socket, 'late', 'bad'), [{ error: 'argument 1: is not good' }]);
  });

  test('namespaces with handlers alone', async () => {
    const socket = await connect('/handled');
    assert.deepEqual(await ask(socket, 'value', 1), [2]);
    assert.deepEqual(await ask(socket, 'later', 1), [3]);
    assert.deepEqual(await ask(socket, 'itself'), ['itself']);
    assert.deepEqual(await ask(socket, 'checked'), [true]);
    assert.deepEqual(await ask(socket, 'throw'), [{ error: 'internal error' }]);
  });

  test('namespaces of regular expressions and functions', async () => {
    const [one, two] = [await connect('/room-1'), await connect('/room-2')];
    assert.deepEqual(await ask(one, 'describe'), ['/room-1']);
    assert.deepEqual(await ask(two, 'describe'), ['/room-2']);
    await ask(one, 'all');
    await hears(one, 'all of /room-1');
    const own = await connect('/of-Ada', { auth: { name: 'Ada' } });
    assert.deepEqual(await ask(own, 'describe'), ['/of-Ada']);
    await assert.rejects(connect('/of-Bob', { auth: { name: 'Ada' } }), /Invalid namespace/);
  });

  test('handshakes that are refused, and what they are answered', async () => {
    const refused = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling&deny=1`);
    assert.deepEqual([refused.status, await refused.json()], [403, { code: 4, message: 'not today' }]);
    const headers = { origin: 'https://app.example' };
    const answer = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`, { headers });
    assert.equal(answer.headers.get('access-control-allow-origin'), 'https://app.example');
    assert.match(answer.headers.get('set-cookie'), /^sid=[^;]+; Path=\/; HttpOnly; SameSite=Lax/);
    assert.equal((await fetch(`${server.url}/else`)).status, 404);
  });

  test('clients that come back', async () => {
    const socket = await connect();
    await ask(socket, 'rooms', 'kept');
    const { id } = socket;
    await sleep();
    const back = once(socket, 'connect');
    socket.io.engine.close();
    await within(back, 'connect');
    assert.deepEqual([socket.id, socket.recovered], [id, true]);
    assert.deepEqual(await ask(socket, 'rooms', 'kept'), [['kept']]);
  });

  test('what is not offered says what to do', async () => {
    const socket = await connect();
    const [errors] = await ask(socket, 'not offered');
    const expected = [/fetch: io\.fetch/, /fetchSockets/, /allowRequest/, /handshake/, /transport\.name/, /too late/, /too late/, /reserved event name/, /has to be a text/];
    for (const [index, pattern] of expected.entries()) assert.match(errors[index], pattern);
    assert.equal(errors.length, expected.length);
  });

  test('a listener that never ends of itself', async () => {
    const [socket, other] = [await connect(), await connect()];
    socket.emit('overflow');
    await server.logs.waitForLine(/Maximum call stack size exceeded/);
    assert.deepEqual(await ask(other, 'sum', 2, 2), [4]);
    assert.deepEqual(await ask(socket, 'sum', 3, 2), [5]);
  });

  test('a wasm instance that has ended is followed by another', async () => {
    const [socket, other] = [await connect(), await connect()];
    const [instance] = await ask(socket, 'end');
    // Its objects are gone, and their sockets have other numbers.
    for (const each of [socket, other]) assert.deepEqual(await ask(each, 'sum', 2, 2), [4]);
    assert.ok((await ask(other, 'end'))[0] > instance);
    assert.deepEqual(await ask(other, 'data', 'a', 1), [{ a: 1 }]);
    assert.equal((await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`)).status, 200);
  });
}
