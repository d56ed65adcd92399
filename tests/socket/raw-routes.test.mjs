// What another part of the Worker does with sockets: a route that is no
// client's, and reaches them all the same.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { freshNamespace } from '../harness/socket/client.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const server = await startServer();
after(() => server.stop());

/** Asks a route; `to` and `except` may be lists. */
async function route(method, what, query, body) {
  const pairs = Object.entries({ path: '/io/', ...query }).flatMap(([key, value]) => [value].flat().map((one) => [key, one]));
  const options = { method, path: `/io-route/${what}`, query: String(new URLSearchParams(pairs)) };
  return fetchRaw(server, { ...options, ...(body !== undefined && { body: JSON.stringify(body) }) });
}

async function ok(...request) {
  const { status, text } = await route(...request);
  assert.equal(status, 200, text);
  assert.match(text, /^"?ok"?$/);
}

const rules = ({ member }) => {
  /** Three in a namespace of their own: in `a`, in `a` and `b`, in none. */
  const company = async () => {
    const namespace = freshNamespace();
    const members = [];
    for (const rooms of [['a'], ['a', 'b'], []]) {
      const one = await member({ namespace });
      if (rooms.length > 0) await one.ask('join', rooms);
      members.push(one);
    }
    return members;
  };

  const hear = async (members, indices, ...event) => {
    for (const [index, one] of members.entries()) {
      if (indices.includes(index)) await one.expect(...event);
      await one.nothing();
    }
  };

  test('to everybody in a namespace', async () => {
    const members = await company();
    const [{ namespace }] = members;
    await ok('POST', 'emit', { namespace, event: 'news' }, ['é', { a: [1, null] }]);
    await hear(members, [0, 1, 2], 'news', 'é', { a: [1, null] });
    await ok('POST', 'emit', { namespace, event: 'bare' }, []);
    await hear(members, [0, 1, 2], 'bare');
  });

  test('to rooms, to one, and except some', async () => {
    const members = await company();
    const [{ namespace }] = members;
    const emit = (query) => ok('POST', 'emit', { namespace, event: 'x', ...query }, [1]);
    await emit({ to: 'a' });
    await hear(members, [0, 1], 'x', 1);
    await emit({ to: ['a', 'b'] });
    await hear(members, [0, 1], 'x', 1);
    await emit({ to: ['b', members[2].id] });
    await hear(members, [1, 2], 'x', 1);
    await emit({ except: 'b' });
    await hear(members, [0, 2], 'x', 1);
    await emit({ to: 'a', except: members[0].id });
    await hear(members, [1], 'x', 1);
    await emit({ to: 'nowhere' });
    await hear(members, []);
  });

  test('fetching', async () => {
    const members = await company();
    const [{ namespace }] = members;
    await members[1].ask('set-data', { level: 7 });
    const fetched = async (query) => JSON.parse((await route('GET', 'fetch', { namespace, ...query })).text);
    assert.deepEqual(await fetched({ to: 'b' }), [[members[1].id, ['a', 'b'], { level: 7 }]]);
    assert.deepEqual(
      (await fetched({})).map(([id]) => id).toSorted(),
      members.map(({ id }) => id).toSorted(),
    );
    assert.deepEqual(await fetched({ to: 'nowhere' }), []);
  });

  test('making them join and leave', async () => {
    const members = await company();
    const [{ namespace }] = members;
    await ok('POST', 'make-join', { namespace, to: 'a', room: 'new' });
    assert.deepEqual(await members[0].ask('rooms'), [['a', 'new']]);
    assert.deepEqual(await members[2].ask('rooms'), [[]]);
    await ok('POST', 'make-leave', { namespace, to: members[0].id, room: 'new' });
    assert.deepEqual(await members[0].ask('rooms'), [['a']]);
    assert.deepEqual(await members[1].ask('rooms'), [['a', 'b', 'new']]);
  });

  test('disconnecting them, alone or with their sessions', async () => {
    const members = await company();
    const [{ namespace }] = members;
    await ok('POST', 'make-disconnect', { namespace, to: members[0].id });
    await members[0].client.expect(`1${namespace},`);
    await ok('POST', 'make-disconnect', { namespace, to: 'b', close: 1 });
    for (const message of await members[1].client.ended()) assert.match(message, /^1/);
    await members[2].nothing();
  });

  test('what is not there: 404', async () => {
    assert.equal((await route('POST', 'emit', { path: '/nowhere/', event: 'x' }, [])).status, 404);
    assert.equal((await route('POST', 'nothing', { event: 'x' }, [])).status, 404);
  });
};

const asking = ({ member }) => {
  test('asking many: their answers', async () => {
    const namespace = freshNamespace();
    const members = [await member({ namespace }), await member({ namespace })];
    const answer = route('POST', 'emit-with-ack', { namespace, event: 'q', timeout: 5_000 }, [1]);
    for (const [index, one] of members.entries()) await one.answer(await one.asked('q', 1), index, 'more');
    assert.deepEqual(JSON.parse((await answer).text).toSorted(), [0, 1]);
  });

  test('asking one that does not answer: what came in time', async () => {
    const namespace = freshNamespace();
    const members = [await member({ namespace }), await member({ namespace })];
    const answer = route('POST', 'emit-with-ack', { namespace, event: 'q', timeout: 1_000 }, []);
    await members[0].answer(await members[0].asked('q'), 'here');
    await members[1].asked('q');
    assert.deepEqual(JSON.parse((await answer).text), ['here']);
  });
};

eachWay(server, rules, { revisions: [3, 4] });
eachWay(server, asking, { revisions: [3, 4], asleep: false });
