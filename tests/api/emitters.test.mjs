// What existing applications send with, pointed at the HTTP API: `@socket.io/redis-emitter`
// from npm, and the write-only manager of python-socketio. docs/http-api.md has the few
// lines that they take.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Emitter } from '@socket.io/redis-emitter';
import { encode } from 'notepack.io';
import { apiOf, bearer, secret, startWithApi } from '../harness/api.mjs';
import { prepared } from '../harness/clients/program.mjs';
import { join, newest } from '../harness/clients/socket.mjs';
import { freshNamespace } from '../harness/socket/client.mjs';

const server = await startWithApi();
after(() => server.stop());
const api = apiOf(server);

async function company(path = '/io/', options) {
  const namespace = freshNamespace();
  const one = async (rooms) => {
    const player = await join(server, newest, { path, namespace, auth: { rooms }, ...options });
    after(() => player.close());
    return player.listen('x', 'last');
  };
  return { namespace, players: await Promise.all([['a'], ['a', 'b'], []].map(one)) };
}

/** Checks who of them has got `x` with these arguments, and that the others have not. */
async function heard({ namespace, players }, indices, ...args) {
  await api.post('emit', { namespace, event: 'last' });
  for (const [index, player] of players.entries()) {
    await player.next('last');
    assert.deepEqual(player.pending('x'), indices.includes(index) ? [args] : [], `player ${index}`);
    if (indices.includes(index)) await player.next('x');
  }
}

describe('@socket.io/redis-emitter', () => {
  /** As in docs/http-api.md, but that `sent` awaits what the emitter does not. */
  function emitter({ path = '/io/', query = {}, options } = {}) {
    const pending = [];
    const publish = (channel, message) => {
      const url = `${server.url}${path}api/v1/publish?${new URLSearchParams({ channel, ...query })}`;
      pending.push(fetch(url, { method: 'POST', headers: bearer(), body: message }));
    };
    const sent = async () => {
      for (const response of await Promise.all(pending.splice(0))) {
        assert.equal(response.status, 200, await response.text());
      }
    };
    return { emitter: new Emitter({ publish }, options), sent };
  }

  test('emits to a namespace, rooms, one, and except some', async () => {
    const all = await company();
    const { namespace, players } = all;
    const { emitter: io, sent } = emitter();
    const chat = io.of(namespace);
    const value = { é: [1, -5, 2 ** 40, 1.5, null, true], long: 'é'.repeat(40_000) };
    for (const [target, indices] of [
      [chat, [0, 1, 2]],
      [chat.to('a'), [0, 1]],
      [chat.to(['a', 'b']).except('b'), [0]],
      [chat.in(players[2].id), [2]],
      [chat.except(players[2].id).volatile.compress(false), [0, 1]],
    ]) {
      target.emit('x', value, 'é');
      await sent();
      await heard(all, indices, value, 'é');
    }
    chat.emit('x');
    await sent();
    await heard(all, [0, 1, 2]);
  });

  test('emits bytes', async () => {
    const all = await company();
    const { emitter: io, sent } = emitter({ options: { key: 'of my own' } });
    io.of(all.namespace).to('a').emit('x', Buffer.from([0, 255]), { deep: [Buffer.from('é')] });
    await sent();
    await heard(all, [0, 1], Buffer.from([0, 255]), { deep: [Buffer.from('é')] });
  });

  test('makes sockets join, leave and disconnect', async () => {
    const { namespace, players } = await company();
    const { emitter: io, sent } = emitter();
    const chat = io.of(namespace);
    chat.in('a').except('b').socketsJoin(['c', 'd']);
    chat.in(players[2].id).socketsJoin('c');
    await sent();
    chat.in('c').socketsLeave('a');
    await sent();
    const rooms = await Promise.all(players.map((player) => player.ask('rooms')));
    assert.deepEqual(rooms.flat(), [['c', 'd'], ['a', 'b'], ['c']]);
    chat.in('b').disconnectSockets();
    await sent();
    assert.equal(await players[1].end(), 'io server disconnect');
    chat.disconnectSockets(true);
    await sent();
    await Promise.all([players[0].end(), players[2].end()]);
  });

  test('reaches sockets that are placed by a key', async () => {
    const { namespace, players } = await company('/keyed/', { query: { key: 'red' } });
    const { emitter: io, sent } = emitter({ path: '/keyed/', query: { key: 'red' } });
    io.of(namespace).to('b').emit('x', 1);
    await sent();
    assert.deepEqual(await players[1].next('x'), [1]);
  });
});

