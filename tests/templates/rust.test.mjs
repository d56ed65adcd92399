// A project that was created from templates/rust, outside of this repository, from the crates
// as they would be published, and built as its own wrangler.toml says.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { io } from 'socket.io-client';
import { startServer } from '../harness/server.mjs';
import { Queue } from '#dormouse-test/wait.mjs';

const project = process.env.DORMOUSE_CHAT;
if (!project) throw new Error('DORMOUSE_CHAT is not set: npm test creates the project');

const server = await startServer({ build: path.join(project, 'build'), assets: path.join(project, 'public') });
after(() => server.stop());

/** A stock client, and what it hears. */
function connect(t, name) {
  const socket = io(server.url, { auth: { name }, forceNew: true, reconnection: false });
  t.after(() => socket.disconnect());
  const heard = new Queue();
  socket.onAny((...event) => heard.push(event));
  const connected = new Promise((resolve, reject) => {
    socket.on('connect', resolve);
    socket.on('connect_error', reject);
  });
  return { socket, heard, connected };
}

test('two clients talk in a room, and a handler answers', async (t) => {
  const ada = connect(t, 'Ada');
  await ada.connected;
  await ada.socket.emitWithAck('join', 'lobby');
  const bob = connect(t, 'Bob');
  await bob.connected;
  assert.deepEqual(await ada.heard.next('entered'), ['entered', 'Bob']);
  bob.socket.emit('say', 'lobby', 'hello');
  assert.deepEqual(await ada.heard.next('said'), ['said', 'Bob', 'lobby', 'hello']);
  assert.equal(await bob.socket.emitWithAck('sum', 1, 2), 3);
  bob.socket.disconnect();
  assert.deepEqual(await ada.heard.next('left'), ['left', 'Bob', 'client namespace disconnect']);
});

test('a client without a name is told why it stays outside', async (t) => {
  await assert.rejects(connect(t, '').connected, { message: 'who are you?' });
});

test('its page is served beside it, and the name is the project’s everywhere', async () => {
  const page = await fetch(server.entryUrl);
  assert.match(await page.text(), /<title>first-chat<\/title>/);
  for (const [file, name] of [
    ['Cargo.toml', 'name = "first-chat"'],
    ['wrangler.toml', 'name = "first-chat"'],
    ['package.json', '"name": "first-chat"'],
  ]) {
    assert.ok(readFileSync(path.join(project, file), 'utf8').includes(name), `${file} has ${name}`);
  }
});
