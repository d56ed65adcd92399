// JSONP: polling as a script, for clients that have nothing better.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import vm from 'node:vm';
import { assertClosed, assertError } from '../harness/engine/expect.mjs';
import { startServer } from '../harness/server.mjs';
import { differs } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/sleepy/';
// What a browser says of a script that a page of the same origin loads.
const own = { 'sec-fetch-site': 'same-origin' };
const form = { 'content-type': 'application/x-www-form-urlencoded' };

/** Runs the answer as a page would; the payload that it hands to its callback. */
function evaluate(answer, index) {
  assert.equal(answer.status, 200, answer.text);
  const calls = [];
  const ___eio = { [index]: (payload) => calls.push(payload) };
  vm.runInNewContext(answer.text, { ___eio });
  assert.equal(calls.length, 1);
  return calls[0];
}

/** A session whose every request has `j`. */
async function open(revision, index = 0, others = {}) {
  const query = { EIO: revision, transport: 'polling', j: index, ...others };
  const request = (options) => fetchRaw(server, {
    path,
    ...options,
    query: { ...query, ...options.query },
    headers: { ...own, ...options.headers },
  });
  const answer = await request({});
  const payload = evaluate(answer, index);
  const { sid } = JSON.parse(payload.slice(payload.indexOf('0{') + 1));
  const session = { sid, answer, payload };
  session.get = (options = {}) => request({ ...options, query: { sid, ...options.query } });
  session.poll = async (options) => evaluate(await session.get(options), index);
  session.post = (body) => request({ method: 'POST', query: { sid }, headers: form, body });
  session.send = async (payload) => {
    const { status, text } = await session.post(`d=${encodeURIComponent(payload)}`);
    assert.deepEqual([status, text], [200, 'ok']);
  };
  return session;
}

