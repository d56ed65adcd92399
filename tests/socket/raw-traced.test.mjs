// Spans of the platform's tracing, as a Tail Worker is told of them.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { openClient, openMember } from '../harness/socket/client.mjs';
import { lose } from '../harness/socket/recovery.mjs';
import { emitToObjectsFromElsewhere } from '../harness/socket/routes.mjs';
import { attributes, spansOf } from '../harness/spans.mjs';
import { workerOnly } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const PATH = '/traced/';
/** With the handlers that are called seldom, or in the front. */
const SELDOM = '/traced-seldom/';

describe('what is traced', workerOnly, async () => {
  const server = await startServer({ observed: true });
  after(() => server.stop());
  const { logs } = server;

  const take = spansOf(server);
  const event = (name, ack, more) => ({ 'socketio.event': name, 'socketio.ack': ack, ...more });

  async function open(namespace = '/', options) {
    const player = await openMember(server, { path: PATH, namespace, ...options });
    await take(`connect ${namespace}`);
    return player;
  }

  test('a client that connects, an event with and without an acknowledgement, and the end', async () => {
    const player = await openMember(server, { path: PATH });
    const connected = await take('connect /');
    assert.deepEqual(connected.attributes, attributes('connect', '/'));
    assert.equal(connected.of, 'hibernatableWebSocket');

    await player.ask('message-with-ack', 'their words');
    const asked = await take('process /');
    assert.deepEqual(asked.attributes, attributes('process', '/', event('message-with-ack', true)));
    assert.equal(asked.status, undefined);
    await player.emit('message', 'their words');
    const said = await take('process /');
    assert.deepEqual(said.attributes, attributes('process', '/', event('message', false)));

    await player.client.close();
    const gone = await take('disconnect /');
    assert.deepEqual(gone.attributes, attributes('disconnect', '/', { 'socketio.reason': 'transport close' }));
    const told = JSON.stringify(logs.find({ observed: 'span' }));
    for (const secret of ['their words', player.id, player.client.sid]) assert.ok(!told.includes(secret));
  });

  test('lasts until a handler that waits has returned, and has what that does below it', async () => {
    const player = await open('/stored');
    assert.deepEqual(await player.ask('store'), []);
    const stored = await take('process /stored');
    assert.equal(stored.parent, '');
    const below = logs.find({ observed: 'span', parent: 'process /stored' });
    assert.ok(below.length > 0 && below.every(({ name }) => /storage/.test(name)), JSON.stringify(below));
  });

  test('says that a handler has failed, but not why', async () => {
    const player = await open();
    await player.ask('fail', 'their words');
    const failed = await take('process /');
    assert.equal(failed.status, 'error');
    assert.deepEqual(failed.attributes, attributes('process', '/', event('fail', true, { 'error.type': 'handler failed' })));
    await player.ask('decline', 'their words', null);
    const declined = await take('process /');
    assert.equal(declined.status, undefined);
    assert.deepEqual(declined.attributes, attributes('process', '/', event('decline', true, { 'socketio.refused': true })));
    await player.emit('panic');
    const panicked = await take('process /');
    assert.equal(panicked.status, 'error');
    assert.deepEqual(panicked.attributes, attributes('process', '/', event('panic', false, { 'error.type': 'panic' })));
    assert.deepEqual(await player.ask('who'), [player.id, '/']);
    await take('process /');
  });

  test('has the pattern of many namespaces in its name, and no event’s that nobody has registered', async () => {
    const player = await openMember(server, { path: PATH, namespace: '/dynamic-7' });
    const more = { 'messaging.destination.template': '/dynamic-{id}' };
    const connected = await take('connect /dynamic-{id}');
    assert.deepEqual(connected.attributes, attributes('connect', '/dynamic-7', more));
    await player.ask('message-with-ack', 1);
    const asked = await take('process /dynamic-{id}');
    assert.deepEqual(asked.attributes, attributes('process', '/dynamic-7', { ...more, ...event('message-with-ack', true) }));

    const heard = await open('/few-heard');
    await heard.emit('their words');
    const other = await take('process /few-heard');
    assert.deepEqual(other.attributes, attributes('process', '/few-heard', event('_OTHER', false)));
  });

  test('is a client that is refused', async () => {
    const client = await openClient(server, { path: PATH });
    await client.send('0/refuse,');
    const refused = await take('connect /refuse');
    assert.deepEqual(refused.attributes, attributes('connect', '/refuse', { 'socketio.refused': true }));
  });

  test('is an alarm, by the pattern of its handler', async () => {
    const player = await open();
    /** Sets one, and hears of it if it says so. */
    const ring = async (name, ...heard) => {
      await player.ask('set-alarm', name, 50);
      for (const event of heard) await player.expect(...event);
    };
    await ring('say-their-words', ['alarm', 'their-words', 'say-their-words']);
    const rung = await take('alarm say-{what}');
    assert.deepEqual([rung.attributes, rung.of], [{ 'dormouse.alarm': 'say-{what}' }, 'alarm']);
    await ring('slow-20', ['slow']);
    assert.equal((await take('alarm slow-{millis}')).status, undefined);
    await ring('fail');
    const failed = await take('alarm fail');
    assert.deepEqual(failed.attributes, { 'dormouse.alarm': 'fail', 'error.type': 'handler failed' });
    assert.equal(failed.status, 'error');
  });

  test('is a task of a socket, and one of the object', async () => {
    const player = await open();
    await player.emit('later', 20, 'their words');
    await player.expect('later', 'their words');
    const later = await take('task');
    assert.deepEqual([later.attributes, later.status], [{}, undefined]);
    await player.ask('spawn', 'counting', 'count');
    for (const number of [0, 1, 2]) await player.expect('number', number);
    const counted = await take('task');
    assert.deepEqual(counted.attributes, { 'dormouse.task': 'counting' });
    await player.ask('spawn', 'failing', 'fail');
    const failed = await take('task');
    assert.deepEqual(failed.attributes, { 'dormouse.task': 'failing', 'error.type': 'task failed' });
    assert.equal(failed.status, 'error');
  });

  test('is an event from elsewhere in the Worker', async () => {
    const namespace = '/dynamic-9';
    await openMember(server, { path: PATH, namespace });
    await take('connect /dynamic-{id}');
    const heard = async (name, ...args) => {
      await emitToObjectsFromElsewhere(server, { path: PATH, namespace }, name, ...args);
      return take('process /dynamic-{id}');
    };
    const more = (name, also) => ({
      'messaging.destination.template': '/dynamic-{id}',
      'socketio.event': name,
      'socketio.from_server': true,
      ...also,
    });
    assert.deepEqual((await heard('sum', 1, 2)).attributes, attributes('process', namespace, more('sum')));
    const declined = await heard('fail');
    assert.deepEqual(declined.attributes, attributes('process', namespace, more('fail', { 'socketio.refused': true })));
  });

  test('is a client that wants to open a session, whatever becomes of that', async () => {
    const admitted = async (admission) => {
      await fetchRaw(server, { path: SELDOM, query: { EIO: 4, transport: 'polling', ...(admission && { admission }) } });
      return take(`admit ${SELDOM}`);
    };
    const { attributes: allowed, status, of, parent } = await admitted();
    assert.deepEqual([allowed, status, of, parent], [attributes('admit', SELDOM), undefined, 'fetch', '']);
    const refused = await admitted('no');
    assert.deepEqual([refused.attributes, refused.status], [attributes('admit', SELDOM, { 'socketio.refused': true }), undefined]);
    for (const [admission, type] of [['fail', 'handler failed'], ['panic', 'panic']]) {
      const failed = await admitted(admission);
      assert.deepEqual([failed.attributes, failed.status], [attributes('admit', SELDOM, { 'error.type': type }), 'error']);
    }
  });

  test('is a namespace that is asked for, and its first socket', async () => {
    const client = await openClient(server, { path: PATH });
    await client.join('/tenant/their-words', { tenant: 'their-words' });
    assert.deepEqual((await take('match')).attributes, attributes('match', '/tenant/their-words'));
    const opened = await take('open');
    assert.deepEqual(opened.attributes, attributes('open', '/tenant/their-words'));
    assert.equal(opened.parent, 'connect');
    await take('connect');

    await client.send('0/tenant/other,');
    assert.equal((await client.packet('refusal')).type, 4);
    // One for each definition.
    for (const _ of [1, 2]) {
      const no = await take('match');
      assert.deepEqual([no.attributes, no.status], [attributes('match', '/tenant/other', { 'socketio.refused': true }), undefined]);
    }

    const more = { 'messaging.destination.template': '/dynamic-{id}' };
    const open = async (namespace) => {
      await client.join(namespace);
      for (;;) {
        const span = await take('open /dynamic-{id}');
        if (span.attributes['messaging.destination.name'] === namespace) return span;
      }
    };
    assert.deepEqual((await open('/dynamic-traced-waits')).attributes, attributes('open', '/dynamic-traced-waits', more));
    const fails = await open('/dynamic-traced-fails');
    assert.deepEqual(fails.attributes, attributes('open', '/dynamic-traced-fails', { ...more, 'socketio.refused': true }));
  });

  test('is a socket whose client does not come back, and what is billed', async () => {
    const member = await openMember(server, { path: SELDOM, namespace: '/chat' });
    await lose(server, member);
    const expired = await take('expire /chat');
    assert.deepEqual([expired.attributes, expired.status], [attributes('expire', '/chat'), undefined]);
    const usage = await take('usage');
    assert.deepEqual([usage.attributes, usage.status], [{}, undefined]);
  });

  test('is nothing of a server that does not ask for it', async () => {
    const player = await openMember(server, { path: '/io/', namespace: '/plain' });
    await player.client.close();
    await logs.waitFor({ event: 'disconnect', sid: player.client.sid });
    const last = await open();
    await last.ask('who');
    assert.ok(!JSON.stringify(logs.find({ observed: 'span' })).includes('/plain'));
  });

  test('has an end, every time', async () => {
    const player = await open();
    await player.client.close();
    await take('disconnect /');
    const unended = logs.find({ observed: 'end' }).flatMap(({ unended }) => unended);
    assert.deepEqual(unended.filter((name) => /^(admit|match|open|connect|process|disconnect|expire|alarm|task|usage)/.test(name)), []);
  });
});

describe('where there is nothing to trace with', workerOnly, async () => {
  const server = await startServer({ flags: ['no_nodejs_compat', 'no_nodejs_compat_v2'] });
  after(() => server.stop());

  test('the log says so once, and everything works', async () => {
    const player = await openMember(server, { path: PATH });
    const { message } = await server.logs.waitFor({ event: 'misconfigured' });
    assert.match(message, /tracing.*nodejs_compat/);
    assert.deepEqual(await player.ask('who'), [player.id, '/']);
    assert.deepEqual(await player.ask('slow', 20, 1), [1]);
    assert.equal(server.logs.find({ event: 'misconfigured' }).length, 1);
  });
});