describe('python-socketio', () => {
  const python = prepared('DORMOUSE_PYTHON', '.venv/bin/python');
  const script = fileURLToPath(new URL('../python/publish.py', import.meta.url));

  /** Runs a process that makes these calls; resolves to what came of each. */
  function calls(...lines) {
    const args = [script, `${server.url}/io/api/v1/publish`, secret];
    return new Promise((resolve, reject) => {
      const child = execFile(python, args, { timeout: 60_000, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
        if (error) reject(new Error(stderr || error.message));
        else resolve(stdout.trim().split('\n'));
      });
      child.stdin.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    });
  }

  const emits = [
    ['to a namespace', (namespace) => ['emit', ['x', { é: 1 }], { namespace }], [0, 1, 2], { é: 1 }],
    ['to a room', (namespace) => ['emit', ['x', 'é'], { namespace, room: 'a' }], [0, 1], 'é'],
    ['to one', (namespace, players) => ['emit', ['x', 1], { namespace, to: players[2].id }], [2], 1],
    ['except one', (namespace, players) => ['emit', ['x', 1], { namespace, skip_sid: players[0].id }], [1, 2], 1],
    ['except some', (namespace, players) => ['emit', ['x', 1], { namespace, room: 'a', skip_sid: [players[0].id] }], [1], 1],
    ['a list', (namespace) => ['emit', ['x', [1, 2]], { namespace }], [0, 1, 2], [1, 2]],
    ['several', (namespace) => ['emit', ['x', [1, [2]]], { namespace, tuple: true }], [0, 1, 2], 1, [2]],
    ['nothing', (namespace) => ['emit', ['x', null], { namespace }], [0, 1, 2], null],
    ['bytes', (namespace) => ['emit', ['x', { bytes: 'AAE=' }], { namespace, room: 'b' }], [1], Buffer.from([0, 1])],
    [
      'bytes within others',
      (namespace) => ['emit', ['x', [{ deep: [{ bytes: 'AAE=' }] }, { bytes: '' }]], { namespace, tuple: true }],
      [0, 1, 2],
      { deep: [Buffer.from([0, 1])] },
      Buffer.alloc(0),
    ],
  ];

  test('emits', async () => {
    const all = await company();
    for (const [name, call, indices, ...args] of emits) {
      assert.deepEqual(await calls(call(all.namespace, all.players)), ['done'], name);
      await heard(all, indices, ...args);
    }
  });

  test('moves and disconnects sockets', async () => {
    const { namespace, players } = await company();
    const [first, second] = players;
    const outcome = await calls(
      ['enter_room', [first.id, namespace, 'c'], {}],
      ['enter_room', [second.id, namespace, 7], {}],
      ['leave_room', [first.id, namespace, 'a'], {}],
      ['can_disconnect', [second.id, namespace], {}],
    );
    // `disconnect` and `can_disconnect` fail in python-socketio before anything is sent, if
    // there is no server beside the manager.
    assert.deepEqual(outcome.slice(0, 3), ['done', 'done', 'done']);
    assert.match(outcome[3], /^AttributeError/);
    assert.deepEqual((await first.ask('rooms'))[0], ['c']);
    assert.deepEqual((await second.ask('rooms'))[0].sort(), ['7', 'a', 'b']);
    // What they would have sent.
    await calls(
      ['_publish', [{ method: 'disconnect', sid: second.id, namespace, host_id: 'x' }], {}],
      ['_publish', [{ method: 'close_room', room: 'c', namespace, host_id: 'x' }], {}],
    );
    assert.equal(await second.end(), 'io server disconnect');
    assert.deepEqual((await first.ask('rooms'))[0], []);
  });
});

