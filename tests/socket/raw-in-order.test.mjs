// `in_order`: a client's next event waits until the handler of the previous one has
// returned.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { freshNamespace } from '../harness/socket/client.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;

const rules = ({ member }) => {
  const open = (options) => member({ namespace: freshNamespace(), ...options });

  test('handlers begin in the order of the events, and not before', workerOnly, async () => {
    const one = await open();
    const events = ['21["slow",120,"a"]', '22["typed","x",1]', '23["slow",0,"b"]', '24["blocked"]', '25["typed","y",2]'];
    await one.client.send(...events.map((event) => event.replace(/^2/, `2${one.prefix}`)));
    for (const answer of ['1["a"]', '2["x:1"]', '3["b"]', '4[{"error":"blocked"}]', '5["y:2"]']) {
      await one.client.expect(`3${one.prefix}${answer}`);
    }
  });

  test('those of other clients do not wait', workerOnly, async () => {
    const [one, other] = [await open(), await open()];
    await one.client.send(`2${one.prefix}1["hang"]`, `2${one.prefix}2["typed","x",1]`);
    assert.deepEqual(await other.ask('typed', 'y', 2), ['y:2']);
    await other.nothing();
  });

  test('attachments wait with their event', workerOnly, async () => {
    const one = await open();
    const bytes = Buffer.of(1, 2, 3);
    await one.emit('slow', 80, 'a');
    await one.emit('message', bytes, 'é');
    await one.emit('message', 'after');
    await one.expect('message-back', bytes, 'é');
    await one.expect('message-back', 'after');
  });

  test('a handler can wait for an acknowledgement', workerOnly, async () => {
    const one = await open();
    await one.client.send(`2${one.prefix}1["ask",5000,"x"]`, `2${one.prefix}2["typed","y",2]`);
    await one.answer(await one.asked('question', 'x'), 'z');
    await one.client.expect(`3${one.prefix}1["answer","z"]`);
    await one.client.expect(`3${one.prefix}2["y:2"]`);
  });

  test('who leaves the namespace is told about after what it has sent', workerOnly, async () => {
    const namespace = freshNamespace();
    const [one, other] = [await member({ namespace }), await member({ namespace })];
    const room = `room of ${one.id}`;
    await other.ask('join', room);
    await one.emit('slow', 80, 'a');
    await one.emit('cast', { from: 'server', to: [room] }, 'last words');
    await one.client.send(`1${one.prefix}`);
    await other.expect('last words');
    const line = await logs.waitFor({ event: 'disconnected', socket: one.id });
    assert.equal(line.reason, 'client namespace disconnect');
    assert.equal(logs.find({ event: 'disconnected', socket: one.id }).length, 1);
    // It is there again, and its events are served.
    const again = await one.client.join(namespace);
    assert.deepEqual(await again.ask('typed', 'x', 1), ['x:1']);
  });

  test('so is who ends the session', workerOnly, async () => {
    const namespace = freshNamespace();
    const [one, other] = [await member({ namespace }), await member({ namespace })];
    const room = `room of ${one.id}`;
    await other.ask('join', room);
    await one.emit('slow', 80, 'a');
    await one.emit('cast', { from: 'server', to: [room] }, 'last words');
    await one.emit('leave-me', true);
    await other.expect('last words');
    const line = await logs.waitFor({ event: 'disconnected', socket: one.id });
    assert.equal(line.reason, 'server namespace disconnect');
  });
};

const bounds = ({ member }) => {
  test('1,000 events wait, and with one more the session ends', workerOnly, async () => {
    const one = await member({ namespace: freshNamespace() });
    const event = `2${one.prefix}["message",1]`;
    await one.client.send(`2${one.prefix}["slow",100,1]`, ...new Array(999).fill(event));
    for (let index = 0; index < 999; index += 1) await one.expect('message-back', 1);
    await one.nothing();
    await one.client.send(`2${one.prefix}["slow",1000,1]`, ...new Array(1_000).fill(event));
    const line = await logs.waitFor({ event: 'disconnected', socket: one.id });
    assert.equal(line.reason, 'overrun');
  });

  test('a panic elsewhere: what waits is served', workerOnly, async () => {
    const [one, other] = [await member({ namespace: freshNamespace() }), await member({ namespace: freshNamespace() })];
    const id = 2 ** 53 - 1;
    await one.client.send(`2${one.prefix}1["hang"]`, `2${one.prefix}${String(id).slice(0, 15)}["typed","x",1]`);
    await one.emit('message', Buffer.of(1), 'é');
    await one.emit('message', 2);
    // They have come in when this is answered, since they are before it in the object.
    await other.ask('typed', 'y', 2);
    await other.emit('panic');
    await one.client.expect(`3${one.prefix}${String(id).slice(0, 15)}["x:1"]`);
    await one.expect('message-back', Buffer.of(1), 'é');
    await one.expect('message-back', 2);
    await one.nothing();
    await other.nothing();
  });
};

const path = '/in-order/';
eachWay(server, rules, { path, revisions: [3, 4], asleep: false });
eachWay(server, bounds, { path, asleep: false });
