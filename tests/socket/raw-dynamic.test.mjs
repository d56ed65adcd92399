// Namespaces that nobody has defined by name: those for which the application has to wait,
// the news of a new one, and events for all of a pattern.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { openClient, openMember } from '../harness/socket/client.mjs';
import { emitToChildrenFromElsewhere } from '../harness/socket/routes.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { differs, workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const path = '/io/';
const INVALID = '{"message":"Invalid namespace"}';
const INTERNAL = '{"message":"Internal server error"}';

let names = 0;
const freshName = () => `${process.pid}-${(names += 1)}`;

const found = ({ open, member, revision }) => {
  const connect = (namespace, auth) =>
    revision === 3
      ? `0${namespace}${auth ? `?${new URLSearchParams(auth)}` : ''},`
      : `0${namespace},${auth ? JSON.stringify(auth) : ''}`;
  const error = (namespace, json) =>
    revision === 3 ? `4${namespace},${JSON.stringify(JSON.parse(json).message)}` : `4${namespace},${json}`;
  const connects = async (client, namespace) => {
    const answer = await client.next('answer to CONNECT');
    assert.ok(answer.startsWith(`0${namespace},`), answer);
    return client.as(namespace, revision === 3 ? { sid: `${namespace}#${client.sid}` } : JSON.parse(answer.slice(namespace.length + 2)));
  };

  test('one that is found after a while', async () => {
    const namespace = `/later/${freshName()}`;
    const { client } = await member();
    const later = await client.join(namespace);
    assert.deepEqual(await later.ask('who'), [later.id, namespace]);
  });

  test('one that is not', differs('says it in another way to old clients'), async () => {
    const namespace = `/later/${freshName()}`;
    const root = await member();
    await root.client.send(connect(namespace, { guard: 'refuse' }));
    await root.client.expect(error(namespace, INVALID));
    assert.deepEqual(await root.ask('message-with-ack', 1), [1]);
  });

  test('an error counts as a no, and is logged', differs('says it in another way to old clients'), async () => {
    const namespace = `/later/${freshName()}`;
    const root = await member();
    await root.client.send(connect(namespace, { guard: 'fail' }));
    await root.client.expect(error(namespace, INVALID));
    const line = await logs.waitFor({ event: 'handler failed', sid: root.client.sid });
    assert.deepEqual([line.level, line.message], ['error', 'out of order']);
    assert.deepEqual(await root.ask('message-with-ack', 1), [1]);
  });

  test('others are joined, and events are heard, meanwhile', async () => {
    const namespace = `/later/${freshName()}`;
    const root = await member();
    const { client } = root;
    const slow = revision === 3 ? undefined : { delay: 200 };
    await client.send(connect(namespace, slow), connect('/chat'), '2["message",1]');
    const heard = [await client.next(), await client.next()].map((message) => message.slice(0, 6)).toSorted();
    assert.deepEqual(heard, ['0/chat', '2["mes']);
    await connects(client, namespace);
  });

  test('asked for twice meanwhile: it is in it, and only the last is answered', differs('answers each'), async () => {
    const namespace = `/later/${freshName()}`;
    const root = await member();
    await root.client.send(connect(namespace), connect(namespace));
    const later = await connects(root.client, namespace);
    assert.deepEqual(await later.ask('who'), [later.id, namespace]);
    assert.equal((await later.ask('fetch', { from: 'server' }))[0].length, 1);
    assert.deepEqual(await root.ask('message-with-ack', 1), [1]);
  });

  // In the query of old clients there are no numbers, and so no longer delay.
  if (revision === 3) return;

  test('a client that goes meanwhile joins nothing', async () => {
    const name = freshName();
    const namespace = `/later/${name}`;
    const [client, witness] = [await open(), await open()];
    await client.join('/chat');
    await client.send(connect(namespace, { delay: 500 }));
    await logs.waitFor({ event: 'asked', name });
    await client.close();
    const later = await witness.join(`/later/${freshName()}`, { delay: 1_000 });
    assert.deepEqual(await later.ask('who'), [later.id, later.namespace]);
    assert.deepEqual(logs.find({ event: 'connected', namespace }), []);
  });

  test('an event for it before the answer closes the session', async () => {
    const namespace = `/later/${freshName()}`;
    const root = await member();
    await root.client.send(connect(namespace, { delay: 2_000 }));
    await root.client.try(`2${namespace},["message"]`);
    assert.deepEqual(await root.client.ended(), []);
    await logs.waitFor({ event: 'disconnected', socket: root.id });
  });

  test('it counts as one of the namespaces that a client may be in', workerOnly, async () => {
    const { client } = await member();
    // 20, the root namespace among them.
    const all = Array.from({ length: 20 }, () => `/later/${freshName()}`);
    await client.send(...all.map((namespace) => connect(namespace)));
    const refused = await client.next();
    assert.match(refused, new RegExp(`^4${all.at(-1)},.*Too many namespaces`));
  });
};

