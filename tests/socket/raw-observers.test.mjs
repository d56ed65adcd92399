// Middlewares that change an event or drop it, and observers of what a socket is sent.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const namespace = '/observed';

const rules = ({ member }) => {
  const open = () => member({ namespace });

  test('an event gets another name and other arguments', workerOnly, async () => {
    const one = await open();
    assert.deepEqual(await one.ask('old-name', 1, 'é'), ['new', 1, 'é']);
    assert.deepEqual(await one.ask('old-name'), ['new']);
    // Others pass as they came.
    assert.deepEqual(await one.ask('typed', 'x', 2), ['x:2']);
    await one.emit('message', 1, Buffer.of(1, 2), { a: Buffer.of(3) });
    await one.expect('message-back', 1, Buffer.of(1, 2), { a: Buffer.of(3) });
  });

  test('middlewares see it in the order in which they are registered', workerOnly, async () => {
    const one = await open();
    // The check comes before both rewrites, which see what the one before has made of it.
    assert.deepEqual(await one.ask('blocked'), [{ error: 'blocked' }]);
    assert.deepEqual(await one.ask('to-blocked'), ['passed:1']);
  });

  test('an event is dropped: no handler, no acknowledgement', workerOnly, async () => {
    const one = await open();
    await one.client.send(`2${one.prefix}70["dropped",1]`);
    await one.emit('dropped', Buffer.of(1));
    await one.nothing();
  });

  test('an error keeps an event from its handlers', workerOnly, async () => {
    const one = await open();
    assert.deepEqual(await one.ask('not-so', 1), [{ error: 'not so' }]);
    await one.emit('not-so');
    await one.nothing();
  });

  test('what a socket is sent is observed, whoever sends it', workerOnly, async () => {
    const [one, other] = [await open(), await open()];
    await one.ask('set-data', null);
    await other.ask('set-data', null);
    await one.ask('join', `room of ${one.id}`);
    await other.ask('join', `room of ${one.id}`);
    await one.emit('message', 'é', 1);
    await one.expect('message-back', 'é', 1);
    const everyone = { from: 'server', to: [`room of ${one.id}`] };
    await one.emit('cast', everyone, 'to all', { a: null });
    await one.expect('to all', { a: null });
    await other.expect('to all', { a: null });
    await one.ask('cast', { to: [`room of ${one.id}`] }, 'to others');
    await other.expect('to others');
    assert.deepEqual(await one.ask('get-data'), [['message-back "é",1', 'to all {"a":null}']]);
    assert.deepEqual(await other.ask('get-data'), [['to all {"a":null}', 'to others ']]);
  });
};

const asking = ({ member }) => {
  test('so is what it is asked, and not what it is answered', workerOnly, async () => {
    const one = await member({ namespace });
    await one.ask('set-data', null);
    await one.client.send(`2${one.prefix}71["ask",5000,"x"]`);
    await one.answer(await one.asked('question', 'x'), 'y');
    await one.client.expect(`3${one.prefix}71["answer","y"]`);
    assert.deepEqual(await one.ask('get-data'), [['question "x"']]);
  });
};

eachWay(server, rules, { revisions: [3, 4] });
eachWay(server, asking, { revisions: [3, 4], asleep: false });
