// The commands in docs/http-api.md, as a reader pastes them.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { secret, startWithApi } from '../harness/api.mjs';
import { join, newest } from '../harness/clients/socket.mjs';
import { root } from '../harness/root.mjs';

const server = await startWithApi();
after(() => server.stop());

const text = readFileSync(path.join(root, 'docs', 'http-api.md'), 'utf8');
const commands = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, command]) => command);

function bash(command) {
  const env = { ...process.env, CHAT: `${server.url}/io`, API_SECRET: secret };
  return new Promise((resolve, reject) => {
    execFile('bash', ['-euo', 'pipefail', '-c', command], { env, timeout: 30_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${command}\n${stdout}\n${stderr}`));
      else resolve(stdout);
    });
  });
}

test('every command does what it says', async () => {
  const player = await join(server, newest, { path: '/io/', auth: { rooms: ['night shift'] } });
  player.listen('alarm', 'hello', 'photo');
  player.socket.on('awake?', (answer) => answer('yes'));
  const answers = [];
  for (const command of commands) answers.push(await bash(command));
  assert.ok(commands.length >= 7);
  for (const answer of answers) assert.match(answer, /"missing":\[\]/);
  assert.deepEqual(await player.next('alarm'), ['wake up', { level: 3 }]);
  assert.deepEqual(await player.next('alarm'), ['wake up']);
  assert.deepEqual(await player.next('hello'), []);
  assert.deepEqual(await player.next('photo'), ['cat.png', Buffer.from('iVBORw==', 'base64')]);
  assert.ok(answers.some((answer) => answer.includes(`"answers":[{"id":"${player.id}","args":["yes"]}]`)));
  player.close();
});
