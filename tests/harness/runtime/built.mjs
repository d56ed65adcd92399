// The built Worker, as far as both runtimes need it: its files, its object class, and
// the object that holds a session.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { root } from '../root.mjs';
import { isCompressed } from '../target.mjs';

// Those of wrangler.toml, which says why.
export const COMPATIBILITY_DATE = '2026-08-15';
const UNCOMPRESSED = 'no_web_socket_compression';
export const COMPATIBILITY_FLAGS = ['enable_request_signal', ...(isCompressed ? [] : [UNCOMPRESSED])];
export const OBJECT = 'Dormouse';

/** The path of a file of a build, which must exist. */
export function builtFile(build, name) {
  const file = path.resolve(root, build, name);
  if (!existsSync(file)) throw new Error(`${file} is missing: npm test builds it`);
  return file;
}

/** The object of a session. A sid begins with its id: 32 bytes as 43 characters of base64url. */
export function objectId(sid) {
  return Buffer.from(sid.slice(0, 43), 'base64url').toString('hex');
}
