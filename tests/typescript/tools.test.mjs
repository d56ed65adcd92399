// The package as it is published, in the tools that people use it with.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { before, test } from 'node:test';
import { io } from 'socket.io-client';
import { tarball } from '../../tools/npm-package.mjs';
import { packages } from '../../tools/versions.mjs';
import { root } from '../harness/root.mjs';
import { startWrangler } from '../harness/runtime/wrangler.mjs';
import { bundle, createProject, runIn, startApplication } from '../harness/typescript.mjs';
import { within } from '#dormouse-test/wait.mjs';

let folder;
before(() => (folder = createProject('tools')));

const run = (...command) => runIn(folder, ...command);

async function echoes(url) {
  const socket = io(url, { forceNew: true });
  try {
    await within(once(socket, 'connect'), 'connect', 20_000);
    assert.deepEqual(await within(socket.emitWithAck('echo', ['é', 1]), 'echo'), ['é', 1]);
  } finally {
    socket.close();
  }
}

test('it exports our names only', async () => {
  const text = readFileSync(path.join(folder, 'node_modules/dormouse-io/dist/index.js'), 'utf8');
  const exported = /export\{([^}]*)\};?\s*(?:\/\/#.*)?\s*$/.exec(text)[1];
  const names = exported.split(',').map((name) => name.split(' as ').at(-1));
  assert.deepEqual(names.sort(), ['BroadcastOperator', 'Namespace', 'RemoteSocket', 'Server', 'Socket']);
});

test('it does not say where it was built', () => {
  const dist = path.join(folder, 'node_modules/dormouse-io/dist');
  for (const file of readdirSync(dist)) {
    const bytes = readFileSync(path.join(dist, file));
    for (const place of [root, os.homedir()]) assert.ok(!bytes.includes(`${place}/`), `${file} names ${place}`);
  }
});

for (const name of Object.keys(packages)) {
  test(`publint finds nothing in ${name}`, () => run('publint/src/cli.js', 'run', tarball(name), '--strict'));

  test(`the types of ${name} are not wrong`, () =>
    run('@arethetypeswrong/cli/dist/index.js', tarball(name), '--profile', 'esm-only', '--exclude-entrypoints', 'dist/dormouse.wasm', 'dist/spread.wasm'));
}

test('the applications in the documentation have their types', async () => {
  const files = ['README.md', 'docs/typescript.md', 'packages/dormouse-io/README.md'];
  const programs = files.flatMap((file) => {
    const blocks = readFileSync(path.join(root, file), 'utf8').matchAll(/```ts\n(.*?)```/gs);
    return [...blocks].map(([, text]) => text).filter((text) => /^import \{ Server\b/.test(text));
  });
  // One of them has two more: many objects have an entry of their own, and what is billed is told.
  assert.equal(programs.length, files.length + 2);
  mkdirSync(path.join(folder, 'src/documents'), { recursive: true });
  for (const [index, text] of programs.entries()) {
    writeFileSync(path.join(folder, 'src/documents', `${index}.ts`), text);
  }
  await run('typescript/bin/tsc', '--project', folder);
});

test('vite builds it', async () => {
  writeFileSync(
    path.join(folder, 'vite.config.ts'),
    'import { cloudflare } from "@cloudflare/vite-plugin";\nexport default { plugins: [cloudflare()] };\n',
  );
  await run('vite/bin/vite.js', 'build');
});

test('tests in TypeScript have their types', async () => {
  const text = `
    import { dollars, start, type Client } from "dormouse-test";
    import { io, type Socket } from "socket.io-client";

    export async function use(): Promise<number> {
      const worker = await start({ clock: "manual", variables: { SECRET: "x" } });
      const ada: Client<Socket> = await worker.connect(io, { namespace: "/chat", auth: { name: "Ada" } });
      await worker.sleep(ada);
      await worker.abort(ada.id);
      await worker.clock.advance(1_000);
      const [name] = await ada.next("entered");
      const { awake = 0, ...spent } = await worker.meter.spent(() => ada.ask("say", name), ada);
      // @ts-expect-error: the clock is not manual
      await (await start()).clock.now();
      return dollars(spent) + awake;
    }
  `;
  writeFileSync(path.join(folder, 'src/tested.ts'), text);
  await run('typescript/bin/tsc', '--project', folder);
});

test('Hono routes to it', async (t) => {
  const server = await startApplication('tests/typescript/application/hono.ts');
  t.after(() => server.stop());
  await echoes(server.url);
  const answer = await fetch(`${server.url}/shout`, { method: 'POST', body: 'hello' });
  assert.equal(await answer.text(), 'done');
});

test('`wrangler dev` runs it', async (t) => {
  const build = await bundle('tests/typescript/application/hono.ts');
  const server = await startWrangler({ build });
  t.after(() => server.stop());
  await echoes(server.url);
});
