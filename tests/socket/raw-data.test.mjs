// What is known of other sockets, from a handler and from another route: how many there
// are, their rooms, the transport in use, and what the application keeps of any of them.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { freshNamespace } from '../harness/socket/client.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { workerOnly } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const server = await startServer();
after(() => server.stop());

const nobody = 'x'.repeat(20);

/** Asks a route about sockets of a namespace: its answer, or its error. */
async function route(what, query, body) {
  const pairs = new URLSearchParams({ path: '/io/', ...query });
  const options = { method: 'POST', path: `/io-route/${what}`, query: String(pairs) };
  const { status, text } = await fetchRaw(server, { ...options, body: JSON.stringify(body ?? null) });
  return status === 200 ? JSON.parse(text) : { status, text };
}

const rules = ({ transport, member }) => {
  const pair = async () => {
    const namespace = freshNamespace();
    return [await member({ namespace }), await member({ namespace })];
  };

  test('the transport in use', workerOnly, async () => {
    const one = await member({ namespace: freshNamespace() });
    assert.deepEqual(await one.ask('transport'), [transport]);
  });

  test('counting sockets, and the rooms they are in', workerOnly, async () => {
    const [one, other] = await pair();
    const { namespace } = one;
    await other.ask('join', ['a', 'b']);
    await one.ask('join', ['a', other.id]);
    const everywhere = { from: 'server' };
    assert.deepEqual(await one.ask('how-many', everywhere), [2]);
    assert.deepEqual(await one.ask('how-many', {}), [1]);
    assert.deepEqual(await one.ask('how-many', { from: 'server', to: ['b', 'nowhere'] }), [1]);
    assert.deepEqual(await one.ask('how-many', { to: ['nowhere'] }), [0]);
    const sizes = [['a', 2], ['b', 1], [other.id, 1]].toSorted(([a], [b]) => (a < b ? -1 : 1));
    assert.deepEqual(await one.ask('room-sizes', everywhere), [sizes]);
    assert.deepEqual(await one.ask('room-sizes', {}), [[['a', 1], ['b', 1]]]);
    assert.deepEqual(await one.ask('room-sizes', { to: ['nowhere'] }), [[]]);
    assert.equal(await route('count', { namespace }), 2);
    assert.equal(await route('count', { namespace, to: 'b' }), 1);
    assert.equal(await route('count', { namespace: freshNamespace() }), 0);
    assert.deepEqual(await route('room-sizes', { namespace }), sizes);
    assert.deepEqual(await route('room-sizes', { namespace: freshNamespace() }), []);
    await other.ask('leave', 'b');
    assert.deepEqual(await route('room-sizes', { namespace, to: 'a', except: other.id }), []);
  });

  test('data of another socket, from a handler', workerOnly, async () => {
    const [one, other] = await pair();
    assert.deepEqual(await one.ask('data-of', other.id), [{ name: null }]);
    assert.deepEqual(await one.ask('set-data-of', other.id, 40), []);
    assert.deepEqual(await other.ask('get-data'), [40]);
    assert.deepEqual(await one.ask('count-for', other.id, 2), [42]);
    assert.deepEqual(await other.ask('count-for', other.id, 1), [43]);
    assert.deepEqual(await one.ask('data-of', other.id), [43]);
    assert.deepEqual(await one.ask('get-data'), [{ name: null }]);
    // Whoever is in the room of its id besides is not meant.
    await one.ask('join', other.id);
    assert.deepEqual(await one.ask('set-data-of', other.id, 'new'), []);
    assert.deepEqual(await one.ask('get-data'), [{ name: null }]);
    assert.deepEqual(await one.ask('data-of', other.id), ['new']);
  });

  test('data of a socket, from another route', workerOnly, async () => {
    const [one, other] = await pair();
    const { namespace } = one;
    const query = { namespace, to: one.id };
    assert.equal(await route('data/set', query, { name: 'é' }), null);
    assert.deepEqual(await one.ask('get-data'), [{ name: 'é' }]);
    assert.deepEqual(await route('data/get', query), { name: 'é' });
    await one.ask('set-data', 1);
    const added = await Promise.all([1, 1, 1, 1].map((by) => route('data/count', query, by)));
    assert.deepEqual(added.toSorted(), [2, 3, 4, 5]);
    assert.deepEqual(await one.ask('get-data'), [5]);
    assert.deepEqual(await other.ask('get-data'), [{ name: null }]);
  });

  test('data of nobody is an error', workerOnly, async () => {
    const [one, other] = await pair();
    const { namespace } = one;
    const failed = [{ error: 'internal error' }];
    await one.ask('join', 'room');
    for (const id of [nobody, 'room']) {
      assert.deepEqual(await one.ask('data-of', id), failed);
      assert.deepEqual(await one.ask('set-data-of', id, 1), failed);
      assert.deepEqual(await one.ask('count-for', id, 1), failed);
      for (const what of ['get', 'set', 'count']) {
        const { status, text } = await route(`data/${what}`, { namespace, to: id }, 1);
        assert.deepEqual([status, text], [500, 'user session: no such client']);
      }
    }
    // What is there cannot be read as a number.
    await other.ask('set-data', 'text');
    assert.deepEqual(await one.ask('count-for', other.id, 1), failed);
    assert.deepEqual(await other.ask('get-data'), ['text']);
  });
};

eachWay(server, rules, { revisions: [3, 4] });
