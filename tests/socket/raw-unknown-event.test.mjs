// An event that nobody handles: nothing happens but a line in the log, with its name.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;

const rules = ({ member }) => {
  for (const namespace of ['/few', '/few-checked']) {
    test(`is logged: ${namespace}`, workerOnly, async () => {
      const { id, client, ...player } = await member({ namespace });
      await client.send(`2${namespace},7["knwon",1]`);
      await logs.waitFor({ event: 'unknown event', level: 'info', namespace, socket: id, name: 'knwon' });
      const long = 'ü'.repeat(1_000);
      await client.send(`2${namespace},["${long}"]`);
      await logs.waitFor({ event: 'unknown event', socket: id, name: long.slice(0, 256) });
      // It is acknowledged by nobody, and what follows is served.
      await client.send(`2${namespace},8["known"]`);
      await client.expect(`3${namespace},8["known"]`);
      assert.equal(logs.find({ event: 'unknown event', socket: id }).length, 2);
    });
  }

  test('is not unknown if it is observed', workerOnly, async () => {
    const { id, client } = await member({ namespace: '/few-heard' });
    await client.send('2/few-heard,["other"]', '2/few-heard,8["known"]');
    await client.expect('3/few-heard,8["known"]');
    assert.deepEqual(logs.find({ event: 'unknown event', socket: id }), []);
  });
};

eachWay(server, rules);
