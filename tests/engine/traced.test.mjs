// Spans of Engine.IO alone, as a Tail Worker is told of them.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { attributes, spansOf } from '../harness/spans.mjs';
import { workerOnly } from '../harness/target.mjs';

const path = '/traced-engine/';
const of = (operation, more) => attributes(operation, path, more, 'engine.io');

describe('what is traced', workerOnly, async () => {
  const server = await startServer({ observed: true });
  after(() => server.stop());
  const take = spansOf(server);
  const [connect, process, disconnect] = ['connect', 'process', 'disconnect'].map((name) => `${name} ${path}`);

  test('a client that connects, its messages, and its end', async () => {
    const session = await openSession(server, { path });
    assert.deepEqual((await take(connect)).attributes, of('connect'));
    session.send('4their words');
    assert.equal(await session.next(), '4their words');
    const message = await take(process);
    assert.deepEqual([message.attributes, message.status], [of('process'), undefined]);
    session.send('4cmd:slow 20 later');
    assert.equal(await session.next(), '4later');
    await take(process);
    session.send('4cmd:error');
    const failed = await take(process);
    assert.deepEqual([failed.attributes, failed.status], [of('process', { 'error.type': 'handler failed' }), 'error']);
    session.send('4cmd:panic');
    assert.deepEqual((await take(process)).attributes, of('process', { 'error.type': 'panic' }));
    session.close();
    assert.deepEqual((await take(disconnect)).attributes, of('disconnect', { 'engineio.reason': 'transport close' }));
    const told = JSON.stringify(server.logs.find({ observed: 'span' }));
    for (const secret of ['their words', session.sid]) assert.ok(!told.includes(secret), secret);
  });

  test('is a client that wants to open a session', async () => {
    const admit = `admit ${path}`;
    // Others have been let in.
    const next = async (isIt) => {
      for (;;) {
        const span = await take(admit);
        if (isIt(span)) return span;
      }
    };
    assert.deepEqual((await next(() => true)).attributes, of('admit'));
    await assert.rejects(openPolling(server, { path, query: { admission: 'no' } }), /403/);
    const refused = await next(({ attributes }) => attributes['engineio.refused']);
    assert.deepEqual([refused.attributes, refused.status], [of('admit', { 'engineio.refused': true }), undefined]);
  });

  test('is a client that is refused', async () => {
    await assert.rejects(openPolling(server, { path, query: { refuse: 1 } }), /401/);
    assert.deepEqual((await take(connect)).attributes, of('connect', { 'engineio.refused': true }));
  });

  test('is an alarm, and a task of each kind', async () => {
    const session = await openSession(server, { path });
    const ask = async (command, ...answers) => {
      session.send(`4cmd:${command}`);
      const heard = [];
      while (heard.length < answers.length) heard.push(await session.next());
      assert.deepEqual(heard.sort(), answers.map((answer) => `4${answer}`).sort());
    };
    await ask('alarms set 10', 'done', 'alarm');
    const alarm = await take('alarm to-{sid}');
    assert.deepEqual([alarm.attributes, alarm.of], [{ 'dormouse.alarm': 'to-{sid}' }, 'alarm']);
    await ask('task 10 done', 'done');
    assert.deepEqual((await take('task')).attributes, {});
    await ask('alarms spawn', 'done', 'task');
    assert.deepEqual((await take('task')).attributes, { 'dormouse.task': 'task' });
    session.send('4cmd:task 60000 never');
    const dropped = await take('task');
    assert.deepEqual([dropped.attributes, dropped.status], [{ 'error.type': 'dropped' }, 'error']);
    session.close();
    await take(disconnect);
  });
});
