// What the HTTP API answers to what it cannot take. Nothing else happens: a client that
// would be sent something hears nothing.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { apiOf, bearer, startWithApi } from '../harness/api.mjs';
import { join, newest } from '../harness/clients/socket.mjs';
import { freshNamespace } from '../harness/socket/client.mjs';

const server = await startWithApi();
const api = apiOf(server);

const namespace = freshNamespace();
const witness = await join(server, newest, { path: '/io/', namespace, auth: { rooms: ['a'] } });
witness.listen('x', 'last');
after(async () => {
  await api.post('emit', { namespace, event: 'last' });
  await witness.next('last');
  assert.deepEqual(witness.pending('x'), []);
  assert.deepEqual((await witness.ask('rooms'))[0], ['a']);
  witness.close();
  await server.stop();
});

async function refused(answering, status, code, field) {
  const { status: actual, headers, answer } = await answering;
  assert.deepEqual([actual, answer.error?.code, answer.error?.field], [status, code, field], JSON.stringify(answer));
  assert.equal(headers.get('content-type'), 'application/json');
  return { headers, ...answer.error };
}

const x = { namespace, event: 'x' };
const placeholder = (num) => ({ _placeholder: true, num });
const nested = (depth) => JSON.parse('['.repeat(depth) + ']'.repeat(depth));
const many = (count) => Array.from({ length: count }, (_, index) => String(index));