describe('a namespace that the application looks for', () => {
  eachWay(server, found, { revisions: [3, 4], asleep: false });
});

describe('a predicate that panics', { ...workerOnly, concurrency: 1 }, () => {
  for (const transport of ['websocket', 'polling']) {
    test(`${transport}: its client is refused, and nothing else ends`, async () => {
      const namespace = `/later/${freshName()}`;
      const root = await openMember(server, { transport });
      const witness = await openMember(server, { transport });
      await root.client.send(`0${namespace},{"guard":"panic"}`);
      await root.client.expect(`4${namespace},${INTERNAL}`);
      assert.deepEqual(await root.ask('message-with-ack', 1), [1]);
      assert.deepEqual(await witness.ask('message-with-ack', 1), [1]);
      await root.client.join(namespace);
    });
  }
});

/** A member of a namespace, once the log tells of it: what comes before is there, too. */
async function joined(options) {
  const member = await openMember(server, options);
  await logs.waitFor({ event: 'connected', socket: member.id });
  return member;
}

describe('the news of a new namespace', { concurrency: true }, () => {
  const told = (namespace) => logs.find({ event: 'new namespace', namespace }).length;

  for (const [what, fresh] of [
    ['a pattern', () => `/dynamic-${freshName()}`],
    ['a predicate', () => `/later/${freshName()}`],
  ]) {
    test(`of ${what}: with its first client, and no more`, async () => {
      const namespace = fresh();
      const first = await joined({ namespace });
      await logs.waitFor({ event: 'new namespace', namespace });
      await joined({ namespace, transport: 'polling' });
      await first.client.close();
      await logs.waitFor({ event: 'disconnected', socket: first.id });
      await joined({ namespace });
      assert.equal(told(namespace), 1);
    });
  }

  test('again, when the last has left and another comes', differs('keeps it for good'), async () => {
    const namespace = `/dynamic-${freshName()}`;
    for (const count of [1, 2]) {
      const { id, client } = await joined({ namespace });
      assert.equal(told(namespace), count);
      await client.send(`1${namespace},`);
      await logs.waitFor({ event: 'disconnected', socket: id });
    }
  });

  test('not for one that is defined by its name, and not for one that nobody joins', async () => {
    await joined({ namespace: '/chat' });
    const namespace = `/later/${freshName()}`;
    const client = await openClient(server);
    await client.send(`0${namespace},{"guard":"refuse"}`);
    await client.expect(`4${namespace},${INVALID}`);
    assert.equal(told('/chat') + told(namespace), 0);
  });

  test('comes before the socket is connected', differs('does not wait'), async () => {
    const namespace = `/dynamic-${freshName()}-waits`;
    await joined({ namespace });
    assert.equal(logs.find({ event: 'namespace opened', namespace }).length, 1);
  });

  test('a handler that fails is logged, and the client is let in', workerOnly, async () => {
    const namespace = `/dynamic-${freshName()}-fails`;
    const { client } = await joined({ namespace });
    const line = await logs.waitFor({ event: 'handler failed', sid: client.sid });
    assert.deepEqual([line.handler, line.message], ['new namespace', 'not today']);
  });
});

