// A project that was created from templates/rust, outside of this repository, from the crates
// as they would be published, and built as its own wrangler.toml says.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { io } from 'socket.io-client';
import { root } from '../harness/root.mjs';
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

/** Runs the tests in the project's folder, as its `npm test` does. */
async function runTests() {
  // No mode of this test runner's.
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  const options = { cwd: project, env, timeout: 120_000 };
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', '--test-reporter=spec'], options);
  return Number(/^ℹ pass (\d+)$/m.exec(stdout)[1]);
}

test('its own tests pass, and so do those in the documentation', async () => {
  const { scripts } = JSON.parse(readFileSync(path.join(project, 'package.json'), 'utf8'));
  assert.equal(scripts.test, 'dormouse-test build && node --test');
  const text = readFileSync(path.join(root, 'docs/testing.md'), 'utf8');
  const blocks = [...text.matchAll(/```js\n\/\/ (test\/\S+)\n(.*?)```/gs)];
  assert.deepEqual(blocks.map(([, file]) => file), ['test/chat.test.mjs', 'test/crash.test.mjs', 'test/cost.test.mjs']);
  for (const [, file, block] of blocks) writeFileSync(path.join(project, file.replace('chat', 'documented')), block);
  assert.equal(await runTests(), 2 + blocks.length);
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