describe('a field', () => {
  for (const [name, body, field] of [
    ['emit', { namespace }, 'event'],
    ['emit', { ...x, event: 1 }, 'event'],
    ['emit', { ...x, event: null }, 'event'],
    ['emit', { ...x, event: 'connect' }, 'event'],
    ['emit', { ...x, event: 'disconnecting' }, 'event'],
    ['emit', { ...x, colour: 'red' }, 'colour'],
    ['emit', { ...x, '': 1 }, ''],
    ['emit', { ...x, args: {} }, 'args'],
    ['emit', { ...x, args: 'text' }, 'args'],
    ['emit', { ...x, args: nested(101) }, 'args'],
    ['emit', { ...x, rooms: 'a' }, 'rooms'],
    ['emit', { ...x, rooms: ['a', 7] }, 'rooms[1]'],
    ['emit', { ...x, rooms: many(1_001) }, 'rooms'],
    ['emit', { ...x, except: many(100_000) }, 'except'],
    ['emit', { ...x, except: [null] }, 'except[0]'],
    ['emit', { ...x, volatile: 1 }, 'volatile'],
    ['emit', { ...x, volatile: true, ack: true }, 'volatile'],
    ['emit', { ...x, timeout: 10 }, 'timeout'],
    ['emit', { ...x, ack: true, timeout: 0 }, 'timeout'],
    ['emit', { ...x, ack: true, timeout: 60_001 }, 'timeout'],
    ['emit', { ...x, ack: true, timeout: -1 }, 'timeout'],
    ['emit', { ...x, ack: true, timeout: 1.5 }, 'timeout'],
    ['emit', { ...x, ack: true, timeout: '10' }, 'timeout'],
    ['emit', { ...x, ack: 'yes' }, 'ack'],
    ['emit', { ...x, key: 'a' }, 'key'],
    ['emit', { ...x, namespace: 7 }, 'namespace'],
    ['emit', { ...x, attachments: 'AAE=' }, 'attachments'],
    ['emit', { ...x, attachments: ['no base64!'] }, 'attachments[0]'],
    ['emit', { ...x, attachments: ['AAE='] }, 'attachments[0]'],
    ['emit', { ...x, args: [placeholder(1)], attachments: ['AAE='] }, 'args'],
    ['emit', { ...x, args: [placeholder(-1)], attachments: ['AAE='] }, 'args'],
    ['emit', { ...x, args: [placeholder(0), placeholder(0)], attachments: ['AAE='] }, 'args'],
    ['emit', { ...x, args: [{ ...placeholder(0), more: placeholder(1) }], attachments: ['AAE=', 'AAE='] }, 'args'],
    ['emit', { ...x, args: many(1_001).map((_, num) => placeholder(num)), attachments: many(1_001).map(() => '') }, 'attachments'],
    ['join', { namespace }, 'join'],
    ['join', { namespace, join: 'b' }, 'join'],
    ['join', { namespace, join: many(1_001) }, 'join'],
    ['join', { namespace, leave: ['a'], join: ['b'] }, 'leave'],
    ['leave', { namespace, leave: [{}] }, 'leave[0]'],
    ['disconnect', { namespace, close: 'yes' }, 'close'],
    ['disconnect', { namespace, event: 'x' }, 'event'],
    ['sockets', { namespace, limit: 0 }, 'limit'],
    ['sockets', { namespace, limit: 1_001 }, 'limit'],
    ['sockets', { namespace, after: 7 }, 'after'],
    ['sockets', { namespace, count: true, limit: 7 }, 'limit'],
    ['rooms', { namespace, count: true }, 'count'],
    ['batch', {}, 'operations'],
    ['batch', { operations: {} }, 'operations'],
    ['batch', { operations: [], more: 1 }, 'more'],
    ['batch', { operations: [{ emit: x }, 7] }, 'operations[1]'],
    ['batch', { operations: [{ emit: x }, {}] }, 'operations[1]'],
    ['batch', { operations: [{ emit: x, join: {} }] }, 'operations[0]'],
    ['batch', { operations: [{ emit: x }, { batch: {} }] }, 'operations[1].batch'],
    ['batch', { operations: [{ emit: x }, { emit: 7 }] }, 'operations[1].emit'],
    ['batch', { operations: [{ emit: x }, { emit: { ...x, rooms: [1] } }] }, 'operations[1].emit.rooms[0]'],
    ['batch', { operations: [{ emit: x }, { emit: { namespace } }] }, 'operations[1].emit.event'],
    ['batch', { operations: many(101).map(() => ({ emit: x })) }, 'operations'],
    ['batch', { operations: many(7).map(() => ({ emit: { ...x, ack: true } })) }, 'operations[6].emit.timeout'],
  ]) {
    const text = JSON.stringify(body);
    test(`${name} ${text.length > 90 ? `${text.slice(0, 90)}…` : text}`, () => refused(api.post(name, body), 400, 'invalid', field));
  }

  test('just within bounds', async () => {
    const nobody = { namespace: freshNamespace(), event: 'x' };
    for (const body of [
      { ...nobody, args: nested(100) },
      { ...nobody, rooms: many(1_000), except: many(1_000) },
      { ...nobody, ack: true, timeout: 60_000 },
      { ...nobody, ack: true, timeout: 1 },
      { ...nobody, args: many(1_000).map((_, num) => placeholder(num)), attachments: many(1_000).map(() => '') },
      { ...nobody, event: '' },
    ]) {
      assert.equal((await api.post('emit', body)).status, 200);
    }
    const exponents = JSON.stringify({ ...nobody, ack: true, timeout: 7 }).replace('7', '1.0e1');
    assert.equal((await api.send('emit', { body: exponents })).status, 200);
    const operations = many(100).map(() => ({ emit: nobody }));
    assert.equal((await api.post('batch', { operations })).status, 200);
    const waiting = many(6).map(() => ({ emit: { ...nobody, ack: true } }));
    assert.equal((await api.post('batch', { operations: waiting })).status, 200);
  });

  test('that is there twice', async () => {
    const body = '{"event":"x","event":"y"}';
    await refused(api.send('emit', { body }), 400, 'invalid', 'event');
    await refused(api.send('emit', { body: '{"event":"x","\\u0065vent":"y"}' }), 400, 'invalid', 'event');
  });

  test('of very many', async () => {
    const body = JSON.stringify(Object.fromEntries(many(60_000).map((name) => [name, 1])));
    await refused(api.send('emit', { body }), 400, 'invalid', '32');
  });
});

