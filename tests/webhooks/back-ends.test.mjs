// The back ends of examples/gateway, each with a stock client.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { prepared } from '../harness/clients/program.mjs';
import { join, newest } from '../harness/clients/socket.mjs';
import { startGateway, startProgram } from '../harness/gateway.mjs';
import { root } from '../harness/root.mjs';
import { workerOnly } from '../harness/target.mjs';

const file = (name) => path.join(root, 'examples', 'gateway', 'backends', name);

const programs = {
  'Node and Hono': () => [process.execPath, file('node.mjs')],
  'Python and Flask': () => [prepared('DORMOUSE_PYTHON', '.venv/bin/python'), file('python.py')],
  PHP: () => ['php', '-S', '127.0.0.1:0', file('php.php')],
};

for (const [name, program] of Object.entries(programs)) {
  describe(`a chat's back end in ${name}`, workerOnly, () => {
    let backEnd;
    let gateway;
    before(async () => {
      backEnd = await startProgram(...program());
      gateway = await startGateway(`${backEnd.url}/`);
    });
    after(() => Promise.all([gateway?.stop(), backEnd?.stop()]));

    const enter = (who) => join(gateway, newest, { auth: { name: who }, transports: ['websocket'] });

    test('refuses who has no name', async () => {
      const { refusal } = await enter().catch((error) => error);
      assert.equal(refusal.message, 'who are you?');
      assert.deepEqual(refusal.data, { missing: 'name' });
    });

    test('lets people talk, rename themselves, move and leave', async () => {
      const ada = (await enter('ada')).listen('arrived', 'said', 'left', 'moved', 'bye');
      const bob = (await enter('bob')).listen('said', 'bye');
      assert.deepEqual(await ada.next('arrived'), ['bob']);

      const photo = Buffer.from([1, 2, 3]);
      assert.deepEqual(await bob.ask('say', 'look', photo), ['said']);
      for (const player of [ada, bob]) assert.deepEqual(await player.next('said'), ['bob', 'look', photo]);

      assert.deepEqual(await bob.ask('rename', 'bertha'), ['bob is bertha']);
      assert.deepEqual(await bob.ask('say', 'hello'), ['said']);
      assert.deepEqual(await ada.next('said'), ['bertha', 'hello']);

      assert.deepEqual(await bob.ask('sing'), [{ error: 'what is sing?' }]);

      bob.emit('leave');
      assert.deepEqual(await bob.next('bye'), []);
      assert.equal(await bob.end(), 'io server disconnect');
      assert.deepEqual(await ada.next('left'), ['bertha', 'server namespace disconnect']);

      ada.emit('move', 'attic');
      assert.deepEqual(await ada.next('moved'), ['attic']);
      ada.close();
      bob.close();
    });
  });
}
