// A project that was created from templates/typescript, with the packages as they would
// be published, and what its own commands do.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { createProject, nodeIn, runIn, startApplication } from '../harness/typescript.mjs';
import { within } from '#dormouse-test/wait.mjs';

let folder;
let server;
const open = [];
before(async () => {
  folder = createProject('first-script');
  server = await startApplication(path.join(folder, 'src/index.ts'));
});
after(async () => {
  for (const socket of open) socket.close();
  await server?.stop();
});

async function join(name) {
  const socket = io(server.url, { forceNew: true, auth: { name } });
  open.push(socket);
  await within(once(socket, 'connect'), 'connect');
  return socket;
}

const next = async (socket, event) => within(once(socket, event), event);

test('people in a room hear each other, through sleep', async () => {
  const [ada, bob] = [await join('Ada'), await join('Bob')];
  assert.deepEqual(await ada.emitWithAck('enter', 'lobby'), ['Ada']);
  const entered = next(ada, 'entered');
  assert.deepEqual(await bob.emitWithAck('enter', 'lobby'), ['Ada', 'Bob']);
  assert.deepEqual(await entered, ['Bob']);

  assert.equal(await server.sleep(ada.id), true);
  const heard = [next(ada, 'message'), next(bob, 'message')];
  ada.emit('message', 'hello');
  for (const message of heard) assert.deepEqual(await message, ['Ada', 'hello']);

  assert.equal(await server.sleep(ada.id), true);
  const typing = next(ada, 'typing');
  bob.emit('typing');
  assert.deepEqual(await typing, ['Bob']);

  assert.equal(await server.sleep(ada.id), true);
  const said = next(bob, 'message');
  await fetch(`${server.url}/say?room=lobby&text=supper`, { method: 'POST' });
  assert.deepEqual(await said, ['the house', 'supper']);

  assert.equal(await server.sleep(ada.id), true);
  const left = next(ada, 'left');
  bob.close();
  assert.deepEqual(await left, ['Bob']);
});

test('somebody without a name is refused', async () => {
  const socket = io(server.url, { forceNew: true });
  open.push(socket);
  const [error] = await next(socket, 'connect_error');
  assert.equal(error.message, 'everybody here has a name');
});

test('it has its types', () => runIn(folder, 'typescript/bin/tsc'));

test('wrangler bundles it, with the wasm as a module', async () => {
  await runIn(folder, 'wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--outdir', 'out');
  const files = readdirSync(path.join(folder, 'out')).filter((name) => /\.(js|wasm)$/.test(name));
  assert.deepEqual(files.map((name) => path.extname(name)).sort(), ['.js', '.wasm']);
});

test('its own tests run inside of the runtime, with a stock client', async () => {
  assert.match(await runIn(folder, 'vitest/vitest.mjs', 'run'), /2 passed/);
});

test('its tests from outside put what wrangler has bundled to sleep', async () => {
  await nodeIn(folder, 'node_modules/dormouse-test/src/cli.mjs', 'build');
  assert.match(await nodeIn(folder, '--test', '--test-reporter=spec', 'test/sleep.mjs'), /pass 2/);
});

test('it takes the packages of this clone, and its name is the project’s everywhere', () => {
  const read = (file) => readFileSync(path.join(folder, file), 'utf8');
  const { name, dependencies, devDependencies } = JSON.parse(read('package.json'));
  assert.equal(name, 'first-script');
  for (const version of [dependencies['dormouse-io'], devDependencies['dormouse-test']]) {
    assert.ok(existsSync(version.replace(/^file:/, '')), version);
  }
  for (const file of ['wrangler.jsonc', 'README.md', 'public/index.html']) {
    assert.ok(read(file).includes('first-script'), file);
    assert.ok(!read(file).includes('my-worker'), file);
  }
});
