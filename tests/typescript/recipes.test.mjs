// examples/typescript-recipes, with the steps that those in Rust go through, asleep between
// any two of them.

import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { asleep } from '../harness/recipes.mjs';
import { root } from '../harness/root.mjs';
import { COMPATIBILITY_FLAGS } from '../harness/runtime/built.mjs';
import { FOLLOWS, bundle, install, project, runIn } from '../harness/typescript.mjs';
import { messages } from '../recipes/messages.mjs';
import { presence } from '../recipes/presence.mjs';
import { KEY, token, tokens } from '../recipes/tokens.mjs';

const source = path.join(root, 'examples/typescript-recipes');
const worker = {
  compatibilityFlags: [...COMPATIBILITY_FLAGS, FOLLOWS],
  bindings: { JWT_KEY: KEY },
  d1Databases: ['INBOX'],
};
const options = { build: await bundle(path.join(source, 'src/index.ts')), worker };

presence(options, asleep);
tokens(options, asleep);

const schema = readFileSync(path.join(source, 'migrations/0001_messages.sql'), 'utf8');
messages(options, asleep, async ({ runtime }) => {
  const database = await runtime.getD1Database('INBOX');
  await database.exec(schema.replace(/^--.*\n/gm, ''));
});

asleep('who does not renew a token in time is disconnected', '/tokens/', async ({ server, open, rest }) => {
  const ada = await open({ auth: { token: token('ada', 2) } });
  const bob = await open({ auth: { token: token('bob', 2) } });
  assert.equal(await ada.ask('renew', token('ada', 3_600)), undefined);
  let answer;
  do answer = await bob.ask('who am I');
  while (answer === 'bob');
  assert.deepEqual(answer, { error: 'renew' });
  await rest();
  await (await server.runtime.getWorker()).scheduled({ cron: '* * * * *' });
  assert.equal(await bob.end(), 'io server disconnect');
  assert.equal(await ada.ask('who am I'), 'ada');
}, options);

test('they have their types, and so has the application that was moved here', async () => {
  const folder = project('recipes');
  rmSync(folder, { recursive: true, force: true });
  install(folder);
  cpSync(source, folder, { recursive: true });
  cpSync(path.join(root, 'examples/migration/socket.io/worker.ts'), path.join(folder, 'src/migrated.ts'));
  await runIn(folder, 'typescript/bin/tsc');
});
