// examples/typescript-recipes, with the steps that those in Rust go through: awake in strict mode,
// as in development, and asleep between any two of them, as deployed.

import assert from 'node:assert/strict';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { asleep, awake, migrate } from '../harness/recipes.mjs';
import { root } from '../harness/root.mjs';
import { COMPATIBILITY_FLAGS } from '../harness/runtime/built.mjs';
import { FOLLOWS, bundle, install, project, runIn } from '../harness/typescript.mjs';
import { chat } from '../recipes/chat.mjs';
import { crowd } from '../recipes/crowd.mjs';
import { limits } from '../recipes/limits.mjs';
import { messages } from '../recipes/messages.mjs';
import { notices } from '../recipes/notices.mjs';
import { presence } from '../recipes/presence.mjs';
import { scores } from '../recipes/scores.mjs';
import { sessions } from '../recipes/sessions.mjs';
import { KEY, token, tokens } from '../recipes/tokens.mjs';
import { uploads } from '../recipes/uploads.mjs';

const folder = 'examples/typescript-recipes';
const compatibilityFlags = [...COMPATIBILITY_FLAGS, FOLLOWS];
/** What wrangler.jsonc there binds, for Miniflare. */
const worker = {
  compatibilityFlags,
  bindings: { JWT_KEY: KEY },
  d1Databases: ['HISTORY', 'INBOX', 'SCORES'],
  kvNamespaces: ['SESSIONS'],
  r2Buckets: ['FILES'],
  queueProducers: { NOTICES: 'notices' },
  queueConsumers: { notices: { maxBatchTimeout: 0, retryDelay: 0 } },
};
const options = { ...(await builds('index.ts')), worker };
const prepare = (binding) => migrate(binding, `${folder}/migrations/${binding.toLowerCase()}`);

chat(options, define, prepare('HISTORY'));
limits(options, define);
messages(options, define, prepare('INBOX'));
notices(options, define);
presence(options, define);
scores(options, define, prepare('SCORES'));
sessions(options, define);
tokens(options, define);
uploads(options, define, 'a chunk has 262144 bytes, and the last one what is left');

awake('who sends more than all together may is disconnected', '/limits/', async ({ server, open }) => {
  const ada = await open({});
  for (let number = 0; number < 220; number += 1) ada.emit('ping');
  assert.equal(await ada.end(), 'transport close');
  await server.logs.waitFor({ event: 'overrun' });
}, options);

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

const tellViewers = async ({ runtime }) => {
  const { outcome } = await (await runtime.getWorker()).scheduled({ cron: '* * * * *' });
  assert.equal(outcome, 'ok');
};
crowd({ ...(await builds('crowd.ts')), worker: { compatibilityFlags } }, define, tellViewers);

const copy = project('recipes');
rmSync(copy, { recursive: true, force: true });
install(copy);
cpSync(path.join(root, folder), copy, { recursive: true });

test('they have their types, and so has the application that was moved here', async () => {
  cpSync(path.join(root, 'examples/migration/socket.io/worker.ts'), path.join(copy, 'src/migrated.ts'));
  await runIn(copy, 'typescript/bin/tsc');
});

for (const configuration of ['wrangler.jsonc', 'wrangler.crowd.jsonc']) {
  test(`wrangler takes ${configuration}`, async () => {
    const out = path.join(copy, 'out', configuration);
    await runIn(copy, 'wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--config', configuration, '--outdir', out);
    assert.ok(readdirSync(out).some((name) => name.endsWith('.wasm')));
  });
}

/** Bundles a file as it is deployed, and in strict mode. */
async function builds(file) {
  const entry = `${folder}/src/${file}`;
  return { build: await bundle(entry), strict: await bundle(entry, { strict: true }) };
}

/** Defines both tests of some steps. */
function define(name, path, body, options) {
  awake(`${name}, in strict mode`, path, body, { ...options, build: options.strict });
  asleep(name, path, body, options);
}
