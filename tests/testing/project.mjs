// A project with the test Worker, built for tests as a user's is.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { build } from '#dormouse-test/index.mjs';
import { root } from '../harness/root.mjs';
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, OBJECT } from '../harness/runtime/built.mjs';

/** As `cargo` and `worker-build` would do, this puts the Worker into the project's folder. */
const command = `cp -r ${JSON.stringify(path.join(root, 'tests/worker/build'))} .`;

/** Makes a project; `more` is in its configuration, too. Returns its folder, which is gone after the tests. */
export function makeProject(more = {}) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'dormouse-project-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const configuration = {
    name: 'test-worker',
    main: 'build/index.js',
    compatibility_date: COMPATIBILITY_DATE,
    compatibility_flags: COMPATIBILITY_FLAGS,
    build: { command },
    durable_objects: { bindings: [{ name: 'DORMOUSE', class_name: OBJECT }] },
    migrations: [{ tag: 'v1', new_sqlite_classes: [OBJECT] }],
    ...more,
  };
  writeFileSync(path.join(folder, 'wrangler.json'), JSON.stringify(configuration));
  return folder;
}

/** Builds a project. Returns the build's folder. */
export function buildProject(more) {
  const folder = makeProject(more);
  return build({ config: path.join(folder, 'wrangler.json'), folder: path.join(folder, '.wrangler/dormouse-test') });
}
