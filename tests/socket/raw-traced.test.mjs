// Spans of the platform's tracing, as a Tail Worker is told of them.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { openClient, openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';

const PATH = '/traced/';

describe('what is traced', workerOnly, async () => {
  const server = await startServer({ observed: true });
  after(() => server.stop());
  const { logs } = server;

  /** The next span of this name, each of which is returned once. */
  const taken = new Set();
  async function take(name) {
    const find = () => logs.find({ observed: 'span', name }).find((span) => !taken.has(span));
    while (!find()) await new Promise(setImmediate);
    const span = find();
    taken.add(span);
    return span;
  }

  const attributes = (operation, namespace, more) => ({
    'messaging.system': 'socket.io',
    'messaging.operation.name': operation,
    ...(operation === 'process' && { 'messaging.operation.type': operation }),
    'messaging.destination.name': namespace,
    ...more,
  });
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
    // The first one in an object reads the rows of those that poll, of which there is no table:
    // where a statement has failed, this runtime tells nothing more of what is traced.
    await openMember(server, { path: PATH, namespace: '/dynamic-1' });
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
    assert.deepEqual(unended.filter((name) => /^(process|connect|disconnect)/.test(name)), []);
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
