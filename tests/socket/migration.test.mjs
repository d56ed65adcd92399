// The programs for other servers that docs/migration.md puts beside ours do what it says of
// all of them. (Ours is compiled with the other examples.)

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { io } from 'socket.io-client';
import { prepared } from '../harness/clients/program.mjs';
import { startProgram } from '../harness/gateway.mjs';
import { root } from '../harness/root.mjs';
import { Queue } from '#dormouse-test/wait.mjs';

const document = readFileSync(path.join(root, 'docs', 'migration.md'), 'utf8');
// Within the repository, so that Node finds its packages.
const folder = path.join(root, 'target', 'migration');

/** Writes the document's program for this server, on a free port, and says it is there. */
async function programOf(name, language, announce) {
  const found = new RegExp(`<summary>${name}</summary>\\n\\n\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(document);
  assert.ok(found, `docs/migration.md has a program for ${name}`);
  const port = await freePort();
  const file = path.join(folder, `${name}.${language === 'js' ? 'mjs' : 'py'}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, found[1].replaceAll('3000', port) + announce(port));
  return file;
}

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

const programs = {
  'socket.io': async () => {
    const announce = (port) => `chat.server.httpServer.once("listening", () => console.log("http://127.0.0.1:${port}"));\n`;
    return [process.execPath, await programOf('socket.io', 'js', announce)];
  },
  'python-socketio': async () => [
    prepared('DORMOUSE_PYTHON', '.venv/bin/python'),
    await programOf('python-socketio', 'python', () => ''),
  ],
};

for (const [name, program] of Object.entries(programs)) {
  describe(`the program for ${name}`, () => {
    test('lets people with a name in, who talk in rooms and leave', async (t) => {
      const server = await startProgram(...(await program()));
      t.after(() => server.stop());
      const connect = (auth) => {
        const socket = io(`${server.url}/chat`, { auth, forceNew: true, reconnection: false });
        t.after(() => socket.disconnect());
        const heard = new Queue();
        socket.onAny((...event) => heard.push(event));
        const connected = new Promise((resolve, reject) => {
          socket.on('connect', resolve);
          socket.on('connect_error', reject);
        });
        return { socket, heard, connected };
      };

      await assert.rejects(connect({ name: '' }).connected, { message: 'who are you?' });
      const [ada, bob] = [connect({ name: 'ada' }), connect({ name: 'bob' })];
      await Promise.all([ada.connected, bob.connected]);
      await ada.socket.timeout(8_000).emitWithAck('join', 'lobby');
      bob.socket.emit('say', 'lobby', 'hello');
      assert.deepEqual(await ada.heard.next('said'), ['said', 'bob', 'hello']);
      assert.equal(await bob.socket.timeout(8_000).emitWithAck('sum', 1, 2), 3);
      bob.socket.disconnect();
      assert.deepEqual(await ada.heard.next('left'), ['left', 'bob']);
    });
  });
}
