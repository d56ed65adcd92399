// What somebody with a secret of the HTTP API, perhaps a stolen one, makes the Worker and
// its objects do; what the others get without one is in wakes.test.mjs.

import { describe } from 'node:test';
import assert from 'node:assert/strict';
import { encode } from 'notepack.io';
import { bearer, secret, signature } from '../harness/api.mjs';
import { startMetered } from '../harness/meter/metered.mjs';
import { LARGE, MiB, attacks } from './field.mjs';

const start = (options) => startMetered({ ...options, variables: { API_SECRET: secret } });
const attack = attacks({ start });
/** The calls that the others make at the end. */
const OTHERS = 2;
const NOTHING = { woken: OTHERS, statements: 10, wasm: 32 * MiB };

const target = (field, name) => `${field.path}api/v1/${name}?object=${field.object}`;
const post = (field, name, body, headers = bearer()) =>
  field.request({ url: target(field, name), query: {}, method: 'POST', headers, body });

async function refused(answering, status) {
  const answer = await answering;
  assert.equal(answer.status, status, answer.text.slice(0, 200));
}

const many = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const text = (value) => JSON.stringify(value);

/** An object in msgpack, with one member more: a list of items that are a byte each. */
function packed(members, name, items) {
  const body = encode({ ...members, [name]: [] });
  const head = Buffer.from([0xdd, 0, 0, 0, 0]);
  head.writeUInt32BE(items.length, 1);
  // The empty list is the last byte.
  return Buffer.concat([body.subarray(0, -1), head, items]);
}

describe('bodies that are refused before any object is called', { concurrency: 1 }, () => {
  const msgpack = { ...bearer(), 'content-type': 'application/msgpack' };
  const emit = (more) => text({ event: 'x', ...more });
  const bodies = {
    'JSON that ends too early': `{"event":"x","args":["${'x'.repeat(LARGE)}`,
    'a list in a list, 495,000 levels deep': '['.repeat(LARGE / 2) + ']'.repeat(LARGE / 2),
    'arguments as deep as that': `{"event":"x","args":${'['.repeat(LARGE / 2 - 20)}${']'.repeat(LARGE / 2 - 20)}}`,
    '90,000 members': `{${many(90_000, (index) => `"${index}":1`).join(',')}}`,
    '100,000 rooms': emit({ rooms: many(100_000, String) }),
    '240,000 rooms without a name': emit({ except: many(240_000, () => '') }),
    'a batch of 30,000': text({ operations: many(30_000, () => ({ emit: { event: 'x' } })) }),
    '200,000 attachments': emit({ attachments: many(200_000, () => '') }),
    'placeholders within placeholders': `{"event":"x","attachments":["AA=="],"args":[${'{"_placeholder":true,"num":0,"a":'.repeat(90)}1${'}'.repeat(90)}]}`,
  };
  for (const [name, body] of Object.entries(bodies)) {
    attack(`${name}: 400, 20 times`, { may: NOTHING }, async (field) => {
      const operation = body.startsWith('{"operations"') ? 'batch' : 'emit';
      for (let sent = 0; sent < 20; sent += 1) await refused(post(field, operation, body), 400);
    });
  }

  attack('a million rooms, in 6.9 MB: 413', { may: NOTHING }, async (field) => {
    const body = emit({ rooms: many(1_000_000, String) });
    // The connection may be closed before all of it is sent.
    const answer = await post(field, 'emit', body).catch(({ code }) => ({ code }));
    assert.ok(answer.status === 413 || ['EPIPE', 'ECONNRESET'].includes(answer.code), text(answer));
  });

  const packs = {
    'a list of 4 billion': Buffer.from('ddffffffff', 'hex'),
    'lists in lists, 900,000 levels deep': Buffer.alloc(900_000, 0x91),
    // Each is a single byte.
    '990,000 rooms without a name': packed({ event: 'x' }, 'rooms', Buffer.alloc(LARGE, 0xa0)),
    'bytes behind its end': Buffer.concat([encode({ event: 'x' }), Buffer.alloc(LARGE)]),
  };
  for (const [name, body] of Object.entries(packs)) {
    attack(`${name}, in msgpack: 400, 20 times`, { may: NOTHING }, async (field) => {
      for (let sent = 0; sent < 20; sent += 1) await refused(post(field, 'emit', body, msgpack), 400);
    });
  }
});

describe('requests that are carried out', { concurrency: 1 }, () => {
  const batch = { fetches: 105, statements: 130, rowsWritten: 2 };
  attack('a batch of 100, each to 1,000 rooms: a call for each', { may: batch }, async (field) => {
    const rooms = many(1_000, (index) => `r${index}`);
    const operations = many(100, () => ({ emit: { event: 'x', rooms } }));
    await refused(post(field, 'batch', text({ operations })), 200);
  });

  const page = { fetches: 25, statements: 60 };
  attack('20 pages of all sockets and rooms: a call for each', { may: page }, async (field) => {
    for (let asked = 0; asked < 10; asked += 1) {
      for (const name of ['sockets', 'rooms']) await refused(post(field, name, '{"namespace":"/chat","limit":1000}'), 200);
    }
  });
});

describe('a signed request that somebody has read', { concurrency: 1 }, () => {
  // A row for each operation that was carried out; their table, which stays, is two more.
  const once = { rowsWritten: 4, database: 64 * 1024 };
  for (const [name, body] of Object.entries({
    emit: text({ namespace: '/dynamic-1', event: 'x' }),
    batch: text({ operations: many(100, () => ({ emit: { namespace: '/dynamic-1', event: 'x' } })) }),
  })) {
    const operations = name === 'batch' ? 100 : 1;
    const may = { ...once, rowsWritten: operations + 3, fetches: operations + 205 };
    attack(`${name}, sent 200 times more: 409, a call for each and no row`, { path: '/in-order/', may }, async (field) => {
      const { now } = await field.server.state(field.object);
      const time = Math.floor(now / 1000);
      const headers = signature(secret, { time, target: target(field, name), body });
      await refused(post(field, name, body, headers), 200);
      for (let sent = 0; sent < 200; sent += 1) await refused(post(field, name, body, headers), 409);
    });
  }

  attack('200 times with another body, path or time: 401', { path: '/in-order/', may: { ...once, woken: OTHERS } }, async (field) => {
    const { now } = await field.server.state(field.object);
    const time = Math.floor(now / 1000);
    const body = text({ namespace: '/chat', event: 'x' });
    const headers = signature(secret, { time, target: target(field, 'emit'), body });
    for (let sent = 0; sent < 200; sent += 1) {
      await refused(post(field, 'emit', `${body}${' '.repeat(sent + 1)}`, headers), 401);
      await refused(post(field, 'disconnect', body, headers), 401);
    }
    const late = signature(secret, { time: time - 301, target: target(field, 'emit'), body });
    await refused(post(field, 'emit', body, late), 401);
  });
});
