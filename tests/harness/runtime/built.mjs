// The built Worker, as far as all runtimes need it: its files, its object class, and
// the object that holds a session.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { startRuntime } from '#dormouse-test/runtime.mjs';
import { root } from '../root.mjs';
import { isCompressed } from '../target.mjs';
import { endWithParent } from './parent.mjs';

export { objectId } from '#dormouse-test/ids.mjs';

// Those of wrangler.toml, which says why.
export const COMPATIBILITY_DATE = '2026-08-15';
const UNCOMPRESSED = 'no_web_socket_compression';
export const COMPATIBILITY_FLAGS = ['enable_request_signal', ...(isCompressed ? [] : [UNCOMPRESSED])];
export const OBJECT = 'Dormouse';

const FILES = ['index.js', 'index_bg.wasm'];

/** A build as the package dormouse-test takes it: by default that of the test Worker (tests/worker). */
export function builtWorker(build = 'tests/worker/build') {
  for (const name of FILES) builtFile(build, name);
  return { folder: path.resolve(root, build), files: FILES, className: OBJECT };
}

/** The path of a file of a build, which must exist. */
export function builtFile(build, name) {
  const file = path.resolve(root, build, name);
  if (!existsSync(file)) throw new Error(`${file} is missing: npm test builds it`);
  return file;
}

/** Starts a build as the package does. It ends with the tests, however they end. */
export async function startHere(...all) {
  let runtime;
  endWithParent(async () => runtime?.stop());
  runtime = await startRuntime(...all);
  return runtime;
}
