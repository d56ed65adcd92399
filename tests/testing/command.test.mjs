// `dormouse-test`, the command: for scripts of package.json, and for tests in any language.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';
import { connect } from '#dormouse-test/index.mjs';
import { within } from '#dormouse-test/wait.mjs';
import { root } from '../harness/root.mjs';
import { workerOnly } from '../harness/target.mjs';
import { makeProject } from './project.mjs';

const program = path.join(root, 'packages/dormouse-test/src/cli.mjs');
const START = 60_000;

/** Starts the command in a folder. */
function command(t, cwd, ...args) {
  const child = spawn(process.execPath, [program, ...args], { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  const said = { stdout: '', stderr: '' };
  for (const name of Object.keys(said)) child[name].on('data', (text) => (said[name] += text));
  const ended = once(child, 'close').then(([code]) => ({ code, ...said }));
  return { child, ended: (what = 'end') => within(ended, what, START) };
}

const run = (t, cwd, ...args) => command(t, cwd, ...args).ended();

test('a Worker is built and served, and told what is to happen to it', workerOnly, async (t) => {
  const project = makeProject();
  const built = await run(t, project, 'build');
  assert.equal(built.code, 0, built.stderr);
  assert.equal(built.stdout, '', 'standard output is for what others read');

  const { child, ended } = command(t, project, 'serve', '--clock', 'manual', '--var', 'API_SECRET=a=b');
  const lines = createInterface({ input: child.stdout });
  const [line] = await within(once(lines, 'line'), 'address', START);
  const { url, control } = JSON.parse(line);
  const ask = async (what, query = {}) => {
    const answer = await fetch(`${control}/${what}?${new URLSearchParams(query)}`, { method: 'POST' });
    return { status: answer.status, answer: await answer.json() };
  };

  const ada = await connect(io, url, { path: '/io/', transports: ['websocket'] });
  t.after(() => ada.close());
  await ada.ask('set-alarm', 'say-up', 60_000);
  const socket = ada.id;
  assert.deepEqual(await ask('sleep', { socket }), { status: 200, answer: 1 });
  await ask('advance', { ms: 60_000 });
  assert.deepEqual(await ada.next('alarm'), ['up', 'say-up']);
  const { answer: log } = await ask('log', { event: 'wake', reason: 'alarm' });
  assert.equal(log.reason, 'alarm');
  const { answer: spent } = await ask('meter', { socket });
  assert.equal(spent.messages, 2, 'one that connects, and the event');
  assert.ok(spent.dollars > 0 && spent.dollars < 1e-3, `${spent.dollars}`);
  assert.deepEqual(await ask('abort', { socket }), { status: 200, answer: 1 });
  await ada.next('disconnect');

  assert.match((await ask('sleep', { socket: 'nobody' })).answer.error, /“nobody” is neither/);
  assert.match((await ask('advance', { ms: 'soon' })).answer.error, /time goes forward/);
  for (const what of ['toString', 'dance', '']) assert.equal((await ask(what)).status, 404);

  child.stdin.end();
  assert.equal((await ended()).code, 0);
  await assert.rejects(fetch(url), 'the Worker is gone');
});

test('what it cannot do, it says in one line', workerOnly, async (t) => {
  const project = makeProject();
  const unbuilt = await run(t, project, 'serve');
  assert.deepEqual([unbuilt.code, unbuilt.stdout], [1, '']);
  assert.match(unbuilt.stderr, /^dormouse-test: there is no build in .*: `dormouse-test build` makes it\n$/);

  for (const [configuration, message] of [
    [{ durable_objects: undefined, migrations: undefined }, /has no class of Durable Objects, and no binding DORMOUSE/],
    [{ build: { command: 'exit 3' } }, /the `command` of \[build\] failed/],
    [{ build: { command: 'true' } }, /index\.js is missing: the build has not made it/],
    [{ main: undefined }, /has no `main`/],
  ]) {
    const { code, stderr } = await run(t, makeProject(configuration), 'build');
    assert.equal(code, 1, stderr);
    assert.match(stderr, message);
  }
});

test('a build does not replace what is no build', workerOnly, async (t) => {
  const project = makeProject();
  mkdirSync(path.join(project, 'worker'));
  const { code, stderr } = await run(t, project, 'build', '--folder', '.');
  assert.equal(code, 1);
  assert.match(stderr, /worker is there already, and is not a build/);
});

test('it says how it is used', workerOnly, async (t) => {
  const project = makeProject();
  for (const [args, code] of [[['--help'], 0], [['dance'], 2], [['serve', 'now'], 2], [['serve', '--port', 'x'], 1], [['build', '--dance'], 1]]) {
    const { code: ended, stderr } = await run(t, project, ...args);
    assert.equal(ended, code, stderr);
    assert.notEqual(stderr, '');
  }
});