for (const revision of [3, 4]) {
  const frame = (text) => (revision === 3 ? `${text.length + 1}:4${text}` : `4${text}`);

  describe(`revision ${revision}`, { concurrency: true }, () => {
    test('the answer is ___eio[<j>](<JSON string>);', async () => {
      const { answer } = await open(revision, 7);
      assert.match(answer.text, /^___eio\[7\]\("(\d+:)?0\{.*\}"\);$/);
    });

    test('it is a script, and never stored', differs('says text/plain'), async () => {
      const { answer } = await open(revision);
      assert.equal(answer.headers['content-type'], 'text/javascript; charset=UTF-8');
      assert.equal(answer.headers['cache-control'], 'no-store');
    });

    test('only the digits of j are used', async () => {
      const query = { EIO: revision, transport: 'polling', j: 'a1b<script>2' };
      const { text } = await fetchRaw(server, { path, query, headers: own });
      assert.ok(text.startsWith('___eio[12]('), text);
    });

    test('each request names its own j', differs('keeps the j of the handshake'), async () => {
      const session = await open(revision, 1);
      await session.send(frame('hello'));
      const answer = await session.get({ query: { j: 2 } });
      assert.equal(evaluate(answer, 2), frame('hello'));
    });

    test('messages go as d=<payload> and come back as a script', async () => {
      const session = await open(revision);
      await session.send(frame('hello'));
      assert.equal(await session.poll(), frame('hello'));
    });

    test('quotes, backslashes, & = + % and Unicode survive', async () => {
      const session = await open(revision);
      const text = '"\'\\ </script> a&b=c+d%20 €🦔';
      await session.send(frame(text));
      assert.equal(await session.poll(), frame(text));
    });

    test('U+2028 and U+2029 are escaped in the answer', async () => {
      const session = await open(revision);
      await session.send(frame('a\u2028b\u2029c'));
      const answer = await session.get();
      assert.ok(answer.text.includes('a\\u2028b\\u2029c'), answer.text);
      assert.equal(evaluate(answer, 0), frame('a\u2028b\u2029c'));
    });

    test('the two characters \\n become a line feed', async () => {
      const session = await open(revision);
      // The client counts the line feed as one character and escapes afterwards.
      await session.send(frame('a\nb').replace('\n', '\\n'));
      assert.equal(await session.poll(), frame('a\nb'));
    });

    test('\\\\n becomes \\n, no line feed', async () => {
      const session = await open(revision);
      await session.send(frame('a\\nb').replace('\\n', '\\\\n'));
      assert.equal(await session.poll(), frame('a\\nb'));
    });

    test('a form that encodes spaces as + is understood', async () => {
      const session = await open(revision);
      await session.post(`d=${frame('a b').replace(' ', '+').replace(':', '%3A')}`);
      assert.equal(await session.poll(), frame('a b'));
    });

    const garbles = revision === 3 ? differs('hands a Buffer to JSON') : {};
    test('binary goes as base64', garbles, async () => {
      const session = await open(revision);
      const packet = revision === 3 ? '10:b4AQIDBA==' : 'bAQIDBA==';
      await session.send(packet);
      assert.equal(await session.poll(), packet);
    });

    test('binary goes as base64 to a client that says b64', async () => {
      const session = await open(revision, 0, { b64: 1 });
      const packet = revision === 3 ? '10:b4AQIDBA==' : 'bAQIDBA==';
      await session.send(packet);
      assert.equal(await session.poll(), packet);
    });

    test('close by the server is a script too', async () => {
      const session = await open(revision);
      const held = session.poll();
      await session.send(frame('cmd:close'));
      assert.equal(await held, revision === 3 ? '1:1' : '1');
      await assertClosed(session);
    });

    const ignores = differs('ignores it');

    test('a form without d is a bad packet', ignores, async () => {
      for (const body of ['', 'x=1', 'nonsense']) {
        const session = await open(revision);
        assert.equal((await session.post(body)).status, 400);
        await assertClosed(session);
      }
    });

    test('broken percent encoding gets no 5xx', async () => {
      const session = await open(revision);
      const { status } = await session.post('d=%zz%');
      assert.ok(status === 200 || status === 400, `status ${status}`);
    });

    test('an error is JSON, not a script', async () => {
      const query = { EIO: revision, transport: 'polling', j: 0, sid: 'unknown' };
      const answer = await fetchRaw(server, { path, query, headers: own });
      assert.equal(answer.status, 400);
      assert.equal(answer.headers['content-type'], 'application/json');
    });
  });
}

describe('whose page loads the script', { concurrency: true }, () => {
  const query = { EIO: 4, transport: 'polling' };
  const load = (path, headers, others = { j: 0 }) =>
    fetchRaw(server, { path, query: { ...query, ...others }, headers });
  const lenient = differs('leaves origins to others unless told');

  for (const path of ['/sleepy/', '/strict/']) {
    for (const site of ['cross-site', 'same-site']) {
      test(`${path}: a page elsewhere (${site}) gets 400`, lenient, async () => {
        assertError(await load(path, { 'sec-fetch-site': site }), 3);
        assertError(await load(path, { 'sec-fetch-site': site }, {}), 3);
      });
    }

    test(`${path}: a page nobody knows of gets 400, other clients do not`, lenient, async () => {
      assertError(await load(path, {}), 3);
      assert.equal((await load(path, {}, {})).status, 200);
    });

    test(`${path}: a page of the same origin is served`, async () => {
      assert.equal((await load(path, own)).status, 200);
    });
  }

  test('a session that exists is no less protected', lenient, async () => {
    const { sid } = await open(4);
    assertError(await load(path, { 'sec-fetch-site': 'cross-site' }, { j: 0, sid }), 3);
    assertError(await load(path, {}, { j: 0, sid }), 3);
  });

  test('where every origin may connect, so may every page', async () => {
    for (const headers of [{}, own, { 'sec-fetch-site': 'cross-site' }]) {
      assert.equal((await load('/engine.io/', headers)).status, 200);
    }
  });

  test('an option serves browsers that say nothing', lenient, async () => {
    assert.equal((await load('/noupgrade/', {})).status, 200);
    assertError(await load('/noupgrade/', { 'sec-fetch-site': 'cross-site' }), 3);
  });
});