describe('what cannot be taken', () => {
  const publish = (query, body) => api.send(`publish?${new URLSearchParams(query)}`, { body });
  const channel = 'socket.io#/#';
  const requests = 'socket.io-request#/#';
  const packet = { type: 2, data: ['x'], nsp: '/' };

  for (const [query, body, code, field] of [
    [{ channel: '' }, '{}', 'invalid', 'channel'],
    [{ channel: 'socket.io' }, '{}', 'invalid', 'channel'],
    [{ channel: 'socket.io#/' }, '{}', 'invalid', 'channel'],
    [{ channel: 'socket.io-response#/#' }, '{}', 'invalid', 'channel'],
    [{ channel }, '', 'malformed'],
    [{ channel }, '["uid",{},{}]', 'malformed'],
    [{ channel }, encode({}), 'malformed'],
    [{ channel }, encode(['uid', packet]), 'malformed'],
    [{ channel }, encode(['uid', packet, {}, {}]), 'malformed'],
    [{ channel }, encode(['uid', 7, {}]), 'invalid', 'packet'],
    [{ channel }, encode(['uid', { ...packet, type: 3 }, {}]), 'invalid', 'packet.type'],
    [{ channel }, encode(['uid', { ...packet, data: [] }, {}]), 'invalid', 'packet.data'],
    [{ channel }, encode(['uid', { ...packet, data: [7] }, {}]), 'invalid', 'packet.data'],
    [{ channel }, encode(['uid', { ...packet, data: ['connect'] }, {}]), 'invalid', 'packet.data'],
    [{ channel }, encode(['uid', packet, { rooms: [{}] }]), 'invalid', 'options.rooms[0]'],
    [{ channel }, encode(['uid', packet, { flags: { volatile: 7 } }]), 'invalid', 'options.flags.volatile'],
    [{ channel: requests }, '{}', 'invalid', 'type'],
    [{ channel: requests }, '{"type":0}', 'invalid', 'type'],
    [{ channel: requests }, '{"type":6,"data":["x"]}', 'invalid', 'type'],
    [{ channel: requests }, '{"type":4,"close":7}', 'invalid', 'close'],
    [{ channel, key: 'a' }, encode(['uid', packet, {}]), 'invalid', 'key'],
    [{}, '{}', 'invalid', 'method'],
    [{}, '{"method":"callback"}', 'invalid', 'method'],
    [{}, '{"method":"disconnect"}', 'invalid', 'sid'],
    [{}, '{"method":"emit","event":"x"}', 'invalid', 'data'],
    [{}, '{"method":"emit","event":"x","data":[],"callback":["a","/",1]}', 'invalid', 'callback'],
    [{}, '{"method":"emit","event":"x","data":[[{"_placeholder":true,"num":1}],"AAE="],"binary":true}', 'invalid', 'data[0]'],
    [{}, '{"method":"emit","event":"x","data":[[],"no base64!"],"binary":true}', 'invalid', 'data[1]'],
    [{}, '{"method":"emit","event":"x","data":[],"binary":true}', 'invalid', 'data'],
  ]) {
    test(`${JSON.stringify(query)} ${String(body).slice(0, 60)}`, async () => {
      const { status, answer } = await publish(query, body);
      assert.deepEqual([status, answer.error?.code, answer.error?.field], [400, code, field], JSON.stringify(answer));
    });
  }

  test('without the secret', async () => {
    const response = await fetch(`${api.url('publish')}?channel=x`, { method: 'POST', body: '{}' });
    assert.equal(response.status, 401);
  });
});