test('a new namespace is not news again after sleep', workerOnly, async () => {
  const namespace = `/dynamic-${freshName()}`;
  const { client } = await joined({ namespace });
  await server.sleep(client.sid);
  await joined({ namespace });
  assert.equal(logs.find({ event: 'new namespace', namespace }).length, 1);
});

describe('events for all namespaces of a pattern', { concurrency: 1 }, () => {
  /** Members of two namespaces of the pattern, and of others. */
  const crowd = async (options) => {
    const namespaces = [`/dynamic-${freshName()}`, `/dynamic-${freshName()}`];
    const join = (namespace, auth) => openMember(server, { namespace, auth, ...options });
    const [one, two, other] = [
      await join(namespaces[0], { rooms: ['room'] }),
      await join(namespaces[1], { rooms: ['other'] }),
      await join('/chat'),
    ];
    return { one, two, other };
  };

  for (const transport of ['websocket', 'polling']) {
    test(`${transport}: from a handler`, async () => {
      const { one, two, other } = await crowd({ transport });
      assert.deepEqual(await other.ask('cast-children', {}, 'news', 1), ['ok']);
      await one.expect('news', 1);
      await two.expect('news', 1);
      await other.nothing();
    });

    test(`${transport}: for rooms of whichever of them`, async () => {
      const { one, two, other } = await crowd({ transport });
      assert.deepEqual(await other.ask('cast-children', { to: ['room'] }, 'news', 1), ['ok']);
      await one.expect('news', 1);
      await two.nothing();
      assert.deepEqual(await other.ask('cast-children', { except: ['room'] }, 'news', 2), ['ok']);
      await two.expect('news', 2);
      await one.nothing();
    });

    test(`${transport}: from another route`, async () => {
      const { one, two, other } = await crowd({ transport });
      await emitToChildrenFromElsewhere(server, { path }, 'news', { a: 1 });
      await one.expect('news', { a: 1 });
      await two.expect('news', { a: 1 });
      await emitToChildrenFromElsewhere(server, { path, to: 'other' }, 'news', 2);
      await two.expect('news', 2);
      await one.nothing();
      await other.nothing();
    });
  }

  test('old clients and new ones', async () => {
    const { one, two } = await crowd();
    const old = await openClient(server, { revision: 3 });
    const member = await old.join(one.namespace);
    await two.emit('cast-children', {}, 'news', 1);
    for (const each of [one, two, member]) await each.expect('news', 1);
  });

  test('with the object asleep', workerOnly, async () => {
    const { one, two, other } = await crowd();
    await server.sleep(other.client.sid);
    assert.deepEqual(await other.ask('cast-children', {}, 'news', 1), ['ok']);
    await one.expect('news', 1);
    await two.expect('news', 1);
  });

  test('by a predicate, and not those with a name of their own', workerOnly, async () => {
    const later = await openMember(server, { namespace: `/later/${freshName()}` });
    const { one, other } = await crowd();
    const cast = async (pattern) => assert.deepEqual(await other.ask('cast-to', pattern), ['ok']);
    await cast('/{*all}');
    for (const each of [later, one]) await each.expect('to-pattern', '/{*all}');
    await cast('/later/{name}');
    await later.expect('to-pattern', '/later/{name}');
    for (const pattern of ['/chat', '/nobody-{id}']) await cast(pattern);
    for (const each of [later, one, other]) await each.nothing();
  });

  test('what is not a pattern is an error', workerOnly, async () => {
    const { one } = await crowd();
    const [answer] = await one.ask('cast-to', '/{');
    assert.deepEqual(answer, { error: 'internal error' });
    const line = await logs.waitFor({ event: 'handler failed', socket: one.id });
    assert.equal(line.message, '`/{` is not a pattern of names');
  });
});
