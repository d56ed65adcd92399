// The built Worker as both runtimes take it: its files, its object class, and how the
// object of a session is found.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { root } from '../root.mjs';

export const COMPATIBILITY_DATE = '2026-11-17';
export const OBJECT = 'Dormouse';

/** A file of a build, which has to be there. */
export function builtFile(build, name) {
  const file = path.resolve(root, build, name);
  if (!existsSync(file)) throw new Error(`${file} is missing: npm test builds it`);
  return file;
}

/** A sid begins with its object's id: 32 bytes as 43 characters of base64url. */
export function objectId(sid) {
  return Buffer.from(sid.slice(0, 43), 'base64url').toString('hex');
}