describe('a body', () => {
  for (const body of ['', ' ', 'x', '[]', '7', '"x"', 'null', '{', '{"event":"x"}}', '{"event":"x",}', "{'event':'x'}", '[['.repeat(100_000)]) {
    test(`"${body.slice(0, 20)}"`, () => refused(api.send('emit', { body }), 400, 'malformed'));
  }

  test('that is not UTF-8', () => refused(api.send('emit', { body: Buffer.from([0x7b, 0xff, 0x7d]) }), 400, 'malformed'));

  for (const bytes of ['', 'c1', '92', 'df ffffffff', 'dd ffffffff', 'c6 ffffffff', '81 a1 61 c0 c0', '91 '.repeat(50_000)]) {
    const headers = { 'content-type': 'application/msgpack' };
    const body = Buffer.from(bytes.replaceAll(' ', ''), 'hex');
    test(`msgpack ${bytes.slice(0, 20)}`, () => refused(api.send('emit', { headers, body }), 400, 'malformed'));
  }

  test('in msgpack that is right, with fields that are not', async () => {
    await refused(api.pack('emit', { ...x, event: Buffer.from('x') }), 400, 'invalid', 'event');
    await refused(api.pack('emit', { ...x, attachments: [] }), 400, 'invalid', 'attachments');
    await refused(api.pack('emit', { ...x, args: [Buffer.from('x'), placeholder(0)] }), 400, 'malformed');
  });

  test('that is too large, with its length and without', async () => {
    const large = JSON.stringify({ ...x, args: ['x'.repeat(1_000_000)] });
    await refused(api.send('emit', { body: large }), 413, 'too_large');
    // A stream has no length that is said before.
    const stream = ReadableStream.from(many(20).map(() => Buffer.alloc(65_536, ' ')));
    const headers = { 'content-type': 'application/json' };
    await refused(api.send('emit', { headers, body: stream, duplex: 'half' }), 413, 'too_large');
    const largest = JSON.stringify({ namespace: freshNamespace(), event: 'x', args: [''] });
    const fitting = largest.replace('""', `"${'x'.repeat(1_000_000 - largest.length)}"`);
    assert.equal(fitting.length, 1_000_000);
    assert.equal((await api.send('emit', { body: fitting })).status, 200);
  });

  test('that breaks off', async () => {
    const socket = net.connect(server.port, '127.0.0.1');
    const head = `POST /io/api/v1/emit HTTP/1.1\r\nhost: a\r\nauthorization: ${bearer().authorization}\r\n`;
    socket.write(`${head}content-type: application/json\r\ncontent-length: 1000\r\n\r\n{"event":"x"`);
    await new Promise((resolve) => socket.once('connect', () => setImmediate(resolve)));
    socket.destroy();
    // Whoever comes next is served.
    assert.equal((await api.post('sockets', { count: true })).status, 200);
  });

  test('of another type', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/jsonx']) {
      const headers = { 'content-type': type };
      await refused(api.send('emit', { headers, body: JSON.stringify(x) }), 415, 'unsupported_media_type');
    }
    const headers = { 'content-type': 'Application/JSON; charset=utf-8' };
    assert.equal((await api.send('sockets', { headers, body: '{"count":true}' })).status, 200);
  });
});

test('another path, another method', async () => {
  for (const name of ['', 'emits', 'emit/', 'emit/x', '../v2/emit', '../emit', 'EMIT', '%65mit', '../../api/v1']) {
    await refused(api.send(name, { body: '{}' }), 404, 'not_found');
  }
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const { headers } = await refused(api.send('emit', { method }), 405, 'method_not_allowed');
    assert.equal(headers.get('allow'), 'POST');
  }
  // Where it is not on, such a path is the application's.
  assert.equal((await fetch(`${server.url}/engine.io/api/v1/emit`, { headers: bearer() })).status, 404);
});

test('a namespace that is not defined', async () => {
  // Among those of this server, a predicate decides about some.
  assert.equal((await api.post('emit', { namespace: '/unheard-of', event: 'x' })).status, 200);
  const here = apiOf(server, { path: '/in-order/' });
  assert.equal((await here.post('emit', x)).status, 401);
});

test('an id that names nobody', async () => {
  const ids = ['no id', 'x'.repeat(59), `${witness.id.slice(0, -1)}-`, witness.id.slice(1), '', '\u0000', '😀'];
  for (const id of ids) {
    const rooms = [id];
    const empty = { late: [], gone: [], missing: [] };
    assert.deepEqual((await api.post('emit', { ...x, rooms })).answer, { missing: [] });
    assert.deepEqual((await api.post('emit', { ...x, rooms, ack: true })).answer, { answers: [], ...empty });
    assert.deepEqual((await api.post('disconnect', { namespace, rooms, close: true })).answer, { missing: [] });
    assert.deepEqual((await api.post('join', { namespace, rooms, join: ['b'] })).answer, { missing: [] });
    assert.deepEqual((await api.post('sockets', { namespace, rooms })).answer, { sockets: [], next: null, missing: [] });
  }
  const keyed = apiOf(server, { path: '/keyed/' });
  await refused(keyed.post('emit', { ...x, rooms: ['not an id'] }), 400, 'invalid', 'key');
  await refused(keyed.post('emit', x), 400, 'invalid', 'key');
  // It has the form of one, and names an object that was never made.
  const forged = 'A'.repeat(59);
  assert.equal((await keyed.post('emit', { ...x, rooms: [forged] })).status, 200);
});

test('half of a surrogate pair', async () => {
  const other = freshNamespace();
  const player = await join(server, newest, { path: '/io/', namespace: other });
  player.listen('x');
  const body = `{"namespace":"${other}","event":"x","rooms":[],"args":["\\ud83d",{"\\ude00":1}]}`;
  assert.equal((await api.send('emit', { body })).status, 200);
  assert.deepEqual(await player.next('x'), ['\ud83d', { '\ude00': 1 }]);
  player.close();
});
